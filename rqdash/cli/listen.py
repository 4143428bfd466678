"""Whether a port can be listened on, asked before anything is started that would need it."""

from __future__ import annotations

import socket

from rqdash.errors import SettingsError


def check_port(host: str, port: int, *, remedy: str) -> None:
    """Raises SettingsError, ending with the remedy, when nobody could listen there now."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind, protocol) as probe:
            # As gunicorn does; without it a port would look taken for a minute after its last user.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError):
        raise SettingsError(f"Port {port} of {host} is taken, or is no address of this machine. {remedy}") from None


def bind_address(host: str, port: int) -> str:
    """host:port, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
