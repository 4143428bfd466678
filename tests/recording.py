"""A process that records, for tests that kill it: one line `begun` or `kept` a slot in a log that all such processes share."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import redis

from rqdash.backends.backend import Backend
from rqdash.backends.gather import Gatherer
from rqdash.demo.servers import HOST
from rqdash.history.archive import Archive
from rqdash.history.recorder import Recorder
from rqdash.model.profile import Profile
from rqdash.store import open_store
from rqdash.store.leases import Leases

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Order:
    """What such a process records: the queues of one server under each prefix as a backend of its own."""

    data_dir: str
    database_url: str
    port: int
    log: str
    prefixes: tuple[str, ...] = ("rq",)
    slot_s: int = 1
    lease_s: float = 1.5


class Logged(Recorder):
    """A recorder that says what it does."""

    __slots__ = ("log",)
    log: Path

    def sample(self, slot_s: int) -> bool:
        self.say("begun", slot_s)
        is_kept = Recorder.sample(self, slot_s)
        self.say("kept" if is_kept else "lost", slot_s)
        return is_kept

    def say(self, what: str, slot_s: int) -> None:
        with self.log.open("a") as file:
            file.write(f"{what} {slot_s} {os.getpid()} {time.time()} {time.process_time()}\n")


def recording_process(order: Order) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.recording", json.dumps(asdict(order))]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL)


def main() -> None:
    order = Order(**json.loads(sys.argv[1]))
    store = open_store(order.database_url, data_dir=Path(order.data_dir))
    backends = {prefix: _backend(order, prefix) for prefix in order.prefixes}
    recorder = Logged(backends, Gatherer(), Leases(store), Archive(store), slot_s=order.slot_s, lease_s=order.lease_s)
    recorder.log = Path(order.log)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    recorder.say("ready", 0)
    recorder.run(stop)


def _backend(order: Order, prefix: str) -> Backend:
    """As in conftest, which takes a second to import."""
    client = redis.Redis(host=HOST, port=order.port)
    return Backend(Profile(name=prefix, host=HOST, port=order.port, prefix=prefix, id=prefix), reader=client, writer=client)


if __name__ == "__main__":
    main()
