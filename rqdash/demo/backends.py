"""The demo's servers: a Sentinel group, two standalone servers, and an address that refuses every connection."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from rqdash.demo.layout import MASTER_NAME, DemoBackend
from rqdash.demo.servers import HOST, start_sentinel_group, start_server
from rqdash.model.profile import Kind, Node, Profile

LIMITS = ("--maxmemory", "128mb", "--maxmemory-policy", "noeviction")
DOWN = "legacy"


def start_backends(stack: ExitStack, directory: Path) -> tuple[DemoBackend, ...]:
    """Starts them, empty; the stack stops them. The last one is down."""
    group = start_sentinel_group(directory / "orders", master_name=MASTER_NAME, arguments=LIMITS)
    stack.callback(group.stop)
    sentinels = tuple(Node(HOST, sentinel.port) for sentinel in group.sentinels)
    orders = DemoBackend("orders", Kind.SENTINEL, sentinels=sentinels, master_name=MASTER_NAME)
    return orders, _standalone(stack, directory, "mail"), _standalone(stack, directory, "media"), _down(stack)


def profile(backend: DemoBackend) -> Profile:
    """How the dashboard knows a backend."""
    return Profile(
        name=backend.name,
        kind=backend.kind,
        host=backend.host,
        port=backend.port or 6379,
        sentinels=backend.sentinels,
        master_name=backend.master_name,
        hue={"orders": "indigo", "mail": "teal", "media": "copper"}.get(backend.name, "slate"),
        environment={"orders": "prod", "mail": "prod", "media": "staging"}.get(backend.name, "dev"),
        protected=backend.name == "orders",
        notes=NOTES[backend.name],
    )


NOTES = {
    "orders": "The shop: payments, stock, shipping. Three sentinels watch a master and a replica.",
    "mail": "Receipts, newsletters and bounces.",
    "media": "Pictures and films.",
    "legacy": "The old server. Nothing answers at its address, as happens.",
}


def _standalone(stack: ExitStack, directory: Path, name: str) -> DemoBackend:
    server = start_server(directory / name, arguments=LIMITS)
    stack.callback(server.stop)
    return DemoBackend(name, port=server.port)


def _down(stack: ExitStack) -> DemoBackend:
    """A port that is held and does not listen: it refuses, and nobody else can come to answer there."""
    held = stack.enter_context(socket.socket())
    held.bind((HOST, 0))
    return DemoBackend(DOWN, port=held.getsockname()[1])
