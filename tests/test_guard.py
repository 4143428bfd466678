"""Writes to a Sentinel backend wait while its master is being switched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import redis

from rqdash.backends.connect import connect
from rqdash.backends.guard import FailoverGuard, Health, NoGuard, guard, judge
from rqdash.backends.policy import TargetPolicy
from rqdash.backends.sentinel import MasterFacts, MasterPool
from rqdash.backends.watch import Answer
from rqdash.demo.servers import SentinelGroup
from rqdash.errors import BackendError, Switching
from rqdash.model.profile import Kind, Node, Profile, Secrets
from tests.groups import MASTER_NAME, group_profile, master_node, replica_node, start_group
from tests.processes import wait_until

ANYWHERE = TargetPolicy()
ONE, TWO, THREE = Node("10.0.0.1", 26379), Node("10.0.0.2", 26379), Node("10.0.0.3", 26379)
FINE = MasterFacts(Node("10.0.0.9", 6379), frozenset({"master"}), quorum=2, replicas=1, down_after_ms=2000, down_ms=0)


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelGroup]:
    made = start_group(tmp_path_factory.mktemp("group"))
    yield made
    made.stop()


def says(node: Node, facts: MasterFacts | None = FINE, *, has_quorum: bool | None = True) -> Answer:
    return Answer(node, facts, has_quorum, is_reachable=True)


def flagged(*flags: str, down_ms: int = 0) -> MasterFacts:
    return replace(FINE, flags=frozenset({"master", *flags}), down_ms=down_ms)


@pytest.mark.parametrize(
    ("answers", "health"),
    [
        ((says(ONE), says(TWO), says(THREE)), Health.OK),
        ((says(ONE), says(TWO), Answer(THREE)), Health.DEGRADED),
        ((says(ONE), says(TWO), says(THREE, None)), Health.DEGRADED),
        ((says(ONE), says(TWO, has_quorum=False), says(THREE)), Health.DEGRADED),
        ((says(ONE), says(TWO, has_quorum=None), says(THREE)), Health.OK),
        ((says(ONE, replace(FINE, replicas=0)),), Health.DEGRADED),
        ((says(ONE), says(TWO), says(THREE, flagged("failover_in_progress", "force_failover"))), Health.SWITCHING),
        ((says(ONE), says(TWO), says(THREE, flagged("s_down", down_ms=500))), Health.SWITCHING),
        ((says(ONE), says(TWO), says(THREE, flagged("o_down", "s_down", down_ms=60_000))), Health.SWITCHING),
        ((says(ONE), says(TWO, replace(FINE, node=Node("10.0.0.8", 6379))), says(THREE)), Health.SWITCHING),
        ((says(ONE, flagged("o_down", down_ms=12_001)), says(TWO, flagged("s_down", down_ms=12_001))), Health.NO_MASTER),
        ((says(ONE, flagged("o_down", down_ms=11_999)), says(TWO, flagged("s_down", down_ms=12_001))), Health.SWITCHING),
        ((says(ONE, None), Answer(TWO)), Health.NO_MASTER),
        ((Answer(ONE), Answer(TWO), Answer(THREE)), Health.BLIND),
        ((), Health.BLIND),
    ],
)
def test_the_answers_of_all_sentinels_decide(answers: tuple[Answer, ...], health: Health) -> None:
    state = judge(answers)

    assert state.health is health
    assert state.text
    assert (state.retry_after_s is None) == (health in (Health.OK, Health.DEGRADED))


@pytest.mark.parametrize("kind", [Kind.STANDALONE, Kind.UNIX])
def test_a_backend_without_sentinel_has_nobody_to_ask(kind: Kind) -> None:
    open_guard = guard(Profile("mail", kind=kind), Secrets(), policy=ANYWHERE, clients=())

    open_guard.admit()

    assert isinstance(open_guard, NoGuard)
    assert open_guard.look().health is Health.OK


def test_a_healthy_group_admits_writes_and_names_its_master(group: SentinelGroup) -> None:
    with closing(guard(group_profile(group), Secrets(), policy=ANYWHERE, clients=())) as watched:
        watched.admit()

        assert watched.state.health is Health.OK
        assert watched.state.master == master_node(group)
        assert (watched.state.reachable, watched.state.sentinels, watched.state.replicas) == (3, 3, 1)
        assert (watched.state.quorum, watched.state.down_after_ms) == (2, 2000)
        assert [(watcher.master, watcher.has_quorum) for watcher in watched.state.watchers] == [(master_node(group), True)] * 3


def test_answers_are_used_again_while_they_are_fresh(group: SentinelGroup) -> None:
    now_s = 0.0
    with closing(guard(group_profile(group), Secrets(), policy=ANYWHERE, clients=())) as made:
        assert isinstance(made, FailoverGuard)
        watched = FailoverGuard("orders", made._watch, pools=(), clock=lambda: now_s)

        watched.admit()
        first = watched.state
        now_s = 0.09
        watched.admit()
        second = watched.state
        now_s = 0.26
        watched.admit()

    assert second is first
    assert watched.state is not first


def test_a_hung_sentinel_degrades_the_group_until_it_answers_again(group: SentinelGroup) -> None:
    with closing(guard(group_profile(group), Secrets(), policy=ANYWHERE, clients=())) as watched:
        group.sentinels[0].pause()
        try:
            watched.admit()
            hung = watched.state
        finally:
            group.sentinels[0].resume()

        assert hung.health is Health.DEGRADED
        assert hung.reachable == 2
        assert [watcher.is_reachable for watcher in hung.watchers] == [False, True, True]
        assert wait_until(lambda: watched.look(max_age_s=0).health is Health.OK)


def test_without_any_sentinel_writes_wait(group: SentinelGroup) -> None:
    profile = replace(group_profile(group), sentinels=(Node("127.0.0.1", 1), Node("no-such-host.invalid", 26379)))
    with closing(guard(profile, Secrets(), policy=ANYWHERE, clients=())) as watched, pytest.raises(Switching) as raised:
        watched.admit()

    assert raised.value.code == "blind"
    assert raised.value.backend == "orders"
    assert raised.value.retry_after_s is not None


@pytest.fixture
def own_group(tmp_path: Path) -> Iterator[SentinelGroup]:
    """A group for a test that changes it."""
    made = start_group(tmp_path)
    yield made
    made.stop()


@dataclass
class Writer:
    """Writes numbers as actions write: each admitted by the guard, none repeated."""

    watched: FailoverGuard | NoGuard
    client: redis.Redis
    acknowledged: list[int] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def write(self) -> bool:
        """Whether the next number was written and acknowledged."""
        number = len(self.acknowledged)
        try:
            self.watched.admit()
            self.client.rpush("written", number)
        except BackendError as error:
            self.refused.add(error.code)
            return False
        self.acknowledged.append(number)
        return True


def test_no_acknowledged_write_is_lost_when_an_operator_switches_the_master(own_group: SentinelGroup) -> None:
    profile = group_profile(own_group)
    reader = connect(profile, Secrets(), policy=ANYWHERE, writes=False)
    client = connect(profile, Secrets(), policy=ANYWHERE, writes=True)
    watched = guard(profile, Secrets(), policy=ANYWHERE, clients=(reader, client))
    writer = Writer(watched, client)
    with closing(watched), closing(reader), closing(client):
        assert all(writer.write() for _ in range(500))
        assert reader.llen("written") == 500

        with own_group.sentinels[1].client() as sentinel:
            sentinel.execute_command("SENTINEL", "FAILOVER", MASTER_NAME)
        for _ in range(3000):
            # As fast as it goes: the danger is in the first 100 ms, before the replica is promoted.
            writer.write()
        assert wait_until(lambda: writer.write() and watched.state.master == replica_node(own_group))

        kept = [int(number) for number in reader.lrange("written", 0, -1)]
        assert isinstance(reader.connection_pool, MasterPool)
        assert reader.connection_pool.master.address == replica_node(own_group)
    assert writer.refused == {"switching", "settling"}
    assert kept == writer.acknowledged
