"""A profile: the frozen configuration of one backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    STANDALONE = "standalone"
    SENTINEL = "sentinel"
    UNIX = "unix"


HUES = ("indigo", "violet", "plum", "copper", "olive", "teal", "azure", "slate")
WORKER_TTL_S = 420
"""RQ's default worker TTL. A blocking worker waits TTL - 15 s in BLPOP and needs a socket timeout of TTL - 5 s (415 s) or none."""
WORKER_SOCKET_TIMEOUT_S = WORKER_TTL_S - 5


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """One address; host without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS to one kind of server; ca_pem is PEM text, "" means the system's authorities."""

    enabled: bool = False
    verify: bool = True
    check_hostname: bool = True
    ca_pem: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a backend is and how it may be used. Timeouts in seconds; secrets live elsewhere, only their presence is here."""

    name: str
    kind: Kind = Kind.STANDALONE
    host: str = "localhost"
    port: int = 6379
    unix_path: str = ""
    sentinels: tuple[Node, ...] = ()
    master_name: str = ""
    db: int = 0
    username: str = ""
    sentinel_username: str = ""
    tls: Tls = field(default_factory=Tls)
    sentinel_tls: Tls = field(default_factory=Tls)
    connect_timeout_s: float = 1.0
    read_timeout_s: float = 2.0
    worker_socket_timeout_s: float | None = None
    prefix: str = "rq"
    hue: str = "slate"
    environment: str = ""
    protected: bool = False
    read_only: bool = False
    enabled: bool = True
    notes: str = ""
    id: str = ""
    version: int = 0
    endpoint_version: int = 0
    has_password: bool = False
    has_sentinel_password: bool = False
    updated_at: datetime | None = None
    updated_by: str = ""

    @property
    def address(self) -> str:
        """Where it is, for people: host:port, the socket's path, or master @ sentinels."""
        if self.kind is Kind.UNIX:
            return self.unix_path
        if self.kind is Kind.SENTINEL:
            return f"{self.master_name} @ {', '.join(str(node) for node in self.sentinels)}"
        return str(Node(self.host, self.port))


@dataclass(frozen=True, slots=True)
class Secrets:
    """A profile's secrets in clear, for the moment a connection is made; never printed."""

    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)
