"""Sentinel groups whose replicas have copied their master, as a test of failovers needs them."""

from __future__ import annotations

from pathlib import Path

from rqdash.demo.servers import SentinelGroup, start_sentinel_group
from rqdash.model.profile import Kind, Node, Profile
from tests.processes import wait_until

MASTER_NAME = "orders"


def start_group(directory: Path, *, sentinels: int = 3, replicas: int = 1) -> SentinelGroup:
    """A group under the name orders. Without the delay of 0 a replica waits 5 s before it copies, and a failover would lose data."""
    delay = ("--repl-diskless-sync-delay", "0")
    group = start_sentinel_group(directory, master_name=MASTER_NAME, sentinels=sentinels, replicas=replicas, arguments=delay)
    for replica in group.replicas:
        with replica.client() as client:
            assert wait_until(lambda client=client: client.info("replication")["master_link_status"] == "up")  # type: ignore[misc]
    return group


def group_profile(group: SentinelGroup, *, name: str = "orders") -> Profile:
    """The profile of a group, with all of its sentinels."""
    nodes = tuple(Node("127.0.0.1", sentinel.port) for sentinel in group.sentinels)
    return Profile(name, kind=Kind.SENTINEL, sentinels=nodes, master_name=MASTER_NAME)


def master_node(group: SentinelGroup) -> Node:
    return Node("127.0.0.1", group.master.port)


def replica_node(group: SentinelGroup) -> Node:
    return Node("127.0.0.1", group.replicas[0].port)
