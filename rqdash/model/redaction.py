"""What may be seen of jobs' arguments: whether at all, and the rules that hide a value by its name.

A rule is a glob over names, such as *password*, without regard to case. What is hidden is said with the rule that hid it. A value is
named by its keyword, its key in a dict, its attribute, the other half of a pair or the option before it; in text by what stands
before a "=" or ":", or in quotes before a comma. A positional argument has no name, so no rule reaches it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cache

from rqdash.model.profile import Profile

HIDDEN = "hidden by the policy of this connection"
NOT_SHOWN = "not shown"
LONGEST_RULE = 64
MOST_STARS = 4
RULE = re.compile(r"[\w.*?-]{1,64}")
"""What a rule may be: letters, digits and _ . - with * for any characters and ? for one."""

# A value that ends where it seems to: text that RQ cut, or what an object says of itself, does not.
_LITERAL = re.compile(r"""\s*(?:'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|-?[0-9][0-9.]*|None|True|False)(?=[,)}\]]|$)""")


@dataclass(frozen=True, slots=True)
class Redaction:
    """A profile's policy, ready to be applied; made by of()."""

    arguments: str = "shown"
    globs: tuple[str, ...] = ()
    _names: tuple[tuple[str, re.Pattern[str]], ...] = field(default=(), repr=False)
    _texts: tuple[tuple[str, re.Pattern[str]], ...] = field(default=(), repr=False)
    _pieces: tuple[str, ...] = field(default=(), repr=False)
    _raw_pieces: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def is_shown(self) -> bool:
        """Whether values are shown, but for those that rules hide."""
        return self.arguments == "shown"

    @property
    def pieces(self) -> tuple[str, ...]:
        """A text of which none of these is a part, without regard to case, is touched by no rule."""
        return self._pieces

    @property
    def is_hidden(self) -> bool:
        return self.arguments == "hidden"

    def rule(self, name: str) -> str:
        """The first rule that hides what has this name; "" when none does."""
        if not self.touches(name):
            return ""
        folded = name.casefold()
        return next((glob for glob, pattern in self._names if pattern.match(folded)), "")

    def touches(self, text: str) -> bool:
        """Whether a rule could match any name in a text; False is certain."""
        folded = text.casefold()
        # Lists ask this of every row: a generator would take twice as long.
        for piece in self._pieces:  # noqa: SIM110
            if piece in folded:
                return True
        return False

    def touches_raw(self, raw: bytes) -> bool:
        """The same of serialized bytes, where names stand in UTF-8."""
        lowered = raw.lower()
        for piece in self._raw_pieces:  # noqa: SIM110  as above
            if piece in lowered:
                return True
        return False

    def text(self, text: str) -> str:
        """A text without the values that it names itself: f(a, password='x'), {"token": 1}, ('secret', 'x'), ?api_key=x.

        Where it cannot be told how far a value goes, everything after its name is left out.
        """
        if not self.touches(text):
            return text
        parts, at = [], 0
        while found := self._first(text, at):
            glob, start = found
            parts += [text[at:start], said(glob)]
            value = _LITERAL.match(text, start)
            if value is None or "..." in value[0]:
                return "".join(parts)
            at = value.end()
        return "".join([*parts, text[at:]])

    def _first(self, text: str, start: int) -> tuple[str, int] | None:
        """The rule that matches a name first after start, and where the value of that name begins."""
        matches = ((found.start(), glob, found.end()) for glob, pattern in self._texts if (found := pattern.search(text, start)))
        _, glob, end = min(matches, default=(0, "", 0))
        return (glob, end) if glob else None


SHOWN = Redaction()
"""The policy that hides nothing: for what is not of a job, and to look into a value without showing it."""


def of(profile: Profile) -> Redaction:
    """The policy of a profile."""
    return _compiled(profile.arguments, profile.redact)


def said(rule: str) -> str:
    """What stands in a line for a value that a rule hides."""
    return f"<hidden by the rule {rule}>"


def globs(text: str) -> tuple[str, ...]:
    """The rules in what somebody typed, with spaces, commas or lines between; each once."""
    return tuple(dict.fromkeys(part for part in re.split(r"[\s,]+", text) if part))


def problem(rules: Sequence[str]) -> str:
    """What is wrong with the first rule that cannot be one, a sentence; "" when all can."""
    for rule in rules:
        if not RULE.fullmatch(rule):
            return "A rule is letters, digits, _ . and -, at most 64, with * for any characters and ? for one: *password*."
        if rule.count("*") > MOST_STARS:
            return f"A rule has at most {MOST_STARS} stars: *password*."
        if not rule.strip("*?"):
            return "A rule of stars alone would hide everything. Choose Described or Hidden for that."
    return ""


@cache
def _compiled(arguments: str, rules: tuple[str, ...]) -> Redaction:
    names = tuple((rule, re.compile(translate(rule.casefold()))) for rule in rules)
    texts = tuple((rule, re.compile(_in_text(rule), re.IGNORECASE | re.DOTALL)) for rule in rules)
    pieces = tuple({max(re.split(r"[*?]+", rule.casefold()), key=len) for rule in rules})
    # Only ASCII letters keep their case apart in one bit, and JSON writes the others by number: then any bytes may hold a name.
    raw = tuple(piece.encode() if piece.isascii() else b"" for piece in pieces)
    return Redaction(arguments, rules, names, texts, pieces, raw)


def _in_text(rule: str) -> str:
    """A pattern for a name of this rule and the sign after it, with what may close the name between.

    Every step takes as little as fits and is not tried again, so that no text takes long.
    """
    first, *others = rule.split("*")
    start = "" if rule.startswith("*") else r"(?<![\w.-])"
    inner = "".join(rf"(?>[^=:,\"'\\]*?{_one(piece)})" for piece in others[:-1])
    if others and others[-1]:
        inner += rf"(?>[^=:,\"'\\]*?{_one(others[-1])}(?=[\"'\\\]\s=:]))"
    # A name without quotes has no spaces; one in quotes may hold anything.
    rest = r"""(?:[^=:,\s"'\\\]]*+["'\\\]\s]*+|[^"'\\]*+\\?["']\s*+)""" if rule.endswith("*") else r"""["'\\\]\s]*+"""
    # After a text in quotes and a comma comes the other half of a pair, but for a keyword with its own value.
    return rf"{start}{_one(first)}{inner}{rest}(?:[=:]|(?<=[\"']),(?!\s*+[^\W\d]\w*+\s*+=))"


def _one(piece: str) -> str:
    # What cannot be printed is written with up to ten characters.
    return "".join(r"[^=:,\s]{1,10}?" if char == "?" else re.escape(char) for char in piece)
