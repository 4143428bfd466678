"""Translates redis-py's errors into ours, once, where they enter. Their texts hold passwords, so none is passed on."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions

from rqdash.errors import BackendError, Refused, Slow, Switching, UnknownResult, Unreachable

NO_PERMISSION = re.compile(r"permissions? to (?:run|access) (?:the )?'?([a-z|_]{1,40})'? ?(command|channel)?", re.IGNORECASE)
ERRNOS = {
    errno.ECONNREFUSED: (
        "refused",
        "refused the connection",
        "Nothing listens at that address. Check host and port, and that the server runs.",
    ),
    errno.EHOSTUNREACH: ("no_route", "cannot be reached from here", "There is no route to that address. Check the network and firewalls."),
    errno.ENETUNREACH: ("no_route", "cannot be reached from here", "There is no route to that network. Check the network and firewalls."),
    errno.ECONNRESET: ("reset", "closed the connection", "The port may expect TLS, or a proxy closed the connection."),
    errno.ENOENT: ("no_socket", "has no socket at its path", "Check the path of the Unix socket and that the server runs on this host."),
    errno.EACCES: ("socket_denied", "does not let this process open its socket", "Give the dashboard's user access to the Unix socket."),
}


@contextmanager
def reachable(backend: str) -> Iterator[None]:
    """Everything a backend's server does wrong in this block is raised as a BackendError of ours, naming the backend."""
    try:
        yield
    except exceptions.RedisError as error:
        raise translated(error, backend=backend) from None
    except ssl.SSLError:
        raise _tls(backend) from None
    except OSError as error:
        raise _os(error, backend) from None


@contextmanager
def writing(backend: str) -> Iterator[None]:
    """As reachable, for a write already sent: no answer means that it may have been done."""
    try:
        with reachable(backend):
            yield
    except (Unreachable, Slow) as error:
        if error.code == "loading":
            raise
        raise UnknownResult(
            f"{backend} did not answer in time. Result unknown: it may have been done. Look at the state again before you repeat it.",
            backend=backend,
            stage="write",
        ) from None


def translated(error: exceptions.RedisError, *, backend: str) -> BackendError:
    """Our error for one of redis-py's. The order matters: AuthenticationError and others are ConnectionErrors to redis-py."""
    if isinstance(error, exceptions.TimeoutError):
        return Slow(
            f"{backend} did not answer in time.", backend=backend, stage="answer", code="unreachable", hint="The server is busy or hangs."
        )
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return Refused(
            f"{backend} refused to sign us in.",
            backend=backend,
            stage="sign-in",
            code="auth",
            hint="Check the user name and password of the profile.",
        )
    if isinstance(error, exceptions.NoPermissionError):
        return _no_permission(error, backend)
    if isinstance(error, exceptions.BusyLoadingError):
        return Unreachable(
            f"{backend} is loading its data.", backend=backend, stage="answer", code="loading", hint="It answers when it has loaded."
        )
    if isinstance(error, exceptions.ReadOnlyError):
        return Switching(f"{backend} answers as a read-only replica.", backend=backend, stage="role", code="replica", retry_after_s=5.0)
    if isinstance(error, exceptions.MaxConnectionsError):
        return Slow(f"All connections to {backend} are in use.", backend=backend, stage="connect", code="slow")
    if isinstance(error, exceptions.ConnectionError):
        return _connection(error, backend)
    return _response(error, backend)


def _connection(error: exceptions.ConnectionError, backend: str) -> BackendError:
    cause: BaseException | None = error
    for _ in range(5):
        cause = cause.__cause__ or cause.__context__ if cause is not None else None
        if isinstance(cause, ssl.SSLError):
            return _tls(backend)
        if isinstance(cause, OSError):
            return _os(cause, backend)
    return Unreachable(
        f"{backend} closed the connection or does not answer.", backend=backend, stage="connect", hint="Run the connection's test."
    )


def _os(error: OSError, backend: str) -> BackendError:
    if isinstance(error, socket.gaierror):
        return Unreachable(
            f"The host name of {backend} does not resolve.",
            backend=backend,
            stage="dns",
            code="dns",
            hint="Check the host name and the DNS.",
        )
    if isinstance(error, TimeoutError):
        return Unreachable(
            f"{backend} does not answer: connecting timed out.",
            backend=backend,
            stage="connect",
            hint="The host is off, or a firewall drops packets.",
        )
    code, what, hint = ERRNOS.get(error.errno or 0, ("unreachable", "does not answer", "Run the connection's test."))
    return Unreachable(f"{backend} {what}.", backend=backend, stage="connect", code=code, hint=hint)


def _tls(backend: str) -> BackendError:
    return Unreachable(
        f"The TLS handshake with {backend} failed.",
        backend=backend,
        stage="tls",
        code="tls",
        hint="Run the connection's test: it names the reason.",
    )


def _no_permission(error: exceptions.NoPermissionError, backend: str) -> BackendError:
    found = NO_PERMISSION.search(str(error))
    command = found.group(1).lower() if found else "a command"
    return Refused(
        f"The Redis user of {backend} may not run {command}.",
        backend=backend,
        stage="rights",
        hint="Grant it, or use a user that may; the test lists what is missing.",
    )


def _response(error: exceptions.RedisError, backend: str) -> BackendError:
    word = str(error).partition(" ")[0]
    if isinstance(error, exceptions.OutOfMemoryError) or word == "OOM":
        return Refused(
            f"{backend} is out of memory and refuses writes.",
            backend=backend,
            stage="write",
            code="oom",
            hint="Free memory or raise maxmemory.",
        )
    if word == "NOREPLICAS":
        return Refused(f"{backend} has too few replicas in reach to accept writes.", backend=backend, stage="write", code="no_replicas")
    if word in ("MOVED", "ASK", "CLUSTERDOWN", "CROSSSLOT"):
        return Refused(f"{backend} is a Redis Cluster, which RQ and rqdash do not support.", backend=backend, stage="kind", code="cluster")
    if word == "NOAUTH":
        return Refused(
            f"{backend} wants a password.", backend=backend, stage="sign-in", code="auth", hint="Set the password of the profile."
        )
    if word == "WRONGTYPE":
        return Refused(
            f"{backend} holds a key of another type where RQ's should be.",
            backend=backend,
            stage="read",
            code="wrong_type",
            hint="Check the key prefix.",
        )
    return Refused(f"{backend} refused a command.", backend=backend, stage="answer", code="refused", hint="Run the connection's test.")
