"""A backend: a profile with its live connections, one for reading and one for writing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

import redis
from redis import exceptions

from rqdash.backends import ahead
from rqdash.backends import reachable as errors
from rqdash.backends.guard import GuardState, Health, NoGuard
from rqdash.backends.scripts import Argument, Call
from rqdash.errors import BackendError, ReadOnly, Slow
from rqdash.model.keys import Keys
from rqdash.model.profile import Node, Profile
from rqdash.model.reply import Problem

T = TypeVar("T")
Command = tuple[Argument, ...] | Call

SCRIPTING_RETRY_S = 60.0
LOOK_S = 3.0
# A master that hangs holds each write for seconds, and with it a thread of the process: others must be left for pages and other backends.
WRITES_AT_ONCE = 3
TURN_WAIT_S = 0.25
REPLICA_WAIT_MS = 500
WHAT_GOES_ON = {
    Health.DEGRADED: "Reads and writes go on.",
    Health.SWITCHING: "Reads go on where they can. Writes wait until the switch is over.",
    Health.SETTLING: "Reads go on. Writes wait about two seconds.",
    Health.NO_MASTER: "Writes wait until the Sentinels have a master.",
    Health.BLIND: "Reads go on over connections that are open. Writes wait until a Sentinel answers.",
}


class Guard(Protocol):
    """Says whether a backend's master is surely the master: admits a write, or raises Switching; confirms it, or raises UnknownResult."""

    @property
    def state(self) -> GuardState: ...

    def admit(self) -> None: ...

    def confirm(self, node: Node | None) -> None: ...

    def look(self, *, max_age_s: float = ...) -> GuardState: ...

    def close(self) -> None: ...


class ScriptingDenied(Exception):
    """The server's ACL forbids scripts; the caller reads by pipeline instead."""


