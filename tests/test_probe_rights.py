"""What the live test says about rights, and the commands it offers to copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rqdash.backends.probe import Status
from rqdash.backends.probe.text import acl_grant, quoted, shown
from rqdash.demo.servers import Server, start_server
from tests.probing import at, check, examined, failed, prepare, warned
from tests.tls import debian_redis


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a password and some RQ keys, and users who may more or less."""
    server = start_server(tmp_path_factory.mktemp("guarded"))
    prepare(server)
    yield server
    server.stop()


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


def test_redis_7_is_asked_about_rights_as_well(tmp_path: Path) -> None:
    server = start_server(tmp_path, executable=debian_redis())
    prepare(server)

    report = examined(at(server, username="nozrem"))
    server.stop()

    assert failed(report) == {"change": "change_denied"}
    assert check(report, "change").command == "ACL SETUSER nozrem +lset +zrem"


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
