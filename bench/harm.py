"""What others on the same server feel meanwhile: its SLOWLOG, and how long the PINGs of another client take."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import quantiles

import redis

from rqdash.demo.servers import HOST, Server

SLOW_US = 5_000
PAUSE_S = 0.001


@dataclass(slots=True)
class Harm:
    """Filled when the block ends: PING's 99th percentile and longest, and the calls over 5 ms with the longest of them."""

    ping_p99_ms: float = 0.0
    ping_longest_ms: float = 0.0
    slow_calls: int = 0
    longest_call_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Somebody else's client of a server, as a process of its own."""

    client: redis.Redis
    process: subprocess.Popen[str]

    @contextmanager
    def felt(self) -> Iterator[Harm]:
        """What is felt while the block runs."""
        harm = Harm()
        self.client.config_set("slowlog-log-slower-than", SLOW_US)
        self.client.slowlog_reset()
        self._said("begin")
        try:
            yield harm
        finally:
            harm.ping_p99_ms, harm.ping_longest_ms = json.loads(self._said("end"))
        slow = [entry["duration"] / 1000 for entry in self.client.slowlog_get(128)]
        harm.slow_calls, harm.longest_call_ms = len(slow), max(slow, default=0.0)

    def _said(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@contextmanager
def watch(server: Server) -> Iterator[Watch]:
    """A client that PINGs every millisecond when it is asked to, until the block ends."""
    command = [sys.executable, "-m", "bench.harm", str(server.port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        with server.client() as client:
            yield Watch(client, process)
    finally:
        process.communicate()


def _serve(port: int) -> None:
    """On the line "begin" it begins to ping, on the next it stops and prints the 99th percentile and the longest, in milliseconds."""
    with redis.Redis(host=HOST, port=port) as client, selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        client.ping()
        while sys.stdin.readline():
            print("begun", flush=True)
            took = _pinged(client, selector)
            sys.stdin.readline()
            print(json.dumps([quantiles(took, n=100, method="inclusive")[-1], max(took)]), flush=True)


def _pinged(client: redis.Redis, selector: selectors.BaseSelector) -> list[float]:
    """How long each took until a line came in; at least two."""
    took: list[float] = []
    while len(took) < 2 or not selector.select(PAUSE_S):
        began_s = time.perf_counter()
        client.ping()
        took.append((time.perf_counter() - began_s) * 1000)
    return took


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
