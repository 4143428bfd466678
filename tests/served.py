"""The product as it is served: real gunicorn, two processes, over a data directory of the test's own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rqdash.access.access import Access, open_access
from rqdash.demo.servers import HOST, Server, free_port
from rqdash.model.caller import Role
from rqdash.model.profile import Profile
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.settings import Settings
from rqdash.store import Store, open_store
from tests.processes import descendants, wait_until

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(slots=True)
class Served:
    """A running dashboard, its registry and access as another process sees them, and callers of its API."""

    data_dir: Path
    port: int
    profiles: Profiles
    access: Access
    token: str = ""
    process: subprocess.Popen[bytes] | None = None
    store: Store | None = None
    _local: threading.local = field(default_factory=threading.local, repr=False)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self, *, processes: int = 2, threads: int = 8, **environ: str) -> Served:
        settings = {"RQDASH_DATA_DIR": str(self.data_dir), "RQDASH_PORT": str(self.port), "RQDASH_PROCESSES": str(processes)}
        settings |= {"RQDASH_THREADS": str(threads), "RQDASH_LOG_LEVEL": "warning", **environ}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RQDASH_")}
        with (self.data_dir / "served.log").open("ab") as log:
            command = [sys.executable, "-m", "rqdash.cli", "serve"]
            self.process = subprocess.Popen(command, cwd=ROOT, env=kept | settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        assert wait_until(self._is_live, within_s=60), (self.data_dir / "served.log").read_text()
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def kill(self) -> None:
        """Ends every process of it by SIGKILL, as a host that loses its power does."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(30)
            self.process = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Every process of it stands still for as long as the block lasts."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        for pid in (self.process.pid, *(child.pid for child in descendants(self.process.pid))):
            os.kill(pid, number)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, token: str | None = None) -> Answer:
        """One request of an API caller, on this thread's own kept connection."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        payload = json.dumps(body).encode() if body is not None else None
        connection = self._connection()
        try:
            connection.request(method, f"/api/v1{path}", payload, headers | ({"Content-Type": "application/json"} if payload else {}))
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(), dict(response.getheaders()))
        except (http.client.HTTPException, ConnectionError):
            connection.close()
            raise

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> Answer:
        return self.call("POST", path, body)

    def hang_up(self) -> None:
        """Closes this thread's connection; a thread that called does so before it ends."""
        if hasattr(self._local, "connection"):
            self._local.connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        connection: http.client.HTTPConnection = self._local.connection
        return connection

    def _is_live(self) -> bool:
        probe = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            probe.request("GET", "/health/ready")
            return probe.getresponse().status == 200
        except OSError:
            return False
        finally:
            probe.close()


def served(data_dir: Path, backends: Mapping[str, Server], *, url: str = "", **profile: Any) -> Served:
    """A dashboard, not started yet, with a profile for each server and an admin's token; url is its database's, "" for SQLite."""
    data_dir.mkdir(parents=True, exist_ok=True)
    settings = Settings(data_dir=data_dir, database_url=url)
    store = open_store(url, data_dir=data_dir)
    profiles, access = open_profiles(store, settings), open_access(store, settings)
    for name, server in backends.items():
        profiles.create(Profile(name=name, host=HOST, port=server.port, **profile), by="test")
    token = access.tokens.add(f"test-{data_dir.name}", role=Role.ADMIN)
    return Served(data_dir, free_port(), profiles, access, token, store=store)
