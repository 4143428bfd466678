"""The staged live test of a profile, against servers that are right and wrong in every way it knows."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rqdash.backends.policy import TargetPolicy
from rqdash.backends.probe import Check, Report, Status, probe, stages
from rqdash.backends.probe.text import acl_grant, quoted, shown
from rqdash.demo.servers import SentinelGroup, Server, free_port, start_server
from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls
from tests.groups import MASTER_NAME, group_profile, master_node, start_group
from tests.processes import wait_until
from tests.tls import TlsServer, debian_redis, start_tls_server

ANYWHERE = TargetPolicy()
SECRETS = Secrets("correct horse battery staple", "tr0ub4dor and three")


def examined(profile: Profile, secrets: Secrets = SECRETS, *, policy: TargetPolicy = ANYWHERE, budget_s: float = 8.0) -> Report:
    """Every test of this file goes through here: each report has all its stages, in order, and shows no password."""
    report = probe(profile, secrets, policy=policy, budget_s=budget_s)

    assert [check.stage for check in report.checks] == [check.stage for check in stages(profile)]
    for secret in (secrets.password, secrets.sentinel_password):
        assert not secret or secret not in repr(report)
    for check in report.checks:
        assert check.status in (Status.OK, Status.SKIPPED) or (check.code and check.cause), check
        assert check.status is not Status.FAILED or check.remedy or check.command, check
    return report


def check(report: Report, stage: str) -> Check:
    return next(check for check in report.checks if check.stage == stage)


def failed(report: Report) -> dict[str, str]:
    """Stages that failed, with their codes."""
    return {check.stage: check.code for check in report.checks if check.status is Status.FAILED}


def warned(report: Report) -> dict[str, str]:
    return {check.stage: check.code for check in report.checks if check.status is Status.WARNING}


def not_tried(report: Report) -> set[str]:
    return {check.stage for check in report.checks if check.found == "not tried"}


def at(server: Server, **fields: object) -> Profile:
    return replace(Profile("mail", host="127.0.0.1", port=server.port), **fields)  # type: ignore[arg-type]


INSIDE = {"server", "database", "rq", "read", "change", "clock", "eviction"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a password and some RQ keys, and users who may more or less."""
    server = start_server(tmp_path_factory.mktemp("guarded"))
    _prepare(server)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    made = start_tls_server(tmp_path_factory.mktemp("tls"))
    _prepare(made.server)
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelGroup]:
    made = start_group(tmp_path_factory.mktemp("group"))
    yield made
    made.stop()


USERS = {
    "whole": "~rq:* &rq:* +@all -@dangerous +info +acl|whoami +acl|dryrun",
    "quiet": "~rq:* &rq:* +@all -@dangerous",
    "nozrem": "~rq:* &rq:* +@all -zrem -lset",
    "reader": "~rq:* +@read +@connection +@scripting +info +time +pubsub|numsub -@write",
    "plain": "~rq:* +@read +@connection +time",
    "stranger": "~other:* &other:* +@all",
    'ann"\\x': "~rq:* &rq:* +@all -zrem",
    "mute": "~rq:* &rq:* +@all -hello -info",
}


def _prepare(server: Server) -> None:
    with server.client() as admin:
        for name, rules in USERS.items():
            admin.execute_command("ACL", "SETUSER", name, "on", f">{SECRETS.password}", *rules.split())
        admin.sadd("rq:queues", "rq:queue:mail", "rq:queue:high")
        admin.sadd("rq:workers", "rq:worker:w1")
        admin.hset("rq:worker:w1", "version", "3.0.0")
        admin.config_set("requirepass", SECRETS.password)
    server.password = SECRETS.password


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
        assert used & {command.decode() for command in client.acl_cat("write")} == set()


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


def test_a_user_who_lacks_commands_gets_the_command_that_grants_them(guarded: Server) -> None:
    report = examined(at(guarded, username="nozrem"))

    assert failed(report) == {"change": "change_denied"}
    assert check(report, "change").found == "19 of 21 commands"
    assert check(report, "change").cause == "Redis user nozrem may not run lset and zrem."
    assert check(report, "change").command == "ACL SETUSER nozrem +lset +zrem"
    with guarded.client() as admin:
        assert admin.execute_command(*check(report, "change").command.split()) == b"OK"
    assert check(examined(at(guarded, username="nozrem")), "change").status is Status.OK


def test_a_hostile_user_name_is_quoted_in_the_command(guarded: Server) -> None:
    report = examined(at(guarded, username='ann"\\x'))

    assert check(report, "change").command == r'ACL SETUSER "ann\"\\x" +zrem'


def test_rights_that_may_not_be_asked_about_are_unknown_with_the_reason(guarded: Server) -> None:
    report = examined(at(guarded, username="quiet"))

    assert failed(report) == {}
    assert check(report, "read").status is Status.WARNING
    assert check(report, "read").cause == "Redis user quiet may not run info."
    assert (check(report, "change").status, check(report, "change").code) == (Status.SKIPPED, "rights_unknown")
    assert (check(report, "eviction").status, check(report, "eviction").code) == (Status.SKIPPED, "denied")


def test_a_reading_user_is_enough_for_a_read_only_profile(guarded: Server) -> None:
    report = examined(at(guarded, username="reader", read_only=True))

    assert report.verdict is Status.OK
    assert check(report, "change").found == "not needed: read-only here"


