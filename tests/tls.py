"""A certificate authority of the tests' own, and a Redis that speaks TLS with it."""

from __future__ import annotations

import ipaddress
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rqdash.demo.servers import Server, free_port, start_server


@dataclass(frozen=True, slots=True)
class Authority:
    """Signs certificates; pem is what a client trusts."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, directory: Path, *, names: tuple[str, ...], days: int = 71) -> tuple[Path, Path]:
        """The paths of a certificate for host names and addresses, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
        builder = _builder("server", issuer=self.certificate.subject, key=key, days=days).add_extension(alternatives, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        paths = directory / "server.crt", directory / "server.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        )
        return paths

    def client(self, *, days: int = 71, password: str | None = None) -> tuple[str, str]:
        """The PEM texts of a client's certificate and of its key, encrypted where there is a password."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _builder("rqdash", issuer=self.certificate.subject, key=key, days=days).sign(self.key, hashes.SHA256())
        sealed = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), text.decode()


@dataclass(frozen=True, slots=True)
class TlsServer:
    """One Redis with a plain and a TLS port, whose certificate is made out to localhost only."""

    server: Server
    tls_port: int
    authority: Authority


def authority(*, days: int = 365) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the tests")])
    builder = _builder("authority of the tests", issuer=subject, key=key, days=days)
    return Authority(key, builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256()))


def debian_redis() -> Path:
    """The system's redis-server, which unlike the embedded server can speak TLS."""
    found = shutil.which("redis-server")
    if found is None:
        pytest.skip("needs redis-server with TLS; on Debian: apt-get install redis-server")
    return Path(found)


def start_tls_server(directory: Path, *options: str, made: Authority | None = None) -> TlsServer:
    """A Redis with TLS beside its plain port; it asks clients for no certificate unless an option says so."""
    executable, made, port = debian_redis(), made or authority(), free_port()
    directory.mkdir(parents=True, exist_ok=True)
    certificate, key = made.issue(directory, names=("localhost",))
    trusted = directory / "authority.crt"
    trusted.write_text(made.pem)
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(trusted))
    arguments = ("--tls-port", str(port), *files, "--tls-auth-clients", "no", *options)
    return TlsServer(start_server(directory, arguments=arguments, executable=executable), port, made)


def _builder(name: str, *, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days, hours=1))
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
