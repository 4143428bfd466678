"""Values as a page shows them: one bounded line each, and what they hold, to be folded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from keyword import iskeyword

from rqdash.model.duration import number, size
from rqdash.model.known import known, type_name
from rqdash.model.symbols import Global, Group, Mapping, Object, Opaque, fields, printable, resolved

LINE_CHARS = 2_000
"""Of a value itself; of what it holds, a line has INNER_CHARS."""

INNER_CHARS = 300
MAX_ITEMS = 100
"""Items folded under one value."""

MAX_FOLDS = 4
"""Levels of folding; deeper values are only on the lines of those that hold them."""

MAX_NESTING = 6
"""Brackets within brackets on one line; a value that contains itself ends here."""

_INT_BITS = 1_024
_BYTES_SHOWN = 64


@dataclass(frozen=True, slots=True)
class Shown:
    """One value as it is shown.

    type: "str", "int", "dict", "datetime.datetime", "app.models.Order", "unknown". text: one line, cut with "…" after 2,000 characters.
    items: what it holds, for folding, at most 100, the keys as they would be written; is_truncated: not all is in text and items.
    problem: why it cannot be shown, a sentence of ours; "" when it can.
    """

    type: str
    text: str
    items: tuple[tuple[str, Shown], ...] = ()
    is_truncated: bool = False
    problem: str = ""


class Allowance:
    """What may still be shown of one job: values, and characters beyond a few for each."""

    __slots__ = ("chars", "values")

    def __init__(self, *, values: int = 400, chars: int = 40_000) -> None:
        self.values = values
        self.chars = chars

    def line_chars(self, wanted: int) -> int:
        """How long a line may be now: 60 characters are always free."""
        return min(wanted, max(60, self.chars))

    def spend(self, chars: int) -> None:
        self.values -= 1
        self.chars -= chars


def shown(value: object, allowance: Allowance, *, level: int = 0) -> Shown:
    """A value of rqdash.model.symbols as it is shown, with what it holds as far as the allowance goes."""
    value = resolved(value)
    text, is_cut = line(value, allowance.line_chars(INNER_CHARS if level else LINE_CHARS))
    allowance.spend(len(text))
    problem = value.problem if isinstance(value, Opaque) else ""
    if isinstance(value, _SCALARS) or value is None:
        return Shown(_type(value), text, (), is_cut, problem)
    items, is_whole = _items(value, allowance, level)
    return Shown(_type(value), text, items, is_cut or not is_whole)


_SCALARS = (str, int, float, bytes, bytearray, Global, Opaque)


def _type(value: object) -> str:
    if isinstance(value, Object):
        return type_name(value.path)
    if isinstance(value, (Group, Opaque)):
        return value.name if isinstance(value, Group) else value.type
    return _TYPES.get(type(value), type(value).__name__)


_TYPES = {type(None): "None", Mapping: "dict", Global: "import path"}


def _items(value: object, allowance: Allowance, level: int) -> tuple[tuple[tuple[str, Shown], ...], bool]:
    """What a value holds, and whether that is all of it; nothing when its line tells all there is."""
    if isinstance(value, Object) and (_is_simple(value) or known(value, value.path) is not None):
        return (), True
    children = _children(value)
    if level >= MAX_FOLDS:
        return (), next(children, None) is None
    items: list[tuple[str, Shown]] = []
    for key, child in children:
        if len(items) >= MAX_ITEMS or allowance.values <= 0:
            return tuple(items), False
        items.append((key, shown(child, allowance, level=level + 1)))
    return tuple(items), True


def _is_simple(value: Object) -> bool:
    """Whether it is no more than a name for one plain value: Decimal('1.5'), Color(1)."""
    parts = list(islice(_parts(value), 2))
    return len(parts) == 1 and not parts[0][0] and isinstance(resolved(parts[0][1]), _SCALARS)


def _children(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        yield from _pairs(value.pairs)
    elif isinstance(value, Object):
        yield from ((name or str(index), item) for index, (name, item) in enumerate(fields(value)))
        yield from _numbered(value.items or ())
        yield from _pairs(value.pairs or ())
    elif isinstance(value, Group):
        yield from _numbered(value.items)
    elif isinstance(value, (list, tuple)):
        yield from _numbered(value)


def _numbered(items: Iterable[object]) -> Iterator[tuple[str, object]]:
    return ((str(index), item) for index, item in enumerate(items))


def _pairs(pairs: Iterable[tuple[object, object]]) -> Iterator[tuple[str, object]]:
    return ((_key(key), item) for key, item in pairs)


def _key(key: object) -> str:
    if isinstance(key, str) and key.isidentifier() and not iskeyword(key):
        return printable(key)
    return line(resolved(key), 100)[0]


class _Full(Exception):
    """The line has reached its length."""


class _Pen:
    """What has been written of one line, and how much more may be."""

    __slots__ = ("is_cut", "left", "parts")

    def __init__(self, chars: int) -> None:
        self.parts: list[str] = []
        self.left = chars
        self.is_cut = False

    def put(self, text: str) -> None:
        """Adds text. Raises _Full when it does not fit."""
        self.parts.append(text[: self.left])
        self.left -= len(text)
        if self.left < 0:
            self.is_cut = True
            raise _Full

    def omit(self) -> None:
        self.is_cut = True
        self.put("…")


def line(value: object, chars: int) -> tuple[str, bool]:
    """A value as it would be written in Python, as far as that is known, in at most chars characters and "…"; and whether it was cut."""
    pen = _Pen(chars)
    try:
        _write(pen, value, 0)
    except _Full:
        pen.parts.append("…")
    return "".join(pen.parts), pen.is_cut


def _write(pen: _Pen, value: object, depth: int) -> None:
    value = resolved(value)
    writer = _WRITERS.get(type(value))
    if writer is None:
        pen.put(repr(value))
    elif depth > MAX_NESTING and not isinstance(value, _SCALARS):
        pen.omit()
    else:
        writer(pen, value, depth)


def _write_str(pen: _Pen, value: str, _: int) -> None:
    # One more than fits, so that the pen sees that it does not.
    pen.put(repr(value[: pen.left + 1]))


def _write_int(pen: _Pen, value: int, _: int) -> None:
    bits = value.bit_length()
    pen.put(str(value) if bits <= _INT_BITS else f"int of {number(bits)} bits")


def _write_bytes(pen: _Pen, value: bytes | bytearray, _: int) -> None:
    start = repr(bytes(value[:_BYTES_SHOWN]))
    whole = start if len(value) <= _BYTES_SHOWN else f"{start}… {size(len(value))}"
    pen.is_cut = pen.is_cut or len(value) > _BYTES_SHOWN
    pen.put(f"bytearray({whole})" if isinstance(value, bytearray) else whole)


def _write_list(pen: _Pen, value: list[object], depth: int) -> None:
    _write_all(pen, value, depth, "[]")


def _write_tuple(pen: _Pen, value: tuple[object, ...], depth: int) -> None:
    _write_all(pen, value, depth, "()" if len(value) != 1 else ("(", ",)"))


def _write_all(pen: _Pen, items: Iterable[object], depth: int, brackets: str | tuple[str, str]) -> None:
    pen.put(brackets[0])
    for index, item in enumerate(items):
        if index:
            pen.put(", ")
        _write(pen, item, depth + 1)
    pen.put(brackets[1])


def _write_mapping(pen: _Pen, value: Mapping, depth: int) -> None:
    _write_pairs(pen, value.pairs, depth)


def _write_pairs(pen: _Pen, pairs: Iterable[tuple[object, object]], depth: int) -> None:
    pen.put("{")
    for index, (key, item) in enumerate(pairs):
        if index:
            pen.put(", ")
        _write(pen, key, depth + 1)
        pen.put(": ")
        _write(pen, item, depth + 1)
    pen.put("}")


def _write_group(pen: _Pen, value: Group, depth: int) -> None:
    if not value.items:
        pen.put(f"{value.name}()")
    else:
        _write_all(pen, value.items, depth, "{}" if value.name == "set" else (f"{value.name}({{", "})"))


def _write_global(pen: _Pen, value: Global, _: int) -> None:
    pen.put(value.path.removeprefix("builtins."))


def _write_opaque(pen: _Pen, value: Opaque, _: int) -> None:
    pen.put(f"<{value.text}>" if value.problem else value.text)


def _write_object(pen: _Pen, value: Object, depth: int) -> None:
    path = value.path
    text = known(value, path)
    if text is not None:
        pen.put(text)
        return
    # Not the maker's own line: that could be an object made by an object made by an object, without end.
    pen.put(f"<{value.callee.text}>(" if isinstance(value.callee, Opaque) else f"{path.rpartition('.')[2]}(")
    for index, (name, part) in enumerate(_parts(value)):
        pen.put((", " if index else "") + (f"{name}=" if name else ""))
        _write(pen, part, depth + 1)
    pen.put(")")


def _parts(value: Object) -> Iterator[tuple[str, object]]:
    """What stands between an object's brackets: its fields, and its items as a list or its pairs as a dict."""
    yield from fields(value)
    if value.items:
        yield "", value.items
    if value.pairs:
        yield "", Mapping(value.pairs)


_WRITERS: dict[type, Callable[..., None]] = {
    str: _write_str,
    int: _write_int,
    bytes: _write_bytes,
    bytearray: _write_bytes,
    list: _write_list,
    tuple: _write_tuple,
    Mapping: _write_mapping,
    Group: _write_group,
    Global: _write_global,
    Opaque: _write_opaque,
    Object: _write_object,
}
