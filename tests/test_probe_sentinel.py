"""The live test of a Sentinel profile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rqdash.backends.policy import TargetPolicy
from rqdash.backends.probe import Status
from rqdash.demo.servers import SentinelGroup, free_port
from rqdash.model.profile import Kind, Node, Profile, Secrets
from tests.groups import MASTER_NAME, group_profile, master_node, start_group
from tests.probing import INSIDE, SECRETS, answering, at, check, examined, failed, not_tried, warned
from tests.processes import wait_until


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelGroup]:
    made = start_group(tmp_path_factory.mktemp("group"))
    yield made
    made.stop()


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[SentinelGroup]:
    """A group with one sentinel, for a test that changes it."""
    made = start_group(tmp_path, sentinels=1, replicas=2)
    yield made
    made.stop()


def test_a_replica_is_warned_about_with_its_master(group: SentinelGroup) -> None:
    report = examined(at(group.replicas[0]), Secrets())

    assert warned(report)["server"] == "replica"
    assert str(master_node(group)) in check(report, "server").remedy


def test_a_sentinel_used_as_data_server_is_recognised(group: SentinelGroup) -> None:
    report = examined(at(group.sentinels[0]), Secrets())

    assert failed(report) == {"server": "is_sentinel"}


def test_a_healthy_group_passes_every_stage(group: SentinelGroup) -> None:
    with group.master.client() as master:
        master.sadd("rq:queues", "rq:queue:mail")

    report = examined(group_profile(group), Secrets())

    assert failed(report) == {}
    assert warned(report) == {"sign_in": "no_password"}
    assert check(report, "tcp").found == "3 of 3 Sentinels, 1 master"
    assert check(report, "agreement").found == f"3 of 3 name {master_node(group)}"
    assert check(report, "quorum").found == "3 of 3 answer, 2 needed"
    assert check(report, f"sentinel:127.0.0.1:{group.sentinels[0].port}").found == f"answers, master {master_node(group)}"


def test_wrong_nodes_among_the_sentinels_are_told_apart(group: SentinelGroup) -> None:
    dead, data = Node("127.0.0.1", free_port()), master_node(group)
    good = group_profile(group).sentinels
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, _):
        web = Node("127.0.0.1", port)
        report = examined(replace(group_profile(group), sentinels=(dead, data, web, *good[:2])), Secrets())

    assert failed(report) == {f"sentinel:{dead}": "refused", f"sentinel:{data}": "not_a_sentinel", f"sentinel:{web}": "not_redis"}
    assert warned(report)["tcp"] == "refused"
    assert warned(report)["peers"] == "unknown_peers"
    assert str(good[2]) in check(report, "peers").cause
    assert check(report, "server").status is Status.OK


def test_a_wrong_master_name_lists_the_names_there_are(group: SentinelGroup) -> None:
    report = examined(replace(group_profile(group), master_name="carts"), Secrets())

    codes = set(failed(report).values())
    assert codes == {"no_such_master", "no_sentinel"}
    assert f"It watches: {MASTER_NAME}." in check(report, f"sentinel:127.0.0.1:{group.sentinels[0].port}").remedy
    assert not_tried(report) == INSIDE | {"quorum", "peers", "replicas"}


def test_a_group_nobody_answers_for_stops_there() -> None:
    nobody = (Node("127.0.0.1", free_port()), Node("127.0.0.1", free_port()))
    report = examined(Profile("orders", kind=Kind.SENTINEL, sentinels=nobody, master_name=MASTER_NAME))

    assert failed(report)["tcp"] == "refused"
    assert failed(report)["agreement"] == "no_sentinel"
    assert "server" in not_tried(report)


def test_a_profile_without_sentinels_says_so() -> None:
    report = examined(Profile("orders", kind=Kind.SENTINEL, master_name=MASTER_NAME))

    assert failed(report) == {"agreement": "no_sentinel"}


def test_a_master_that_the_policy_forbids_is_not_connected_to(group: SentinelGroup) -> None:
    policy = TargetPolicy(allowed=tuple(f"127.0.0.1:{sentinel.port}" for sentinel in group.sentinels))

    report = examined(group_profile(group), Secrets(), policy=policy)

    assert failed(report) == {"target": "target_refused"}
    assert check(report, "target").cause.startswith(f"Master {master_node(group)}: ")


def test_sentinels_have_a_password_of_their_own(lone: SentinelGroup) -> None:
    with lone.sentinels[0].client() as sentinel:
        sentinel.execute_command("ACL", "SETUSER", "default", "resetpass", f">{SECRETS.sentinel_password}")
    with lone.master.client() as master:
        master.config_set("min-replicas-to-write", 1)
    profile = group_profile(lone)
    node = profile.sentinels[0]

    good = examined(profile, Secrets(None, SECRETS.sentinel_password))
    missing = examined(profile, Secrets())
    wrong = examined(profile, Secrets(None, "wrong horse"))

    assert failed(good) == {}
    assert check(good, "replicas").found == "2 connected, min-replicas-to-write 1"
    assert failed(missing) == {"sign_in": "auth_missing", f"sentinel:{node}": "auth_missing", "agreement": "no_sentinel"}
    assert failed(wrong) == {"sign_in": "auth_bad", f"sentinel:{node}": "auth_bad", "agreement": "no_sentinel"}


def test_a_sentinel_user_who_may_not_ask_gets_the_command(lone: SentinelGroup) -> None:
    with lone.sentinels[0].client() as sentinel:
        sentinel.execute_command("ACL", "SETUSER", "watcher", "on", f">{SECRETS.sentinel_password}", "+ping")
    profile = replace(group_profile(lone), sentinel_username="watcher")

    report = examined(profile, Secrets(None, SECRETS.sentinel_password))

    denied = check(report, f"sentinel:{profile.sentinels[0]}")
    assert denied.code == "sentinel_denied"
    with lone.sentinels[0].client() as sentinel:
        assert sentinel.execute_command(*denied.command.split()) == b"OK"
    assert failed(examined(profile, Secrets(None, SECRETS.sentinel_password))) == {}


def test_a_group_that_cannot_fail_over_is_warned_about(lone: SentinelGroup) -> None:
    with lone.sentinels[0].client() as sentinel:
        sentinel.execute_command("SENTINEL", "SET", MASTER_NAME, "quorum", "2")

    report = examined(group_profile(lone), Secrets())

    assert warned(report)["quorum"] == "no_quorum"
    assert warned(report)["replicas"] == "min_replicas"


def test_sentinels_that_name_different_masters_are_said_so(lone: SentinelGroup, tmp_path: Path) -> None:
    other = start_group(tmp_path / "other", sentinels=1, replicas=0)
    profile = replace(group_profile(lone), sentinels=(*group_profile(lone).sentinels, *group_profile(other).sentinels))

    report = examined(profile, Secrets())
    other.stop()

    assert failed(report) == {"agreement": "sentinels_disagree"}


def test_a_master_that_is_down_is_said_so(lone: SentinelGroup) -> None:
    with lone.sentinels[0].client() as sentinel:
        sentinel.execute_command("SENTINEL", "SET", MASTER_NAME, "down-after-milliseconds", "500", "quorum", "2")
        lone.master.pause()

        assert wait_until(lambda: sentinel.sentinel_master(MASTER_NAME)["is_sdown"])

    report = examined(group_profile(lone), Secrets())

    assert failed(report) == {"agreement": "switching", "sign_in": "no_answer"}
