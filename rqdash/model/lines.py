"""A value on one line, as it would be written in Python as far as that is known, without what rules hide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from rqdash.model.duration import number, size
from rqdash.model.known import known
from rqdash.model.redaction import SHOWN, Redaction, said
from rqdash.model.symbols import Global, Group, Mapping, Object, Opaque, fields, name, resolved

MAX_NESTING = 6
"""Brackets within brackets on one line; a value that contains itself ends here."""

KEY_CHARS = 300
SCALARS = (str, int, float, bytes, bytearray, Global, Opaque)
_INT_BITS = 1_024
_BYTES_SHOWN = 64


def line(value: object, chars: int, hides: Redaction) -> tuple[str, bool]:
    """A value as it would be written in Python, as far as that is known, in at most chars characters and "…"; and whether it was cut."""
    pen = _Pen(chars, hides)
    try:
        _write(pen, value, 0)
    except _Full:
        pen.parts.append("…")
    return "".join(pen.parts), pen.is_cut


def rule_of(key: object, hides: Redaction) -> str:
    """The rule that hides what has this key, "" when none does; a key that is no text goes by how it is written."""
    if not hides.globs or key == "":
        return ""
    if isinstance(key, bytes):
        return hides.rule(key.decode("utf-8", "replace"))
    # Written without rules: a key made of keys made of keys would ask for ever more of them.
    return hides.rule(key if isinstance(key, str) else line(resolved(key), KEY_CHARS, SHOWN)[0])


def ruled(items: Iterable[object], hides: Redaction) -> Iterator[tuple[object, str]]:
    """The items of a sequence, each with the rule that hides it: the other half of a pair, or what follows an option.

    ("password", x) is how headers and ordered dicts are often written, ["--password", x] how commands are.
    """
    if not hides.globs:
        yield from ((item, "") for item in items)
        return
    is_pair = isinstance(items, Sequence) and len(items) == 2
    before: object = None
    for item in items:
        is_name = isinstance(before, str) and (is_pair or before.startswith("-"))
        yield item, rule_of(str(before).lstrip("-"), hides) if is_name else ""
        before = resolved(item)


class _Full(Exception):
    """The line has reached its length."""


class _Pen:
    """What has been written of one line, how much more may be, and what may not."""

    __slots__ = ("hides", "is_cut", "left", "parts")

    def __init__(self, chars: int, hides: Redaction) -> None:
        self.parts: list[str] = []
        self.left = chars
        self.is_cut = False
        self.hides = hides

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


def _write(pen: _Pen, value: object, depth: int) -> None:
    value = resolved(value)
    writer = _WRITERS.get(type(value))
    if writer is None:
        pen.put(repr(value))
    elif depth > MAX_NESTING and not isinstance(value, SCALARS):
        pen.omit()
    else:
        writer(pen, value, depth)


def _write_ruled(pen: _Pen, value: object, depth: int, rule: str) -> None:
    if rule:
        pen.put(said(rule))
    else:
        _write(pen, value, depth)


def _write_str(pen: _Pen, value: str, _: int) -> None:
    # One more than fits, so that the pen sees that it does not.
    pen.put(repr(pen.hides.text(value[: pen.left + 1])))


def _write_int(pen: _Pen, value: int, _: int) -> None:
    bits = value.bit_length()
    pen.put(str(value) if bits <= _INT_BITS else f"int of {number(bits)} bits")


def _write_bytes(pen: _Pen, value: bytes | bytearray, _: int) -> None:
    start = pen.hides.text(repr(bytes(value[:_BYTES_SHOWN])))
    whole = start if len(value) <= _BYTES_SHOWN else f"{start}… {size(len(value))}"
    pen.is_cut = pen.is_cut or len(value) > _BYTES_SHOWN
    pen.put(f"bytearray({whole})" if isinstance(value, bytearray) else whole)


def _write_list(pen: _Pen, value: list[object], depth: int) -> None:
    _write_all(pen, value, depth, "[]")


def _write_tuple(pen: _Pen, value: tuple[object, ...], depth: int) -> None:
    _write_all(pen, value, depth, "()" if len(value) != 1 else ("(", ",)"))


def _write_all(pen: _Pen, items: Iterable[object], depth: int, brackets: str | tuple[str, str]) -> None:
    pen.put(brackets[0])
    for index, (item, rule) in enumerate(ruled(items, pen.hides)):
        if index:
            pen.put(", ")
        _write_ruled(pen, item, depth + 1, rule)
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
        _write_ruled(pen, item, depth + 1, rule_of(key, pen.hides))
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
        pen.put(pen.hides.text(text))
        return
    # Not the maker's own line: that could be an object made by an object made by an object, without end.
    pen.put(f"<{value.callee.text}>(" if isinstance(value.callee, Opaque) else f"{path.rpartition('.')[2]}(")
    for index, (key, part) in enumerate(_parts(value)):
        pen.put((", " if index else "") + (f"{name(key)}=" if key != "" else ""))
        _write_ruled(pen, part, depth + 1, rule_of(key, pen.hides))
    pen.put(")")


def _parts(value: Object) -> Iterator[tuple[object, object]]:
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
