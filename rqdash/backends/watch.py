"""Asks all sentinels of a backend at once, again and again, over connections that stay open."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import redis
from redis.exceptions import RedisError, ResponseError

from rqdash.backends.sentinel import MasterFacts, is_unknown_master, master_facts
from rqdash.errors import Refused
from rqdash.model.profile import Node

# Shorter than the sockets' 0.5 s, so that a hung sentinel is told from one that refuses: its call has not come back by then.
WAIT_S = 0.4


@dataclass(frozen=True, slots=True)
class Answer:
    """What one sentinel said. facts is None when it said nothing of use; has_quorum None when it did not say."""

    node: Node
    facts: MasterFacts | None = None
    has_quorum: bool | None = None
    is_reachable: bool = False


class Watch:
    """The sentinels of one backend. ask() is called by one thread at a time; the threads and connections are kept between calls."""

    def __init__(self, clients: Mapping[Node, redis.Redis], *, master_name: str) -> None:
        self._clients = dict(clients)
        self._master_name = master_name
        self._under_way: dict[Node, Future[Answer]] = {}
        self._silent: set[Node] = set()
        self._executor: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def ask(self) -> tuple[Answer, ...]:
        """One answer a sentinel, in the profile's order, within 0.4 s.

        A sentinel that gave no answer in time is not waited for again: its call stays under way, and counts once it has come back.
        """
        with self._lock:
            calls = {node: self._call(node) for node in self._clients}
            awaited = [call for node, call in calls.items() if node not in self._silent]
            wait(awaited, timeout=WAIT_S)
            self._silent = {node for node, call in calls.items() if not call.done()}
            self._under_way = {node: calls[node] for node in self._silent}
            return tuple(call.result() if call.done() else Answer(node) for node, call in calls.items())

    def close(self) -> None:
        with self._lock:
            executor, self._executor = self._executor, None
            for client in self._clients.values():
                client.close()
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)

    def _call(self, node: Node) -> Future[Answer]:
        """The call under way, or a new one. An answer that came late is as old as its call, so all it does is end the silence."""
        late = self._under_way.get(node)
        if late is not None and not late.done():
            return late
        if late is not None and late.result().is_reachable:
            self._silent.discard(node)
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max(1, len(self._clients)), thread_name_prefix="sentinel")
        return self._executor.submit(answer, node, self._clients[node], master_name=self._master_name)


def answer(node: Node, client: redis.Redis, *, master_name: str) -> Answer:
    """Asks one sentinel for the master and whether a failover would find its quorum, in one round trip. Never raises for its faults."""
    try:
        replies = _replies(client, master_name)
    except (RedisError, OSError, Refused):
        return Answer(node)
    said, quorum = replies
    if is_unknown_master(said):
        return Answer(node, is_reachable=True)
    try:
        facts = master_facts(said)
    except ValueError:
        return Answer(node)
    return Answer(node, facts, _has_quorum(quorum), is_reachable=True)


def _replies(client: redis.Redis, master_name: str) -> list[object]:
    pipeline = client.pipeline(transaction=False)
    pipeline.execute_command("SENTINEL", "MASTER", master_name)
    pipeline.execute_command("SENTINEL", "CKQUORUM", master_name)
    replies: list[object] = pipeline.execute(raise_on_error=False)
    return replies


def _has_quorum(reply: object) -> bool | None:
    """redis-py's own sentinel_ckquorum() answers False when the server says OK, so the text is read here."""
    if isinstance(reply, ResponseError):
        return False if "NOQUORUM" in str(reply) else None
    return isinstance(reply, bytes) and reply.startswith(b"OK")
