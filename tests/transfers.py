"""Two backends on servers of their own, and what tests of moves between them look at."""

from __future__ import annotations

import re
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue

from rqdash.actions.transfer import Transfer, carried_over
from rqdash.backends.backend import Backend
from rqdash.backends.guard import NoGuard
from rqdash.demo.servers import HOST, Server
from rqdash.model.outcome import Outcome
from rqdash.model.profile import Profile
from rqdash.model.registry import Registry
from tests.workers import work


def backend_at(
    port: int, *, name: str, prefix: str = "rq", timeout_s: float = 5.0, endpoint_version: int = 1, **options: object
) -> Backend:
    """A backend behind a port; without an answer after timeout_s the result is unknown."""
    given = {"host": HOST, "port": port, "socket_timeout": timeout_s, "retry": Retry(NoBackoff(), 0), **options}
    profile = Profile(name=name, host=HOST, port=port, prefix=prefix, id=f"id of {name}", version=1, endpoint_version=endpoint_version)
    return Backend(profile, reader=redis.Redis(**given), writer=redis.Redis(**given))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two backends on two servers, all empty: the keys of the one begin with rq, those of the other with app."""

    source: Backend
    destination: Backend
    here: redis.Redis
    there: redis.Redis
    here_server: Server
    there_server: Server


@contextmanager
def paired(here: Server, there: Server) -> Iterator[Pair]:
    with here.client() as here_client, there.client() as there_client:
        here_client.flushall()
        there_client.flushall()
        source, destination = backend_at(here.port, name="here"), backend_at(there.port, name="there", prefix="app")
        yield Pair(source, destination, here_client, there_client, here, there)
        source.close()
        destination.close()


@dataclass(slots=True)
class Before(NoGuard):
    """Admits every write to a backend, and does something just before it is sent."""

    happens: Callable[[], object]

    def admit(self) -> None:
        self.happens()


def enqueued(client: redis.Redis, number: int = 1, **options: object) -> list[str]:
    queue = Queue("mail", connection=client)
    return [queue.enqueue("tests.tasks.note", "ran", **options).id for _ in range(number)]


def failed(server: Server, client: redis.Redis, **options: object) -> str:
    """A job that a real worker ran and that failed; it succeeds from now on."""
    client.set("runs:fails", 1)
    job = Queue("mail", connection=client).enqueue("tests.tasks.count_and_fail", "runs", **options)
    work(server, "mail")
    client.delete("runs:fails", "runs")
    return job.id


def moved(source: Backend, destination: Backend, ids: Sequence[str], *, registry: Registry = Registry.QUEUED, to: str = "slow") -> Outcome:
    """The outcome of a move that no backend's failure has cut short."""
    outcome, failure = carried_over(source, destination, Transfer("mail", registry, to), ids=ids)
    assert failure is None
    return outcome


def places(client: redis.Redis, job_id: str, *, prefix: str = "rq") -> list[str]:
    """The lists and sorted sets of RQ that hold a job."""
    found = []
    for key in client.scan_iter(f"{prefix}:*", count=1000):
        name = key.decode("utf-8", "surrogateescape")
        kind = client.type(key)
        if kind == b"list" and name.startswith(f"{prefix}:queue:"):
            found += [name] * client.lrange(key, 0, -1).count(job_id.encode())
        elif kind == b"zset" and ":rqdash:" not in name and client.zscore(key, job_id) is not None:
            found.append(name)
    return sorted(found)


def journal(client: redis.Redis, *, prefix: str = "rq") -> list[bytes]:
    """What is on its way from a server."""
    tokens: list[bytes] = client.zrange(f"{prefix}:rqdash:mv:out", 0, -1)
    assert len(list(client.scan_iter(f"{prefix}:rqdash:mv:out:*"))) >= len(tokens)
    return tokens


@dataclass(slots=True)
class Between:
    """A server's port as somebody far away has it: answers can be lost, and requests come late.

    lose: after a request with these bytes in it the connection's answers get lost; once. found: what of seen was in requests.
    """

    server: Server
    delay_s: float = 0.0
    lose: bytes = b""
    lost: threading.Event = field(default_factory=threading.Event)
    seen: re.Pattern[bytes] | None = None
    found: set[bytes] = field(default_factory=set)
    _busy: set[socket.socket] = field(default_factory=set)
    _listener: socket.socket = field(default_factory=lambda: socket.create_server((HOST, 0)))

    @property
    def port(self) -> int:
        found: int = self._listener.getsockname()[1]
        return found

    @property
    def is_busy(self) -> bool:
        """Whether a connection is still open on either side."""
        return bool(self._busy)

    def start(self) -> Between:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        self._busy.add(near)
        with suppress(OSError), closing(near), closing(socket.create_connection((HOST, self.server.port))) as far:
            self._pass_on(near, far)
        self._busy.discard(near)

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        is_deaf = False
        with selectors.DefaultSelector() as selector:
            for side in (near, far):
                selector.register(side, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    is_request = key.fileobj is near
                    chunk = (near if is_request else far).recv(1 << 20)
                    if not chunk:
                        # What was asked for is still done; it has been when the server hangs up.
                        far.shutdown(socket.SHUT_WR)
                        while far.recv(1 << 20):
                            pass
                        return
                    if is_request:
                        is_deaf = self._late(chunk) or is_deaf
                        far.sendall(chunk)
                    elif is_deaf:
                        self.lost.set()
                    else:
                        near.sendall(chunk)

    def _late(self, request: bytes) -> bool:
        """Holds a request up; whether its answer is to be lost."""
        if self.seen is not None:
            self.found.update(self.seen.findall(request))
        time.sleep(self.delay_s)
        is_lost = bool(self.lose) and self.lose in request
        self.lose = b"" if is_lost else self.lose
        return is_lost
