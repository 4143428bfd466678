"""The TLS stage: the handshake, what the certificate says, and whether the port speaks TLS at all."""

from __future__ import annotations

import socket
import ssl
import time

from rqdash.backends.probe.context import STAGE_S, Context, ms_since
from rqdash.backends.probe.expiry import Expiry, authority_days, client_days, expiry
from rqdash.backends.probe.problems import (
    AUTHORITY_EXPIRED,
    CLIENT_CERTIFICATE,
    CLIENT_EXPIRED,
    CLIENT_REFUSED,
    TLS_EXPECTED,
    TLS_NOT_OFFERED,
    tls_problem,
)
from rqdash.backends.probe.report import Problem
from rqdash.backends.probe.walk import Step, Walk
from rqdash.backends.sockets import dial
from rqdash.backends.tls import BadAuthority, BadClientCertificate, TlsContext
from rqdash.model.profile import Tls

ABOUT_THE_CLIENT = ("CERTIFICATE", "UNKNOWN_CA", "DECRYPT_ERROR", "ACCESS_DENIED", "HANDSHAKE_FAILURE")
"""In OpenSSL's names of the alerts with which servers refuse a certificate; DECRYPT_ERROR: signed by another key of that authority."""


def handshake(context: Context, way: Walk) -> bool:
    if not way.tls.enabled:
        return True
    started_s = time.monotonic()
    try:
        with _handshaken(context, way, way.tls) as sock:
            version = (sock.version() or "").removeprefix("TLSv")
            found = expiry(sock, way.tls, now=context.now())
    except OSError as error:
        is_ours = isinstance(error, ssl.SSLCertVerificationError | BadAuthority | BadClientCertificate)
        problem = TLS_NOT_OFFERED if not is_ours and _speaks_plainly(context, way) else _problem(context, way, error)
        return way.add(Step("tls", "no handshake", ms_since(started_s), problem))
    return way.add(_tls_step(way.tls, version, found, ms_since(started_s)))


def tls_fault(context: Context, way: Walk) -> Problem | None:
    """Why a connection that was accepted was closed at its first command, as far as TLS can be the reason. Sends nothing."""
    if not way.tls.enabled:
        return TLS_EXPECTED if _speaks_tls(context, way) else None
    return _client_fault(context, way)


def _tls_step(tls: Tls, version: str, lasting: Expiry, ms: float) -> Step:
    found = ", ".join(part for part in (version, str(lasting)) if part)
    if not tls.verify:
        problem = Problem(
            "tls_unverified",
            "The server's certificate is not checked, so anybody on the way can pose as the server and read the password.",
            "Give the authority's certificate and turn the check on.",
        )
        return Step("tls", found, ms, problem, is_warning=True)
    return Step("tls", found, ms, lasting.warning, is_warning=True)


def _problem(context: Context, way: Walk, error: OSError) -> Problem:
    """Why a handshake failed. The certificates of the profile are looked at where the server's alone would be blamed."""
    if isinstance(error, ssl.SSLCertVerificationError) and (authority_days(way.tls, now=context.now()) or 0) < 0:
        return AUTHORITY_EXPIRED
    refused = _refusal(context, way, error)
    return tls_problem(error, way.tls.server_name or way.node.host) if refused is None else refused


def _refusal(context: Context, way: Walk, error: OSError) -> Problem | None:
    """What an alert of the server says of the client's certificate; None when there is none or it says something else."""
    # Only errors that the library itself raised have a reason.
    reason = getattr(error, "reason", None) or ""
    if not way.tls.client_cert_pem or "ALERT" not in reason or not any(word in reason for word in ABOUT_THE_CLIENT):
        return None
    return CLIENT_EXPIRED if (client_days(way.tls, now=context.now()) or 0) < 0 else CLIENT_REFUSED


def _handshaken(context: Context, way: Walk, tls: Tls) -> ssl.SSLSocket:
    made = TlsContext(tls, key=way.key)
    # Before the clock starts: reading the system's authorities is no fault of the server.
    made.get()
    sock = dial(way.addresses, timeout_s=context.clock.left(STAGE_S))
    try:
        sock.settimeout(context.clock.left(STAGE_S))
        return made.wrap(sock, host=way.node.host)
    except OSError:
        sock.close()
        raise


def _speaks_tls(context: Context, way: Walk) -> bool:
    """Whether the port completes a TLS handshake, whoever it is."""
    try:
        _handshaken(context, way, Tls(enabled=True, verify=False)).close()
    except OSError:
        return False
    return True


def _client_fault(context: Context, way: Walk) -> Problem | None:
    """With TLS 1.3 a server that misses or refuses the client's certificate says so only after the handshake, to who reads."""
    try:
        with _handshaken(context, way, way.tls) as sock:
            sock.recv(1)
    except OSError as error:
        if isinstance(error, ssl.SSLError) and "CERTIFICATE_REQUIRED" in (error.reason or ""):
            return CLIENT_CERTIFICATE
        return _refusal(context, way, error)
    return None


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
