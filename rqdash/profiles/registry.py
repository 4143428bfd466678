"""The registry of connection profiles: what every process of rqdash reads at each request, and admins edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rqdash.errors import NotFound, Stale
from rqdash.model.profile import Profile, Secrets
from rqdash.profiles import edits as edit
from rqdash.profiles.rebind import PASSWORD, SENTINEL_PASSWORD, refuse_rebind, requires_secret_again
from rqdash.profiles.revisions import Revision, revisions
from rqdash.profiles.secrets import Clear, Keep, SecretEdits, Set, Vault, open_vault, refuse_secrets
from rqdash.profiles.validation import Policy, validated
from rqdash.settings import Settings
from rqdash.store import Store
from rqdash.store.clock import Clock, utc_now

DRAFT = "draft"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every profile as of one generation of the registry, in the order they were made."""

    generation: int = -1
    profiles: tuple[Profile, ...] = ()
    by_name: Mapping[str, Profile] = field(default_factory=dict)


class Profiles:
    """The profiles of one store. Threads may share it; an edit in any process is seen by the next read in every other."""

    def __init__(self, store: Store, vault: Vault, *, policy: Policy | None = None, clock: Clock = utc_now) -> None:
        self._store = store
        self._vault = vault
        self._policy = policy or Policy()
        self._clock = clock
        self._snapshot = Snapshot()

    @property
    def locked(self) -> str:
        """Why stored secrets cannot be used and what to do; "" when they can."""
        return self._vault.locked

    def stamp(self) -> int:
        """A number that differs after every edit by any process; one statement, about 0.1 ms."""
        return self._store.counter(edit.GENERATION)

    def all(self) -> tuple[Profile, ...]:
        """Every profile, disabled ones too, in the order they were made; costs stamp() while nobody edits."""
        return self._current().profiles

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(profile.name for profile in self.all())

    def get(self, name: str) -> Profile:
        """The profile of that name; costs what all() costs. Raises NotFound."""
        try:
            return self._current().by_name[name]
        except KeyError:
            raise edit.unknown(name) from None

    def secrets(self, profile: Profile) -> Secrets:
        """The secrets of a profile as stored. Raises Conflict when locked, Stale when the profile has another endpoint by now."""
        with self._store.read() as session:
            try:
                stored, tokens = edit.stored(session, profile.name)
            except NotFound:
                raise _moved(profile.name) from None
        is_same = (stored.id, stored.endpoint_version) == (profile.id, profile.endpoint_version)
        # A profile that was put together elsewhere gets no secret that the rebind rule would not let it keep.
        if not is_same or requires_secret_again(stored, profile):
            raise _moved(profile.name)
        return self._opened(stored.id, tokens)

    def draft(self, profile: Profile, *, edits: SecretEdits, over: str = "") -> tuple[Profile, Secrets]:
        """A profile as it would be saved, with its secrets, for a test before saving; over is the profile it would replace.

        Raises Invalid as create and update would, but for the name, and NotFound.
        """
        refuse_secrets(edits)
        tidy = replace(validated(replace(profile, name=DRAFT), taken=(), policy=self._policy), name=profile.name or DRAFT)
        tokens: Mapping[str, str] = {}
        if over:
            with self._store.read() as session:
                stored, tokens = edit.stored(session, over)
            refuse_rebind(edit.kept(requires_secret_again(stored, tidy), edits))
            tidy = replace(tidy, id=stored.id, endpoint_version=stored.endpoint_version)
        asked = edits.by_slot()
        kept = {slot: token for slot, token in tokens.items() if isinstance(asked[slot], Keep)}
        typed = {slot: change.value for slot, change in asked.items() if isinstance(change, Set)}
        opened = self._opened(tidy.id, kept)
        return tidy, Secrets(typed.get(PASSWORD, opened.password), typed.get(SENTINEL_PASSWORD, opened.sentinel_password))

    def create(self, profile: Profile, *, secrets: Secrets | None = None, by: str) -> Profile:
        """Makes a profile; gives it as stored. Raises Invalid, or Conflict when there are secrets and the vault is locked."""
        given = _edits(secrets or Secrets())
        refuse_secrets(given)
        with self._store.write() as session:
            tidy = validated(profile, taken=edit.names(session), policy=self._policy)
            return edit.insert(session, self._vault, self._stroke(by, "create"), profile=tidy, secrets=given)

    def update(self, name: str, profile: Profile, *, edits: SecretEdits | None = None, version: int, by: str) -> Profile:
        """Replaces the profile called name, and renames it when profile.name differs; gives it as stored. No change, no new version.

        version is the one that was read: raises Stale with what changed since when it is not the stored one. Raises Invalid, also when
        a secret has to be typed again; NotFound; Conflict when secrets are set and the vault is locked.
        """
        asked = edits or SecretEdits()
        refuse_secrets(asked)
        with self._store.write() as session:
            row = edit.locked_row(session, name)
            old = edit.read(session, row)
            edit.refuse_stale(session, row, version=version)
            tidy = validated(profile, taken=edit.names(session) - {name}, policy=self._policy)
            refuse_rebind(edit.kept(requires_secret_again(old, tidy), asked))
            return edit.replace_row(session, self._vault, self._stroke(by, "update"), row=row, profile=tidy, secrets=asked)

    def duplicate(self, name: str, new_name: str, *, by: str) -> Profile:
        """Makes a copy under another name, disabled, with the same secrets, for they go where they went.

        Raises Invalid, NotFound, or Conflict when there are secrets and the vault is locked.
        """
        with self._store.write() as session:
            old, tokens = edit.stored(session, name)
            tidy = validated(replace(old, name=new_name, enabled=False), taken=edit.names(session), policy=self._policy)
            refuse_rebind(requires_secret_again(old, tidy))
            given = _edits(self._opened(old.id, tokens))
            return edit.insert(session, self._vault, self._stroke(by, "duplicate"), profile=tidy, secrets=given)

    def disable(self, name: str, *, by: str, version: int | None = None) -> Profile:
        """Takes the backend out of every page; the profile and its secrets stay. Raises NotFound, or Stale if a version is given."""
        return self._switch(name, "disable", by=by, version=version)

    def enable(self, name: str, *, by: str, version: int | None = None) -> Profile:
        """Brings the backend back. Raises NotFound, or Stale if a version is given."""
        return self._switch(name, "enable", by=by, version=version)

    def delete(self, name: str, *, version: int, by: str) -> None:
        """Forgets the profile and its secrets; its revisions stay. Raises Stale as update does, or NotFound."""
        with self._store.write() as session:
            row = edit.locked_row(session, name)
            edit.refuse_stale(session, row, version=version)
            edit.remove(session, self._stroke(by, "delete"), row=row)

    def revisions(self, name: str, *, limit: int = 50) -> tuple[Revision, ...]:
        """The edits of the profile called name, newest first, at most limit. Raises NotFound."""
        return revisions(self._store, self.get(name).id, limit=limit)

    def _switch(self, name: str, verb: str, *, by: str, version: int | None) -> Profile:
        with self._store.write() as session:
            row = edit.locked_row(session, name)
            edit.refuse_stale(session, row, version=row.version if version is None else version)
            switched = replace(edit.read(session, row), enabled=verb == "enable")
            return edit.replace_row(session, self._vault, self._stroke(by, verb), row=row, profile=switched, secrets=SecretEdits())

    def _stroke(self, by: str, verb: str) -> edit.Stroke:
        return edit.Stroke(verb, by[:64], self._clock())

    def _current(self) -> Snapshot:
        snapshot = self._snapshot
        if self.stamp() != snapshot.generation:
            with self._store.read() as session:
                # The number first: should rows be newer than it, which PostgreSQL allows, the next read loads them again.
                generation = edit.generation(session)
                profiles = edit.everything(session)
            snapshot = Snapshot(generation, profiles, {profile.name: profile for profile in profiles})
            self._snapshot = snapshot
        return snapshot

    def _opened(self, profile_id: str, tokens: Mapping[str, str]) -> Secrets:
        values = {slot: self._vault.decrypt(profile_id, slot, token) for slot, token in tokens.items()}
        return Secrets(values.get(PASSWORD), values.get(SENTINEL_PASSWORD))


def open_profiles(store: Store, settings: Settings) -> Profiles:
    """The registry of a store, with its vault; locked when the keys are not those of the stored secrets."""
    return Profiles(store, open_vault(store), policy=Policy(settings.unix_socket_dirs))


def _edits(secrets: Secrets) -> SecretEdits:
    """Secrets of a profile that has none yet, as edits; an empty one is none."""
    return SecretEdits(
        Set(secrets.password) if secrets.password else Clear(),
        Set(secrets.sentinel_password) if secrets.sentinel_password else Clear(),
    )


def _moved(name: str) -> Stale:
    return Stale(f"{name} was changed meanwhile, so its stored password is not used here. Load the page again.")
