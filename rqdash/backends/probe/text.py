"""Texts for a page: what a server said, made harmless, and commands a person can paste into redis-cli."""

from __future__ import annotations

import re
from collections.abc import Iterable

PLAIN = re.compile(r"[A-Za-z0-9_.:@~*|&+-]+")
LONGEST = 80


def shown(text: str) -> str:
    """A word a server sent, cut at 80 characters, with unprintable ones replaced."""
    kept = "".join(letter if letter.isprintable() else "�" for letter in text[:LONGEST])
    return kept + ("…" if len(text) > LONGEST else "")


def quoted(word: str) -> str:
    """One argument as redis-cli reads it: bare when plain, else in double quotes with its escapes."""
    if PLAIN.fullmatch(word):
        return word
    letters = (_escaped(letter) for letter in word[:LONGEST])
    return f'"{"".join(letters)}"'


def acl_grant(user: str, *, commands: Iterable[str] = (), patterns: Iterable[str] = ()) -> str:
    """The command that grants a user commands (+name) and key or channel patterns (given with their ~ or &)."""
    grants = [*patterns, *(f"+{name}" for name in commands)]
    return " ".join(["ACL SETUSER", quoted(user), *(quoted(grant) for grant in grants)])


def listed(words: Iterable[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    found = list(words)
    return " and ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else "".join(found)


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter.isascii() and letter.isprintable():
        return letter
    return "".join(f"\\x{byte:02x}" for byte in letter.encode())
