"""TLS as a profile asks for it: whom to trust, which name to ask for, and the certificate that proves who we are."""

from __future__ import annotations

import os
import secrets
import socket
import ssl
import tempfile
import threading
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key

from rqdash.model.profile import ClientKey, Tls


class BadAuthority(ssl.SSLError):
    """The PEM text of a profile's authority cannot be read."""


class BadClientCertificate(ssl.SSLError):
    """The client certificate of a profile cannot be used: no key, another's key, or a wrong password."""


class TlsContext:
    """The SSLContext of a client, made at its first connection and then kept: reading the system's authorities takes 20 to 50 ms."""

    def __init__(self, tls: Tls, *, key: ClientKey | None = None) -> None:
        self._tls = tls
        self._key = key
        self._lock = threading.Lock()
        self._made: ssl.SSLContext | None = None

    def wrap(self, sock: socket.socket, *, host: str) -> ssl.SSLSocket:
        """The socket after its handshake with a host. Raises OSError, among it what get raises."""
        return self.get().wrap_socket(sock, server_hostname=self._tls.server_name or host)

    def get(self) -> ssl.SSLContext:
        """Raises BadAuthority or BadClientCertificate when the profile's PEM texts cannot be used."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def _make(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cadata=self._tls.ca_pem or None)
        except (OSError, ValueError, TypeError):
            raise BadAuthority("the authority is not a certificate") from None
        context.check_hostname = self._tls.verify and self._tls.check_hostname
        context.verify_mode = ssl.CERT_REQUIRED if self._tls.verify else ssl.CERT_NONE
        if self._tls.client_cert_pem:
            _present(context, self._tls.client_cert_pem, self._key)
        return context


def _present(context: ssl.SSLContext, certificate: str, key: ClientKey | None) -> None:
    """Makes a context show a certificate. ssl reads keys from files only: one that nobody else can open, gone at once.

    The key in the file is encrypted under a password that exists in this call alone, so that what a crash leaves there is of no use.
    """
    once = secrets.token_urlsafe(32)
    try:
        sealed = _sealed(key, once)
        with tempfile.TemporaryDirectory(prefix="rqdash-") as directory:
            path = Path(directory) / "client.pem"
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(certificate.encode("ascii") + b"\n" + sealed)
            context.load_cert_chain(path, password=once)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise BadClientCertificate("the client certificate and its key cannot be used") from None


def _sealed(key: ClientKey | None, password: str) -> bytes:
    """A key as PEM, under another password. Raises ValueError, TypeError or UnsupportedAlgorithm when it cannot be read."""
    if key is None:
        raise ValueError("no key")
    private = load_pem_private_key(key.pem.encode("ascii"), key.password.encode() if key.password else None)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode("ascii")))
