"""The registry of profiles: edits, versions, secrets that go nowhere new, and other processes that see every edit at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from rqdash.errors import Conflict, Invalid, NotFound, Stale
from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.profiles.secrets import Clear, Keep, SecretEdits, Set
from rqdash.settings import Settings
from rqdash.store import Store
from rqdash.store.tables import ProfileRow, SecretRow
from tests.databases import everything_stored

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ORDERS = Profile("orders", host="10.0.0.1")
GROUP = Profile("orders", Kind.SENTINEL, sentinels=(Node("s1", 26379), Node("s2", 26379)), master_name="orders")
BOTH = Secrets("hunter22", "sentinel-hunter22")
EDIT = """
import sys
from dataclasses import replace
from pathlib import Path
from rqdash.errors import Stale
from rqdash.profiles.registry import open_profiles
from rqdash.settings import Settings
from rqdash.store import open_store
directory = Path(sys.argv[1])
profiles = open_profiles(open_store(sys.argv[2], data_dir=directory), Settings(data_dir=directory))
done = 0
while done < 20:
    profile = profiles.get("orders")
    try:
        profiles.update("orders", replace(profile, db=profile.db + 1), version=profile.version, by="editor")
        done += 1
    except Stale:
        pass
"""


def opened(store: Store) -> Profiles:
    return open_profiles(store, Settings(data_dir=store.data_dir))


@pytest.fixture
def profiles(store: Store) -> Profiles:
    return opened(store)


def edited(profiles: Profiles, called: str = "orders", /, *, edits: SecretEdits | None = None, **fields: object) -> Profile:
    profile = profiles.get(called)
    return profiles.update(called, replace(profile, **fields), edits=edits, version=profile.version, by="mira")


def test_a_new_profile_can_be_read_with_everything_that_was_set(profiles: Profiles) -> None:
    wanted = replace(
        GROUP,
        db=2,
        username="u",
        sentinel_username="w",
        tls=Tls(enabled=True, check_hostname=False),
        worker_socket_timeout_s=500.0,
        prefix="shop",
        hue="teal",
        environment="prod",
        protected=True,
        notes="two\nlines",
    )

    made = profiles.create(wanted, secrets=BOTH, by="mira")

    stored = replace(
        made, id="", version=0, endpoint_version=0, has_password=False, has_sentinel_password=False, updated_at=None, updated_by=""
    )
    assert stored == wanted
    assert profiles.get("orders") == made
    assert (made.version, made.has_password, made.has_sentinel_password, made.updated_by) == (1, True, True, "mira")
    assert profiles.secrets(made) == BOTH


def test_profiles_come_in_the_order_they_were_made(profiles: Profiles) -> None:
    for name in ("zulu", "alpha", "mike"):
        profiles.create(replace(ORDERS, name=name), by="mira")

    edited(profiles, "mike", notes="edited")

    assert profiles.names == ("zulu", "alpha", "mike")


def test_a_name_nobody_has_is_not_found(profiles: Profiles) -> None:
    with pytest.raises(NotFound, match="no connection orders"):
        profiles.get("orders")


@pytest.mark.parametrize("change", [{"name": "mail"}, {"name": ""}, {"host": "a b"}])
def test_what_cannot_be_is_not_saved(profiles: Profiles, change: dict[str, object]) -> None:
    profiles.create(replace(ORDERS, name="mail"), by="mira")

    with pytest.raises(Invalid) as raised:
        profiles.create(replace(ORDERS, **change), by="mira")

    assert list(raised.value.problems) == list(change)
    assert profiles.names == ("mail",)


def test_an_edit_is_a_new_version(profiles: Profiles) -> None:
    profiles.create(ORDERS, by="mira")

    after = edited(profiles, notes="by the window")

    assert (after.version, after.notes) == (2, "by the window")
    assert profiles.get("orders") == after


def test_saving_what_is_stored_changes_nothing(profiles: Profiles) -> None:
    before = profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")
    stamp = profiles.stamp()

    after = edited(profiles, edits=SecretEdits(Keep(), Keep()))

    assert after == before
    assert profiles.stamp() == stamp


@pytest.mark.parametrize(
    "change",
    [
        {"host": "10.0.0.2"},
        {"port": 6380},
        {"kind": Kind.UNIX, "unix_path": "/run/redis.sock"},
        {"db": 1},
        {"username": "u"},
        {"prefix": "shop"},
        {"tls": Tls(enabled=True)},
        {"read_only": True},
        {"protected": True},
        {"connect_timeout_s": 0.5},
        {"read_timeout_s": 1.0},
    ],
)
def test_another_place_other_rights_or_limits_are_another_endpoint(profiles: Profiles, change: dict[str, object]) -> None:
    before = profiles.create(ORDERS, by="mira")

    after = edited(profiles, **change)

    assert after.endpoint_version > before.endpoint_version


@pytest.mark.parametrize(
    "change",
    [{"notes": "x"}, {"hue": "teal"}, {"environment": "prod"}, {"name": "mail"}, {"enabled": False}, {"worker_socket_timeout_s": 500.0}],
)
def test_labels_keep_the_endpoint(profiles: Profiles, change: dict[str, object]) -> None:
    before = profiles.create(ORDERS, by="mira")

    after = edited(profiles, **change)

    assert (after.version, after.endpoint_version) == (2, before.endpoint_version)


@pytest.mark.parametrize("edit", [Set("another"), Clear()])
def test_another_secret_is_another_endpoint(profiles: Profiles, edit: Set | Clear) -> None:
    before = profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")

    after = edited(profiles, edits=SecretEdits(password=edit))

    assert after.endpoint_version > before.endpoint_version
    assert profiles.secrets(after) == Secrets("another" if isinstance(edit, Set) else None)


def test_no_two_endpoints_ever_share_a_version(profiles: Profiles) -> None:
    seen = [profiles.create(ORDERS, by="mira"), profiles.create(replace(ORDERS, name="mail"), by="mira")]
    seen.append(edited(profiles, db=1))
    profiles.delete("orders", version=2, by="mira")
    seen.append(profiles.create(ORDERS, by="mira"))

    versions = [profile.endpoint_version for profile in seen]

    assert len(set(versions)) == len(versions)


def test_a_form_drawn_for_a_deleted_profile_does_not_fit_its_successor(profiles: Profiles) -> None:
    old = profiles.create(ORDERS, by="mira")
    profiles.delete("orders", version=old.version, by="mira")
    profiles.create(replace(ORDERS, host="10.9.9.9"), by="anna")

    with pytest.raises(Stale):
        profiles.update("orders", replace(old, notes="x"), version=old.version, by="mira")


def test_a_stale_save_is_refused_with_what_changed_and_by_whom(profiles: Profiles) -> None:
    read = profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")
    profiles.update("orders", replace(read, port=6380, tls=Tls(enabled=True)), edits=SecretEdits(Set("new")), version=1, by="anna")

    with pytest.raises(Stale) as raised:
        profiles.update("orders", replace(read, notes="mine"), version=1, by="mira")

    assert "anna" in raised.value.message
    assert set(raised.value.changes) == {
        ("port", "6379", "6380"),
        ("tls_enabled", "no", "yes"),
        ("password", "set", "set anew"),
    }
    assert profiles.get("orders").notes == ""


def test_the_remedy_for_a_stale_save_is_to_save_over_the_new_version(profiles: Profiles) -> None:
    profiles.create(ORDERS, by="mira")
    edited(profiles, port=6380)

    after = edited(profiles, notes="mine")

    assert (after.port, after.notes) == (6380, "mine")


@pytest.mark.parametrize("version", [0, 2, 99])
def test_a_stale_delete_is_refused(profiles: Profiles, version: int) -> None:
    profiles.create(ORDERS, by="mira")

    with pytest.raises(Stale):
        profiles.delete("orders", version=version, by="mira")

    assert profiles.names == ("orders",)


def test_deleting_forgets_the_secrets(profiles: Profiles, store: Store) -> None:
    made = profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")

    profiles.delete("orders", version=made.version, by="mira")

    with store.read() as session:
        assert session.scalars(select(SecretRow)).all() == []
    with pytest.raises(Stale):
        profiles.secrets(made)


def test_renaming_keeps_the_profile_its_secrets_and_its_history(profiles: Profiles) -> None:
    made = profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")

    renamed = edited(profiles, name="sales")

    assert (renamed.id, renamed.name) == (made.id, "sales")
    assert profiles.secrets(renamed) == Secrets("hunter22")
    assert [revision.name for revision in profiles.revisions("sales")] == ["sales", "orders"]
    with pytest.raises(NotFound):
        profiles.get("orders")


def test_renaming_to_a_taken_name_is_refused(profiles: Profiles) -> None:
    profiles.create(ORDERS, by="mira")
    profiles.create(replace(ORDERS, name="mail"), by="mira")

    with pytest.raises(Invalid) as raised:
        edited(profiles, name="mail")

    assert list(raised.value.problems) == ["name"]


def test_a_disabled_profile_stays_with_its_secrets(profiles: Profiles) -> None:
    profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")

    off = profiles.disable("orders", by="mira")
    on = profiles.enable("orders", by="anna")

    assert (off.enabled, on.enabled, on.version, on.endpoint_version) == (False, True, 3, off.endpoint_version)
    assert profiles.secrets(on) == Secrets("hunter22")


def test_switching_a_stale_version_is_refused_when_one_is_given(profiles: Profiles) -> None:
    profiles.create(ORDERS, by="mira")
    edited(profiles, db=1)

    with pytest.raises(Stale):
        profiles.disable("orders", by="mira", version=1)


def test_a_copy_is_disabled_and_has_the_secrets_under_its_own_name(profiles: Profiles, store: Store) -> None:
    made = profiles.create(GROUP, secrets=BOTH, by="mira")

    copy = profiles.duplicate("orders", "orders-2", by="anna")

    assert copy.id != made.id
    assert (copy.name, copy.enabled, copy.sentinels, copy.updated_by) == ("orders-2", False, GROUP.sentinels, "anna")
    assert profiles.secrets(copy) == BOTH
    with store.read() as session:
        assert len(set(session.scalars(select(SecretRow.token)))) == 4


def test_every_edit_is_a_revision_without_secrets(profiles: Profiles) -> None:
    profiles.create(GROUP, secrets=BOTH, by="mira")
    edited(profiles, edits=SecretEdits(Set("hunter33"), Clear()), port=1, db=1, notes="n")
    profiles.disable("orders", by="anna")

    history = profiles.revisions("orders")

    assert [(revision.version, revision.verb, revision.by) for revision in history] == [
        (3, "disable", "anna"),
        (2, "update", "mira"),
        (1, "create", "mira"),
    ]
    assert history[1].changes == (
        ("db", "0", "1"),
        ("notes", "none", "n"),
        ("password", "set", "set anew"),
        ("sentinel_password", "set", "cleared"),
    )
    assert history[0].changes == (("enabled", "yes", "no"),)
    assert "hunter" not in repr(history)


def test_secrets_are_nowhere_in_the_database_in_clear(profiles: Profiles, store: Store) -> None:
    made = profiles.create(GROUP, secrets=BOTH, by="mira")
    edited(profiles, edits=SecretEdits(Set("hunter33")))
    store.close()

    assert "hunter" not in repr(made)
    assert b"hunter" not in everything_stored(store)


@pytest.mark.parametrize("value", ["", "x" * 4097])
def test_an_empty_or_endless_password_is_refused(profiles: Profiles, value: str) -> None:
    profiles.create(ORDERS, by="mira")

    with pytest.raises(Invalid) as raised:
        edited(profiles, edits=SecretEdits(Set(value)))

    assert list(raised.value.problems) == ["password"]


def test_a_changed_place_needs_the_password_again(profiles: Profiles) -> None:
    profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")

    with pytest.raises(Invalid) as raised:
        edited(profiles, host="evil.example", notes="harmless")

    assert list(raised.value.problems) == ["password"]
    assert profiles.get("orders").host == "10.0.0.1"


def test_changed_sentinels_need_both_passwords_again(profiles: Profiles) -> None:
    profiles.create(GROUP, secrets=BOTH, by="mira")

    with pytest.raises(Invalid) as raised:
        edited(profiles, sentinels=(Node("evil", 26379),), edits=SecretEdits(password=Keep()))

    assert set(raised.value.problems) == {"password", "sentinel_password"}


@pytest.mark.parametrize("edit", [Set("typed again"), Clear()])
def test_a_changed_place_with_the_password_typed_again_or_cleared_is_saved(profiles: Profiles, edit: Set | Clear) -> None:
    profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")

    after = edited(profiles, host="10.0.0.2", edits=SecretEdits(edit))

    assert profiles.secrets(after).password == (edit.value if isinstance(edit, Set) else None)


def test_the_sentinels_password_goes_with_the_sentinels(profiles: Profiles) -> None:
    profiles.create(GROUP, secrets=BOTH, by="mira")

    alone = edited(profiles, kind=Kind.STANDALONE, host="10.0.0.1", edits=SecretEdits(Set("typed again")))
    back = edited(profiles, kind=Kind.SENTINEL, sentinels=(Node("evil", 1),), master_name="m", edits=SecretEdits(Clear()))

    assert (alone.has_password, alone.has_sentinel_password) == (True, False)
    assert profiles.secrets(back) == Secrets()


def test_secrets_are_not_given_for_a_profile_that_was_changed_since_it_was_read(profiles: Profiles) -> None:
    old = profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")
    edited(profiles, db=1)

    with pytest.raises(Stale):
        profiles.secrets(old)


def test_secrets_are_not_given_for_a_profile_that_was_put_together(profiles: Profiles) -> None:
    made = profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")

    with pytest.raises(Stale):
        profiles.secrets(replace(made, host="evil.example"))


def test_a_token_copied_to_another_profile_does_not_open(profiles: Profiles, store: Store) -> None:
    profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")
    other = profiles.create(replace(ORDERS, name="mail", host="evil.example"), secrets=Secrets("mine"), by="mira")
    with store.write() as session:
        stolen = session.scalars(select(SecretRow.token).where(SecretRow.profile_id != other.id)).one()
        session.execute(update(SecretRow).where(SecretRow.profile_id == other.id).values(token=stolen))

    with pytest.raises(Conflict) as raised:
        profiles.secrets(other)

    assert raised.value.code == "secret_unreadable"


def test_a_draft_of_a_new_profile_has_what_was_typed(profiles: Profiles) -> None:
    drafted, secrets = profiles.draft(replace(ORDERS, name="", host=" 10.0.0.7 "), edits=SecretEdits(Set("typed")))

    assert drafted.host == "10.0.0.7"
    assert secrets == Secrets("typed")


def test_a_draft_over_a_profile_keeps_stored_secrets_where_they_may_go(profiles: Profiles) -> None:
    made = profiles.create(GROUP, secrets=BOTH, by="mira")

    drafted, secrets = profiles.draft(replace(made, db=3), edits=SecretEdits(sentinel_password=Set("typed")), over="orders")

    assert (drafted.db, drafted.id) == (3, made.id)
    assert secrets == Secrets("hunter22", "typed")


def test_a_draft_elsewhere_does_not_get_the_stored_secret(profiles: Profiles) -> None:
    made = profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")

    with pytest.raises(Invalid) as raised:
        profiles.draft(replace(made, host="evil.example"), edits=SecretEdits(), over="orders")

    assert raised.value.code == "secret_needed"


def test_another_process_s_edit_is_seen_by_the_next_read(profiles: Profiles, reopened: Callable[[], Store]) -> None:
    profiles.create(ORDERS, by="mira")
    other = opened(reopened())
    seen = [other.get("orders").db]

    edited(profiles, db=5)

    seen.append(other.get("orders").db)
    assert seen == [0, 5]


def test_processes_that_edit_at_once_lose_no_edit(profiles: Profiles, tmp_path: Path, database_url: str) -> None:
    profiles.create(ORDERS, by="mira")

    def run(_: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", EDIT, str(tmp_path), database_url], capture_output=True, text=True, timeout=120, check=False
        )

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(run, range(2)))

    assert [(process.returncode, process.stderr) for process in done] == [(0, "")] * 2
    assert (profiles.get("orders").db, profiles.get("orders").version) == (40, 41)


def test_threads_that_read_while_another_edits_see_one_version_or_the_other(profiles: Profiles) -> None:
    profiles.create(ORDERS, by="mira")

    def read(_: int) -> bool:
        profile = profiles.get("orders")
        return profile.version == profile.db + 1

    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(read, range(200))
        for number in range(1, 20):
            edited(profiles, db=number)

    assert all(answers)


def test_with_wrong_keys_profiles_are_visible_and_secrets_are_not(
    profiles: Profiles, tmp_path: Path, reopened: Callable[[], Store]
) -> None:
    made = profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")
    profiles.create(replace(ORDERS, name="open"), by="mira")
    (tmp_path / "keys" / "secrets.keys").unlink()

    locked = opened(reopened())

    assert locked.names == ("orders", "open")
    assert "secrets.keys" in locked.locked
    assert locked.secrets(locked.get("open")) == Secrets()
    with pytest.raises(Conflict) as raised:
        locked.secrets(made)
    assert raised.value.code == "locked"
    with pytest.raises(Conflict):
        edited(locked, edits=SecretEdits(Set("new")))
    assert edited(locked, notes="still editable").notes == "still editable"


def test_fields_that_a_newer_rqdash_stored_are_left_out(profiles: Profiles, store: Store, reopened: Callable[[], Store]) -> None:
    profiles.create(ORDERS, by="mira")
    with store.write() as session:
        row = session.scalars(select(ProfileRow)).one()
        row.body = {**row.body, "of_the_future": 1}
        del row.body["notes"]

    assert opened(reopened()).get("orders").notes == ""


PLACES = st.fixed_dictionaries(
    {},
    optional={
        "host": st.sampled_from(["10.0.0.1", "10.0.0.2"]),
        "port": st.sampled_from([6379, 6380]),
        "username": st.sampled_from(["", "u"]),
        "tls": st.sampled_from([Tls(), Tls(enabled=True), Tls(enabled=True, verify=False, check_hostname=False)]),
        "db": st.integers(0, 3),
        "name": st.sampled_from(["orders", "mail"]),
    },
)
CHANGES = st.lists(st.tuples(PLACES, st.sampled_from([Keep(), Set("typed"), Clear()]), st.booleans()), max_size=6)


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CHANGES)
def test_no_path_of_edits_and_tests_sends_a_secret_where_it_was_not_typed_for(
    profiles: Profiles, changes: list[tuple[dict[str, object], object, bool]]
) -> None:
    for name in profiles.names:
        profiles.delete(name, version=profiles.get(name).version, by="mira")
    profile = profiles.create(ORDERS, secrets=Secrets("hunter22"), by="mira")
    typed_for = _place(profile)

    for fields, edit, is_test in changes:
        wanted, edits = replace(profile, **fields), SecretEdits(edit)  # type: ignore[arg-type]
        try:
            if is_test:
                drafted, secrets = profiles.draft(wanted, edits=edits, over=profile.name)
                assert secrets.password is None or isinstance(edit, Set) or _place(drafted) == typed_for
                continue
            profile = profiles.update(profile.name, wanted, edits=edits, version=profile.version, by="mira")
        except Invalid:
            continue
        typed_for = _place(profile) if isinstance(edit, Set) else typed_for
        assert profiles.secrets(profile).password is None or _place(profile) == typed_for


def _place(profile: Profile) -> tuple[object, ...]:
    return profile.kind, profile.host, profile.port, profile.username, profile.tls
