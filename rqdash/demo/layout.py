"""What the demo consists of: its backends, where they are, and their queues; kept in a file that its child processes read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.sentinel import Sentinel

from rqdash.demo.servers import HOST
from rqdash.model.profile import Kind, Node

MASTER_NAME = "orders"


@dataclass(frozen=True, slots=True)
class DemoBackend:
    """One backend of the demo; port for a standalone server, sentinels and master_name for a group."""

    name: str
    kind: Kind = Kind.STANDALONE
    host: str = HOST
    port: int = 0
    sentinels: tuple[Node, ...] = ()
    master_name: str = ""


QUEUES = {
    "orders": ("payments", "checkout", "fulfilment"),
    "mail": ("transactional", "bounces", "newsletter"),
    "media": ("thumbnails", "transcode", "housekeeping"),
}
"""The queues that workers listen to, most urgent first, by backend."""
BACKLOG = "exports"
"""A queue of orders that nobody works on."""


def described(backend: DemoBackend) -> dict[str, object]:
    """A backend for --json: name, kind, host and port; or name, kind, sentinels ("host:port") and master_name."""
    if backend.kind is Kind.SENTINEL:
        nodes = [str(node) for node in backend.sentinels]
        return {"name": backend.name, "kind": backend.kind.value, "sentinels": nodes, "master_name": backend.master_name}
    return {"name": backend.name, "kind": backend.kind.value, "host": backend.host, "port": backend.port}


def write_layout(path: Path, backends: tuple[DemoBackend, ...]) -> None:
    """Keeps the live backends for the child processes."""
    path.write_text(json.dumps([described(backend) for backend in backends], indent=2) + "\n")


def read_layout(path: Path) -> dict[str, DemoBackend]:
    """The live backends by name."""
    return {entry["name"]: _backend(entry) for entry in json.loads(path.read_text())}


def connection(backend: DemoBackend) -> redis.Redis:
    """A connection as an application of RQ's users would make it; a worker's must outlast its blocking pop, so it has no time limit."""
    if backend.kind is not Kind.SENTINEL:
        return redis.Redis(host=backend.host, port=backend.port, socket_connect_timeout=2)
    nodes = [(node.host, node.port) for node in backend.sentinels]
    master: redis.Redis = Sentinel(nodes, socket_timeout=1).master_for(backend.master_name, socket_connect_timeout=2, socket_timeout=None)
    return master


def _backend(entry: dict[str, str | int | list[str]]) -> DemoBackend:
    sentinels = entry.get("sentinels", [])
    nodes = tuple(_node(text) for text in sentinels) if isinstance(sentinels, list) else ()
    return DemoBackend(
        name=str(entry["name"]),
        kind=Kind(str(entry["kind"])),
        host=str(entry.get("host", HOST)),
        port=int(str(entry.get("port", 0))),
        sentinels=nodes,
        master_name=str(entry.get("master_name", "")),
    )


def _node(text: str) -> Node:
    host, _, port = text.rpartition(":")
    return Node(host, int(port))
