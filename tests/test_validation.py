"""What a profile may be: every problem by its field, with a remedy; what the kind does not use is put aside."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from rqdash.errors import Invalid
from rqdash.model.profile import Kind, Node, Profile, Tls
from rqdash.profiles.validation import Policy, validated

STEADY = settings(derandomize=True, deadline=None)
POLICY = Policy(("/run", "/srv/sockets"))
PLAIN = Profile("orders", host="redis.internal")
SENTINEL = Profile("orders", Kind.SENTINEL, sentinels=(Node("s1", 26379), Node("s2", 26379)), master_name="orders")
UNIX = Profile("orders", Kind.UNIX, unix_path="/run/redis/redis.sock")


def certificate() -> tuple[str, str]:
    """A self-signed certificate and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    began = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), began, began + timedelta(days=1))
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, key.private_bytes(*form).decode()


def problems(profile: Profile, *, taken: tuple[str, ...] = ()) -> dict[str, str]:
    try:
        validated(profile, taken=taken, policy=POLICY)
    except Invalid as error:
        return dict(error.problems)
    return {}


@pytest.mark.parametrize("profile", [PLAIN, SENTINEL, UNIX], ids=lambda profile: profile.kind.value)
def test_a_profile_that_is_right_stays_as_it_is(profile: Profile) -> None:
    assert validated(profile, taken=("mail",), policy=POLICY) == profile


@pytest.mark.parametrize("name", ["", "-a", "Orders", "a b", "a_b", "ä", "a" * 21, "orders\n", "new", "import", "test", "mail", "../x"])
def test_a_name_that_cannot_be_is_refused(name: str) -> None:
    assert list(problems(replace(PLAIN, name=name.replace("\n", "\n?")), taken=("mail",))) == ["name"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("environment", "production-eu"),
        ("environment", "a b"),
        ("hue", "red"),
        ("notes", "ä" * 2049),
        ("notes", "a\x00b"),
        ("notes", "a\udcffb"),
        ("arguments", ""),
        ("arguments", "masked"),
        ("redact", ("a b",)),
        ("redact", ("*",)),
        ("redact", ("*a*b*c*d*",)),
        ("redact", tuple(f"rule{number}" for number in range(51))),
        ("oldest_warn_s", -1),
        ("oldest_warn_s", 2_592_001),
        ("failures_warn_per_hour", -1),
        ("failures_warn_per_hour", 1_000_001),
        ("clock_skew_warn_s", 0.5),
        ("clock_skew_warn_s", float("nan")),
        ("host", ""),
        ("host", "a b"),
        ("host", "redis://h"),
        ("host", "user@h"),
        ("host", "h:6379"),
        ("host", "fe80::1%eth0"),
        ("host", "a..b"),
        ("host", "-a"),
        ("host", "a" * 64),
        ("host", "a." * 127),
        ("host", "höst"),
        ("host", "h\x00"),
        ("port", 0),
        ("port", 65536),
        ("port", -1),
        ("db", -1),
        ("db", 2**31),
        ("username", "a b"),
        ("username", "a\n"),
        ("username", "a" * 129),
        ("prefix", ""),
        ("prefix", "rq*"),
        ("prefix", "r q"),
        ("prefix", "rq\n"),
        ("connect_timeout_s", 0.05),
        ("connect_timeout_s", 10.5),
        ("connect_timeout_s", float("nan")),
        ("read_timeout_s", 0.4),
        ("read_timeout_s", float("inf")),
        ("worker_socket_timeout_s", 405.0),
        ("worker_socket_timeout_s", 2.0),
        ("worker_socket_timeout_s", float("nan")),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_field(field: str, value: object) -> None:
    assert list(problems(replace(PLAIN, **{field: value}))) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "10.0.0.1"),
        ("host", "::1"),
        ("host", "2001:db8::7"),
        ("host", "redis_1.svc.cluster.local."),
        ("prefix", "{rq}:shop.v1"),
        ("environment", ""),
        ("notes", "two\nlines\tand a tab, ünïcode"),
        ("db", 15),
        ("arguments", "hidden"),
        ("redact", ()),
        ("oldest_warn_s", 0),
        ("failures_warn_per_hour", 500),
        ("clock_skew_warn_s", 0.0),
        ("redact", ("x" * 64, "*a?b*")),
        ("worker_socket_timeout_s", 415.0),
        ("worker_socket_timeout_s", 500.0),
        ("worker_socket_timeout_s", None),
        ("connect_timeout_s", 0.1),
        ("read_timeout_s", 10.0),
    ],
)
def test_a_value_at_the_edge_is_taken(field: str, value: object) -> None:
    assert problems(replace(PLAIN, **{field: value})) == {}


def test_the_workers_timeout_is_explained_by_rqs_rule() -> None:
    problem = problems(replace(PLAIN, worker_socket_timeout_s=180.0))["worker_socket_timeout_s"]

    assert "worker TTL, 420 s by default" in problem


