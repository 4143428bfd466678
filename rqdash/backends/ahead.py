"""Writes one after the other over one connection, each sent before the one before it is answered: the server need not wait for us."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any

import redis
from redis import exceptions

from rqdash.backends import reachable as errors
from rqdash.backends.scripts import Call
from rqdash.errors import BackendError

DEPTH = 2
"""Calls under way at once: one runs, one waits for it."""

ANSWERS = (exceptions.ResponseError, exceptions.BusyLoadingError, exceptions.AuthenticationError)
"""What a server may say in place of running a call; redis-py takes two of them for broken connections."""


def replies(
    pool: redis.ConnectionPool, calls: Iterator[Call], *, name: str, admit: Callable[[], None], confirm: Callable[[Any], None]
) -> Generator[object]:
    """The reply to each call, in order; an error that the server answers with is among them, as a BackendError.

    The next call is drawn while one is under way. admit is asked before each is sent, confirm after each reply that is no error. Raises
    what they raise, once the calls sent were answered: the call drawn last was then not sent. Raises UnknownResult when no answer came:
    all calls drawn and not answered may have been done.
    """
    with errors.reachable(name):
        connection = pool.get_connection()
    line = _Line(connection, name)
    try:
        with errors.reachable(name):
            connection.check_health()  # Before anything is sent: a reply awaited would be taken for the answer to this.
        while True:
            refusal = _fill(line, calls, admit)
            if not line:
                break
            reply = line.read()
            if not isinstance(reply, BackendError):
                confirm(getattr(connection, "node", None))
            yield reply
    except BaseException:
        connection.disconnect()
        raise
    finally:
        pool.release(connection)
    if refusal is not None:
        raise refusal


def _fill(line: _Line, calls: Iterator[Call], admit: Callable[[], None]) -> BackendError | None:
    """Sends calls until enough are under way. Once refused, none is sent any more."""
    while line.refusal is None and len(line) < line.depth and (call := next(calls, None)) is not None:
        try:
            admit()
        except BackendError as error:
            line.refusal = error
        else:
            line.send(call)
    return line.refusal


class _Line:
    """A connection with calls under way. refusal: why no more are sent. depth: how many may be under way.

    The first goes alone: should the server lack the script, and somebody else load it meanwhile, the second would run before the first.
    """

    def __init__(self, connection: Any, name: str) -> None:
        self._connection = connection
        self._name = name
        self._sent: deque[Call] = deque()
        self._read: deque[object] = deque()
        self.refusal: BackendError | None = None
        self.depth = 1

    def __len__(self) -> int:
        return len(self._sent) + len(self._read)

    def send(self, call: Call) -> None:
        with errors.writing(self._name):
            if self._sent and not self._connection.is_connected:
                # Somebody closed it. It would connect anew by itself, and take the next reply for the one that is lost.
                raise exceptions.ConnectionError
            self._connection.send_command(*call.command("EVALSHA"), check_health=False)
        self._sent.append(call)

    def read(self) -> object:
        """The oldest reply that was not given yet."""
        if not self._read:
            with errors.writing(self._name):
                call, reply = self._sent.popleft(), self._answer()
                self._read.extend([reply] if not _is_unloaded(reply) else self._again(call))
        reply, self.depth = self._read.popleft(), DEPTH
        return errors.translated(reply, backend=self._name) if isinstance(reply, exceptions.RedisError) else reply

    def _again(self, first: Call) -> list[object]:
        """NOSCRIPT is the server's word that nothing ran: the script is loaded, and what was not run is sent anew, in order."""
        answered = [(first, None), *((call, self._answer()) for call in self._sent)]
        self._sent.clear()
        self._connection.send_command("SCRIPT", "LOAD", first.script.source)
        self._answer()
        return [self._once_more(call) if reply is None or _is_unloaded(reply) else reply for call, reply in answered]

    def _once_more(self, call: Call) -> object:
        self._connection.send_command(*call.command("EVALSHA"))
        return self._answer()

    def _answer(self) -> object:
        try:
            return self._connection.read_response(disconnect_on_error=False)
        except ANSWERS as error:
            return error


def _is_unloaded(reply: object) -> bool:
    return isinstance(reply, exceptions.NoScriptError)
