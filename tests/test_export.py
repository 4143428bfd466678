"""rqdash export: that what goes out comes back, and that secrets go out only under a passphrase."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rqdash.cli import main
from rqdash.errors import Invalid
from rqdash.model.profile import ARGUMENTS, HUES, REDACTED, Kind, Node, Profile, Secrets, Tls
from rqdash.profiles.export import decrypted, encrypted_export, is_encrypted, own_export, url
from rqdash.profiles.readers.plain import STATE
from rqdash.profiles.readers.read import read_file
from rqdash.profiles.readers.values import Outcome
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.profiles.url import profile_from_url
from rqdash.profiles.usage import settings_module
from rqdash.profiles.validation import Policy, validated
from rqdash.settings import Settings
from rqdash.store import open_store
from tests.tls import authority

PASSPHRASE = "paper lantern orbit"
HOSTS = ("h", "redis-1.example.test", "192.0.2.7", "2001:db8::7", "x_y.example.test")
MANY = 500


@pytest.fixture(scope="module")
def pem() -> str:
    return authority().pem


def some_tls(rng: random.Random, pem: str) -> Tls:
    return Tls(True, rng.random() < 0.8, rng.random() < 0.8, rng.choice(("", pem)), rng.choice(("", "sni.example.test")))


def generated(rng: random.Random, number: int, pem: str) -> Profile:
    """A profile as it could be stored: any field an editor sets, and any combination."""
    kind = rng.choice(list(Kind))
    profile = Profile(
        f"p-{number}",
        kind=kind,
        host=rng.choice(HOSTS),
        port=rng.randint(1, 65535),
        unix_path=rng.choice(("/run/redis.sock", "/run/a b/ü.sock")),
        sentinels=tuple(Node(rng.choice(HOSTS), 1000 + position) for position in range(rng.randint(1, 5))),
        master_name=rng.choice(("mymaster", "Jobs_EU.main", "m-1")),
        db=rng.choice((0, 1, 15, 2**31 - 1)),
        username=rng.choice(("", "app", "a/b@c:d%e")),
        sentinel_username=rng.choice(("", "watch")),
        tls=some_tls(rng, pem) if rng.random() < 0.5 else Tls(),
        sentinel_tls=some_tls(rng, pem) if rng.random() < 0.5 else Tls(),
        connect_timeout_s=rng.choice((0.1, 1.0, 2.5, 10.0)),
        read_timeout_s=rng.choice((0.5, 2.0, 9.75)),
        worker_socket_timeout_s=rng.choice((None, 415.0, 430.5, 86400.0)),
        prefix=rng.choice(("rq", "{jobs}", "a.b:c-d")),
        hue=rng.choice(HUES),
        environment=rng.choice(("", "prod", "Staging-1")),
        protected=rng.random() < 0.5,
        read_only=rng.random() < 0.5,
        enabled=rng.random() < 0.5,
        arguments=rng.choice(ARGUMENTS),
        redact=rng.choice((REDACTED, (), ("*pin*", "x?z"), ("*пароль*",))),
        oldest_warn_s=rng.choice((0, 60, 300)),
        failures_warn_per_hour=rng.choice((0, 1, 5000)),
        clock_skew_warn_s=rng.choice((0.0, 2.5, 3600.0)),
        notes=rng.choice(("", "two\nlines", "a\ttab, ü and 🦊", '"quotes" \\ and </script>')),
    )
    return validated(profile, taken=(), policy=Policy(("/run",)))


def bare(profile: Profile) -> Profile:
    """Without what only a stored profile has."""
    plain = Profile("")
    return replace(profile, **{name: getattr(plain, name) for name in STATE})  # type: ignore[arg-type]


def test_five_hundred_profiles_come_back_as_they_were(pem: str) -> None:
    rng = random.Random(20_263)
    profiles = [generated(rng, number, pem) for number in range(MANY)]

    found = read_file("export.json", own_export(profiles).encode())

    assert (found.format, found.outcome) == ("rqdash/1", Outcome.ACCEPT)
    assert [bare(candidate.profile) for candidate in found.candidates] == profiles
    assert len({profile.address for profile in profiles}) > 100


def test_five_hundred_profiles_come_back_with_their_secrets_through_a_passphrase(pem: str) -> None:
    rng = random.Random(20_264)
    pairs = [
        (generated(rng, number, pem), Secrets(rng.choice((None, f"fixture-{number}", "ü 🦊\n")), rng.choice((None, f"fixture-s{number}"))))
        for number in range(MANY)
    ]

    content = encrypted_export(pairs, PASSPHRASE).encode()
    found = read_file("export.json", decrypted(content, PASSPHRASE))

    assert is_encrypted(content)
    assert b"fixture-" not in content
    assert b"example.test" not in content
    assert [(bare(candidate.profile), candidate.secrets) for candidate in found.candidates] == pairs
    assert "fixture-" not in repr(found)


def test_an_export_without_secrets_says_which_are_missing() -> None:
    found = read_file("x.json", own_export([Profile("jobs", has_password=True)]).encode())

    assert [(need.name, need.is_secret) for need in found.candidates[0].needs] == [("password", True)]


def test_a_wrong_passphrase_a_short_one_and_a_changed_export_are_refused() -> None:
    content = encrypted_export([(Profile("jobs"), Secrets("fixture-pw"))], PASSPHRASE)
    costly = json.loads(content)
    costly["encrypted"]["n"] = 2**30

    with pytest.raises(Invalid, match="wrong"):
        decrypted(content.encode(), "another long phrase")
    with pytest.raises(Invalid, match="at least"):
        encrypted_export([], "short")
    with pytest.raises(Invalid, match="does not know"):
        decrypted(json.dumps(costly).encode(), PASSPHRASE)
    with pytest.raises(Invalid, match="no whole"):
        decrypted(b'{"format": "rqdash/1", "encrypted": 3}', PASSPHRASE)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"format": "rqdash/2"}, "newer-format"),
        ({"profiles": 3}, "no-profiles"),
        ({"profiles": [{"name": "a", "port": "x"}]}, "bad-value"),
        ({"profiles": [{"name": "a", "kind": "cluster"}]}, "bad-value"),
        ({"profiles": [{"name": "a", "sentinels": [{"host": "h"}]}]}, "bad-value"),
        ({"profiles": [{"name": "a", "tls": {"enabled": "yes"}}]}, "bad-value"),
        ({"profiles": [{"name": "a", "db": -1}]}, "invalid"),
        ({"profiles": [{"name": "a", "secrets": {"password": 3}}]}, "bad-value"),
    ],
)
def test_an_export_that_somebody_changed_is_refused_with_the_place(change: dict[str, object], code: str) -> None:
    found = read_file("x.json", json.dumps({"format": "rqdash/1", "profiles": [], **change}).encode())

    assert (found.outcome, found.findings[0].code) == (Outcome.REFUSE, code)


def test_a_field_of_a_newer_rqdash_is_left_out_with_a_warning() -> None:
    found = read_file("x.json", b'{"format": "rqdash/1", "profiles": [{"name": "a", "host": "h", "shade": "x"}]}')

    assert (found.outcome, found.findings[0].code, found.candidates[0].profile.host) == (Outcome.ACCEPT, "unknown-key", "h")


def reachable(rng: random.Random, number: int, pem: str) -> Profile:
    """A profile that RQ can use, with certificates only where something is checked against them."""
    profile = generated(rng, number, pem)
    tls, sentinel_tls = (
        replace(side, server_name="", ca_pem=side.ca_pem if side.verify else "") for side in (profile.tls, profile.sentinel_tls)
    )
    return replace(
        profile, prefix="rq", tls=tls, sentinel_tls=sentinel_tls, has_password=True, has_sentinel_password=profile.kind is Kind.SENTINEL
    )


PLACE = ("kind", "host", "port", "unix_path", "sentinels", "master_name", "db", "username", "sentinel_username", "tls", "sentinel_tls")


def place(profile: Profile) -> dict[str, object]:
    return {name: getattr(profile, name) for name in PLACE}


def test_an_exported_settings_file_comes_back_as_the_same_connection_with_its_secrets_to_fill_in(pem: str) -> None:
    rng = random.Random(20_265)

    for number in range(40):
        profile = reachable(rng, number, pem)
        found = read_file("settings.py", settings_module(profile).encode())

        needs = {slot for need in found.candidates[0].needs for slot in need.fields}
        assert found.outcome is Outcome.ACCEPT, (profile, found.findings)
        assert place(found.candidates[0].profile) == place(profile)
        assert needs == ({"password", "sentinel_password"} if profile.kind is Kind.SENTINEL else {"password"})


def test_a_url_comes_back_as_the_same_connection(pem: str) -> None:
    rng = random.Random(20_266)

    for number in range(200):
        profile = reachable(rng, number, pem)
        sides = replace(profile.tls, ca_pem="")
        profile = replace(profile, tls=sides, sentinel_tls=sides if profile.kind is Kind.SENTINEL else Tls())

        found, secrets = profile_from_url(url(profile))

        assert place(validated(replace(found, name="x"), taken=(), policy=Policy(("/run",)))) == place(profile)
        assert secrets == Secrets()


def test_tls_on_one_side_only_has_no_url() -> None:
    profile = Profile("jobs", Kind.SENTINEL, sentinels=(Node("h", 1),), master_name="m", tls=Tls(enabled=True))

    with pytest.raises(Invalid, match="one side"):
        url(profile)


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def _run(*arguments: str, stdin: str = "") -> Result:
        kept = {name: None for name in os.environ if name.startswith("RQDASH_")}
        return CliRunner().invoke(main, arguments, input=stdin, env={**kept, "RQDASH_DATA_DIR": str(tmp_path / "data")})

    return _run


@pytest.fixture
def profiles(tmp_path: Path) -> Iterator[Profiles]:
    store = open_store("", data_dir=tmp_path / "data")
    found = open_profiles(store, Settings(data_dir=tmp_path / "data"))
    found.create(Profile("jobs", host="h.example.test", db=1), secrets=Secrets("fixture-pw"), by="ada")
    found.create(Profile("mail", host="m.example.test"), by="ada")
    yield found
    store.close()


@pytest.mark.parametrize("kind", ["rqdash", "rq-settings", "url"])
def test_no_format_holds_a_secret(run: Run, profiles: Profiles, kind: str) -> None:
    exported = run("export", "jobs", "--format", kind)

    assert exported.exit_code == 0
    assert "h.example.test" in exported.stdout
    assert "fixture-" not in exported.stdout


def test_everything_is_exported_when_nothing_is_named(run: Run, profiles: Profiles) -> None:
    exported = run("export", "--format", "url")

    assert exported.stdout.splitlines() == ["redis://h.example.test:6379/1", "redis://m.example.test:6379/0"]


def test_a_settings_file_is_for_one_connection_and_an_unknown_name_is_a_sentence(run: Run, profiles: Profiles) -> None:
    several, unknown = run("export", "--format", "rq-settings"), run("export", "nobody")

    assert (several.exit_code, unknown.exit_code) == (1, 1)
    assert "Name it" in several.stderr


def test_secrets_go_out_and_in_under_a_passphrase(run: Run, profiles: Profiles, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text(run("export", "--with-secrets", "--passphrase-stdin", stdin=f"{PASSPHRASE}\n").stdout)
    profiles.delete("jobs", version=profiles.get("jobs").version, by="ada")

    wrong = run("import", str(file), "--all", "--passphrase-stdin", stdin="not the passphrase\n")
    right = run("import", str(file), "--all", "--passphrase-stdin", stdin=f"{PASSPHRASE}\n")

    assert (wrong.exit_code, right.exit_code) == (1, 0)
    assert profiles.secrets(profiles.get("jobs")).password == "fixture-pw"


def test_secrets_in_another_format_are_a_mistake_in_the_command(run: Run, profiles: Profiles) -> None:
    assert run("export", "jobs", "--format", "url", "--with-secrets").exit_code == 2
