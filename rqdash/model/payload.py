"""What RQ stored, read symbolically: nothing is unpickled, imported or called, whatever the bytes say.

RQ names no serializer, so it is told from the bytes: pickle (RQ's default), JSON (its JSONSerializer) or neither. All limits hold
for one field of one job: what is over them is not read, and says so.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
import re
import zlib
from dataclasses import dataclass

from rqdash.model.duration import number, size
from rqdash.model.lines import rule_of
from rqdash.model.pickled import BROKEN, MAX_OPCODES, Unreadable, integer, read
from rqdash.model.redaction import HIDDEN, Redaction, said
from rqdash.model.shown import MAX_ITEMS, Allowance, Shown, shown, withheld
from rqdash.model.symbols import Mapping, printable, resolved

__all__ = ["Call", "Shown", "call", "function", "glance", "one_line", "return_value", "text", "value"]

INFLATED_BYTES = 1_048_576
"""Of data, meta and return values, after zlib and base64."""

TEXT_BYTES = 262_144
"""Of an exception's text."""

ONE_LINE_CHARS = 200
_ARGUMENT_CHARS = 80
_FIRST_BYTES = 512
_LISTED_BYTES = 65_536
_LISTED_OPCODES = 5_000


@dataclass(frozen=True, slots=True)
class Call:
    """What a job would run.

    function: its import path, for a method "app.models.Order.capture", "" when it cannot be read. serializer: pickle, json or unknown.
    problem: why not all can be shown, a sentence of ours; "" when all is. withheld: what the profile's policy hides, a sentence; the
    arguments are then not here. rules: the globs that hide some of them.
    """

    function: str
    args: tuple[Shown, ...]
    kwargs: tuple[tuple[str, Shown], ...]
    serializer: str
    problem: str = ""
    withheld: str = ""
    rules: tuple[str, ...] = ()


def call(data: bytes | None, hides: Redaction, *, is_brief: bool = False) -> Call:
    """The call in a job's field data, inflated or not; some 0.1 ms for an ordinary one, a fraction of a second for the worst.

    is_brief: short lines and nothing to fold, for one_line; a quarter of the time.
    """
    if not data:
        return Call("", (), (), "unknown", "no data is stored: a worker cannot run this job")
    plain, is_whole = _inflated(data, INFLATED_BYTES)
    try:
        serializer, stored = _parsed(plain, is_whole=is_whole)
        return _call(stored, serializer, Allowance(hides, values=0, chars=_ARGUMENT_CHARS) if is_brief else Allowance(hides))
    except Unreadable as error:
        return Call(_first_name(plain) or "", (), (), error.serializer, _unknown(data, error))


def function(data: bytes | None) -> str:
    """Only the function of call(data): some 5 µs for a plain function, of pickle or JSON.

    A method takes reading the whole call, for its object comes second; it is "" when that is over 64 KB or 5,000 instructions,
    because lists ask this of every row.
    """
    if not data:
        return ""
    name = _first_name(_inflated(data, _FIRST_BYTES)[0])
    if name is not None:
        return name
    plain, is_whole = _inflated(data, _LISTED_BYTES)
    return _whole_name(plain, is_whole=is_whole)


def glance(data: bytes | None, hides: Redaction) -> tuple[str, bool]:
    """(function(data), whether a rule could match any name in it; False is certain), inflated once: some 6 µs for an ordinary call."""
    if not data:
        return "", False
    plain, is_whole = _inflated(data, _LISTED_BYTES)
    is_touched = bool(hides.globs) and (not is_whole or hides.touches_raw(plain))
    name = _first_name(plain)
    return (_whole_name(plain, is_whole=is_whole) if name is None else name), is_touched


def _whole_name(plain: bytes, *, is_whole: bool) -> str:
    try:
        _, stored = _parsed(plain, is_whole=is_whole, most=_LISTED_OPCODES)
        name, instance, *_ = _parts(stored)
    except Unreadable:
        return ""
    return _path(name, instance)


def value(raw: bytes | None, hides: Redaction) -> Shown | None:
    """The value in meta or in the legacy field result; None when there is none."""
    if not raw:
        return None
    if hides.is_hidden:
        return withheld()
    try:
        _, stored = _parsed(raw[:INFLATED_BYTES], is_whole=len(raw) <= INFLATED_BYTES)
    except Unreadable as error:
        return Shown("unknown", f"unknown, {size(len(raw))}", problem=_unknown(raw, error))
    return shown(stored, Allowance(hides))


