"""The TLS stage: the handshake, what the certificate says, and whether the port speaks TLS at all."""

from __future__ import annotations

import socket
import ssl
import time
from datetime import UTC, datetime

from cryptography import x509

from rqdash.backends.probe.context import STAGE_S, Context, ms_since
from rqdash.backends.probe.problems import CLIENT_CERTIFICATE, TLS_EXPECTED, TLS_NOT_OFFERED, tls_problem
from rqdash.backends.probe.report import Problem
from rqdash.backends.probe.walk import Step, Walk
from rqdash.backends.sockets import BadAuthority, TlsContext, dial
from rqdash.model.profile import Tls

EXPIRES_SOON_DAYS = 14


def handshake(context: Context, way: Walk) -> bool:
    if not way.tls.enabled:
        return True
    started_s = time.monotonic()
    try:
        with _handshaken(context, way, way.tls) as sock:
            version = (sock.version() or "").removeprefix("TLSv")
            days_left = _days_left(sock, now=context.now())
    except OSError as error:
        is_ours = isinstance(error, ssl.SSLCertVerificationError | BadAuthority)
        problem = TLS_NOT_OFFERED if not is_ours and _speaks_plainly(context, way) else tls_problem(error, way.node)
        return way.add(Step("tls", "no handshake", ms_since(started_s), problem))
    return way.add(_tls_step(way.tls, version, days_left, ms_since(started_s)))


def tls_fault(context: Context, way: Walk) -> Problem | None:
    """Why a connection that was accepted was closed at its first command, as far as TLS can be the reason. Sends nothing."""
    if not way.tls.enabled:
        return TLS_EXPECTED if _speaks_tls(context, way) else None
    return CLIENT_CERTIFICATE if _wants_certificate(context, way) else None


def _tls_step(tls: Tls, version: str, days_left: int | None, ms: float) -> Step:
    found = version if days_left is None else f"{version}, expires in {days_left} days"
    if not tls.verify:
        problem = Problem(
            "tls_unverified",
            "The server's certificate is not checked, so anybody on the way can pose as the server and read the password.",
            "Give the authority's certificate and turn the check on.",
        )
        return Step("tls", found, ms, problem, is_warning=True)
    if days_left is not None and days_left < EXPIRES_SOON_DAYS:
        problem = Problem("tls_expires_soon", f"The server's certificate expires in {days_left} days.", "Renew it on the server.")
        return Step("tls", found, ms, problem, is_warning=True)
    return Step("tls", found, ms)


def _handshaken(context: Context, way: Walk, tls: Tls) -> ssl.SSLSocket:
    made = TlsContext(tls).get()
    sock = dial(way.addresses, timeout_s=context.clock.left(STAGE_S))
    try:
        sock.settimeout(context.clock.left(STAGE_S))
        return made.wrap_socket(sock, server_hostname=way.node.host)
    except OSError:
        sock.close()
        raise


def _days_left(sock: ssl.SSLSocket, *, now: datetime) -> int | None:
    """Whole days until the server's certificate expires. Read from the raw certificate: an unverified one is not parsed by ssl."""
    raw = sock.getpeercert(binary_form=True)
    if not raw:
        return None
    try:
        return (x509.load_der_x509_certificate(raw).not_valid_after_utc - now.astimezone(UTC)).days
    except ValueError:
        return None


def _speaks_tls(context: Context, way: Walk) -> bool:
    """Whether the port completes a TLS handshake, whoever it is."""
    try:
        _handshaken(context, way, Tls(enabled=True, verify=False)).close()
    except OSError:
        return False
    return True


def _wants_certificate(context: Context, way: Walk) -> bool:
    """With TLS 1.3 a server that misses the client's certificate says so only after the handshake, to who reads."""
    try:
        with _handshaken(context, way, way.tls) as sock:
            sock.recv(1)
    except OSError as error:
        return isinstance(error, ssl.SSLError) and "CERTIFICATE_REQUIRED" in (error.reason or "")
    return False


def _speaks_plainly(context: Context, way: Walk) -> bool:
    """Whether the port answers an inline PING like Redis; no credentials are sent."""
    try:
        with dial(way.addresses, timeout_s=context.clock.left(STAGE_S)) as sock:
            sock.settimeout(context.clock.left(STAGE_S / 2))
            sock.sendall(b"PING\r\n")
            return _starts_like_redis(sock)
    except OSError:
        return False


def _starts_like_redis(sock: socket.socket) -> bool:
    return sock.recv(16).startswith((b"+PONG", b"-NOAUTH", b"-DENIED", b"-LOADING", b"-ERR", b"-NOPERM", b"-MASTERDOWN"))
