"""What a file says, whatever its language: values that know where they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rqdash.profiles.readers.values import Hole

Plain = str | int | float | bool | None
LONGEST_TEXT = 64 * 1024
MOST_ITEMS = 10_000


@dataclass(frozen=True, slots=True, order=True)
class At:
    """A place in the file; both from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Leaf:
    """A known value."""

    value: Plain = field(repr=False)
    at: At = At()


@dataclass(frozen=True, slots=True)
class Open:
    """A text with parts that only the environment knows."""

    pieces: tuple[str | Hole, ...] = field(repr=False)
    at: At = At()

    @property
    def holes(self) -> tuple[Hole, ...]:
        return tuple(piece for piece in self.pieces if isinstance(piece, Hole))

    @property
    def known(self) -> str | None:
        """The text when every hole has a default."""
        return filled(self.pieces, lambda hole: hole.default)


@dataclass(frozen=True, slots=True)
class Row:
    """A list or a tuple."""

    items: tuple[Value, ...]
    at: At = At()


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a table, at the place of the key."""

    key: str
    value: Value
    at: At


@dataclass(frozen=True, slots=True)
class Table:
    """A dictionary; the last entry of a key counts."""

    entries: tuple[Entry, ...]
    at: At = At()

    def get(self, key: str) -> Entry | None:
        return next((entry for entry in reversed(self.entries) if entry.key == key), None)

    def merged(self, other: Table) -> Table:
        """With the entries of other, which win, in its own order."""
        replaced = {entry.key: entry for entry in (*self.entries, *other.entries)}
        return Table(tuple(replaced.values()), self.at)


@dataclass(frozen=True, slots=True)
class Unread:
    """A value that is not evaluated, with why and what to write instead. It becomes a finding only where the value matters."""

    code: str
    message: str
    at: At = At()


Value = Leaf | Open | Row | Table | Unread


@dataclass(frozen=True, slots=True)
class Bound:
    """A name and its value. at is where the name stands; is_annotation when a colon stands where = belongs."""

    value: Value
    at: At
    is_annotation: bool = False
    unsure_at: At | None = None


def filled(pieces: tuple[str | Hole, ...], value_of: Callable[[Hole], str | None]) -> str | None:
    """The text with every hole filled; None when value_of has none for one of them."""
    texts: list[str] = []
    for piece in pieces:
        text = piece if isinstance(piece, str) else value_of(piece)
        if text is None:
            return None
        texts.append(text)
    return "".join(texts)


def joined(values: tuple[Value, ...], at: At) -> Value:
    """Texts after one another, as one text; the first that is none stands for all."""
    pieces: list[str | Hole] = []
    for value in values:
        if isinstance(value, Open):
            pieces += value.pieces
        elif isinstance(value, Leaf):
            pieces.append(str(value.value))
        else:
            return (
                value if isinstance(value, Unread) else Unread("not-text", "a list or a dictionary is used as text; write the text out", at)
            )
    if sum(len(piece) for piece in pieces if isinstance(piece, str)) > LONGEST_TEXT or len(pieces) > MOST_ITEMS:
        return Unread("too-large", "the text becomes too long; write it out", at)
    if any(isinstance(piece, Hole) for piece in pieces):
        return Open(tuple(pieces), at)
    return Leaf("".join(str(piece) for piece in pieces), at)