class Backend:
    """One backend, live. It is built without I/O, shared by threads, and belongs to one version of its profile."""

    def __init__(
        self, profile: Profile, *, reader: redis.Redis, writer: redis.Redis, guard: Guard | None = None, blocked: BackendError | None = None
    ) -> None:
        self.profile = profile
        self.keys = Keys(profile.prefix)
        self.reader = reader
        self.writer = writer
        self.guard: Guard = guard or NoGuard()
        self._blocked = blocked
        self._read_verb = "EVALSHA_RO"
        self._no_scripts_until = 0.0
        self._turns = threading.BoundedSemaphore(WRITES_AT_ONCE)

    @property
    def name(self) -> str:
        return self.profile.name

    def reachable(self) -> AbstractContextManager[None]:
        """Inside, whatever the server does wrong is raised as a BackendError naming this backend.

        Raises at once when the backend is blocked: its stored secrets cannot be used, so no connection is tried.
        """
        if self._blocked is not None:
            raise self._blocked
        return errors.reachable(self.name)

    def read(self, *commands: Command, strict: bool = True) -> list[object]:
        """The replies to commands, in order, in one round trip (two when the server lacks a script).

        A reply that is an error is raised as a BackendError, or kept in the list as a BackendError when strict is False.
        Raises ScriptingDenied when a script is among them and the ACL forbids scripts.
        """
        with self.reachable():
            # After a failover that somebody ordered, the old master answers for ten more seconds as if nothing had happened.
            self.guard.look(max_age_s=LOOK_S)
            replies = self._send(commands)
            if any(isinstance(reply, exceptions.NoScriptError) for reply in replies):
                self._load(commands)
                replies = self._send(commands)
        return [self._checked(reply, strict=strict) for reply in replies]

    def scripted(self, script: Callable[[], T], *, otherwise: Callable[[], T]) -> T:
        """What script reads, or otherwise where the ACL forbids scripts; that is remembered for a minute."""
        if time.monotonic() < self._no_scripts_until:
            return otherwise()
        try:
            return script()
        except ScriptingDenied:
            self._no_scripts_until = time.monotonic() + SCRIPTING_RETRY_S
            return otherwise()

    def write(self, call: Call) -> object:
        """The reply of a state-checked write script, sent once and never again.

        Raises ReadOnly, Switching, Unreachable, Slow (nothing was done) or UnknownResult (it may have been done). One round trip, two
        when the server lacks the script: NOSCRIPT is its word that nothing ran. Behind Sentinel also one to the sentinels before it,
        unless they were asked within 100 ms, and one after it.
        """
        return self._written(call, is_waited_for=False)[0]

    def write_ahead(self, calls: Iterator[Call]) -> Generator[object]:
        """The replies of write scripts, in order, each sent before the one before it is answered; see backends/ahead.py for failures.

        An error that the server answers with is a BackendError among the replies. Raises ReadOnly, Switching, Unreachable, Slow or
        UnknownResult.
        """
        if self.profile.read_only:
            raise ReadOnly(f"{self.name} is read-only here: its profile says so.")
        if self._blocked is not None:
            raise self._blocked
        with self._turn():
            yield from ahead.replies(self.writer.connection_pool, calls, name=self.name, admit=self.guard.admit, confirm=self.guard.confirm)

    def write_replicated(self, call: Call) -> tuple[object, int | None]:
        """The same, and how many replicas have it after 0.5 s at most; None where the ACL forbids asking. One round trip more."""
        return self._written(call, is_waited_for=True)

    def _written(self, call: Call, *, is_waited_for: bool) -> tuple[object, int | None]:
        if self.profile.read_only:
            raise ReadOnly(f"{self.name} is read-only here: its profile says so.")
        with self._turn():
            self.guard.admit()
            with self.reachable():
                connection = self.writer.connection_pool.get_connection()
            try:
                with self.reachable():
                    # Nothing is sent when it does not answer; as a part of sending, that would count as unknown.
                    connection.check_health()
                with errors.writing(self.name):
                    reply = _sent(connection, call)
                    replicas = _replicas_reached(connection) if is_waited_for else None
            except BaseException:
                connection.disconnect()
                raise
            finally:
                self.writer.connection_pool.release(connection)
            self.guard.confirm(getattr(connection, "node", None))
            return reply, replicas

    def sentinels(self) -> GuardState | None:
        """What the sentinels say, at most 3 s old; None without Sentinel. Takes at most 0.8 s and never raises."""
        state = self.guard.look(max_age_s=LOOK_S)
        return state if state.sentinels else None

    @property
    def caution(self) -> Problem | None:
        """What Sentinel last said that an operator should know though reads go on; asks nothing."""
        state = self.guard.state
        if state.health is Health.OK or not state.sentinels:
            return None
        return Problem(state.health.value, f"{self.name}: {state.text}", WHAT_GOES_ON[state.health])

    def relabelled(self, profile: Profile) -> Backend:
        """The same connections under another version of the profile, of which only labels changed."""
        return Backend(profile, reader=self.reader, writer=self.writer, guard=self.guard, blocked=self._blocked)

    def close(self) -> None:
        """Closes the connections that nobody uses; those in use close when they are given back."""
        self.reader.close()
        self.writer.close()
        self.guard.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """A place among the writes under way. Raises Slow when none becomes free in time."""
        if not self._turns.acquire(timeout=TURN_WAIT_S):
            raise Slow(
                f"{self.name} is slow: earlier writes still wait for its answer.",
                backend=self.name,
                stage="write",
                hint="Nothing was changed. Try again in a moment.",
                retry_after_s=TURN_WAIT_S,
            )
        try:
            yield
        finally:
            self._turns.release()

    def _send(self, commands: Sequence[Command]) -> list[object]:
        pipeline = self.reader.pipeline(transaction=False)
        for command in commands:
            words = command.command(self._read_verb) if isinstance(command, Call) else command
            pipeline.execute_command(*words)
        replies: list[object] = pipeline.execute(raise_on_error=False)
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(command, Call) and isinstance(reply, exceptions.NoPermissionError):
                raise ScriptingDenied
            if isinstance(command, Call) and self._read_verb == "EVALSHA_RO" and _is_unknown_command(reply):
                # Redis before 7.0 has no EVALSHA_RO.
                self._read_verb = "EVALSHA"
                return self._send(commands)
        return replies

    def _load(self, commands: Sequence[Command]) -> None:
        pipeline = self.reader.pipeline(transaction=False)
        for source in {command.script.source for command in commands if isinstance(command, Call)}:
            pipeline.execute_command("SCRIPT", "LOAD", source)
        replies = pipeline.execute(raise_on_error=False)
        if any(isinstance(reply, exceptions.NoPermissionError) for reply in replies):
            raise ScriptingDenied

    def _checked(self, reply: object, *, strict: bool) -> object:
        if not isinstance(reply, exceptions.RedisError):
            return reply
        error = errors.translated(reply, backend=self.name)
        if strict:
            raise error from None
        return error


def _sent(connection: Any, call: Call) -> object:
    """The reply of one connection to a script; should it lack it, it is given it first."""
    try:
        connection.send_command(*call.command("EVALSHA"), check_health=False)
        return connection.read_response()
    except exceptions.NoScriptError:
        connection.send_command("SCRIPT", "LOAD", call.script.source)
        connection.read_response()
        connection.send_command(*call.command("EVALSHA"))
        return connection.read_response()


def _replicas_reached(connection: Any) -> int | None:
    connection.send_command("WAIT", 1, REPLICA_WAIT_MS)
    try:
        return int(connection.read_response())
    except exceptions.ResponseError:
        # The ACL may forbid WAIT; the write itself was answered.
        return None


def _is_unknown_command(reply: object) -> bool:
    return isinstance(reply, exceptions.ResponseError) and str(reply).lower().startswith("unknown command")
