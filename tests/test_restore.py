"""The way back: a profile becomes what it was, and no secret goes where it was not typed for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rqdash.errors import Invalid, NotFound, Stale
from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.profiles.secrets import Clear, SecretEdits, Set
from rqdash.settings import Settings
from rqdash.store import Store
from tests.tls import authority

ORDERS = Profile("orders", host="10.0.0.1", notes="first")
PASSWORD = Secrets("hunter22")


@pytest.fixture
def profiles(store: Store) -> Profiles:
    return open_profiles(store, Settings(data_dir=store.data_dir))


def edited(profiles: Profiles, called: str = "orders", /, *, edits: SecretEdits | None = None, **fields: object) -> Profile:
    profile = profiles.get(called)
    return profiles.update(called, replace(profile, **fields), edits=edits, version=profile.version, by="mira")  # type: ignore[arg-type]


def test_a_profile_becomes_what_it_was_as_an_edit_of_its_own(profiles: Profiles) -> None:
    profiles.create(ORDERS, secrets=PASSWORD, by="mira")
    edited(profiles, notes="second", db=3, prefix="shop")

    back = profiles.restore("orders", 1, version=2, by="anna")

    assert (back.version, back.notes, back.db, back.prefix, back.updated_by) == (3, "first", 0, "rq", "anna")
    assert profiles.secrets(back) == PASSWORD
    newest = profiles.revisions("orders")[0]
    assert (newest.verb, newest.by) == ("restore", "anna")
    assert {name: after for name, _, after in newest.changes} == {"db": "0", "prefix": "rq", "notes": "first"}


def test_the_name_of_now_stays(profiles: Profiles) -> None:
    profiles.create(ORDERS, by="mira")
    edited(profiles, name="sales", notes="second")

    back = profiles.restore("sales", 1, version=2, by="anna")

    assert (back.name, back.notes) == ("sales", "first")


def test_a_secret_that_would_go_elsewhere_is_cleared_and_the_revision_says_so(profiles: Profiles) -> None:
    profiles.create(ORDERS, secrets=PASSWORD, by="mira")
    edited(profiles, host="10.0.0.2", edits=SecretEdits(Set("hunter33")))

    back = profiles.restore("orders", 1, version=2, by="anna")

    assert (back.host, back.has_password) == ("10.0.0.1", False)
    assert set(profiles.revisions("orders")[0].changes) == {("host", "10.0.0.2", "10.0.0.1"), ("password", "set", "cleared")}


def test_the_sentinels_secrets_follow_the_same_rule(profiles: Profiles) -> None:
    group = Profile("orders", Kind.SENTINEL, sentinels=(Node("s1", 1),), master_name="m")
    profiles.create(group, secrets=Secrets("hunter22", "hunter33"), by="mira")
    edited(profiles, sentinel_username="watcher", edits=SecretEdits(sentinel_password=Set("hunter44")))

    back = profiles.restore("orders", 1, version=2, by="anna")

    assert profiles.secrets(back) == Secrets("hunter22")


def test_a_certificate_comes_back_only_with_its_key(profiles: Profiles) -> None:
    ours = authority()
    (old, old_key), (new, new_key) = ours.client(), ours.client()
    profiles.create(replace(ORDERS, tls=Tls(enabled=True, client_cert_pem=old)), secrets=Secrets(client_key=old_key), by="mira")
    edited(profiles, notes="second")
    edited(profiles, tls=Tls(enabled=True, client_cert_pem=new), edits=SecretEdits(client_key=Set(new_key)))

    without = profiles.restore("orders", 1, version=3, by="anna")
    again = profiles.restore("orders", 3, version=4, by="anna")

    assert (without.tls, without.has_client_key) == (Tls(enabled=True), False)
    assert (again.tls, again.has_client_key) == (Tls(enabled=True), False)


def test_a_certificate_whose_key_is_still_there_comes_back(profiles: Profiles) -> None:
    pem, key = authority().client()
    tls = Tls(enabled=True, client_cert_pem=pem)
    profiles.create(replace(ORDERS, tls=tls), secrets=Secrets(client_key=key), by="mira")
    edited(profiles, notes="second")

    back = profiles.restore("orders", 1, version=2, by="anna")

    assert (back.tls.client_cert_pem, profiles.secrets(back).client_key) == (pem.strip(), key)


def test_the_version_of_now_restores_to_itself(profiles: Profiles) -> None:
    before = profiles.create(ORDERS, secrets=PASSWORD, by="mira")

    assert profiles.restore("orders", 1, version=1, by="anna") == before


@pytest.mark.parametrize("revision", [0, 2, 99])
def test_a_version_that_never_was_is_not_found(profiles: Profiles, revision: int) -> None:
    profiles.create(ORDERS, by="mira")

    with pytest.raises(NotFound, match="no version"):
        profiles.restore("orders", revision, version=1, by="anna")


def test_another_profile_s_version_is_not_one_of_this(profiles: Profiles) -> None:
    profiles.create(replace(ORDERS, name="mail"), by="mira")
    edited(profiles, "mail", notes="second")
    profiles.create(ORDERS, by="mira")

    with pytest.raises(NotFound):
        profiles.restore("orders", 2, version=1, by="anna")


def test_a_stale_page_restores_nothing(profiles: Profiles) -> None:
    profiles.create(ORDERS, by="mira")
    edited(profiles, notes="second")
    edited(profiles, notes="third")

    with pytest.raises(Stale) as raised:
        profiles.restore("orders", 1, version=2, by="anna")

    assert raised.value.changes == (("notes", "second", "third"),)


def test_what_the_rules_no_longer_allow_does_not_come_back(store: Store) -> None:
    before = open_profiles(store, Settings(data_dir=store.data_dir, unix_socket_dirs=("/srv",)))
    before.create(Profile("orders", Kind.UNIX, unix_path="/srv/redis.sock"), by="mira")
    edited(before, kind=Kind.STANDALONE, host="h")
    after = open_profiles(store, Settings(data_dir=store.data_dir))

    with pytest.raises(Invalid) as raised:
        after.restore("orders", 1, version=2, by="anna")

    assert list(raised.value.problems) == ["unix_path"]


PLACES = st.fixed_dictionaries(
    {},
    optional={
        "host": st.sampled_from(["10.0.0.1", "10.0.0.2"]),
        "username": st.sampled_from(["", "u"]),
        "tls": st.sampled_from([Tls(), Tls(enabled=True), Tls(enabled=True, server_name="other")]),
    },
)
STEPS = st.lists(
    st.one_of(st.tuples(PLACES, st.sampled_from([SecretEdits(Set("typed")), SecretEdits(Clear())])), st.integers(1, 6)), max_size=7
)


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_no_way_back_and_forth_sends_a_secret_where_it_was_not_typed_for(profiles: Profiles, steps: list[object]) -> None:
    for name in profiles.names:
        profiles.delete(name, version=profiles.get(name).version, by="mira")
    profile = profiles.create(ORDERS, secrets=PASSWORD, by="mira")
    typed_for = _place(profile)

    for step in steps:
        if isinstance(step, tuple):
            profile = edited(profiles, edits=step[1], **step[0])
            typed_for = _place(profile) if step[1].password == Set("typed") else typed_for
            continue
        revisions = profiles.revisions("orders")
        profile = profiles.restore("orders", revisions[step % len(revisions)].version, version=profile.version, by="mira")

        assert not profile.has_password or _place(profile) == typed_for


def _place(profile: Profile) -> tuple[object, ...]:
    return profile.host, profile.username, profile.tls
