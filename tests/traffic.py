"""People at work on a served dashboard: actions at a steady rate and pages being read, each noted with when, how long and what came."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from rqdash.demo.servers import HOST
from rqdash.web.binding import COOKIE
from tests.served import Served

ACTIONS_A_SECOND = 20
WRITERS = 10
READERS = 3
PAGE_PAUSE_S = 0.1
FAILED, QUEUED = "work", "moved"
PAGE = f"/b/orders/queue?name={FAILED}&registry=failed"
OTHER_PAGES = ("/", "/queues", "/workers", f"/b/orders/queue?name={QUEUED}")


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer; what is "page" or the job id that was acted on; code is done, or what an error says of itself. Times in seconds."""

    what: str
    status: int
    code: str
    began_s: float
    ended_s: float

    @property
    def took_s(self) -> float:
        return self.ended_s - self.began_s


@dataclass(slots=True)
class Traffic:
    """Starts at start(), ends at stop(). Job ids are taken in order, each acted on once, whatever comes of it."""

    site: Served
    session: str
    ids: Sequence[str]
    seen: list[Seen] = field(default_factory=list)
    _turns: itertools.count[int] = field(default_factory=itertools.count, repr=False)
    _over: threading.Event = field(default_factory=threading.Event, repr=False)
    _threads: list[threading.Thread] = field(default_factory=list, repr=False)
    _began_s: float = 0.0

    def start(self) -> None:
        self._began_s = time.monotonic()
        reads = [partial(self._read, (PAGE,)), *[partial(self._read, OTHER_PAGES)] * (READERS - 1)]
        loops: list[Callable[[], None]] = [self._write] * WRITERS + reads
        self._threads = [threading.Thread(target=loop) for loop in loops]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        while True:
            turn = next(self._turns)
            due_s = self._began_s + turn / ACTIONS_A_SECOND
            if turn >= len(self.ids) or self._over.wait(max(0.0, due_s - time.monotonic())):
                break
            self.seen.append(self._acted(self.ids[turn], moves=turn % 2 == 1))
        self.site.hang_up()

    def _acted(self, job_id: str, *, moves: bool) -> Seen:
        body = {"queue": FAILED, "registry": "failed", "ids": [job_id]} | ({"to_queue": QUEUED} if moves else {})
        began_s = time.monotonic()
        answer = self.site.post(f"/b/orders/jobs/{'move' if moves else 'requeue'}", body)
        said = answer.json()
        code = said["jobs"][0]["verdict"] if answer.status == 200 else said["code"]
        return Seen(job_id, answer.status, code, began_s, time.monotonic())

    def _read(self, paths: Sequence[str]) -> None:
        connection = http.client.HTTPConnection(HOST, self.site.port, timeout=30)
        for path in itertools.cycle(paths):
            if self._over.wait(PAGE_PAUSE_S):
                break
            began_s = time.monotonic()
            connection.request("GET", path, headers={"Cookie": f"{COOKIE}={self.session}"})
            response = connection.getresponse()
            response.read()
            self.seen.append(Seen(path, response.status, "page", began_s, time.monotonic()))
        connection.close()
