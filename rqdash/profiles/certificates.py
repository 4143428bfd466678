"""Certificates and keys as PEM text: what is wrong with them, when they expire, and whether a key fits."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from rqdash.model.profile import ClientKey

LONGEST_PEM_BYTES = 64 * 1024
EXPIRES_SOON_DAYS = 14
AUTHORITY = "Paste the authority's certificates themselves, from -----BEGIN CERTIFICATE----- on; a path is not read."
CLIENT = "Paste the client's certificate itself, from -----BEGIN CERTIFICATE----- on, then its chain if it has one; a path is not read."
KEY = "Paste the private key itself, from -----BEGIN PRIVATE KEY----- on; a path is not read."
KEY_MISSING = "Give the private key of this certificate as well, or take the certificate out."
KEY_OTHER = "This is not the key of the certificate. Give the one that was made with it."
KEY_LOCKED = "The key is encrypted. Give its password."
KEY_OPEN = "The key has no password. Leave this empty."
KEY_WRONG = "This password does not open the key. Type it again, or paste the key again."


def fingerprint(pem: str) -> str:
    """What people compare certificates by: the SHA-256 of each, shortened. Raises ValueError when the text holds none."""
    return ", ".join(certificate.fingerprint(hashes.SHA256()).hex()[:16] for certificate in certificates(pem))


def certificates(pem: str) -> list[x509.Certificate]:
    """The certificates of a text, at least one, in its order. Raises ValueError when it cannot be read."""
    try:
        return x509.load_pem_x509_certificates(pem.encode("ascii"))
    except x509.InvalidVersion:
        raise ValueError("a certificate of a version that does not exist") from None


def pem_problem(pem: str, *, remedy: str) -> str:
    """What is wrong with a text that should hold certificates and nothing secret, "" when it is right; remedy is for no certificates."""
    if len(pem.encode("utf-8", "surrogatepass")) > LONGEST_PEM_BYTES:
        return "The certificates are over 64 KiB. Paste only those that are needed."
    if "PRIVATE KEY" in pem:
        return "There is a private key in it, which does not belong in this field. Paste only the certificates."
    if not pem.isascii():
        return "There are letters in it that no certificate holds, such as accents in a comment. Paste only the certificates."
    try:
        certificates(pem)
    except ValueError:
        return remedy
    return ""


def key_problem(pem: str, key: ClientKey | None) -> tuple[str, str] | None:
    """What is wrong with the key of a certificate: (slot, problem) with slot client_key or client_key_password; None when it fits."""
    if key is None:
        return "client_key", KEY_MISSING
    try:
        private = load_pem_private_key(key.pem.encode("ascii"), key.password.encode() if key.password else None)
    except TypeError:
        # The library's way to say that there is a password too many or too few.
        return "client_key_password", KEY_OPEN if key.password else KEY_LOCKED
    except (ValueError, UnsupportedAlgorithm):
        return ("client_key_password", KEY_WRONG) if key.password and "ENCRYPTED" in key.pem else ("client_key", KEY)
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) != certificates(pem)[0].public_key().public_bytes(*form):
        return "client_key", KEY_OTHER
    return None


def days_left(certificate: x509.Certificate, *, now: datetime) -> int:
    """Whole days until it expires; negative once it has."""
    return (certificate.not_valid_after_utc - now.astimezone(UTC)).days


def in_days(days: int) -> str:
    """in 71 days, in 1 day, today, 3 days ago."""
    if days == 0:
        return "today"
    counted = f"{abs(days)} day{'' if abs(days) == 1 else 's'}"
    return f"in {counted}" if days > 0 else f"{counted} ago"


def lasting(pem: str, *, now: datetime) -> str:
    """When the first certificate of a text expires, as a sentence for the editor; "" for a text that holds none."""
    try:
        found = certificates(pem)[0]
    except ValueError:
        return ""
    days, until = days_left(found, now=now), f"{found.not_valid_after_utc:%Y-%m-%d}"
    remedy = " Replace it." if days < EXPIRES_SOON_DAYS else ""
    return f"It {'expired' if days < 0 else 'expires'} on {until}, {in_days(days)}.{remedy}"
