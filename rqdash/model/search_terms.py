"""What a search is made of: fields, words with globs, spans of time; how each is matched, and how each is written."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass

from rqdash.model.names import encoded

WHOLE = ("backend", "queue", "status", "fn", "id", "worker", "group")
"""Compared whole and with their case; * stands for any characters."""
PARTS = ("desc", "error", "msg")
"""Found anywhere in the text, without regard to case; a bare word is too."""
TIMES = ("age", "run")
FIELDS = (*WHOLE, *PARTS, *TIMES)
BARE = ""

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
SPAN = re.compile(r"(<=|>=|<|>)((?:[0-9]{1,9}(?:\.[0-9]{1,6})?(?:ms|[smhdw]))+)")
AMOUNT = re.compile(r"([0-9.]+)(ms|[smhdw])")
_PLAIN = re.compile(r"[^\s\"*,:]+")
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A word: the texts between its globs, so one text is a word without any."""

    parts: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        return len(self.parts) == 1

    @property
    def is_ascii(self) -> bool:
        return all(part.isascii() for part in self.parts)

    def is_all_of(self, text: str) -> bool:
        """Whether it is the whole text, case and all."""
        if self.is_exact:
            return text == self.parts[0]
        first, *inner, last = self.parts
        if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
            return False
        return _in_order(inner, text[len(first) : len(text) - len(last)])

    def is_part_of(self, text: str) -> bool:
        """Whether it is somewhere in the text, without regard to case; never in an empty text.

        A word of ASCII alone disregards the case of A to Z alone, as Redis's Lua does, so that both agree on every text.
        """
        return self.finder()(text)

    def finder(self) -> Callable[[str], bool]:
        """is_part_of, made ready for many texts."""
        fold: Callable[[str], str] = _lower if self.is_ascii else str.casefold
        parts = [fold(part) for part in self.parts]
        if self.is_exact:
            return lambda text: parts[0] in fold(text) and text != ""
        return lambda text: text != "" and _in_order(parts, fold(text))


@dataclass(frozen=True, slots=True)
class Span:
    """A comparison with a length of time, as written: operator <, <=, > or >=, length such as "1h30m"."""

    operator: str
    length: str

    @property
    def seconds(self) -> float:
        return sum(float(amount) * UNITS_S[unit] for amount, unit in AMOUNT.findall(self.length))

    def takes(self, seconds: float) -> bool:
        limit = self.seconds
        if self.operator == "<":
            return seconds < limit
        if self.operator == "<=":
            return seconds <= limit
        return seconds > limit if self.operator == ">" else seconds >= limit


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: any of its words (or, for age and run, of its spans), or none of them when negated.

    field is one of FIELDS, "" for a bare word; at is where it begins in the text.
    """

    field: str
    patterns: tuple[Pattern, ...] = ()
    spans: tuple[Span, ...] = ()
    is_negated: bool = False
    at: int = dataclasses.field(default=0, compare=False)

    def is_all_of(self, text: str) -> bool:
        """Whether one of its words is the whole text; negation aside."""
        return any(pattern.is_all_of(text) for pattern in self.patterns)

    def is_part_of(self, text: str) -> bool:
        """Whether one of its words is in the text; negation aside."""
        return any(pattern.is_part_of(text) for pattern in self.patterns)

    def finder(self) -> Callable[[str], bool]:
        """is_part_of, made ready for many texts."""
        finders = [pattern.finder() for pattern in self.patterns]
        return finders[0] if len(finders) == 1 else lambda text: any(finder(text) for finder in finders)

    def takes(self, seconds: float | None) -> bool:
        """Whether one of its spans takes this length; an unknown one is taken by none. Negation aside."""
        return seconds is not None and any(span.takes(seconds) for span in self.spans)


def written(term: Term) -> str:
    """The term as somebody would write it; search() reads it back as the same."""
    words = [f"{span.operator}{span.length}" for span in term.spans] or [_word(pattern) for pattern in term.patterns]
    return f"{'-' if term.is_negated else ''}{f'{term.field}:' if term.field else ''}{','.join(words)}"


def literal(name: str) -> str:
    """A name as a word that means it and nothing else, whatever it holds: quoted when it must be.

    Bytes that are not UTF-8 and control characters are \\xNN, so that the text survives forms and addresses.
    """
    if _PLAIN.fullmatch(name) and name.isprintable() and not name.startswith("-"):
        return name
    return f'"{"".join(map(_escaped, name))}"'


def _word(pattern: Pattern) -> str:
    return "*".join(literal(part) if part or pattern.is_exact else "" for part in pattern.parts)


def _escaped(char: str) -> str:
    if char in _ESCAPED:
        return _ESCAPED[char]
    if char < " " or char == "\x7f" or "\udc80" <= char <= "\udcff":
        return "".join(f"\\x{byte:02x}" for byte in encoded(char))
    return char


def _in_order(parts: list[str], text: str) -> bool:
    """Whether the parts stand in the text one after the other; the leftmost place of each leaves most room for the next."""
    start = 0
    for part in parts:
        found = text.find(part, start)
        if found < 0:
            return False
        start = found + len(part)
    return True


def _lower(text: str) -> str:
    """With A to Z in lower case and nothing else changed."""
    return text.lower() if text.isascii() else text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
