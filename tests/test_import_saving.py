"""Beside the stored profiles: what is new, the same or conflicting, what a save does, and that no secret follows to another place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rqdash.errors import Invalid
from rqdash.model.profile import Node, Profile, Secrets, Tls
from rqdash.profiles.importing import Planned, State, plan, save
from rqdash.profiles.readers.filling import fill
from rqdash.profiles.readers.read import read_file
from rqdash.profiles.readers.values import Candidate
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.settings import Settings
from rqdash.store import open_store
from tests.tls import authority

PASSWORD = "fixture-pw"


@pytest.fixture
def profiles(tmp_path: Path) -> Iterator[Profiles]:
    store = open_store("", data_dir=tmp_path)
    yield open_profiles(store, Settings(data_dir=tmp_path))
    store.close()


def candidate(text: str, name: str = "x.py") -> Candidate:
    return read_file(name, text.encode()).candidates[0]


def planned(profiles: Profiles, text: str) -> Planned:
    return plan(candidate(text), profiles.all(), secrets_of=profiles.secrets)


def jobs(host: str = "jobs.example.test", password: str = PASSWORD) -> str:
    return f"REDIS_HOST = {host!r}\nREDIS_PASSWORD = {password!r}\nREDIS_DB = 1\n"


def test_a_new_profile_is_saved_disabled_with_its_secrets(profiles: Profiles) -> None:
    found = planned(profiles, jobs())

    stored = save(profiles, found, by="ada")

    assert found.state is State.NEW
    assert (stored.name, stored.enabled, stored.db) == ("jobs", False, 1)
    assert profiles.secrets(stored).password == PASSWORD


def test_what_is_stored_already_is_the_same_also_when_it_is_enabled_or_has_labels(profiles: Profiles) -> None:
    save(profiles, planned(profiles, jobs()), by="ada")
    stored = profiles.get("jobs")
    profiles.update("jobs", replace(stored, enabled=True, notes="ours", hue="teal"), version=stored.version, by="ada")

    found = planned(profiles, jobs())

    assert (found.state, found.changes) == (State.SAME, ())


def test_a_profile_of_another_name_is_found_by_its_connection(profiles: Profiles) -> None:
    profiles.create(Profile("orders", host="jobs.example.test", db=1), secrets=Secrets(PASSWORD), by="ada")

    found = planned(profiles, jobs())

    assert found.over is not None
    assert (found.state, found.over.name) == (State.SAME, "orders")


def test_a_difference_is_told_field_by_field_and_secrets_without_their_values(profiles: Profiles) -> None:
    save(profiles, planned(profiles, jobs()), by="ada")

    found = planned(profiles, jobs("other.example.test", "fixture-new").replace("REDIS_DB = 1", "REDIS_DB = 2"))
    found = plan(
        replace(found.candidate, profile=replace(found.candidate.profile, name="jobs")), profiles.all(), secrets_of=profiles.secrets
    )

    assert found.state is State.CONFLICTING
    assert [name for name, _, _ in found.changes] == ["host", "db", "password"]
    assert "fixture-" not in repr(found.changes)


def named(found: Candidate, name: str) -> Candidate:
    return replace(found, profile=replace(found.profile, name=name))


def test_saving_over_a_profile_keeps_its_labels_and_disables_it(profiles: Profiles) -> None:
    stored = profiles.create(Profile("jobs", host="jobs.example.test", db=5, notes="ours", protected=True), by="ada")

    saved = save(profiles, plan(candidate(jobs()), [stored]), by="eve", over=True)

    assert (saved.db, saved.notes, saved.protected, saved.enabled, saved.updated_by) == (1, "ours", True, False, "eve")


def test_a_stored_password_does_not_follow_an_import_to_another_host(profiles: Profiles) -> None:
    stored = profiles.create(Profile("jobs", host="jobs.example.test"), secrets=Secrets(PASSWORD), by="ada")
    elsewhere = named(candidate("REDIS_HOST = 'evil.example.test'\n"), "jobs")

    with pytest.raises(Invalid) as refused:
        save(profiles, plan(elsewhere, [stored]), by="eve", over=True)

    assert refused.value.code == "secret_needed"
    assert profiles.get("jobs").host == "jobs.example.test"


def test_a_new_list_of_sentinels_needs_both_passwords(profiles: Profiles) -> None:
    text = "SENTINEL = {{'INSTANCES': [('{}', 1), ('b', 2), ('c', 3)], 'MASTER_NAME': 'jobs'{}}}\n"
    both = ", 'PASSWORD': 'fixture-a', 'SENTINEL_KWARGS': {'password': 'fixture-b'}"
    stored = save(profiles, planned(profiles, text.format("a", both)), by="ada")

    with pytest.raises(Invalid) as refused:
        save(profiles, plan(candidate(text.format("evil", ", 'PASSWORD': 'fixture-a'")), [stored]), by="eve", over=True)

    assert set(refused.value.problems) == {"sentinel_password"}


def test_an_authority_that_the_file_only_names_stays_as_it_is_stored(profiles: Profiles) -> None:
    stored = profiles.create(Profile("jobs", host="h", tls=Tls(enabled=True, ca_pem=authority().pem)), by="ada")
    text = "REDIS_HOST = 'h'\nREDIS_SSL = True\nREDIS_SSL_CA_CERTS = '/etc/ca.pem'\n"

    found = plan(named(candidate(text), "jobs"), [stored])

    assert (found.state, found.changes) == (State.SAME, ())


def test_a_profile_that_needs_values_is_not_saved_until_they_are_filled_in(profiles: Profiles) -> None:
    text = "import os\nREDIS_HOST = os.environ['H']\nREDIS_PORT = os.environ['P']\nREDIS_PASSWORD = os.environ['PW']\n"
    found = candidate(text)

    with pytest.raises(Invalid) as refused:
        save(profiles, plan(found, ()), by="ada")
    filled = fill(found, {"H": "h.example.test", "P": "6380", "PW": PASSWORD})
    stored = save(profiles, plan(filled, ()), by="ada")

    assert set(refused.value.problems) == {"H", "P"}
    assert (stored.host, stored.port, profiles.secrets(stored).password) == ("h.example.test", 6380, PASSWORD)


def test_the_blanks_of_a_url_are_filled_in_where_they_stand() -> None:
    text = "import os\nREDIS_URL = f\"rediss://app:{os.environ['PW']}@{os.environ['H']}:{os.getenv('P', '1')}/{os.environ['DB']}\"\n"

    filled = fill(candidate(text), {"PW": "fixture-p/w@", "H": "h.example.test", "P": "6380", "DB": "4"})

    profile = filled.profile
    assert (profile.host, profile.port, profile.db, profile.username, profile.tls.enabled) == ("h.example.test", 6380, 4, "app", True)
    assert (filled.secrets.password, filled.needs) == ("fixture-p/w@", ())


def test_a_whole_url_a_list_of_sentinels_and_a_master_can_be_filled_in() -> None:
    whole = fill(candidate("import os\nREDIS_URL = os.environ['U']\n"), {"U": "sentinel://:fixture-pw@a:1,b:2/m/3"})
    conf = fill(candidate("sentinel monitor m h 6379 2\n", "sentinel.conf"), {"sentinels": "a:1, b"})

    assert (whole.profile.sentinels, whole.profile.db, whole.secrets.password) == ((Node("a", 1), Node("b", 2)), 3, PASSWORD)
    assert conf.profile.sentinels == (Node("a", 1), Node("b", 26379))


def test_a_value_that_cannot_be_is_refused_by_the_name_of_its_blank() -> None:
    found = candidate("import os\nREDIS_HOST = 'h'\nREDIS_PORT = os.environ['P']\n")

    with pytest.raises(Invalid) as refused:
        fill(found, {"P": "fixture-not-a-port"})

    assert set(refused.value.problems) == {"P"}
    assert "fixture-" not in refused.value.message
