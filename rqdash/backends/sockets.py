"""Connections of redis-py that check the address they connect to, and take a bounded time to connect."""

# redis-py's connection classes are typed in parts only.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from redis.connection import Connection, UnixDomainSocketConnection
from redis.exceptions import ResponseError

from rqdash import __version__
from rqdash.backends.policy import TargetPolicy
from rqdash.backends.tls import TlsContext
from rqdash.errors import Refused
from rqdash.model.profile import Node

# settimeout(0) would make a socket non-blocking; a spent budget still means "give up at once".
SHORTEST_S = 0.001


@dataclass(frozen=True, slots=True)
class Address:
    """One resolved address of a host: what socket.connect takes, and the bare IP in it."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int]

    @property
    def ip(self) -> str:
        return self.sockaddr[0]


def resolve(node: Node, *, timeout_s: float) -> tuple[Address, ...]:
    """The addresses of a host, each once. Raises socket.gaierror, or TimeoutError when the resolver takes too long.

    getaddrinfo has no timeout and ignores that of sockets, so a name is looked up in a thread, which is left behind when it hangs.
    """
    if _is_ip(node.host):
        return _look_up(node)
    answers: queue.SimpleQueue[tuple[Address, ...] | OSError] = queue.SimpleQueue()
    threading.Thread(target=_answer, args=(node, answers), name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=max(timeout_s, SHORTEST_S))
    except queue.Empty:
        raise TimeoutError("the name was not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def permitted(addresses: Sequence[Address], node: Node, *, policy: TargetPolicy, backend: str) -> tuple[Address, ...]:
    """The addresses that the policy allows. Raises Refused when it allows none."""
    good: list[Address] = []
    refusal: Refused | None = None
    for address in addresses:
        try:
            policy.check_address(address.ip, node.port, node.host, backend=backend)
        except Refused as refused:
            refusal = refused
        else:
            good.append(address)
    if refusal is not None and not good:
        raise refusal
    return tuple(good)


def dial(addresses: Sequence[Address], *, timeout_s: float) -> socket.socket:
    """A connected socket to the first address that answers. Raises OSError (TimeoutError among them) of the last one tried.

    All addresses share timeout_s, so that one that swallows packets leaves time for the next.
    """
    deadline_s = time.monotonic() + timeout_s
    failure = OSError("no address to connect to")
    for tried, address in enumerate(addresses):
        share_s = (deadline_s - time.monotonic()) / (len(addresses) - tried)
        try:
            return _dialled(address, timeout_s=max(share_s, SHORTEST_S))
        except OSError as error:
            failure = error
    raise failure


@dataclass(frozen=True, slots=True)
class Manners:
    """How connections of one client behave: what they may reach, how they say who they are, which backend errors name."""

    backend: str
    policy: TargetPolicy
    label: str
    tls: TlsContext | None = None


def introduce(connection: Connection | UnixDomainSocketConnection, label: str) -> None:
    """Names the connection for CLIENT LIST, in one round trip. An ACL or an old server may refuse; nothing depends on it."""
    commands = (("CLIENT", "SETNAME", label), ("CLIENT", "SETINFO", "LIB-NAME", "rqdash"), ("CLIENT", "SETINFO", "LIB-VER", __version__))
    connection.send_packed_command(connection.pack_commands(commands), check_health=False)
    for _ in commands:
        with suppress(ResponseError):
            connection.read_response()


class GuardedConnection(Connection):
    """TCP or TLS. The policy judges each resolved address, and the judged address itself is connected to.

    socket_connect_timeout covers the name, all addresses and the TLS handshake together.
    """

    def __init__(self, *, manners: Manners, **options: object) -> None:
        self._manners = manners
        super().__init__(**options)

    def _connect(self) -> socket.socket:
        node = Node(self.host, self.port)
        deadline_s = time.monotonic() + (self.socket_connect_timeout or 0)
        found = resolve(node, timeout_s=deadline_s - time.monotonic())
        addresses = permitted(found, node, policy=self._manners.policy, backend=self._manners.backend)
        sock = dial(addresses, timeout_s=deadline_s - time.monotonic())
        try:
            self._keep_alive(sock)
            if self._manners.tls is not None:
                sock.settimeout(max(deadline_s - time.monotonic(), SHORTEST_S))
                sock = self._manners.tls.wrap(sock, host=node.host)
            sock.settimeout(self.socket_timeout)
        except OSError:
            sock.close()
            raise
        return sock

    def _keep_alive(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in self.socket_keepalive_options.items():
            sock.setsockopt(socket.IPPROTO_TCP, option, value)

    def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - redis-py's signature
        # Answers were just read from a new socket: a PING would only cost a round trip.
        super().on_connect_check_health(check_health=False)
        introduce(self, self._manners.label)


class GuardedUnixConnection(UnixDomainSocketConnection):
    """A Unix socket. The policy judges its real path, and that path is connected to."""

    def __init__(self, *, manners: Manners, **options: object) -> None:
        self._manners = manners
        super().__init__(**options)

    def _connect(self) -> socket.socket:
        path = self._manners.policy.check_path(self.path, backend=self._manners.backend)
        sock = dial_unix(path, timeout_s=self.socket_connect_timeout or SHORTEST_S)
        sock.settimeout(self.socket_timeout)
        return sock

    def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - redis-py's signature
        super().on_connect_check_health(check_health=False)
        introduce(self, self._manners.label)


def dial_unix(path: str, *, timeout_s: float) -> socket.socket:
    """A socket connected to a path. Raises OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _answer(node: Node, answers: queue.SimpleQueue[tuple[Address, ...] | OSError]) -> None:
    try:
        answers.put(_look_up(node))
    except OSError as error:
        answers.put(error)


def _look_up(node: Node) -> tuple[Address, ...]:
    try:
        found = socket.getaddrinfo(node.host, node.port, type=socket.SOCK_STREAM)
    except (UnicodeError, ValueError, OverflowError):
        # Names that cannot be encoded (over 63 characters a label, control characters) fail before the resolver is asked.
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
    addresses = (Address(family, sockaddr) for family, _, _, _, sockaddr in found if family in (socket.AF_INET, socket.AF_INET6))  # type: ignore[arg-type]
    return tuple(dict.fromkeys(addresses))


def _dialled(address: Address, *, timeout_s: float) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_s)
        sock.connect(address.sockaddr)
    except OSError:
        sock.close()
        raise
    return sock
