"""Our words for what goes wrong between here and a server. No text of redis, ssl or the system is repeated: those hold passwords."""

from __future__ import annotations

import errno
import socket
import ssl

from redis import exceptions

from rqdash.backends.probe.report import Problem
from rqdash.backends.tls import BadAuthority, BadClientCertificate
from rqdash.model.profile import Node

# X509_V_ERR_*, as OpenSSL numbers them (openssl/x509_vfy.h).
UNKNOWN_CA = frozenset({18, 19, 20, 21})
WRONG_NAME = frozenset({62, 64})
EXPIRED = 10
NOT_YET = 9

TLS_NOT_OFFERED = Problem(
    "tls_not_offered",
    "The server answers without TLS on this port.",
    "Turn TLS off in this profile, or use the server's TLS port (tls-port in its configuration).",
)
TLS_EXPECTED = Problem(
    "tls_expected",
    "This port speaks TLS, and TLS is off in this profile.",
    "Turn TLS on and give the authority that signed the server's certificate.",
)
CLIENT_CERTIFICATE = Problem(
    "tls_client_cert_needed",
    "The server wants a certificate of the client as well, which this profile does not have.",
    "Give this profile one that the server's authority signed, and its key; or let the server ask for passwords instead:",
    "CONFIG SET tls-auth-clients optional",
)
CLIENT_REFUSED = Problem(
    "tls_client_refused",
    "The server does not accept the client's certificate of this profile.",
    "Use one signed by an authority that the server trusts (its tls-ca-cert-file) and made for clients.",
)
CLIENT_EXPIRED = Problem(
    "tls_client_expired",
    "The client's certificate of this profile has expired, and the server does not accept it.",
    "Renew it, then paste the new one and its key here.",
)
AUTHORITY_EXPIRED = Problem(
    "tls_ca_expired",
    "The authority's certificate of this profile has expired.",
    "Paste the one that took its place; the server's own certificate must be signed by it.",
)
NOT_REDIS = Problem(
    "not_redis",
    "Something answers there, but not as Redis does; a web server does so.",
    "Check the port: 6379 is usual for Redis, 26379 for Sentinel.",
)
NO_ANSWER = Problem(
    "no_answer",
    "The server accepts the connection but does not answer.",
    "It hangs or is very busy: look at its log and at SLOWLOG GET. A TLS port that is spoken to without TLS may also stay silent.",
)


def dns_problem(error: OSError, node: Node) -> Problem:
    """Why a name did not resolve."""
    if isinstance(error, TimeoutError):
        return Problem("dns_slow", f"The DNS server gave no answer for {node.host} in time.", "Check the resolver of this host.")
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
        return Problem("dns_failing", f"The DNS server could not answer for {node.host}.", "Check the resolver of this host, or try again.")
    return Problem(
        "dns_unknown", f"No DNS server knows the name {node.host}.", "Check the spelling; in containers, that both share a network."
    )


def tcp_problem(error: OSError, node: Node) -> Problem:
    """Why no address of a host could be connected to."""
    if isinstance(error, TimeoutError):
        remedy = "The host is off, or a firewall drops packets on the way. Check that this port is open from here."
        return Problem("unreachable", f"{node} does not answer at all.", remedy)
    if error.errno == errno.ECONNREFUSED:
        remedy = "Check the port, that the server runs, and its bind setting: by default Redis listens on 127.0.0.1 only."
        return Problem("refused", f"The host is there, but nothing listens on {node}.", remedy)
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return Problem("no_route", f"There is no route from here to {node}.", "Check the networks and firewalls between the two.")
    return Problem("unreachable", f"{node} cannot be connected to.", "Check the address, and the network between the two.")


def socket_problem(error: OSError) -> Problem:
    """Why a Unix socket could not be opened."""
    if error.errno == errno.ENOENT:
        return Problem("no_socket", "There is no socket at this path.", "Check the path, and unixsocket in the server's configuration.")
    if error.errno in (errno.EACCES, errno.EPERM):
        remedy = "Put the dashboard's system user into the socket's group, and set unixsocketperm to 770."
        return Problem("socket_denied", "The system does not let this process open the socket.", remedy)
    if error.errno == errno.ECONNREFUSED:
        return Problem("refused", "The socket is there, but no server listens on it.", "Start the server, or remove the stale socket.")
    return Problem("unreachable", "The socket cannot be opened.", "Check the path and its rights.")


