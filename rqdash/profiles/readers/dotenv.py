"""Lines of NAME=value, as .env files and compose files hold them, with what they leave to the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rqdash.profiles.readers.notes import Notes
from rqdash.profiles.readers.tree import At, Bound, Leaf, Open, Value
from rqdash.profiles.readers.values import Hole

LINE = re.compile(r"[ \t]*(?:(?:export|set)[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*[=:][ \t]*(.*)", re.DOTALL)
STRICT = re.compile(r"[ \t]*(?:export[ \t]+)?[A-Za-z_][A-Za-z0-9_.-]*=(?![ \t=]).*")
BRACED = r"\$\{(?P<name>[A-Za-z_]\w*)(?:(?P<mark>:?[-?+])(?P<rest>[^{}]*))?\}"
IN_COMPOSE = re.compile(rf"(?P<escape>\$\$)|{BRACED}|\$(?P<bare>[A-Za-z_]\w*)")
IN_DOTENV = re.compile(rf"(?P<escape>\\\$)|{BRACED}(?P<bare>(?!))?")


def looks_like_dotenv(text: str) -> bool:
    """Whether every line is NAME=value without spaces around the sign, a comment or empty."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return bool(lines) and all(STRICT.fullmatch(line) for line in lines)


def dotenv(text: str, notes: Notes) -> Mapping[str, Bound]:
    """The names of a .env file; the last line of a name counts."""
    names: dict[str, Bound] = {}
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        if not line.strip() or line.lstrip().startswith(("#", "[")):
            continue
        found = LINE.fullmatch(line)
        if found is None:
            notes.warning(At(number, 1), "not-a-line", message="This line is not NAME=value; skipped. Correct it if it matters.")
            continue
        at = At(number, found.start(2) + 1)
        names.pop(found[1], None)
        names[found[1]] = Bound(_value(found[2].strip(), at), At(number, found.start(1) + 1))
    return names


def _value(raw: str, at: At) -> Value:
    if len(raw) >= 2 and raw[0] == "'" and (end := raw.find("'", 1)) > 0:
        return Leaf(raw[1:end], at)
    if len(raw) >= 2 and raw[0] == '"' and (end := raw.rfind('"')) > 0:
        return interpolated(raw[1:end].replace('\\"', '"').replace("\\n", "\n"), at, pattern=IN_DOTENV)
    # Only after white space does a comment begin: passwords hold this mark.
    return interpolated(re.split(r"\s#", raw, maxsplit=1)[0].strip(), at, pattern=IN_DOTENV)


def interpolated(text: str, at: At, *, pattern: re.Pattern[str] = IN_COMPOSE) -> Value:
    """A text whose ${NAME} and ${NAME:-default} are left open. What ${NAME:?message} says is no default."""
    pieces: list[str | Hole] = []
    end = 0
    for found in pattern.finditer(text):
        pieces.append(text[end : found.start()])
        end = found.end()
        if found["escape"]:
            pieces.append("$")
        else:
            default = found["rest"] if found["mark"] in ("-", ":-") else None
            pieces.append(Hole(found["name"] or found["bare"], default))
    pieces.append(text[end:])
    kept = tuple(piece for piece in pieces if piece != "")
    return Open(kept, at) if any(isinstance(piece, Hole) for piece in kept) else Leaf("".join(str(piece) for piece in kept), at)
