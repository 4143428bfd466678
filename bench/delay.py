"""A proxy before a data server that holds back every byte by half of a delay in each direction, and counts what passes when asked.

Many connections share one thread and none waits for another: what is read is sent on when its time has come, in its order, so
throughput stays what it was. A select loop keeps time to some 0.1 ms; epoll would round up to whole milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

HOST = "127.0.0.1"
CHUNK = 262_144


@dataclass(slots=True)
class Passed:
    """What passed since the count began; a turn is a client's request after the server's answer: a round trip."""

    commands: int = 0
    turns: int = 0
    connections: int = 0


class Direction(asyncio.Protocol):
    """One side of a connection: what it reads is written to the other side, later."""

    def __init__(self, proxy: Proxy, pair: Pair, *, is_client: bool) -> None:
        self.proxy, self.pair, self.is_client = proxy, pair, is_client
        self.transport: asyncio.Transport | None = None
        self.waiting: deque[bytes] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if self.is_client:
            self.pair.task = asyncio.ensure_future(self.proxy.connect(self.pair))

    def data_received(self, data: bytes) -> None:
        if self.proxy.is_counting:
            self.pair.count(data, is_client=self.is_client)
        self.waiting.append(data)
        asyncio.get_running_loop().call_later(self.proxy.half_s, self.send)

    def send(self) -> None:
        other = self.pair.server if self.is_client else self.pair.client
        if other is None or other.transport is None:
            # The server's side is being connected; a client may write at once.
            asyncio.get_running_loop().call_later(0.001, self.send)
            return
        if not other.transport.is_closing():
            other.transport.write(self.waiting.popleft())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        other = self.pair.server if self.is_client else self.pair.client
        if other is not None and other.transport is not None:
            asyncio.get_running_loop().call_later(self.proxy.half_s, other.transport.close)


class Pair:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.client = Direction(proxy, self, is_client=True)
        self.server: Direction | None = None
        self.task: asyncio.Future[None] | None = None
        self._was_answered = True
        self._unread = b""

    def count(self, data: bytes, *, is_client: bool) -> None:
        if not is_client:
            self._was_answered = True
            return
        passed = self.proxy.passed
        passed.turns += self._was_answered
        self._was_answered = False
        found, self._unread = commands(self._unread + data)
        passed.commands += found


class Proxy:
    """Listens on a port of its own; half_s is what each direction waits."""

    def __init__(self, port: int, delay_ms: float) -> None:
        self.port, self.half_s = port, delay_ms / 2000
        self.passed, self.is_counting = Passed(), False

    async def connect(self, pair: Pair) -> None:
        self.passed.connections += self.is_counting
        server = Direction(self, pair, is_client=False)
        await asyncio.get_running_loop().create_connection(lambda: server, HOST, self.port)
        pair.server = server

    async def run(self) -> None:
        """Prints its port, then obeys lines of its standard input: "count" begins a count, "tell" ends it; both print what passed."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Pair(self).client, HOST, 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
            self.is_counting = line == "count"
            print(json.dumps(asdict(self.passed)), flush=True)
            if self.is_counting:
                self.passed = Passed()


def commands(data: bytes) -> tuple[int, bytes]:
    """How many whole commands bytes of a client hold, and the bytes of the last one that is not whole yet."""
    at, found = 0, 0
    while data[at : at + 1] == b"*":
        after = _after(data, at)
        if after is None:
            break
        at, found = after, found + 1
    return found, data[at:]


def _after(data: bytes, at: int) -> int | None:
    """Where the command that begins here ends; None when its end has not come."""
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    words, at = int(data[at + 1 : end]), end + 2
    for _ in range(words):
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        at = end + 2 + int(data[at + 1 : end]) + 2
        if at > len(data):
            return None
    return at


@dataclass(frozen=True, slots=True)
class Delayed:
    """A running proxy: its port, and what passes through it."""

    port: int
    process: subprocess.Popen[str]

    def count(self) -> None:
        """Begins a count."""
        self._said("count")

    def told(self) -> Passed:
        """What passed since count()."""
        return Passed(**json.loads(self._said("tell")))

    def _said(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@contextmanager
def delayed(port: int, *, delay_ms: float) -> Iterator[Delayed]:
    """A proxy before this port, as a process of its own while the block lasts."""
    command = [sys.executable, "-m", "bench.delay", str(port), str(delay_ms)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Delayed(int(process.stdout.readline()), process)
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    proxy = Proxy(int(sys.argv[1]), float(sys.argv[2]))
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(proxy.run())
