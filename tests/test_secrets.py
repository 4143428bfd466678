"""Secrets at rest and the keys that open them: made once, bound to their place, and never a crash when they are wrong."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st

from rqdash.errors import Conflict, StoreError
from rqdash.model.profile import Kind, Node, Profile, Tls
from rqdash.profiles.rebind import requires_secret_again
from rqdash.profiles.secrets import Set, Vault, open_vault
from rqdash.store import Store
from rqdash.store.keys import make_keys, secret_keys, session_key

STEADY = settings(derandomize=True, deadline=None)
START = """
import sys
from pathlib import Path
from rqdash.profiles.secrets import open_vault
from rqdash.store import open_store
from rqdash.store.keys import session_key
directory = Path(sys.argv[1])
vault = open_vault(open_store("", data_dir=directory))
print(vault.locked, session_key(directory).decode())
"""


@pytest.fixture
def vault() -> Vault:
    return Vault([Fernet.generate_key()])


def test_what_was_encrypted_comes_back_at_its_own_place(vault: Vault) -> None:
    token = vault.encrypt("p1", "password", "s3cret ünïcode \udcff")

    assert vault.decrypt("p1", "password", token) == "s3cret ünïcode \udcff"


@pytest.mark.parametrize(("profile_id", "slot"), [("p2", "password"), ("p1", "sentinel_password"), ("p2", "sentinel_password")])
def test_a_token_moved_to_another_place_does_not_open(vault: Vault, profile_id: str, slot: str) -> None:
    token = vault.encrypt("p1", "password", "hunter22")

    with pytest.raises(Conflict) as raised:
        vault.decrypt(profile_id, slot, token)

    assert raised.value.code == "secret_unreadable"


@pytest.mark.parametrize("token", ["", "x", "gAAAAA"])
def test_a_damaged_token_is_an_error_without_the_library_s_own(vault: Vault, token: str) -> None:
    with pytest.raises(Conflict) as raised:
        vault.decrypt("p1", "password", token)

    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_an_older_key_still_opens_and_the_newest_encrypts() -> None:
    old, new = Fernet.generate_key(), Fernet.generate_key()
    token = Vault([old]).encrypt("p1", "password", "hunter22")
    rotated = Vault([new, old])

    assert rotated.decrypt("p1", "password", token) == "hunter22"
    assert Vault([new]).decrypt("p1", "password", rotated.encrypt("p1", "password", "next")) == "next"


def test_an_edit_does_not_show_its_value() -> None:
    assert "hunter22" not in repr(Set("hunter22"))


def test_the_first_start_makes_keys_that_only_their_owner_may_read(store: Store) -> None:
    vault = open_vault(store)
    key = session_key(store.data_dir)

    keys = store.data_dir / "keys"
    assert vault.locked == ""
    assert len(key) >= 32
    assert keys.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in keys.iterdir()} == {"secrets.keys": 0o600, "session.key": 0o600}


def test_a_later_start_uses_the_same_keys(store: Store) -> None:
    token = open_vault(store).encrypt("p1", "password", "hunter22")
    key = session_key(store.data_dir)

    assert open_vault(store).decrypt("p1", "password", token) == "hunter22"
    assert session_key(store.data_dir) == key


def test_making_keys_keeps_those_that_are_there(store: Store) -> None:
    make_keys(store.data_dir)
    before = secret_keys(store.data_dir), session_key(store.data_dir)

    make_keys(store.data_dir)

    assert (secret_keys(store.data_dir), session_key(store.data_dir)) == before


def test_processes_that_start_at_once_get_the_same_keys(tmp_path: Path) -> None:
    def start(_: int) -> str:
        command = [sys.executable, "-c", START, str(tmp_path / "data")]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    with ThreadPoolExecutor(3) as pool:
        answers = set(pool.map(start, range(3)))

    (answer,) = answers
    assert answer.startswith(" ")
    assert len(list((tmp_path / "data" / "keys").iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b"not a key\n", Fernet.generate_key()], ids=["empty", "malformed", "another"])
def test_wrong_keys_lock_the_vault(store: Store, content: bytes) -> None:
    open_vault(store)
    (store.data_dir / "keys" / "secrets.keys").write_bytes(content)

    vault = open_vault(store)

    assert "backup" in vault.locked
    assert (store.data_dir / "keys" / "secrets.keys").read_bytes() == content
    with pytest.raises(Conflict) as raised:
        vault.encrypt("p1", "password", "hunter22")
    assert raised.value.code == "locked"


def test_missing_keys_lock_the_vault_and_no_new_ones_take_their_place(store: Store) -> None:
    open_vault(store)
    (store.data_dir / "keys" / "secrets.keys").unlink()

    vault = open_vault(store)

    assert "missing" in vault.locked
    assert not (store.data_dir / "keys" / "secrets.keys").exists()


def test_keys_that_others_may_read_are_warned_about(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    open_vault(store)
    (store.data_dir / "keys" / "secrets.keys").chmod(0o644)

    open_vault(store)

    assert any("chmod 600" in line.message for line in caplog.records)


def test_a_session_key_that_is_too_short_is_refused(store: Store) -> None:
    make_keys(store.data_dir)
    (store.data_dir / "keys" / "session.key").write_bytes(b"short")

    with pytest.raises(StoreError, match="shorter than 32 bytes"):
        session_key(store.data_dir)


def test_without_leave_to_make_keys_their_absence_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="rqdash keys make"):
        session_key(tmp_path, makes=False)


PLACES = st.builds(
    Profile,
    name=st.just("orders"),
    kind=st.sampled_from(Kind),
    host=st.sampled_from(["a", "b"]),
    port=st.sampled_from([1, 2]),
    unix_path=st.sampled_from(["/run/a", "/run/b"]),
    sentinels=st.lists(st.sampled_from([Node("s1", 1), Node("s2", 2)]), unique=True).map(tuple),
    master_name=st.sampled_from(["m", "n"]),
    username=st.sampled_from(["", "u"]),
    sentinel_username=st.sampled_from(["", "u"]),
    tls=st.builds(Tls, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["", "pem"])),
    sentinel_tls=st.builds(Tls, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["", "pem"])),
    has_password=st.just(True),
    has_sentinel_password=st.just(True),
)
BASE = Profile("orders", has_password=True, has_sentinel_password=True)
GROUP = replace(BASE, kind=Kind.SENTINEL, sentinels=(Node("s1", 1), Node("s2", 2)), master_name="m", sentinel_tls=Tls(enabled=True))


@STEADY
@given(PLACES)
def test_a_secret_that_stays_where_it_was_is_kept(profile: Profile) -> None:
    labelled = replace(profile, name="mail", db=3, prefix="x", notes="n", read_only=True, sentinels=tuple(reversed(profile.sentinels)))

    assert requires_secret_again(profile, labelled) == ()


@STEADY
@given(PLACES, PLACES)
def test_a_password_is_asked_again_exactly_when_somebody_else_would_get_it(old: Profile, new: Profile) -> None:
    def getter(profile: Profile) -> object:
        tls, watch = profile.tls, profile.sentinel_tls
        safety = (tls.verify, tls.check_hostname, tls.ca_pem) if tls.enabled else None
        watched = (watch.verify, watch.check_hostname, watch.ca_pem) if watch.enabled else None
        where: dict[Kind, object] = {
            Kind.STANDALONE: (profile.host, profile.port),
            Kind.UNIX: profile.unix_path,
            Kind.SENTINEL: (sorted(profile.sentinels), profile.master_name, watched),
        }
        return profile.kind, where[profile.kind], profile.username, safety

    assert ("password" in requires_secret_again(old, new)) == (getter(old) != getter(new))


@pytest.mark.parametrize(
    ("old", "change", "slots"),
    [
        (BASE, {"host": "evil"}, ("password",)),
        (BASE, {"port": 6380}, ("password",)),
        (BASE, {"username": "u"}, ("password",)),
        (BASE, {"kind": Kind.UNIX, "unix_path": "/run/x"}, ("password",)),
        (BASE, {"kind": Kind.SENTINEL}, ("password", "sentinel_password")),
        (replace(BASE, tls=Tls(enabled=True)), {"tls": Tls()}, ("password",)),
        (replace(BASE, tls=Tls(enabled=True)), {"tls": Tls(enabled=True, verify=False)}, ("password",)),
        (replace(BASE, tls=Tls(enabled=True)), {"tls": Tls(enabled=True, check_hostname=False)}, ("password",)),
        (replace(BASE, tls=Tls(enabled=True)), {"tls": Tls(enabled=True, ca_pem="x")}, ("password",)),
        (BASE, {"tls": Tls(verify=False)}, ()),
        (GROUP, {"sentinels": (Node("s1", 1), Node("evil", 2))}, ("password", "sentinel_password")),
        (GROUP, {"master_name": "n"}, ("password",)),
        (GROUP, {"sentinel_username": "u"}, ("sentinel_password",)),
        (GROUP, {"sentinel_tls": Tls()}, ("password", "sentinel_password")),
        (GROUP, {"kind": Kind.STANDALONE}, ("password",)),
        (replace(GROUP, has_password=False), {"sentinels": ()}, ("sentinel_password",)),
        (replace(BASE, has_password=False), {"host": "evil"}, ()),
    ],
)
def test_the_rebind_rule_names_the_slots(old: Profile, change: dict[str, object], slots: tuple[str, ...]) -> None:
    assert requires_secret_again(old, replace(old, **change)) == slots
