"""The staged live test of a profile, against servers that are right and wrong in every way it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rqdash.backends.policy import TargetPolicy
from rqdash.backends.probe import Status, probe
from rqdash.demo.servers import Server, free_port, start_server
from rqdash.model.profile import Kind, Profile, Secrets
from tests.probing import ANYWHERE, INSIDE, SECRETS, answering, at, check, examined, failed, not_tried, prepare, warned


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a password and some RQ keys, and users who may more or less."""
    server = start_server(tmp_path_factory.mktemp("guarded"))
    prepare(server)
    yield server
    server.stop()


def test_a_good_server_passes_every_stage(guarded: Server) -> None:
    report = examined(at(guarded))

    assert report.verdict is Status.OK
    assert report.summary == "11 passed"
    assert check(report, "rq").found == "2 queues, 1 worker, RQ 3.0.0"
    assert check(report, "server").found.startswith("Valkey 9")
    assert check(report, "read").found == "30 of 30 commands"
    assert check(report, "change").found == "21 of 21 commands"


def test_a_test_changes_nothing(start: Callable[..., Server]) -> None:
    server = start()
    with server.client() as client:
        client.sadd("rq:queues", "rq:queue:mail")
        client.config_resetstat()

        examined(at(server))

        assert client.keys() == [b"rq:queues"]
        used = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
        assert used & set(client.acl_cat("write")) == set()


def test_a_server_without_a_password_and_without_rq_is_warned_about(server: Server) -> None:
    report = examined(at(server), Secrets())

    assert warned(report) == {"sign_in": "no_password", "rq": "rq_not_found"}
    assert report.verdict is Status.WARNING


def test_a_password_that_the_server_does_not_need_is_said_so(server: Server) -> None:
    by_password = examined(at(server))
    by_user = examined(at(server, username="default"))

    assert failed(by_password) == {"sign_in": "auth_not_needed"}
    assert warned(by_user)["sign_in"] == "no_password"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_nobody_listens_on_is_refused(host: str) -> None:
    report = examined(Profile("mail", host=host, port=free_port()))

    assert failed(report) == {"tcp": "refused"}
    assert check(report, "dns").status is Status.OK
    assert not_tried(report) == INSIDE | {"sign_in"}


def test_a_name_nobody_knows_stops_at_dns() -> None:
    report = examined(Profile("mail", host="no-such-host.invalid"))

    assert set(failed(report)) == {"dns"}
    assert check(report, "dns").code in {"dns_unknown", "dns_failing"}
    assert {"target", "tcp"} <= not_tried(report)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254"])
def test_a_target_that_is_not_allowed_is_not_connected_to(host: str) -> None:
    with answering(b"+PONG\r\n") as (port, seen):
        report = examined(Profile("mail", host=host, port=port), policy=TargetPolicy(allowed=("10.0.0.0/8",)))

    assert failed(report) == {"target": "target_refused"}
    assert seen == []


def test_a_hanging_server_ends_the_test_at_sign_in(start: Callable[..., Server]) -> None:
    server = start()
    server.pause()

    report = examined(at(server))

    assert failed(report) == {"sign_in": "no_answer"}
    assert report.took_ms < 8_000


def test_the_test_ends_with_its_budget_whatever_the_server_does() -> None:
    with answering(b"", pause_s=0.2, drip=b"+") as (port, _):
        report = examined(Profile("mail", host="127.0.0.1", port=port), budget_s=1.0)

    assert failed(report) == {"sign_in": "out_of_time"}
    assert report.took_ms < 2_000


def test_a_wrong_password_is_not_repeated(guarded: Server) -> None:
    report = examined(at(guarded), Secrets("wrong horse"))

    assert failed(report) == {"sign_in": "auth_bad"}
    assert not_tried(report) == INSIDE


def test_a_missing_password_is_asked_for(guarded: Server) -> None:
    report = examined(at(guarded), Secrets())

    assert failed(report) == {"sign_in": "auth_missing"}


def test_a_database_that_does_not_exist_is_named(guarded: Server) -> None:
    report = examined(at(guarded, db=99))

    assert failed(report) == {"database": "db_out_of_range"}
    assert not_tried(report) == INSIDE - {"server", "database"}


def test_rq_in_another_database_is_pointed_at(guarded: Server) -> None:
    report = examined(at(guarded, db=4))

    assert warned(report) == {"rq": "rq_not_found"}
    assert check(report, "rq").remedy == "Database 0 has some: set the database of this profile to that."


def test_an_eviction_policy_is_only_a_danger_with_a_limit(start: Callable[..., Server]) -> None:
    limited, unlimited = start("--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"), start("--maxmemory-policy", "allkeys-lru")

    with_limit, without = examined(at(limited), Secrets()), examined(at(unlimited), Secrets())

    assert check(with_limit, "eviction").code == "eviction"
    assert check(with_limit, "eviction").command == "CONFIG SET maxmemory-policy noeviction"
    assert check(without, "eviction").status is Status.OK


def test_clocks_that_differ_are_warned_about(guarded: Server) -> None:
    report = probe(at(guarded), SECRETS, policy=ANYWHERE, now=lambda: datetime.now(UTC) - timedelta(seconds=30))

    assert check(report, "clock").code == "clock_skew"
    assert check(report, "clock").found == "30.0 s ahead of rqdash"


def test_a_cluster_is_refused_with_a_sentence(start: Callable[..., Server]) -> None:
    # Without a port of its own the cluster's bus would take the server's port + 10000, which may be above 65535.
    report = examined(at(start("--cluster-enabled", "yes", "--cluster-port", str(free_port()))), Secrets())

    assert failed(report) == {"server": "cluster"}


@pytest.mark.parametrize("secrets", [SECRETS, Secrets()])
def test_a_web_server_is_not_taken_for_redis(secrets: Secrets) -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as (port, _):
        report = examined(Profile("mail", host="127.0.0.1", port=port), secrets)

    assert failed(report) == {"sign_in": "not_redis"}


def test_a_server_that_repeats_the_password_in_its_error_does_not_get_it_shown() -> None:
    with answering(f"-ERR unknown command 'AUTH', with args beginning with: '{SECRETS.password}'\r\n".encode()) as (port, _):
        report = examined(Profile("mail", host="127.0.0.1", port=port))

    assert failed(report) == {"sign_in": "refused_command"}


def test_a_unix_socket_is_tested_too(start: Callable[..., Server], tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    start("--unixsocket", str(path))
    profile = Profile("mail", kind=Kind.UNIX, unix_path=str(path))
    sockets_here = TargetPolicy(unix_dirs=(str(tmp_path),))

    good = examined(profile, Secrets(), policy=sockets_here)
    missing = examined(replace(profile, unix_path=str(tmp_path / "no.sock")), Secrets(), policy=sockets_here)
    outside = examined(profile, Secrets())

    assert warned(good) == {"rq": "rq_not_found"}
    assert failed(missing) == {"tcp": "no_socket"}
    assert failed(outside) == {"target": "target_refused"}
