"""JSON as values that know where they stand, which the standard library's parser does not tell."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from rqdash.profiles.readers.notes import Unreadable
from rqdash.profiles.readers.tree import At, Entry, Leaf, Row, Table, Value

DEEPEST = 40
MOST_VALUES = 200_000
SPACE = re.compile(r"[ \t\r\n]*")
SCAN: Callable[[str, int, bool], tuple[str, int]] = json.decoder.scanstring  # type: ignore[attr-defined]  # undocumented, since 2.6
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,300})(?:\.[0-9]{1,300})?(?:[eE][-+]?[0-9]{1,3})?")
WORDS = {"true": True, "false": False, "null": None}


@dataclass(slots=True)
class Source:
    """A text, where its lines begin, and how many values are left."""

    text: str
    starts: list[int]
    left: int = MOST_VALUES

    def at(self, position: int) -> At:
        line = bisect_right(self.starts, position)
        return At(line, position - self.starts[line - 1] + 1)


def parsed_json(text: str) -> Value:
    """The value of a JSON text. Raises Unreadable, with the place, when it is none."""
    source = Source(text, [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", text))])
    value, position = _value(source, _skip(text, 0), depth=0)
    if _skip(text, position) != len(text):
        raise _broken(source, position)
    return value


def _value(source: Source, position: int, *, depth: int) -> tuple[Value, int]:
    source.left -= 1
    if depth > DEEPEST or source.left < 0:
        raise Unreadable(
            "too-deep", "The file is nested too deeply or holds too many values. Export fewer connections.", source.at(position)
        )
    at, mark = source.at(position), source.text[position : position + 1]
    if mark == "{":
        return _table(source, position, depth=depth)
    if mark == "[":
        return _row(source, position, depth=depth)
    if mark == '"':
        text, end = _string(source, position)
        return Leaf(text, at), end
    for word, value in WORDS.items():
        if source.text.startswith(word, position):
            return Leaf(value, at), position + len(word)
    if found := NUMBER.match(source.text, position):
        return Leaf(json.loads(found[0]), at), found.end()
    raise _broken(source, position)


def _string(source: Source, position: int) -> tuple[str, int]:
    try:
        text, end = SCAN(source.text, position + 1, True)
    except ValueError:
        raise _broken(source, position) from None
    return str(text), end


def _row(source: Source, position: int, *, depth: int) -> tuple[Value, int]:
    at = source.at(position)
    items: list[Value] = []
    position = _skip(source.text, position + 1)
    while source.text[position : position + 1] != "]":
        if items:
            position = _expected(source, position, ",")
        value, position = _value(source, position, depth=depth + 1)
        items.append(value)
        position = _skip(source.text, position)
    return Row(tuple(items), at), position + 1


def _table(source: Source, position: int, *, depth: int) -> tuple[Value, int]:
    at = source.at(position)
    entries: list[Entry] = []
    position = _skip(source.text, position + 1)
    while source.text[position : position + 1] != "}":
        if entries:
            position = _expected(source, position, ",")
        if source.text[position : position + 1] != '"':
            raise _broken(source, position)
        key_at = source.at(position)
        key, position = _string(source, position)
        position = _expected(source, _skip(source.text, position), ":")
        value, position = _value(source, position, depth=depth + 1)
        entries.append(Entry(key, value, key_at))
        position = _skip(source.text, position)
    return Table(tuple(entries), at), position + 1


def _expected(source: Source, position: int, mark: str) -> int:
    if source.text[position : position + 1] != mark:
        raise _broken(source, position)
    return _skip(source.text, position + 1)


def _skip(text: str, position: int) -> int:
    found = SPACE.match(text, position)
    return found.end() if found else position


def _broken(source: Source, position: int) -> Unreadable:
    return Unreadable("syntax", "This is not JSON from here on. Export the file again, or correct the line.", source.at(position))
