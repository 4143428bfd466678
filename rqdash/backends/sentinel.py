"""Where the master is: asks the sentinels, and keeps a pool of connections to the master they name.

redis-py's own Sentinel is not used: its list of nodes is corrupted by threads, a wrong node in the list ends its discovery, and a
live pool of it never notices a failover (docs/decisions tells how many writes that lost).
"""

# redis-py's connection classes are typed in parts only.
# mypy: disallow-untyped-calls=False

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis
from redis.connection import ConnectionPool
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from rqdash.backends.sockets import GuardedConnection
from rqdash.errors import Refused, Switching, Unreachable
from rqdash.model.profile import Node

SENTINEL_TIMEOUT_S = 0.5
# Three hung sentinels in a row use up a page's budget of 2 s; who is left after this is not asked.
DISCOVERY_S = 1.5
TROUBLE = frozenset({"failover_in_progress", "force_failover", "o_down", "s_down"})
DOWN = frozenset({"o_down", "s_down"})


@dataclass(frozen=True, slots=True)
class MasterFacts:
    """What one sentinel says of the master. Times in milliseconds; down_ms is 0 while it is up; replicas counts dead ones too."""

    node: Node
    flags: frozenset[str]
    quorum: int
    replicas: int
    down_after_ms: int
    down_ms: int

    @property
    def trouble(self) -> frozenset[str]:
        """The flags that say that the master is being switched, or is down."""
        return self.flags & TROUBLE


def master_facts(reply: object) -> MasterFacts:
    """Reads the reply of SENTINEL MASTER, a flat list of names and values. Raises ValueError when it is none."""
    facts = fields(reply)
    try:
        return MasterFacts(
            node=Node(facts["ip"], int(facts["port"])),
            flags=frozenset(facts["flags"].split(",")),
            quorum=int(facts.get("quorum", 0)),
            replicas=int(facts.get("num-slaves", 0)),
            down_after_ms=int(facts.get("down-after-milliseconds", 0)),
            down_ms=int(facts.get("s-down-time", 0)),
        )
    except KeyError:
        raise ValueError("not a reply of SENTINEL MASTER") from None


def fields(reply: object) -> dict[str, str]:
    """A flat list of names and values as a dictionary of text. Raises ValueError when it is no such list."""
    if not isinstance(reply, list) or len(reply) % 2:
        raise ValueError("not a list of names and values")
    words = [word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word) for word in reply]
    return dict(zip(words[::2], words[1::2], strict=True))


def is_unknown_master(error: object) -> bool:
    """Whether a sentinel's answer means that it watches no master of that name."""
    return isinstance(error, ResponseError) and "no such master" in str(error).lower()


class Sentinels:
    """The sentinels of one backend, asked in the profile's order. Thread-safe: the only state is which one answered last."""

    def __init__(self, clients: Mapping[Node, redis.Redis], *, master_name: str, backend: str) -> None:
        self._clients = tuple(clients.values())
        self._master_name = master_name
        self._backend = backend
        self._first = 0

    def master(self) -> Node:
        """The master as the first sentinel that knows a good one names it; one round trip when the last to answer still does.

        Dead sentinels and nodes that are none are passed over. Raises Unreachable when none answers, Switching when none has a good master.
        """
        deadline_s = time.monotonic() + DISCOVERY_S
        has_answer = False
        for place in self._order():
            if time.monotonic() > deadline_s:
                break
            try:
                facts = master_facts(self._clients[place].execute_command("SENTINEL", "MASTER", self._master_name))
            except (RedisError, OSError, ValueError, Refused) as error:
                has_answer = has_answer or is_unknown_master(error)
                continue
            if not facts.flags & DOWN:
                self._first = place
                return facts.node
            has_answer = True
        raise self._no_master() if has_answer else self._silence()

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _order(self) -> tuple[int, ...]:
        first = self._first
        return (first, *(place for place in range(len(self._clients)) if place != first))

    def _no_master(self) -> Switching:
        return Switching(
            f"The Sentinels of {self._backend} have no master to give.",
            backend=self._backend,
            stage="sentinel",
            code="no_master",
            hint="They are choosing a new one, or do not know this master name. The connection's test says which.",
            retry_after_s=2.0,
        )

    def _silence(self) -> Unreachable:
        return Unreachable(
            f"None of the Sentinels of {self._backend} answers.",
            backend=self._backend,
            stage="sentinel",
            code="no_sentinel",
            hint="Check their addresses and password; the connection's test asks each one.",
        )


class Master:
    """The address the connections of one pool go to: asked for at each new connection, or set by the guard."""

    def __init__(self, sentinels: Sentinels, *, backend: str) -> None:
        self.sentinels = sentinels
        self.backend = backend
        self._lock = threading.Lock()
        self._address: Node | None = None

    @property
    def address(self) -> Node | None:
        """None before the first connection."""
        with self._lock:
            return self._address

    def locate(self) -> Node:
        """Asks the sentinels and remembers their answer. Raises as Sentinels.master."""
        node = self.sentinels.master()
        self.move(node)
        return node

    def move(self, node: Node | None) -> None:
        with self._lock:
            self._address = node


class MasterConnection(GuardedConnection):
    """A connection to whoever is master when it connects; it checks that the server agrees."""

    def __init__(self, *, master: Master, **options: Any) -> None:
        self._master = master
        super().__init__(**options)

    @property
    def node(self) -> Node:
        return Node(self.host, self.port)

    def _connect(self) -> Any:
        node = self._master.locate()
        self.host, self.port = node.host, node.port
        return super()._connect()

    def on_connect_check_health(self, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's signature
        super().on_connect_check_health(check_health=check_health)
        if self._role() == "replica":
            self.disconnect()
            raise Switching(
                f"Sentinel names a master for {self._master.backend} that is still a replica.",
                backend=self._master.backend,
                stage="role",
                code="replica",
                retry_after_s=2.0,
            )

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)
        except ResponseError as error:
            # Redis before 7.0 wraps the refusal of a script's command: "ERR Error running script (...): -READONLY You can't write".
            if isinstance(error, ReadOnlyError) or "-READONLY" in str(error):
                self._master.move(None)
                self.mark_for_reconnect()
            raise

    def _role(self) -> str:
        """What the server says it is, "" where it does not say. HELLO is allowed where ROLE and INFO seldom are; Redis 5 has none."""
        self.send_packed_command(self.pack_commands([("HELLO", "2")]), check_health=False)
        try:
            reply = fields(self.read_response())
        except (ResponseError, ValueError):
            return ""
        return "replica" if reply.get("role") in ("replica", "slave") else reply.get("role", "")


class MasterPool(ConnectionPool):
    """Connections to the current master only: one made to another address is remade when it is next taken out."""

    def __init__(self, master: Master, **options: Any) -> None:
        self.master = master
        super().__init__(connection_class=MasterConnection, master=master, **options)

    def follow(self, node: Node) -> None:
        """Points the pool at a new master: idle connections close now, those in use when they come back. No I/O."""
        self.master.move(node)
        with self._lock:
            for connection in self._in_use_connections:
                connection.mark_for_reconnect()
        self.disconnect(inuse_connections=False)

    def get_connection(self, *args: Any, **options: Any) -> Any:
        connection: Any = super().get_connection(*args, **options)
        if connection.node != self.master.address:
            try:
                connection.disconnect()
                connection.connect()
            except BaseException:
                self.release(connection)
                raise
        return connection

    def close(self) -> None:
        super().close()
        self.master.sentinels.close()
