"""RQ of several versions, each in an environment of its own: its workers, and a process that asks it for what a producer does.

The environments are made once, under .venv/rq, by whoever comes first; what else runs meanwhile waits for them.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rqdash.demo.servers import Server
from tests.processes import descendants

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".venv" / "rq"
PATIENCE_S = 60.0
CLIENTS = {
    "1.16.2": "redis>=5,<6",
    "2.0.0": "redis>=5.1,<6",
    "2.6.1": "redis>=6.1,<7",
    "2.12.0": "redis>=7,<8",
    "3.0.0": "redis>=8,<9",
}
"""The versions, with the redis-py of their days."""
VERSIONS = tuple(CLIENTS)
DEATH = "found an unhandled exception"
"""What a worker of any version logs when a job it cannot read ends it; it exits with 0 all the same."""


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


@cache
def environment(version: str) -> Path:
    """The directory of a virtual environment with this RQ; made now when there is none as it should be."""
    place = HOME / version
    recipe = json.dumps([sys.version, f"rq=={version}", CLIENTS[version]])
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / f"{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = place / "made-of.json"
        if not stamp.exists() or stamp.read_text() != recipe:
            shutil.rmtree(place, ignore_errors=True)
            _made(sys.executable, "-m", "venv", "--without-pip", str(place))
            _made(sys.executable, "-m", "pip", "--python", str(place), "install", "--quiet", f"rq=={version}", CLIENTS[version])
            stamp.write_text(recipe)
    return place


def _made(*words: str) -> None:
    made = subprocess.run(words, capture_output=True, text=True, check=False)
    assert made.returncode == 0, f"{' '.join(words)}\n{made.stdout}{made.stderr}"


@dataclass(slots=True)
class Worker:
    """A worker of RQ's own command line. log() is what it has said so far."""

    process: subprocess.Popen[bytes]
    path: Path

    def log(self) -> str:
        return self.path.read_text(errors="replace")

    def ended(self) -> str:
        """Waits for its end; its log. Raises AssertionError when it failed, or died of a job."""
        status = self.process.wait(PATIENCE_S)
        log = self.log()
        assert status == 0, log
        assert DEATH not in log, log
        return log

    def shut_down(self) -> None:
        """Asks it to end when it has no job to finish."""
        self.process.terminate()

    def kill(self) -> None:
        """Ends it and its work horse, which is in a group of its own, as a machine that vanishes does."""
        if self.process.poll() is not None:
            return
        horses = descendants(self.process.pid)
        for pid in (self.process.pid, *(horse.pid for horse in horses)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)


@dataclass(slots=True)
class Driver:
    """A process of one RQ that does what tests/version_driver.py can, one request at a time."""

    process: subprocess.Popen[str]

    def __call__(self, verb: str, **request: object) -> object:
        """The answer. Raises AssertionError with that process's traceback."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"verb": verb, **request}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"failed": "it has ended"}')
        assert "failed" not in answer, answer["failed"]
        return answer["done"]


@dataclass(slots=True)
class Rq:
    """One version of RQ at work on one server; what it starts is ended with running()."""

    version: str
    server: Server
    directory: Path
    driver: Driver
    workers: list[Worker]

    @property
    def number(self) -> tuple[int, ...]:
        return number(self.version)

    def has(self, since: str) -> bool:
        return self.number >= number(since)

    def worker(self, *queues: str, name: str, options: tuple[str, ...] = (), server: Server | None = None) -> Worker:
        """Starts one on these queues, in their order; on another server if that is named."""
        program = environment(self.version) / "bin" / "rq"
        path = self.directory / f"{name}.log"
        words = [str(program), "worker", "--url", (server or self.server).url, "--name", name, *options, *queues]
        with path.open("wb") as log:
            process = subprocess.Popen(
                words, cwd=self.directory, env=_environ(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.workers.append(Worker(process, path))
        return self.workers[-1]


@contextmanager
def running(version: str, server: Server, directory: Path) -> Iterator[Rq]:
    """RQ of this version over a server, for as long as the block lasts."""
    words = [str(environment(version) / "bin" / "python"), "-m", "tests.version_driver", str(server.port)]
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "driver.log").open("w") as log:
        process = subprocess.Popen(words, cwd=ROOT, env=_environ(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
    rq = Rq(version, server, directory, Driver(process), [])
    try:
        yield rq
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)
        for worker in rq.workers:
            worker.kill()


def _environ() -> dict[str, str]:
    """Ours without what speaks of another Python or another prefix, with the tests' tasks to be found."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("RQ_", "PYTHON", "VIRTUAL_ENV"))}
    return mine | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
