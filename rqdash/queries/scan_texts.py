"""Judges what is packed: the function in a job's data and the error of its newest result. The dearest part of a scan, so done last."""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Callable, Sequence

from rqdash.model import failure, payload
from rqdash.model.fingerprint import fingerprint
from rqdash.model.search_terms import Term

MOST_REMEMBERED = 10_000
QUICK_BYTES = 288

Row = Sequence[object]
Test = Callable[[Row], bool]


def function_test(terms: Sequence[Term], *, column: int) -> Test:
    """Whether the function recorded in data is what all terms want; "", which cannot be read, is matched by no word."""
    known: dict[bytes | str, bool] = {}

    def wanted(name: str) -> bool:
        return all(term.is_negated != (name != "" and term.is_all_of(name)) for term in terms)

    def test(row: Row) -> bool:
        raw = row[column]
        data = raw if isinstance(raw, bytes) else b""
        quick = _quick_name(data)
        found = known.get(quick) if quick is not None else None
        if found is None:
            if len(known) >= MOST_REMEMBERED:
                known.clear()
            name = payload.function(data)
            found = known[quick if quick is not None else name] = wanted(name)
        return found

    return test


def _quick_name(data: bytes) -> bytes | None:
    """What payload.function reads the function of nearly every job from: the first text of a pickled tuple, with nothing after it but
    None for an instance. None when the bytes are not exactly so; half of what reading them with payload takes.
    """
    try:
        plain = zlib.decompressobj().decompress(data, QUICK_BYTES)
    except zlib.error:
        return None
    # Protocols 4 and 5 put the tuple into a frame, with its length in eight bytes.
    start = 11 if plain[2:3] == b"\x95" else 2
    if plain[:1] != b"\x80" or plain[start : start + 2] != b"(\x8c":
        return None
    end = start + 3 + plain[start + 2] if len(plain) > start + 2 else 0
    return plain[start + 3 : end] if plain[end : end + 2] == b"\x94N" else None


def error_test(terms: Sequence[Term], *, column: int, found: Callable[[Term], Test]) -> Test:
    """Whether the error is what all terms want. found gives for a bare word whether something else of the job has it."""
    judges = [(term.is_negated, _judge(term), found(term) if not term.field else None) for term in terms]

    def test(row: Row) -> bool:
        raw = row[column]
        error = Error(raw if isinstance(raw, bytes) else None)
        for is_negated, judge, is_found in judges:  # noqa: SIM110  all() of a generator takes 1 µs more
            if is_negated == ((is_found is not None and is_found(row)) or judge(error)):
                return False
        return True

    return test


class Error:
    """A stored error, unpacked only as far as it is asked for."""

    __slots__ = ("_raw", "_summary", "_text", "lowered")

    def __init__(self, raw: bytes | None) -> None:
        self._raw = raw
        self.lowered = _quick_text(raw).lower() if raw else b""
        self._text: str | None = None
        self._summary: tuple[str, str] | None = None

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = payload.text(self._raw)[0]
        return self._text

    @property
    def summary(self) -> tuple[str, str]:
        """Type and message."""
        if self._summary is None:
            self._summary = failure.summary(self.text) if self.text else ("", "")
        return self._summary

    @property
    def path(self) -> str:
        """The type with the module it is defined in."""
        told = failure.failure(self.text)
        return f"{told.module}.{told.type}"


def _quick_text(raw: bytes) -> bytes:
    """The text of an error as RQ stores it, base64 of zlib; b"" for one that is stored otherwise, or too long to tell so quickly."""
    try:
        engine = zlib.decompressobj()
        plain = engine.decompress(binascii.a2b_base64(raw, strict_mode=True), payload.TEXT_BYTES)
    except (binascii.Error, zlib.error):
        return b""
    return plain if engine.eof else b""


def _judge(term: Term) -> Callable[[Error], bool]:
    if term.field == "group":
        return lambda error: error.text != "" and term.is_all_of(fingerprint(failure.failure(error.text)).key)
    may_have, is_in = _possible(term), term.finder()
    if term.field == "msg":
        return lambda error: may_have(error) and is_in(error.summary[1])
    if term.field == "error":
        is_dotted = any("." in part for pattern in term.patterns for part in pattern.parts)
        return lambda error: may_have(error) and (is_in(error.summary[0]) or (is_dotted and error.text != "" and is_in(error.path)))
    return lambda error: may_have(error) and (is_in(error.summary[0]) or is_in(error.summary[1]))


def _possible(term: Term) -> Callable[[Error], bool]:
    """Whether type or message may have a term's words: whatever is in them is in the text too, and most texts do not have it."""
    if not all(pattern.is_ascii for pattern in term.patterns):
        return lambda _error: True
    words = [[part.lower().encode() for part in pattern.parts if part] for pattern in term.patterns]
    if len(words) == 1 and len(words[0]) == 1:
        (word,) = words[0]
        return lambda error: word in error.lowered or not error.lowered
    return lambda error: not error.lowered or any(all(part in error.lowered for part in parts) for parts in words)
