"""Which addresses a connection may be made to: judged on the resolved address, at the moment of connecting."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from rqdash.errors import Refused
from rqdash.model.profile import Node

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# A hypervisor answers with the host's own credentials here (169.254.169.254 and its IPv6 twin); no Redis lives in these networks.
DENIED: tuple[Network, ...] = (
    ip_network("0.0.0.0/8"),
    ip_network("169.254.0.0/16"),
    ip_network("224.0.0.0/4"),
    ip_network("255.255.255.255/32"),
    ip_network("::/128"),
    ip_network("fe80::/10"),
    ip_network("ff00::/8"),
    ip_network("fd00:ec2::254/128"),
)
# IPv6 networks whose last 32 bits are an IPv4 address that a router or the kernel connects to: compatible, mapped, NAT64.
IPV4_INSIDE = (IPv6Network("::/96"), IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))


@dataclass(frozen=True, slots=True)
class TargetPolicy:
    """What may be connected to: allowed holds entries like "10.0.0.0/8", "10.0.0.5:6379", "*.prod.internal" or "[fd00::]/8:6379".

    Without entries everything is allowed that is not denied. A network is compared with the resolved address, a host pattern with the
    name as the profile (or a Sentinel) gives it. Link-local, multicast and unspecified addresses are denied whatever allowed says;
    loopback is not: dashboards run beside Redis.
    """

    allowed: tuple[str, ...] = ()
    unix_dirs: tuple[str, ...] = ("/run", "/var/run")

    def check_address(self, ip: str, port: int, host: str, *, backend: str = "") -> None:
        """Returns when host, resolved to ip, may be connected to at port. Raises Refused with the code target_refused."""
        address = _plain(ip_address(ip))
        if any(address in network for network in DENIED):
            raise _refused(f"{Node(host, port)} is an address rqdash never connects to (link-local, multicast or unspecified).", backend)
        if self.allowed and not any(_matches(entry, address, Node(host, port)) for entry in self.allowed):
            raise _refused(f"{Node(host, port)} is not among the targets this dashboard may connect to.", backend)

    def check_path(self, path: str, *, backend: str = "") -> str:
        """The socket's real path, symbolic links followed. Raises Refused unless it lies in one of unix_dirs."""
        real = Path(path).resolve()
        if not any(real.is_relative_to(Path(directory).resolve()) for directory in self.unix_dirs):
            raise _refused("The Unix socket lies outside the directories this dashboard may open sockets in.", backend)
        return str(real)


def _refused(message: str, backend: str) -> Refused:
    hint = "An administrator of the dashboard sets what may be reached in RQDASH_ALLOWED_TARGETS."
    return Refused(message, backend=backend, stage="target", code="target_refused", hint=hint)


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, or the address itself."""
    if isinstance(address, IPv6Address):
        if address.sixtofour is not None:
            return address.sixtofour
        # :: and ::1 are IPv6's own, not IPv4 addresses in disguise.
        if int(address) > 1 and any(address in network for network in IPV4_INSIDE):
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _matches(entry: str, address: Address, node: Node) -> bool:
    target, ports = _split(entry.strip().lower())
    low, _, high = ports.partition("-")
    if low and not int(low) <= node.port <= int(high or low):
        return False
    try:
        return address in ip_network(target, strict=False)
    except ValueError:
        return fnmatchcase(node.host.lower().rstrip("."), target)


def _split(entry: str) -> tuple[str, str]:
    """An entry's target and ports (one, or low-high), "" for any; brackets are taken off an IPv6 target."""
    if entry.startswith("["):
        inside, _, rest = entry[1:].partition("]")
        length, _, port = rest.partition(":")
        return inside + length, port
    if entry.count(":") == 1:
        target, _, port = entry.partition(":")
        return target, port
    return entry, ""