def test_pages_do_without_scripts_and_info(guarded: Server) -> None:
    report = examined(at(guarded, username="plain", read_only=True))

    assert failed(report) == {}
    assert warned(report) == {"read": "read_limited"}


def test_a_user_of_other_keys_gets_the_pattern_it_lacks(guarded: Server) -> None:
    report = examined(at(guarded, username="stranger"))

    assert failed(report) == {"rq": "denied", "read": "read_denied", "change": "change_denied"}
    assert check(report, "read").command == "ACL SETUSER stranger ~rq:*"
    assert check(report, "change").command == "ACL SETUSER stranger ~rq:* &rq:*"


def test_a_user_without_hello_and_info_may_still_pass(guarded: Server) -> None:
    report = examined(at(guarded, username="mute"))

    assert failed(report) == {}
    assert check(report, "server").status is Status.OK


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


def test_a_replica_is_warned_about_with_its_master(group: SentinelGroup) -> None:
    report = examined(at(group.replicas[0]), Secrets())

    assert warned(report)["server"] == "replica"
    assert str(master_node(group)) in check(report, "server").remedy


def test_a_cluster_is_refused_with_a_sentence(start: Callable[..., Server]) -> None:
    report = examined(at(start("--cluster-enabled", "yes")), Secrets())

    assert failed(report) == {"server": "cluster"}


def test_a_sentinel_used_as_data_server_is_recognised(group: SentinelGroup) -> None:
    report = examined(at(group.sentinels[0]), Secrets())

    assert failed(report) == {"server": "is_sentinel"}


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


def secure(made: TlsServer, *, host: str = "localhost", port: int | None = None, **tls: object) -> Profile:
    settings = replace(Tls(enabled=True, ca_pem=made.authority.pem), **tls)  # type: ignore[arg-type]
    return Profile("mail", host=host, port=made.tls_port if port is None else port, tls=settings)


def test_tls_shows_its_version_and_when_the_certificate_expires(tls_server: TlsServer) -> None:
    report = examined(secure(tls_server))

    assert report.verdict is Status.OK
    assert check(report, "tls").found == "1.3, expires in 71 days"


def test_every_fault_of_tls_has_its_own_words(tls_server: TlsServer) -> None:
    faults = {
        "tls_unknown_ca": secure(tls_server, ca_pem=""),
        "tls_name": secure(tls_server, host="127.0.0.1"),
        "tls_not_offered": secure(tls_server, port=tls_server.server.port),
        "tls_expected": replace(secure(tls_server), tls=Tls()),
        "tls_bad_ca": secure(tls_server, ca_pem="not a certificate"),
    }

    found = {code: failed(examined(profile)) for code, profile in faults.items()}

    assert found == {code: {"tls": code} for code in faults}


def test_an_unverified_certificate_is_warned_about(tls_server: TlsServer) -> None:
    report = examined(secure(tls_server, host="127.0.0.1", verify=False))

    assert warned(report) == {"tls": "tls_unverified"}
    assert check(report, "tls").found == "1.3, expires in 71 days"


def test_a_server_that_wants_a_certificate_of_the_client_is_understood(tmp_path: Path) -> None:
    made = start_tls_server(tmp_path, "--tls-auth-clients", "yes")

    report = examined(secure(made), Secrets())
    made.server.stop()

    assert failed(report) == {"sign_in": "tls_client_cert_needed"}


def test_redis_7_is_asked_about_rights_as_well(tmp_path: Path) -> None:
    server = start_server(tmp_path, executable=debian_redis())
    _prepare(server)

    report = examined(at(server, username="nozrem"))
    server.stop()

    assert failed(report) == {"change": "change_denied"}
    assert check(report, "change").command == "ACL SETUSER nozrem +lset +zrem"


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


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[SentinelGroup]:
    """A group with one sentinel, for a test that changes it."""
    made = start_group(tmp_path, sentinels=1, replicas=2)
    yield made
    made.stop()


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


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("rqdash", "rqdash"),
        ("~rq:*", "~rq:*"),
        ("a b", '"a b"'),
        ('a"b\\', r'"a\"b\\"'),
        ("é\n", r'"\xc3\xa9\x0a"'),
        ("$(x)", '"$(x)"'),
        ("", '""'),
    ],
)
def test_words_are_quoted_as_redis_cli_reads_them(word: str, text: str) -> None:
    assert quoted(word) == text


def test_a_grant_names_patterns_then_commands() -> None:
    assert acl_grant("ann", commands=("zrem", "script|load"), patterns=("~rq:*",)) == "ACL SETUSER ann ~rq:* +zrem +script|load"


def test_what_a_server_says_is_cut_and_made_printable() -> None:
    assert shown("7.0\x1b[31m" + "x" * 100) == "7.0�[31m" + "x" * 72 + "…"


class _Answerer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class answering:  # noqa: N801 - used like a function: with answering(...) as (port, seen)
    """A server that answers anything with the same bytes, or drips one byte after another; seen notes what it received."""

    def __init__(self, reply: bytes, *, pause_s: float = 0.0, drip: bytes = b"") -> None:
        seen: list[bytes] = []
        over = self._over = threading.Event()

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                while data := self.request.recv(4096):
                    seen.append(data)
                    self.request.sendall(reply)
                    while drip and not over.wait(pause_s):
                        self.request.sendall(drip)
                    if not drip:
                        return

        self._seen = seen
        self._server = _Answerer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> tuple[int, list[bytes]]:
        self._thread.start()
        return self._server.server_address[1], self._seen

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
