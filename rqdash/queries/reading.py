"""Reading plain commands so that one key of another type does not spoil the rest."""

from __future__ import annotations

from rqdash.backends.backend import Backend, Command
from rqdash.queries import decode


def read_lenient(backend: Backend, *commands: Command) -> list[object]:
    """The replies in order; None where a key is of another type. One round trip, none for no commands."""
    return [decode.lenient(reply) for reply in backend.read(*commands, strict=False)] if commands else []
