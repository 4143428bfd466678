"""Counts the round trips and commands of a backend's connections. Used by tests and by the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rqdash.backends.backend import Backend
from rqdash.demo.servers import HOST, Server
from rqdash.model.profile import Profile

T = TypeVar("T")


@dataclass(slots=True)
class Tally:
    """What was sent so far: batches (each waits for its answer once) and commands."""

    round_trips: int = 0
    commands: int = 0


def counted_backend(server: Server, *, name: str = "live", prefix: str = "rq", **options: object) -> tuple[Backend, Tally]:
    """A backend over a running server, and the tally of what it sends, the handshake of each connection included."""
    tally = Tally()

    class Counting(redis.Connection):
        def pack_command(self, *words: object) -> list[bytes]:
            tally.commands += 1
            return super().pack_command(*words)  # type: ignore[no-any-return]

        def pack_commands(self, commands: Iterable[Iterable[object]]) -> list[bytes]:
            listed = list(commands)
            tally.commands += len(listed)
            return super().pack_commands(listed)  # type: ignore[no-any-return]

        def send_packed_command(self, command: object, check_health: bool = True) -> None:
            tally.round_trips += 1
            super().send_packed_command(command, check_health)

    pool = redis.ConnectionPool(
        connection_class=Counting, host=HOST, port=server.port, socket_timeout=10, retry=Retry(NoBackoff(), 0), **options
    )
    client = redis.Redis(connection_pool=pool)
    profile = Profile(name=name, host=HOST, port=server.port, prefix=prefix, id=name, version=1, endpoint_version=1)
    return Backend(profile, reader=client, writer=client), tally


def spent(tally: Tally, query: Callable[[], T]) -> tuple[T, Tally]:
    """What a query returns, and what it sent; call the query once before, so that connection and scripts are warm."""
    before = replace(tally)
    value = query()
    return value, Tally(tally.round_trips - before.round_trips, tally.commands - before.commands)
