"""New keys for stored secrets: nobody who runs meanwhile notices, whatever interrupts it, and what cannot be read is named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import select, update

from rqdash.cli import main
from rqdash.errors import Conflict
from rqdash.model.profile import Profile, Secrets
from rqdash.profiles import rotation
from rqdash.profiles.pending import PendingImports
from rqdash.profiles.readers.read import read_file
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.profiles.rotation import Rotation, Unreadable, check, prune, rotate
from rqdash.profiles.secrets import SecretEdits, Set, open_vault
from rqdash.settings import Settings
from rqdash.store import Store, open_store
from rqdash.store.keys import replace_secret_keys, secret_keys
from rqdash.store.tables import SecretRow

ORDERS = Profile("orders", host="10.0.0.1")
READ = """
import sys
from pathlib import Path
from rqdash.profiles.registry import open_profiles
from rqdash.settings import Settings
from rqdash.store import open_store
directory = Path(sys.argv[1])
profiles = open_profiles(open_store("", data_dir=directory), Settings(data_dir=directory))
for line in sys.stdin:
    print(profiles.secrets(profiles.get(line.strip())).password, flush=True)
"""
Run = Callable[..., Result]


def opened(data_dir: Path) -> Profiles:
    return open_profiles(open_store("", data_dir=data_dir), Settings(data_dir=data_dir))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store("", data_dir=tmp_path)


@pytest.fixture
def profiles(store: Store) -> Profiles:
    """Five profiles with a password each."""
    made = open_profiles(store, Settings(data_dir=store.data_dir))
    for number in range(5):
        made.create(replace(ORDERS, name=f"orders-{number}"), secrets=Secrets(f"hunter{number}"), by="mira")
    return made


@pytest.fixture
def reader(tmp_path: Path, profiles: Profiles) -> Iterator[Callable[[str], str]]:
    """reader(name) asks another process, which goes on running, for a password."""
    command = [sys.executable, "-c", READ, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(name: str) -> str:
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    yield ask
    process.stdin.close()
    process.stdout.close()
    process.wait(10)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def _run(*arguments: str) -> Result:
        kept = {name: None for name in os.environ if name.startswith("RQDASH_")}
        return CliRunner().invoke(main, ("keys", *arguments), env={**kept, "RQDASH_DATA_DIR": str(tmp_path)})

    return _run


def passwords(profiles: Profiles) -> list[str | None]:
    return [profiles.secrets(profile).password for profile in profiles.all()]


ALL = [f"hunter{number}" for number in range(5)]


def test_after_a_rotation_the_new_key_alone_opens_everything(profiles: Profiles, store: Store, tmp_path: Path) -> None:
    (old,) = secret_keys(tmp_path)

    done = rotate(store)

    new, kept = secret_keys(tmp_path)
    assert (done, kept) == (Rotation(changed=5), old)
    replace_secret_keys(tmp_path, [new])
    assert passwords(opened(tmp_path)) == ALL


def test_a_registry_that_was_opened_before_reads_and_writes_with_the_new_key(profiles: Profiles, store: Store, tmp_path: Path) -> None:
    rotate(store)

    seen = passwords(profiles)
    profiles.update("orders-0", profiles.get("orders-0"), edits=SecretEdits(Set("typed")), version=1, by="mira")
    prune(store)

    assert seen == ALL
    assert passwords(opened(tmp_path)) == passwords(profiles) == ["typed", *ALL[1:]]


def test_another_process_goes_on_through_rotations_and_prunings(store: Store, reader: Callable[[str], str]) -> None:
    seen = [reader("orders-0")]
    for _ in range(2):
        rotate(store)
        seen.append(reader("orders-1"))
        prune(store)
        seen.append(reader("orders-2"))

    assert seen == ["hunter0", "hunter1", "hunter2", "hunter1", "hunter2"]


def test_an_interrupted_rotation_leaves_everything_readable_and_is_gone_on_with(
    profiles: Profiles, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    whole, batches = rotation._batch, iter(range(1, 9))

    def interrupted(*arguments: object, **options: object) -> object:
        if next(batches) == 2:
            raise KeyboardInterrupt
        return whole(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rotation, "_batch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rotate(store)
    between, keys = passwords(opened(tmp_path)), secret_keys(tmp_path)

    done = rotate(store)

    assert between == passwords(profiles) == ALL
    assert (done.changed, done.kept, done.is_resumed) == (3, 2, True)
    assert secret_keys(tmp_path) == keys
    assert rotate(store) == Rotation(changed=5)


def test_a_key_may_be_made_first_and_used_later(profiles: Profiles, store: Store, tmp_path: Path) -> None:
    first, again = rotate(store, new_key_only=True), rotate(store, new_key_only=True)
    keys = secret_keys(tmp_path)

    done = rotate(store)

    assert (first.is_resumed, again.is_resumed, len(keys)) == (False, True, 2)
    assert (done, secret_keys(tmp_path)) == (Rotation(changed=5, is_resumed=True), keys)


def test_pruning_drops_what_nothing_needs_and_nothing_else(profiles: Profiles, store: Store, tmp_path: Path) -> None:
    (old,) = secret_keys(tmp_path)
    rotate(store, new_key_only=True)

    early = prune(store)
    rotate(store)
    late = prune(store)

    assert (early, late) == ((0, 2), (1, 1))
    assert old not in secret_keys(tmp_path)
    assert passwords(profiles) == ALL
    assert (tmp_path / "keys" / "secrets.keys").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["secrets.keys"]


def test_a_secret_of_another_key_or_place_is_named_and_left_alone(profiles: Profiles, store: Store) -> None:
    foreign = Fernet(Fernet.generate_key()).encrypt(b"{}").decode()
    with store.write() as session:
        ids = {profile.name: profile.id for profile in profiles.all()}
        stolen = session.scalars(select(SecretRow.token).where(SecretRow.profile_id == ids["orders-1"])).one()
        for name, token in (("orders-3", foreign), ("orders-4", stolen)):
            session.execute(update(SecretRow).where(SecretRow.profile_id == ids[name]).values(token=token))

    checked, done = check(store), rotate(store)

    assert checked[0] == 3
    assert set(checked[1]) == {Unreadable("orders-3", "password"), Unreadable("orders-4", "password")}
    assert (done.changed, done.unreadable) == (4, (Unreadable("orders-3", "password"),))
    assert rotate(store).is_resumed is False


@pytest.mark.parametrize("action", [rotate, prune, check])
def test_with_wrong_keys_nothing_is_done(profiles: Profiles, store: Store, tmp_path: Path, action: Callable[[Store], object]) -> None:
    other = Fernet.generate_key()
    replace_secret_keys(tmp_path, [other])

    with pytest.raises(Conflict) as raised:
        action(store)

    assert raised.value.code == "locked"
    assert secret_keys(tmp_path) == (other,)


def test_a_registry_that_was_locked_opens_when_the_right_keys_are_back(profiles: Profiles, tmp_path: Path) -> None:
    keys = secret_keys(tmp_path)
    replace_secret_keys(tmp_path, [Fernet.generate_key()])
    locked = opened(tmp_path)
    before = locked.locked

    replace_secret_keys(tmp_path, keys)

    assert "backup" in before
    assert locked.locked == ""
    assert passwords(locked) == ALL


def test_the_commands_say_what_they_did(profiles: Profiles, run: Run) -> None:
    said = [run(word).stdout for word in ("check", "rotate", "prune", "prune")]

    assert said == [
        "5 secrets can be read.\n",
        "There is a new key. 5 secrets are encrypted with it. Older keys stay until: rqdash keys prune\n",
        "1 key dropped, 1 left.\n",
        "Nothing to drop: 1 key in use.\n",
    ]


def test_a_key_for_other_hosts_is_announced_as_such(profiles: Profiles, run: Run) -> None:
    first, second = run("rotate", "--new-key-only"), run("rotate")

    assert "Copy secrets.keys to every other host" in first.stdout
    assert second.stdout.startswith("An earlier rotation had not ended; this goes on with its key. 5 secrets are")


def test_a_secret_that_cannot_be_read_makes_the_commands_fail(profiles: Profiles, store: Store, run: Run) -> None:
    with store.write() as session:
        session.execute(update(SecretRow).where(SecretRow.profile_id == profiles.get("orders-3").id).values(token="x"))

    found = [run(word) for word in ("check", "rotate")]

    assert [result.exit_code for result in found] == [1, 1]
    assert all("orders-3: password cannot be read." in result.stderr for result in found)


def test_wrong_keys_are_one_sentence(profiles: Profiles, tmp_path: Path, run: Run) -> None:
    replace_secret_keys(tmp_path, [Fernet.generate_key()])

    result = run("rotate")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "Put the right file back from your backup." in result.stderr


def test_the_key_of_an_import_that_waits_to_be_saved_is_not_dropped(store: Store, profiles: Profiles) -> None:
    pending = PendingImports(store, open_vault(store))
    kept = pending.keep((read_file("urls.txt", b"redis://:hunter2@10.0.0.1:6379/0\n"),), owner="mira")
    rotate(store)

    dropped, left = prune(store)

    (reading,) = PendingImports(store, open_vault(store)).readings(kept, owner="mira")
    assert (dropped, left) == (0, 2)
    assert reading.candidates[0].secrets.password == "hunter2"
