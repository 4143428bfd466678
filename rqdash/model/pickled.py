"""A reader of pickles that builds descriptions: it never imports, never calls, and never makes what a pickle names.

pickle's own machine will not do, not even with a find_class that refuses: a memo index in nine bytes makes it allocate gigabytes,
EXT opcodes take what copyreg has cached without asking find_class, and every placeholder must play along with BUILD and APPENDS.
The instructions, their codes and most encodings of their arguments are those of the standard library's pickletools.
"""

from __future__ import annotations

import io
import pickletools
import struct
from collections.abc import Callable

from rqdash.model.duration import number
from rqdash.model.pickled_machine import STEPS, Machine, Step
from rqdash.model.symbols import Global, Opaque

MAX_OPCODES = 100_000
"""Some 100 ms; a list of 90,000 numbers."""

MAX_DIGITS = 4_000
"""Longer decimal numbers stay text: turning them into an int takes time that grows with the square."""

BROKEN = (ValueError, TypeError, IndexError, KeyError, OverflowError, struct.error, MemoryError, RecursionError)
"""What malformed bytes raise; UnicodeError, JSONDecodeError and binascii.Error are kinds of ValueError."""


class Unreadable(ValueError):
    """Stored bytes that cannot be read: the reason as part of a sentence, and the serializer they seem to be of."""

    def __init__(self, reason: str, *, serializer: str = "unknown") -> None:
        super().__init__(reason)
        self.reason = reason
        self.serializer = serializer


def read(data: bytes, *, most: int = MAX_OPCODES) -> object:
    """The value a pickle of any protocol describes, in the terms of rqdash.model.symbols, in at most so many instructions.

    Raises Unreadable.
    """
    try:
        return _run(io.BytesIO(data), most)
    except Unreadable:
        raise
    except BROKEN as error:
        raise Unreadable("a pickle that ends early or is malformed", serializer="pickle") from error


def integer(text: str | bytes) -> object:
    """The int that decimal text stands for; an Opaque when it is too long to convert. Raises ValueError."""
    return int(text) if len(text) <= MAX_DIGITS else Opaque("int", f"int of about {number(len(text))} digits")


def _run(stream: io.BytesIO, most: int) -> object:
    machine = Machine()
    for _ in range(most):
        code = stream.read(1)
        if code == b".":
            return machine.stack.pop()
        reader, step = _TABLE[code]
        step(machine, reader(stream) if reader else None)
    raise Unreadable(f"a pickle of more than {number(most)} instructions", serializer="pickle")


# pickletools' readers of these arguments convert decimals of any length, warn about escapes and refuse names that are not ASCII.


def _line(stream: io.BytesIO) -> bytes:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise ValueError
    return line[:-1]


def _decimal(stream: io.BytesIO) -> object:
    line = _line(stream).removesuffix(b"L")
    # "00" and "01" are how protocols 0 and 1 write False and True.
    return line == b"01" if line in {b"00", b"01"} else integer(line)


def _quoted(stream: io.BytesIO) -> str:
    line = _line(stream)
    if len(line) < 2 or line[:1] not in b"'\"" or line[-1:] != line[:1]:
        raise ValueError
    # Its escapes stay as they are: only Python 2 wrote this instruction.
    return line[1:-1].decode("utf-8", "backslashreplace")


def _pair(stream: io.BytesIO) -> Global:
    return Global(_line(stream).decode(), _line(stream).decode())


def _latin(stream: io.BytesIO) -> str:
    return _line(stream).decode("latin-1")


Reader = Callable[[io.BytesIO], object]

_READERS: dict[str, Reader] = {
    "INT": _decimal,
    "LONG": _decimal,
    "GET": _decimal,
    "PUT": _decimal,
    "STRING": _quoted,
    "GLOBAL": _pair,
    "INST": _pair,
    "PERSID": _latin,
}


def _reader(opcode: pickletools.OpcodeInfo) -> Reader | None:
    if opcode.name in _READERS:
        return _READERS[opcode.name]
    return opcode.arg.reader if opcode.arg else None


_TABLE: dict[bytes, tuple[Reader | None, Step]] = {
    opcode.code.encode("latin-1"): (_reader(opcode), STEPS[opcode.name]) for opcode in pickletools.opcodes if opcode.name in STEPS
}
