"""Reading by script or without, and so that one key of another type does not spoil the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rqdash.backends.backend import Backend, Command
from rqdash.errors import Refused
from rqdash.queries import decode

T = TypeVar("T")


def read_either(backend: Backend, script: Callable[[], T], *, otherwise: Callable[[], T]) -> T:
    """What script reads, or otherwise by plain commands where scripts, or a command inside one, are denied.

    A command that the ACL denies inside a script comes back as a plain ERR without a name that is the same in all versions; asked for
    outside, the server says which it is.
    """
    try:
        return backend.scripted(script, otherwise=otherwise)
    except Refused as refused:
        if refused.code != "refused":
            raise
        return otherwise()


def read_lenient(backend: Backend, *commands: Command) -> list[object]:
    """The replies in order; None where a key is of another type. One round trip, none for no commands."""
    return [decode.lenient(reply) for reply in backend.read(*commands, strict=False)] if commands else []
