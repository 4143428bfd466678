"""When the certificates of a handshake expire: the server's, its authority's, and the client's own."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from rqdash.backends.probe.report import Problem
from rqdash.model.profile import Tls
from rqdash.profiles.certificates import EXPIRES_SOON_DAYS, certificates, days_left, in_days


@dataclass(frozen=True, slots=True)
class Expiry:
    """Whole days left, negative once expired; None where there is no certificate or it cannot be read."""

    server: int | None = None
    authority: int | None = None
    client: int | None = None

    def __str__(self) -> str:
        """For the line of the check: "expires in 71 days (authority in 365 days, client 3 days ago)"."""
        own = (("authority", self.authority), ("client", self.client))
        others = ", ".join(f"{name} {in_days(days)}" for name, days in own if days is not None)
        server = "" if self.server is None else f"{'expired' if self.server < 0 else 'expires'} {in_days(self.server)}"
        return f"{server} ({others})".strip() if others else server

    @property
    def warning(self) -> Problem | None:
        """The certificate that expires within 14 days or has expired, the server's before the profile's own."""
        if _is_soon(self.server):
            return Problem("tls_expires_soon", f"The server's certificate {_ends(self.server)}.", "Renew it on the server.")
        if _is_soon(self.client):
            remedy = "Renew it, then paste the new one and its key here."
            return Problem("tls_client_expires_soon", f"The client's certificate of this profile {_ends(self.client)}.", remedy)
        if _is_soon(self.authority):
            remedy = "Paste the one that takes its place below it; both are trusted until then."
            return Problem("tls_ca_expires_soon", f"The authority's certificate of this profile {_ends(self.authority)}.", remedy)
        return None


def expiry(sock: ssl.SSLSocket, tls: Tls, *, now: datetime) -> Expiry:
    """What a finished handshake showed. Read from the raw certificate: an unverified one is not parsed by ssl."""
    leaf = _parsed(sock.getpeercert(binary_form=True))
    server = None if leaf is None else days_left(leaf, now=now)
    return Expiry(server, authority_days(tls, leaf, now=now), client_days(tls, now=now))


def client_days(tls: Tls, *, now: datetime) -> int | None:
    found = _listed(tls.client_cert_pem)
    return days_left(found[0], now=now) if found else None


def authority_days(tls: Tls, leaf: x509.Certificate | None = None, *, now: datetime) -> int | None:
    """Of the profile's authorities, the one that signed the leaf; where none did so itself, the one that lasts longest."""
    found = _listed(tls.ca_pem)
    signers = [certificate for certificate in found if leaf is not None and certificate.subject == leaf.issuer]
    return max((days_left(certificate, now=now) for certificate in signers or found), default=None)


def _parsed(raw: bytes | None) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(raw) if raw else None
    except ValueError:
        return None


def _listed(pem: str) -> list[x509.Certificate]:
    try:
        return certificates(pem) if pem else []
    except ValueError:
        return []


def _is_soon(days: int | None) -> bool:
    return days is not None and days < EXPIRES_SOON_DAYS


def _ends(days: int | None) -> str:
    return f"{'expired' if (days or 0) < 0 else 'expires'} {in_days(days or 0)}"