def test_every_problem_is_named_at_once() -> None:
    profile = replace(PLAIN, name="", host="", port=0, prefix="", hue="red", read_timeout_s=0.0)

    assert set(problems(profile)) == {"name", "host", "port", "prefix", "hue", "read_timeout_s"}


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("sentinels", {"sentinels": ()}),
        ("sentinels", {"sentinels": (Node("s1", 26379), Node("S1 ", 26379))}),
        ("sentinels", {"sentinels": (Node("s1", 0),)}),
        ("sentinels", {"sentinels": (Node("", 26379),)}),
        ("sentinels", {"sentinels": tuple(Node(f"s{number}", 26379) for number in range(33))}),
        ("master_name", {"master_name": ""}),
        ("master_name", {"master_name": "my master"}),
        ("sentinel_username", {"sentinel_username": "a b"}),
    ],
)
def test_sentinels_that_cannot_be_are_refused_by_field(field: str, change: dict[str, object]) -> None:
    assert list(problems(replace(SENTINEL, **change))) == [field]


def test_the_sentinel_with_the_problem_is_numbered() -> None:
    profile = replace(SENTINEL, sentinels=(Node("s1", 26379), Node("s 2", 26379)))

    assert problems(profile)["sentinels"].startswith("Sentinel 2: ")


@pytest.mark.parametrize(
    "path", ["", "run/redis.sock", "/etc/redis.sock", "/run", "/run/", "/run/../etc/x", "/running/x", "/run/a\nb", "/run/" + "a" * 103]
)
def test_a_socket_elsewhere_is_refused(path: str) -> None:
    assert list(problems(replace(UNIX, unix_path=path.replace("\n", "\x01")))) == ["unix_path"]


def test_a_certificate_is_read() -> None:
    pem, _ = certificate()

    assert problems(replace(PLAIN, tls=Tls(enabled=True, ca_pem=f"{pem}\r\n{pem}"))) == {}


@pytest.mark.parametrize("pem", ["/etc/ssl/ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "ä", "x" * 70_000])
def test_what_is_no_certificate_is_refused_and_not_repeated(pem: str) -> None:
    found = problems(replace(SENTINEL, tls=Tls(enabled=True, ca_pem=pem), sentinel_tls=Tls(enabled=True, ca_pem=pem)))

    assert set(found) == {"ca_pem", "sentinel_ca_pem"}
    assert all(len(problem) < 200 for problem in found.values())


def test_a_private_key_is_refused() -> None:
    pem, key = certificate()

    assert "private key" in problems(replace(PLAIN, tls=Tls(enabled=True, ca_pem=pem + key)))["ca_pem"]


def test_what_the_kind_does_not_use_is_put_aside() -> None:
    busy = replace(SENTINEL, host="old", port=1, unix_path="/nowhere", sentinel_username="watch", sentinel_tls=Tls(enabled=True))

    as_sentinel = validated(busy, taken=(), policy=POLICY)
    as_plain = validated(replace(busy, kind=Kind.STANDALONE), taken=(), policy=POLICY)

    assert (as_sentinel.host, as_sentinel.port, as_sentinel.unix_path) == ("localhost", 6379, "")
    assert (as_plain.sentinels, as_plain.master_name, as_plain.sentinel_username, as_plain.sentinel_tls) == ((), "", "", Tls())


def test_texts_are_tidied() -> None:
    messy = replace(PLAIN, name=" orders ", host=" [2001:DB8::1] ", notes=" a\r\nb ", environment=" prod ", tls=Tls(verify=False))

    tidy = validated(messy, taken=(), policy=POLICY)

    assert (tidy.name, tidy.host, tidy.notes, tidy.environment, tidy.tls) == ("orders", "2001:db8::1", "a\nb", "prod", Tls())


def test_without_verification_no_host_name_is_checked() -> None:
    tidy = validated(replace(PLAIN, tls=Tls(enabled=True, verify=False)), taken=(), policy=POLICY)

    assert tidy.tls.check_hostname is False


PROFILES = st.builds(
    Profile,
    name=st.text(max_size=25),
    kind=st.sampled_from(Kind),
    host=st.text(max_size=30),
    port=st.integers(),
    unix_path=st.text(max_size=120),
    sentinels=st.lists(st.builds(Node, st.text(max_size=20), st.integers()), max_size=4).map(tuple),
    master_name=st.text(max_size=20),
    db=st.integers(),
    username=st.text(max_size=20),
    tls=st.builds(Tls, st.booleans(), st.booleans(), st.booleans(), st.text(max_size=40)),
    connect_timeout_s=st.floats(),
    read_timeout_s=st.floats(),
    prefix=st.text(max_size=10),
    hue=st.text(max_size=10),
    environment=st.text(max_size=12),
    notes=st.text(max_size=40),
)


@STEADY
@given(PROFILES)
def test_any_profile_is_refused_as_invalid_or_tidied_for_good(profile: Profile) -> None:
    try:
        tidy = validated(profile, taken=(), policy=POLICY)
    except Invalid:
        assert problems(profile)
    else:
        assert validated(tidy, taken=(), policy=POLICY) == tidy
