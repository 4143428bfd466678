"""What Python can do to a text, for texts that may have holes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from string import Formatter
from urllib.parse import quote, quote_plus

from rqdash.profiles.readers.python_scope import QUOTES, Scope
from rqdash.profiles.readers.tree import MOST_ITEMS, At, Leaf, Open, Row, Table, Unread, Value, joined
from rqdash.profiles.readers.values import Hole

QUOTING = QUOTES
PLAIN_SPECS = ("", "s", "d")
CHANGES: dict[str, Callable[[str], str]] = {
    "strip": str.strip,
    "lstrip": str.lstrip,
    "rstrip": str.rstrip,
    "lower": str.lower,
    "upper": str.upper,
}


def is_text(value: Value) -> bool:
    return isinstance(value, Open) or (isinstance(value, Leaf) and isinstance(value.value, str))


def f_string(node: ast.JoinedStr, scope: Scope, *, evaluate: Callable[[ast.expr, Scope], Value]) -> Value:
    """An f-string whose parts are plain: no conversion but !s, no width."""
    parts: list[Value] = []
    for piece in node.values:
        if not isinstance(piece, ast.FormattedValue):
            parts.append(evaluate(piece, scope))
        elif piece.conversion not in (-1, ord("s")) or not _is_plain(piece.format_spec):
            return Unread("format", "only {name} is read in an f-string, without !r or :width", scope.at(node))
        else:
            parts.append(evaluate(piece.value, scope))
    return joined(tuple(parts), scope.at(node))


def _is_plain(spec: ast.expr | None) -> bool:
    if spec is None:
        return True
    values = spec.values if isinstance(spec, ast.JoinedStr) else []
    return all(isinstance(value, ast.Constant) and value.value in PLAIN_SPECS for value in values)


def percent(template: str, value: Value, *, at: At) -> Value:
    """template % value with %s, %d and %(name)s."""
    given = list(value.items) if isinstance(value, Row) else [value]
    parts: list[Value] = []
    for position, piece in enumerate(re.split(r"(%(?:\([A-Za-z_]\w*\))?[sd]|%%)", template)):
        if not position % 2:
            if "%" in piece:
                return Unread("format", "only %s, %d and %(name)s are read; write the text out", at)
            parts.append(Leaf(piece, at))
        elif piece == "%%":
            parts.append(Leaf("%", at))
        elif "(" in piece:
            entry = value.get(piece[2:-2]) if isinstance(value, Table) else None
            parts.append(entry.value if entry else _missing(at))
        else:
            parts.append(given.pop(0) if given else _missing(at))
    return joined(tuple(parts), at)


def method(base: Value, name: str, *, at: At, arguments: tuple[Value, ...], keywords: Mapping[str, Value]) -> Value:
    """A method of a text. Of a text with holes, what strip, lower and split would do is left to whoever fills them."""
    if name == "format" and isinstance(base, Leaf):
        return _formatted(str(base.value), at=at, arguments=arguments, keywords=keywords)
    if name == "join" and isinstance(base, Leaf) and arguments and isinstance(arguments[0], Row):
        return _chained(str(base.value), arguments[0], at=at)
    if keywords or not all(isinstance(argument, Leaf) for argument in arguments):
        return Unread("call", "a call is not run; write its result", at)
    if isinstance(base, Open):
        return base if name in CHANGES or name == "split" else Unread("call", "this method is not run; write its result", at)
    text = str(base.value) if isinstance(base, Leaf) else ""
    if name in CHANGES and not arguments:
        return Leaf(CHANGES[name](text), at)
    if name == "split" and len(arguments) <= 1:
        return _split(text, arguments, at)
    return Unread("call", "this method is not run; write its result", at)


def _split(text: str, arguments: tuple[Value, ...], at: At) -> Value:
    separator = arguments[0].value if arguments and isinstance(arguments[0], Leaf) else None
    if separator is not None and (not isinstance(separator, str) or not separator):
        return Unread("call", "split() takes a text; write the list out", at)
    parts = text.split(separator)
    if len(parts) > MOST_ITEMS:
        return Unread("too-large", "the list becomes too long; write out the entries that are meant", at)
    return Row(tuple(Leaf(part, at) for part in parts), at)


def _chained(separator: str, row: Row, *, at: At) -> Value:
    parts: list[Value] = []
    for item in row.items:
        parts += [Leaf(separator, at), item] if parts else [item]
    return joined(tuple(parts), at)


def _formatted(template: str, *, at: At, arguments: tuple[Value, ...], keywords: Mapping[str, Value]) -> Value:
    parts: list[Value] = []
    count = 0
    try:
        pieces = list(Formatter().parse(template))
    except ValueError:
        return Unread("format", "the braces of the text do not match; write the text out", at)
    for literal, name, spec, conversion in pieces:
        parts.append(Leaf(literal, at))
        if name is None:
            continue
        if spec not in PLAIN_SPECS or conversion not in (None, "s"):
            return Unread("format", "only {name} is read by format, without !r or :width", at)
        key = name or str(count)
        count += not name
        if key.isascii() and key.isdigit() and len(key) < 4:
            parts.append(arguments[int(key)] if int(key) < len(arguments) else _missing(at))
        else:
            parts.append(keywords.get(key, _missing(at)))
    return joined(tuple(parts), at)


def _missing(at: At) -> Unread:
    return Unread("format", "a value for the text is missing or is an attribute; write the text out", at)


def quoted(value: Value, *, plus: bool, safe: Value | None) -> Value:
    """quote() of a text. A hole stays one: whoever fills it gives the value itself, which is escaped then."""
    if not isinstance(value, Leaf) or not isinstance(value.value, str):
        return value
    kept = str(safe.value) if isinstance(safe, Leaf) and isinstance(safe.value, str) else ("" if plus else "/")
    text = quote_plus if plus else quote
    return Leaf(text(value.value, safe=kept, errors="replace"), value.at)


def converted(value: Value, name: str, *, at: At) -> Value:
    """str(), int(), float() or bool() of a value; a text with holes is converted when it is filled."""
    if isinstance(value, (Open, Unread)):
        return value
    if not isinstance(value, Leaf):
        return Unread("call", f"{name}() of a list or a dictionary is not evaluated; write the value", at)
    found = value.value
    if name == "str":
        return joined((value,), at)
    if name == "bool":
        return Leaf(bool(found), at)
    try:
        return Leaf(int(found) if name == "int" else float(found), at)  # type: ignore[arg-type]  # None raises TypeError, as in Python
    except (TypeError, ValueError, OverflowError):
        return Unread("literal", f"{name}() of this is an error in Python; write the number", at)


def whole_hole(value: Open) -> Hole | None:
    """The hole when the text is nothing else."""
    return value.pieces[0] if len(value.pieces) == 1 and isinstance(value.pieces[0], Hole) else None