def return_value(raw: bytes | None, hides: Redaction) -> Shown | None:
    """The value in return_value of a result: base64 of what the serializer made of it; None when there is none."""
    if not raw:
        return None
    try:
        # Four characters are three bytes; a little more than the limit, so that value sees that it is over.
        return value(base64.b64decode(raw[: INFLATED_BYTES // 3 * 4 + 8]), hides)
    except binascii.Error:
        return Shown("unknown", f"unknown, {size(len(raw))}", problem=_unknown(raw, Unreadable("not base64")))


def text(raw: bytes | None) -> tuple[str, bool]:
    """An exception's text, of exc_string (base64 of zlib) or the legacy exc_info (zlib or plain), and whether it was cut at 256 KB."""
    if not raw:
        return "", False
    plain, is_whole = _inflated(_unarmored(raw), TEXT_BYTES)
    # Incremental, so that a character cut in two at the end is left out.
    return codecs.getincrementaldecoder("utf-8")("replace").decode(plain, final=is_whole), not is_whole


def one_line(call: Call) -> str:
    """The arguments as in a call, at most 200 characters: "'https://…', event='order.paid'"."""
    parts = [_short(argument.text) for argument in call.args[:_ARGUMENT_CHARS]]
    parts += [f"{name}={_short(argument.text)}" for name, argument in call.kwargs[:_ARGUMENT_CHARS]]
    whole = ", ".join(parts)
    return whole if len(whole) <= ONE_LINE_CHARS else f"{whole[: ONE_LINE_CHARS - 1]}…"


def _short(line: str) -> str:
    return line if len(line) <= _ARGUMENT_CHARS else f"{line[: _ARGUMENT_CHARS - 1].removesuffix('…')}…"


def _unarmored(raw: bytes) -> bytes:
    """What base64 packed; the bytes themselves when they are not base64 of zlib, whose first byte is always "x" (in base64 "e")."""
    if raw[:1] != b"e":
        return raw
    try:
        packed = binascii.a2b_base64(raw[: 4 * TEXT_BYTES], strict_mode=True)
    except binascii.Error:
        return raw
    return packed if packed[:1] == b"x" else raw


def _inflated(raw: bytes, limit: int) -> tuple[bytes, bool]:
    """At most limit bytes of what zlib packed, or of the bytes themselves as RQ has it (job.py restore), and whether that is all."""
    engine = zlib.decompressobj()
    try:
        # What cannot be packed grows by a few bytes, so twice the limit is more than is needed to fill it.
        plain = engine.decompress(raw[: 2 * limit + 64], limit + 1)
    except zlib.error:
        return raw[:limit], len(raw) <= limit
    if not plain and not engine.eof:
        return raw[:limit], len(raw) <= limit
    return plain[:limit], engine.eof and len(plain) <= limit


def _parsed(plain: bytes, *, is_whole: bool, most: int = MAX_OPCODES) -> tuple[str, object]:
    """The serializer and the value of serialized bytes. Raises Unreadable."""
    is_pickle = plain[:1] == b"\x80"
    if not is_whole:
        reason = (
            f"over {size(INFLATED_BYTES)} of it, more than is read" if len(plain) >= INFLATED_BYTES else "its compressed bytes end early"
        )
        raise Unreadable(reason, serializer="pickle" if is_pickle else "unknown")
    if is_pickle:
        return "pickle", read(plain, most=most)
    try:
        return "json", _json(plain, most)
    except Unreadable:
        raise
    except BROKEN:
        # Pickles of protocols 0 and 1 have no header, only an end.
        if plain[-1:] != b".":
            raise Unreadable("not pickle, not JSON") from None
    try:
        return "pickle", read(plain, most=most)
    except Unreadable:
        raise Unreadable("not pickle, not JSON") from None


def _json(plain: bytes, most: int) -> object:
    """The value of JSON text of at most so many objects, in the terms of rqdash.model.symbols. Raises Unreadable and BROKEN."""
    left = iter(range(most))

    def mapping(pairs: list[tuple[str, object]]) -> Mapping:
        if next(left, None) is None:
            raise Unreadable(f"JSON of more than {number(most)} objects", serializer="json")
        return Mapping([*pairs])

    stored: object = json.loads(plain.decode(), object_pairs_hook=mapping, parse_int=integer)
    return stored


def _unknown(raw: bytes, error: Unreadable) -> str:
    return f"unknown, {size(len(raw))}: {error.reason}"


def _call(stored: object, serializer: str, allowance: Allowance) -> Call:
    """The call that RQ's tuple of four describes. Raises Unreadable."""
    try:
        name, instance, args, kwargs = _parts(stored)
    except Unreadable as error:
        raise Unreadable(error.reason, serializer=serializer) from None
    if not isinstance(args, (list, tuple)) or not isinstance(kwargs, Mapping):
        raise Unreadable("its arguments are not a list and its keyword arguments not a dict", serializer=serializer)
    path, hides = _path(name, instance), allowance.hides
    if hides.is_hidden:
        return Call(path, (), (), serializer, withheld=_withheld(len(args), len(kwargs.pairs)))
    shown_args = tuple(shown(argument, allowance) for argument in args[:MAX_ITEMS])
    shown_kwargs = tuple(
        (_keyword(key), shown(argument, allowance, rule=rule_of(key, hides))) for key, argument in kwargs.pairs[:MAX_ITEMS]
    )
    left = len(args) + len(kwargs.pairs) - len(shown_args) - len(shown_kwargs)
    problem = f"{number(left)} more arguments are not shown" if left else ""
    return Call(
        path, shown_args, shown_kwargs, serializer, problem, rules=_rules([*shown_args, *(item for _, item in shown_kwargs)], hides)
    )


def _withheld(n_args: int, n_kwargs: int) -> str:
    if not n_args + n_kwargs:
        return ""
    return f"{number(n_args)} positional and {number(n_kwargs)} keyword arguments, {HIDDEN}"


def _rules(items: list[Shown], hides: Redaction) -> tuple[str, ...]:
    """The globs that hid something, in the order of the profile."""
    lines = "\n".join(item.text for item in items)
    used = {item.rule for item in items} | {rule for rule in hides.globs if said(rule) in lines}
    return tuple(rule for rule in hides.globs if rule in used)


def _parts(stored: object) -> tuple[str, object, object, object]:
    """The name, instance, arguments and keyword arguments of RQ's tuple of four. Raises Unreadable."""
    if not isinstance(stored, (list, tuple)) or len(stored) != 4 or not isinstance(stored[0], str):
        raise Unreadable("not the name, instance, arguments and keyword arguments that RQ stores")
    return stored[0], stored[1], stored[2], stored[3]


def _keyword(key: object) -> str:
    return printable(key) if isinstance(key, str) else f"<{type(key).__name__}>"


def _path(name: str, instance: object) -> str:
    """RQ stores a method as its bare name and the object, or for a class method the class, that it belongs to."""
    owner = resolved(instance)
    prefix = "" if owner is None else getattr(owner, "path", type(owner).__name__)
    return printable(f"{prefix}.{name}" if prefix else name)


# A pickled tuple of four: the protocol, perhaps a frame, a mark, a str with its length and perhaps its memo, None for the instance.
_PICKLED_NAME = re.compile(rb"\x80[\x02-\x05](?:\x95.{8})?\((?:\x8c(?P<short>.)|X(?P<long>.{4}))", re.DOTALL)
_NO_INSTANCE = re.compile(rb"(?:\x94|q.)?N", re.DOTALL)
_JSON_LIST = re.compile(r'\[\s*(?=")')
_JSON_NO_INSTANCE = re.compile(r"\s*,\s*null\b")


def _first_name(plain: bytes) -> str | None:
    """The function that serialized bytes, maybe cut, begin with; None when that takes reading all of them."""
    match = _PICKLED_NAME.match(plain)
    if match is None:
        return _first_json_name(plain) if plain[:1] == b"[" else None
    end = match.end() + int.from_bytes(match["short"] or match["long"], "little")
    if not _NO_INSTANCE.match(plain, end):
        return None
    try:
        return printable(plain[match.end() : end].decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        return None


def _first_json_name(plain: bytes) -> str | None:
    head = plain[:_FIRST_BYTES].decode("utf-8", "replace")
    start = _JSON_LIST.match(head)
    try:
        name, end = json.JSONDecoder().raw_decode(head, start.end()) if start else (None, 0)
    except ValueError:
        return None
    return printable(name) if isinstance(name, str) and _JSON_NO_INSTANCE.match(head, end) else None
