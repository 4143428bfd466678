"""Movers that can be killed: processes that move jobs to and fro between two backends until somebody ends them."""

from __future__ import annotations

import multiprocessing
import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import TYPE_CHECKING

import redis

from rqdash.actions.transfer import Transfer, carried_over
from rqdash.backends.backend import Backend
from rqdash.model.registry import Registry
from rqdash.operations.runner import Runner
from tests.operating import opened
from tests.transfers import Between, backend_at

if TYPE_CHECKING:
    from rqdash.demo.servers import Server

QUEUE = "mail"
LEASE_S = 0.6
FEW, MANY = (5, 45), (60, 200)
TOKEN = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
DAY_MS = 24 * 3600 * 1000
STEPS = ("prepare", "detach", "activate", "cleanup")
"""What a killed mover had done last, by what it left: see Mover.step."""


def sides(ports: Sequence[int]) -> tuple[Backend, Backend]:
    """The two backends, behind these ports; their keys differ in prefix."""
    return backend_at(ports[0], name="left", prefix="rq"), backend_at(ports[1], name="right", prefix="app")


def moves(ports: Sequence[int], seed: int) -> None:
    """What a mover does: takes some of the jobs that wait on one side, at random, to the other, for ever."""
    chance, ends = random.Random(seed), sides(ports)
    while True:
        source, destination = ends if chance.random() < 0.5 else ends[::-1]
        with suppress(redis.exceptions.RedisError):
            waiting = source.reader.lrange(source.keys.queue(QUEUE), 0, -1)
            number = chance.randint(*(FEW if chance.random() < 0.6 else MANY))
            ids = [job_id.decode() for job_id in chance.sample(waiting, min(len(waiting), number))]
            if ids:
                carried_over(source, destination, Transfer(QUEUE, Registry.QUEUED, QUEUE, at_front=chance.random() < 0.2), ids=ids)
        time.sleep(0.001)


def runs(data_dir: str, port: int) -> None:
    """What a runner of operations does, for ever; whoever takes over from it waits until its lease is over."""
    operations = opened(Path(data_dir), {"left": backend_at(port, name="left")})
    Runner(operations, lease_s=LEASE_S, first_wait_s=0.02).run(threading.Event())


def process(work: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """A process that has imported everything already; started."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.movers"])
    found = context.Process(target=work, args=arguments, daemon=True)
    found.start()
    return found


@dataclass(slots=True)
class Mover:
    """One such process at a time, behind proxies of its own, which see the tokens it uses."""

    servers: Sequence[Server]
    delay_s: float
    number: int
    proxies: list[Between] = field(default_factory=list)
    process: ForkServerProcess | None = None
    lives: int = 0

    def start(self) -> None:
        self.proxies = [Between(server, delay_s=self.delay_s, seen=TOKEN).start() for server in self.servers]
        self.lives += 1
        ports = [proxy.port for proxy in self.proxies]
        self.process = process(moves, ports, self.number * 10_000 + self.lives)

    @property
    def is_at_work(self) -> bool:
        return bool(self.proxies and self.proxies[0].found and self.proxies[1].found)

    def kill(self) -> set[bytes]:
        """Ends it as a crash would, waits until its last commands were answered, and gives the tokens it has used."""
        assert self.process is not None
        self.process.kill()
        self.process.join()
        for proxy in self.proxies:
            proxy.stop()
        wait_for(lambda: not any(proxy.is_busy for proxy in self.proxies))
        return set[bytes]().union(*(proxy.found for proxy in self.proxies))


def step(tokens: set[bytes], clients: Sequence[redis.Redis]) -> str:
    """What a mover had done last when it died, as its journals and markers say; "" when it had finished whatever it began.

    Of two batches at work it is the one that has left: the other is only being prepared.
    """
    found = {_left_after(token, clients) for token in tokens}
    return next((name for name in ("detach", "activate", "cleanup", "prepare") if name in found), "")


def _left_after(token: bytes, clients: Sequence[redis.Redis]) -> str:
    states, entries = [], []
    for client, prefix in zip(clients, (b"rq", b"app"), strict=True):
        marker = prefix + b":rqdash:mv:in:" + token
        states.append((client.hget(marker, "state"), client.pttl(marker)))
        entries.append(client.zscore(prefix + b":rqdash:mv:out", token) is not None)
    (state, lasts_ms) = next((one for one in states if one[0]), (b"", 0))
    if any(entries):
        return "activate" if state == b"active" else "detach"
    if state == b"prepared":
        return "prepare"
    return "cleanup" if state == b"active" and lasts_ms > DAY_MS else ""


def open_entries(clients: Sequence[redis.Redis]) -> int:
    return sum(client.zcard(f"{prefix}:rqdash:mv:out") for client, prefix in zip(clients, ("rq", "app"), strict=True))


def wait_for(holds: Callable[[], object]) -> None:
    """Waits until it holds. Raises AssertionError when it does not within two minutes: disks of busy machines take their time."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline, holds
        time.sleep(0.003)


def kept_going(work: Callable[[], object]) -> None:
    """Does something with servers that may be away for a moment."""
    try:
        work()
    except redis.exceptions.RedisError:
        time.sleep(0.05)
