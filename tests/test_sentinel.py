"""Finding the master, and a pool that stays on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import pytest
import redis
from redis.exceptions import ReadOnlyError

from rqdash.backends.connect import connect, sentinel_clients
from rqdash.backends.policy import TargetPolicy
from rqdash.backends.sentinel import Master, MasterPool, Sentinels
from rqdash.backends.sockets import Manners
from rqdash.demo.servers import SentinelGroup, Server, free_port
from rqdash.errors import Refused, Switching, Unreachable
from rqdash.model.profile import Node, Profile, Secrets
from tests.groups import MASTER_NAME, group_profile, master_node, replica_node, start_group

ANYWHERE = TargetPolicy()


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelGroup]:
    made = start_group(tmp_path_factory.mktemp("group"))
    yield made
    made.stop()


def sentinels_of(profile: Profile) -> Sentinels:
    clients = sentinel_clients(profile, Secrets(), policy=ANYWHERE)
    return Sentinels(clients, master_name=profile.master_name, backend=profile.name)


def test_the_master_is_found(group: SentinelGroup) -> None:
    with closing(sentinels_of(group_profile(group))) as sentinels:
        assert sentinels.master() == master_node(group)


def test_dead_nodes_and_data_servers_in_the_list_are_passed_over(group: SentinelGroup) -> None:
    dead, data = Node("127.0.0.1", free_port()), master_node(group)
    nameless = Node("no-such-host.invalid", 26379)
    profile = group_profile(group)
    profile = replace(profile, sentinels=(dead, data, nameless, profile.sentinels[2]))

    with closing(sentinels_of(profile)) as sentinels:
        assert sentinels.master() == master_node(group)


def test_threads_may_ask_at_the_same_time(group: SentinelGroup) -> None:
    profile = group_profile(group)
    profile = replace(profile, sentinels=(Node("127.0.0.1", free_port()), *profile.sentinels))
    found: list[Node] = []

    with closing(sentinels_of(profile)) as sentinels:
        threads = [threading.Thread(target=lambda: found.extend(sentinels.master() for _ in range(5))) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert found == [master_node(group)] * 80


def test_no_answer_from_any_sentinel_is_unreachable() -> None:
    profile = Profile("orders", sentinels=(Node("127.0.0.1", free_port()), Node("127.0.0.1", free_port())), master_name=MASTER_NAME)

    with closing(sentinels_of(profile)) as sentinels, pytest.raises(Unreachable) as raised:
        sentinels.master()

    assert raised.value.code == "no_sentinel"


def test_a_name_that_no_sentinel_watches_is_said_so(group: SentinelGroup) -> None:
    profile = replace(group_profile(group), master_name="carts")

    with closing(sentinels_of(profile)) as sentinels, pytest.raises(Switching) as raised:
        sentinels.master()

    assert raised.value.code == "no_master"


def test_a_client_of_a_sentinel_profile_reads_and_writes_at_the_master(group: SentinelGroup) -> None:
    with connect(group_profile(group), Secrets(), policy=ANYWHERE, writes=True) as client:
        client.set("greeting", "hello")

    with group.master.client() as master:
        assert master.get("greeting") == b"hello"


def test_an_address_that_sentinels_give_is_judged_too(group: SentinelGroup) -> None:
    policy = TargetPolicy(allowed=tuple(f"127.0.0.1:{sentinel.port}" for sentinel in group.sentinels))
    client = connect(group_profile(group), Secrets(), policy=policy, writes=True)

    with closing(client), pytest.raises(Refused) as refused:
        client.ping()

    assert refused.value.code == "target_refused"


@dataclass
class Oracle:
    """Sentinels that name whatever a test wants."""

    node: Node

    def master(self) -> Node:
        return self.node

    def close(self) -> None:
        return None


def client_of(oracle: Oracle) -> redis.Redis:
    master = Master(oracle, backend="orders")  # type: ignore[arg-type]
    return redis.Redis.from_pool(MasterPool(master, manners=Manners("orders", ANYWHERE, "test"), protocol=2))


def test_a_server_named_as_master_that_is_a_replica_is_not_used(group: SentinelGroup) -> None:
    client = client_of(Oracle(replica_node(group)))

    with closing(client), pytest.raises(Switching) as raised:
        client.get("greeting")

    assert raised.value.code == "replica"


def test_following_a_new_master_moves_idle_connections_and_those_in_use(start: Callable[..., Server]) -> None:
    first, second = start(), start()
    oracle = Oracle(Node("127.0.0.1", first.port))
    with closing(client_of(oracle)) as client:
        pool = client.connection_pool
        assert isinstance(pool, MasterPool)
        held = pool.get_connection()
        client.set("at", "first")
        oracle.node = Node("127.0.0.1", second.port)

        pool.follow(oracle.node)
        pool.release(held)
        client.set("at", "second")

    with first.client() as one, second.client() as two:
        assert (one.get("at"), two.get("at")) == (b"first", b"second")
        assert [seen["name"] for seen in one.client_list()] == [""]


def test_a_master_that_turns_read_only_is_left(start: Callable[..., Server]) -> None:
    first, second = start(), start()
    oracle = Oracle(Node("127.0.0.1", first.port))
    with closing(client_of(oracle)) as client:
        client.set("at", "first")
        with first.client() as demoted:
            demoted.replicaof("127.0.0.1", second.port)
        oracle.node = Node("127.0.0.1", second.port)

        with pytest.raises(ReadOnlyError):
            client.set("at", "nowhere")
        client.set("at", "second")

    with second.client() as two:
        assert two.get("at") == b"second"
