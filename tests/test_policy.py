"""Which addresses may be connected to."""

from __future__ import annotations

from pathlib import Path

import pytest

from rqdash.backends.policy import TargetPolicy
from rqdash.errors import Refused


@pytest.mark.parametrize(
    "ip",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "224.0.0.1",
        "ff02::1",
        "0.0.0.0",
        "0.0.0.1",
        "::ffff:0.0.0.0",
        "::",
        "255.255.255.255",
    ],
)
def test_some_addresses_are_denied_whatever_is_allowed(ip: str) -> None:
    policy = TargetPolicy(allowed=("0.0.0.0/0", "::/0", "*"))

    with pytest.raises(Refused) as refused:
        policy.check_address(ip, 6379, "redis.example", backend="mail")

    assert refused.value.code == "target_refused"
    assert refused.value.backend == "mail"


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "10.0.0.5", "192.0.2.7", "::ffff:10.0.0.5", "2001:db8::1"])
def test_without_a_list_everything_else_is_allowed_and_loopback_too(ip: str) -> None:
    policy = TargetPolicy()

    policy.check_address(ip, 6379, "redis.example")


@pytest.mark.parametrize(
    ("entry", "ip", "port", "host"),
    [
        ("10.0.0.0/8", "10.1.2.3", 6379, "cache"),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 6379, "cache"),
        ("10.1.2.3", "10.1.2.3", 1, "cache"),
        ("10.0.0.0/8:6379", "10.1.2.3", 6379, "cache"),
        ("fd00::/8", "fd12::1", 6379, "cache"),
        ("[fd00::]/8:6379", "fd12::1", 6379, "cache"),
        ("[fd12::1]:6379", "fd12::1", 6379, "cache"),
        ("*.prod.internal", "192.0.2.1", 6379, "Redis-1.Prod.Internal"),
        ("*.prod.internal:26379", "192.0.2.1", 26379, "s1.prod.internal."),
    ],
)
def test_an_entry_allows_what_it_matches(entry: str, ip: str, port: int, host: str) -> None:
    policy = TargetPolicy(allowed=("203.0.113.0/24", entry))

    policy.check_address(ip, port, host)


@pytest.mark.parametrize(
    ("entry", "ip", "port", "host"),
    [
        ("10.0.0.0/8", "11.0.0.1", 6379, "10.0.0.1"),
        ("10.0.0.0/8:6379", "10.0.0.1", 6380, "cache"),
        ("*.prod.internal", "10.0.0.1", 6379, "prod.internal"),
        ("*.prod.internal", "10.0.0.1", 6379, "x.prod.internal.evil.example"),
        ("10.0.0.0/99", "10.0.0.1", 6379, "cache"),
        ("", "10.0.0.1", 6379, "cache"),
    ],
)
def test_what_no_entry_matches_is_refused(entry: str, ip: str, port: int, host: str) -> None:
    policy = TargetPolicy(allowed=(entry,))

    with pytest.raises(Refused):
        policy.check_address(ip, port, host)


def test_a_socket_is_opened_only_in_the_directories_for_sockets(tmp_path: Path) -> None:
    allowed = tmp_path / "run"
    allowed.mkdir()
    policy = TargetPolicy(unix_dirs=(str(allowed),))

    real = policy.check_path(str(allowed / "redis" / ".." / "redis.sock"))

    assert real == str(allowed.resolve() / "redis.sock")


@pytest.mark.parametrize("path", ["elsewhere/redis.sock", "run/../elsewhere/redis.sock", "run-away/redis.sock", "run/link.sock"])
def test_no_way_leads_out_of_the_directories_for_sockets(tmp_path: Path, path: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "link.sock").symlink_to(tmp_path / "elsewhere" / "redis.sock")
    policy = TargetPolicy(unix_dirs=(str(tmp_path / "run"),))

    with pytest.raises(Refused):
        policy.check_path(str(tmp_path / path))


@pytest.mark.parametrize(("port", "may"), [(6378, False), (6379, True), (6385, True), (6390, True), (6391, False)])
def test_a_range_of_ports_is_one_from_end_to_end(port: int, may: bool) -> None:
    policy = TargetPolicy(("10.0.0.0/8:6379-6390",))

    try:
        policy.check_address("10.1.2.3", port, "redis-1")
        reached = True
    except Refused:
        reached = False

    assert reached is may
