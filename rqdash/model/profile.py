"""A profile: the frozen configuration of one backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    STANDALONE = "standalone"
    SENTINEL = "sentinel"
    UNIX = "unix"


class Source(StrEnum):
    """Where a profile is kept: made by people in the dashboard, or written in a file that only whoever runs it can change."""

    UI = "ui"
    FILE = "file"


HUES = ("indigo", "violet", "plum", "copper", "olive", "teal", "azure", "slate")
ARGUMENTS = ("shown", "described", "hidden")
"""What pages show of jobs' arguments, results and meta: all, types and sizes, or how many there are."""
REDACTED = (
    "*password*",
    "*passwd*",
    "*secret*",
    "*token*",
    "*api_key*",
    "*apikey*",
    "*authorization*",
    "*credential*",
    "*private_key*",
)
"""The names whose values are hidden unless a profile says otherwise."""
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
    """TLS to one kind of server. ca_pem is PEM text, "" means the system's authorities.

    server_name is what the server is asked for (SNI) and its certificate must name, "" the host connected to. client_cert_pem is the
    certificate shown to the server, with its chain; its key is a secret.
    """

    enabled: bool = False
    verify: bool = True
    check_hostname: bool = True
    ca_pem: str = ""
    server_name: str = ""
    client_cert_pem: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """Where a backend is and how it may be used. Timeouts in seconds; secrets live elsewhere, only their presence is here.

    secret_refs are (slot, reference) of a profile from a file: where each secret is read from, such as env:NAME.
    arguments is one of ARGUMENTS; redact are globs over names whose values are hidden all the same (model.redaction).
    oldest_warn_s, failures_warn_per_hour and clock_skew_warn_s are when the overview warns (model.attention); 0 is never, but for
    failures: there it is when they rise beyond what is usual.
    """

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
    arguments: str = "shown"
    redact: tuple[str, ...] = REDACTED
    oldest_warn_s: int = 300
    failures_warn_per_hour: int = 0
    clock_skew_warn_s: float = 5.0
    source: Source = Source.UI
    secret_refs: tuple[tuple[str, str], ...] = ()
    id: str = ""
    version: int = 0
    endpoint_version: int = 0
    has_password: bool = False
    has_sentinel_password: bool = False
    has_client_key: bool = False
    has_client_key_password: bool = False
    has_sentinel_client_key: bool = False
    has_sentinel_client_key_password: bool = False
    updated_at: datetime | None = None
    updated_by: str = ""

    @property
    def is_managed(self) -> bool:
        """Whether a file says what it is, so that nobody changes it here; updated_by is the file's name."""
        return self.source is Source.FILE

    @property
    def address(self) -> str:
        """Where it is, for people: host:port, the socket's path, or master @ sentinels."""
        if self.kind is Kind.UNIX:
            return self.unix_path
        if self.kind is Kind.SENTINEL:
            return f"{self.master_name} @ {', '.join(str(node) for node in self.sentinels)}"
        return str(Node(self.host, self.port))


@dataclass(frozen=True, slots=True)
class ClientKey:
    """The private key of a client's certificate as PEM, and what opens it; neither is ever printed."""

    pem: str = field(repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Secrets:
    """A profile's secrets in clear, for the moment a connection is made; never printed. Keys are PEM text."""

    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)
    client_key: str | None = field(default=None, repr=False)
    client_key_password: str | None = field(default=None, repr=False)
    sentinel_client_key: str | None = field(default=None, repr=False)
    sentinel_client_key_password: str | None = field(default=None, repr=False)

    @property
    def data_key(self) -> ClientKey | None:
        """What proves the certificate shown to data servers."""
        return ClientKey(self.client_key, self.client_key_password) if self.client_key else None

    @property
    def sentinel_key(self) -> ClientKey | None:
        """What proves the certificate shown to sentinels."""
        return ClientKey(self.sentinel_client_key, self.sentinel_client_key_password) if self.sentinel_client_key else None