def tls_problem(error: OSError, name: str) -> Problem:
    """Why a TLS handshake failed, for a server that does speak TLS; name is what its certificate must be made out to."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_problem(error.verify_code, name)
    if isinstance(error, BadAuthority):
        remedy = "Paste the authority's certificate as PEM: from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----."
        return Problem("tls_bad_ca", "The authority in this profile is not a certificate.", remedy)
    if isinstance(error, BadClientCertificate):
        remedy = "Give certificate and key again: the key that was made with the certificate, and its password if it has one."
        return Problem("tls_bad_client_cert", "The client's certificate of this profile cannot be used with its key.", remedy)
    if isinstance(error, TimeoutError):
        return Problem("tls_silent", "The server does not answer the TLS handshake.", "It hangs, or this is not a TLS port.")
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return CLIENT_CERTIFICATE
    if "VERSION" in reason or "PROTOCOL" in reason:
        return Problem("tls_version", "The server offers no TLS version from 1.2 on.", "Allow TLS 1.2 or 1.3 there (tls-protocols).")
    return Problem("tls_failed", "The server ended the TLS handshake.", "Its log names the reason. Check that this is its TLS port.")


def sign_in_problem(error: Exception, *, user: str) -> Problem:
    """Why a server that was reached did not sign us in."""
    text = str(error)
    if isinstance(error, exceptions.AuthenticationError):
        return _password_problem(error.status_code or "", text, user=user)
    if text.startswith("DENIED"):
        remedy = "It has no password and refuses other hosts (protected mode). Set a password on it, and here."
        return Problem("protected_mode", "The server accepts connections of its own host only.", remedy)
    if "max number of clients" in text:
        return Problem(
            "too_many_clients", "The server has no connection to spare.", "Raise its maxclients, or find who holds them: CLIENT LIST."
        )
    return reply_problem(error)


def reply_problem(error: Exception) -> Problem:
    """Why a command got no useful answer."""
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        return NO_ANSWER
    if isinstance(error, exceptions.InvalidResponse):
        return NOT_REDIS
    if isinstance(error, exceptions.BusyLoadingError):
        return Problem("loading", "The server is still loading its data.", "Wait until it has loaded, then test again.")
    if isinstance(error, exceptions.NoPermissionError):
        return Problem("denied", "The Redis user may not do that.", "Grant it, or use a user that may.")
    if isinstance(error, exceptions.ConnectionError):
        remedy = "Its log names the reason. A proxy between the two may do this, and so does a TLS port spoken to without TLS."
        return Problem("closed", "The server closed the connection at the first command.", remedy)
    return Problem("refused_command", "The server refused the command.", "Check that this is a Redis or Valkey server.")


def _password_problem(word: str, text: str, *, user: str) -> Problem:
    if word == "NOAUTH":
        return Problem("auth_missing", "The server wants a password.", "Give the user's password in this profile.")
    if "without any password configured" in text or "no password is set" in text:
        remedy = "Clear the password in this profile, or, better, set one on the server (requirepass, or ACL SETUSER)."
        return Problem("auth_not_needed", "The server has no password, and this profile sends one; Redis refuses that.", remedy)
    remedy = "Check the user name and the password; on the server, ACL LIST shows whether the user exists and is on."
    return Problem("auth_bad", f"The server does not accept this password for the user {user}.", remedy)


def _certificate_problem(code: int, name: str) -> Problem:
    if code in UNKNOWN_CA:
        remedy = "Paste the certificate (PEM) of the authority that signed the server's, not the server's own."
        return Problem("tls_unknown_ca", "The server's certificate is signed by an authority that this profile does not trust.", remedy)
    if code in WRONG_NAME:
        remedy = (
            "Give the name that is in the certificate as the server name, or turn off only the check of the host name: the authority is "
            "still checked."
        )
        return Problem("tls_name", f"The server's certificate is not made out to {name}.", remedy)
    if code == EXPIRED:
        return Problem("tls_expired", "The server's certificate has expired.", "Renew it on the server.")
    if code == NOT_YET:
        return Problem("tls_not_yet", "The server's certificate is not valid yet.", "Compare the clocks of both hosts.")
    return Problem("tls_certificate", "The server's certificate cannot be verified.", "Look at the chain it sends and its purposes.")
