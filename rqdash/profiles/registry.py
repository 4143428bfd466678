"""The registry of connection profiles: what every process of rqdash reads at each request, and admins edit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from rqdash.errors import NotFound, Stale
from rqdash.model.profile import Profile, Secrets, Source
from rqdash.profiles import edits as edit
from rqdash.profiles.client_keys import refuse_unfit_keys, with_keys_only
from rqdash.profiles.provisioned import Rules, provisioned
from rqdash.profiles.rebind import SLOTS, refuse_rebind, requires_secret_again
from rqdash.profiles.references import References
from rqdash.profiles.revisions import Revision, revisions
from rqdash.profiles.secrets import Clear, SecretEdits, Set, Vault, edits_of, fitted, open_vault, refuse_secrets
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

    def __init__(
        self,
        store: Store,
        vault: Vault,
        *,
        policy: Policy | None = None,
        references: References | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._vault = vault
        self._policy = policy or Policy()
        self._references = references or References()
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
        """The secrets of a profile as stored or referred to.

        Raises Conflict when locked or when a reference leads nowhere, Stale when the profile has another endpoint by now.
        """
        with self._store.read() as session:
            try:
                stored, tokens = edit.stored(session, profile.name)
            except NotFound:
                raise _moved(profile.name) from None
        is_same = (stored.id, stored.endpoint_version) == (profile.id, profile.endpoint_version)
        # A profile that was put together elsewhere gets no secret that the rebind rule would not let it keep.
        if not is_same or requires_secret_again(stored, profile):
            raise _moved(profile.name)
        return self._opened(stored, tokens)

    def draft(self, profile: Profile, *, edits: SecretEdits, over: str = "") -> tuple[Profile, Secrets]:
        """A profile as it would be saved, with its secrets, for a test before saving; over is the profile it would replace.

        Raises Invalid as create and update would, but for the name, and NotFound.
        """
        refuse_secrets(edits)
        tidy = replace(validated(replace(own(profile), name=DRAFT), taken=(), policy=self._policy), name=profile.name or DRAFT)
        fitting = fitted(tidy, edits)
        stored = tidy
        tokens: Mapping[str, str] = {}
        if over:
            with self._store.read() as session:
                stored, tokens = edit.stored(session, over)
            refuse_rebind(edit.kept(requires_secret_again(stored, tidy), fitting))
            tidy = replace(tidy, id=stored.id, endpoint_version=stored.endpoint_version)
        asked = fitting.by_slot()
        known = self._opened(stored, tokens, slots=edit.kept(SLOTS, fitting))
        refuse_unfit_keys(tidy, fitting, stored=partial(getattr, known))
        return tidy, replace(known, **{slot: change.value for slot, change in asked.items() if isinstance(change, Set)})

    def create(self, profile: Profile, *, secrets: Secrets | None = None, by: str) -> Profile:
        """Makes a profile; gives it as stored. Raises Invalid, or Conflict when there are secrets and the vault is locked."""
        given = edits_of(secrets or Secrets())
        refuse_secrets(given)
        with self._store.write() as session:
            tidy = validated(own(profile), taken=edit.names(session), policy=self._policy)
            refuse_unfit_keys(tidy, given, stored=_nothing)
            return edit.insert(session, self._vault, self._stroke(by, "create"), profile=tidy, secrets=given)

    def update(self, name: str, profile: Profile, *, edits: SecretEdits | None = None, version: int, by: str) -> Profile:
        """Replaces the profile called name, and renames it when profile.name differs; gives it as stored. No change, no new version.

        version is the one that was read: raises Stale with what changed since when it is not the stored one. Raises Invalid, also when
        a secret has to be typed again; NotFound; Conflict when secrets are set and the vault is locked.
        """
        asked = edits or SecretEdits()
        refuse_secrets(asked)
        with self._store.write() as session:
            row = edit.own_row(session, name)
            old = edit.read(session, row)
            edit.refuse_stale(session, row, version=version)
            tidy = validated(own(profile), taken=edit.names(session) - {name}, policy=self._policy)
            fitting = fitted(tidy, asked)
            refuse_rebind(edit.kept(requires_secret_again(old, tidy), fitting))
            refuse_unfit_keys(tidy, fitting, stored=partial(self._open, row.id, edit.tokens_of(session, row)), old=old)
            return edit.replace_row(session, self._vault, self._stroke(by, "update"), row=row, profile=tidy, secrets=fitting)

    def restore(
        self, name: str, revision: int, *, version: int, by: str, permit: Callable[[Profile], None] = lambda _profile: None
    ) -> Profile:
        """Makes the profile, under its present name, what it was after the edit of that version, as an edit of its own.

        Stored secrets stay where they may go; those whose destination changes are cleared, as the new revision says, and so is a client
        certificate without its key. version is as for update: raises Stale; NotFound; Conflict; Invalid when the rules have changed.
        permit is shown what it would become, and raises if that must not be.
        """
        with self._store.write() as session:
            row = edit.own_row(session, name)
            old = edit.read(session, row)
            edit.refuse_stale(session, row, version=version)
            was = own(edit.body_of(session, row, version=revision))
            permit(was)
            tidy = validated(was, taken=edit.names(session) - {name}, policy=self._policy)
            lost = SecretEdits(**{slot: Clear() for slot in requires_secret_again(old, tidy)})
            tidy = with_keys_only(tidy, lost, stored=partial(self._open, row.id, edit.tokens_of(session, row)), old=old)
            return edit.replace_row(session, self._vault, self._stroke(by, "restore"), row=row, profile=tidy, secrets=lost)

    def duplicate(self, name: str, new_name: str, *, by: str) -> Profile:
        """Makes a copy under another name, disabled, with the same secrets, for they go where they went.

        What a file refers to is not copied: the copy belongs to whoever edits it. Raises Invalid, NotFound, or Conflict when there are
        secrets and the vault is locked.
        """
        with self._store.write() as session:
            old, tokens = edit.stored(session, name)
            tidy = validated(replace(own(old), name=new_name, enabled=False), taken=edit.names(session), policy=self._policy)
            refuse_rebind(requires_secret_again(old, tidy))
            given = edits_of(Secrets() if old.is_managed else self._opened(old, tokens))
            return edit.insert(session, self._vault, self._stroke(by, "duplicate"), profile=tidy, secrets=given)

    def disable(self, name: str, *, by: str, version: int | None = None) -> Profile:
        """Takes the backend out of every page; the profile and its secrets stay. Raises NotFound, or Stale if a version is given."""
        return self._switch(name, "disable", by=by, version=version)

    def enable(self, name: str, *, by: str, version: int | None = None) -> Profile:
        """Brings the backend back. Raises NotFound, or Stale if a version is given."""
        return self._switch(name, "enable", by=by, version=version)

    def delete(self, name: str, *, version: int, by: str) -> None:
        """Forgets the profile and its secrets; its revisions stay. Raises Stale and Conflict as update does, or NotFound."""
        with self._store.write() as session:
            row = edit.own_row(session, name)
            edit.refuse_stale(session, row, version=version)
            edit.remove(session, self._stroke(by, "delete"), row=row)

    def provision(self, path: Path | None) -> None:
        """Brings the profiles that come from a file to what it says now; None is a file without any. Asked at start, by every process.

        Raises SettingsError, with nothing changed, when the file has mistakes or a name that people gave to a profile of theirs.
        """
        if path is None and not any(profile.is_managed for profile in self.all()):
            return
        with self._store.locked(), self._store.write() as session:
            taken = {profile.name for profile in edit.everything(session) if not profile.is_managed}
            wanted = provisioned(path, rules=Rules(self._references, self._policy, taken)) if path is not None else ()
            stroke = self._stroke(path.name if path is not None else "no file", "provision")
            edit.reconcile(session, self._vault, stroke, wanted=wanted)

    def revisions(self, name: str, *, limit: int = 50) -> tuple[Revision, ...]:
        """The edits of the profile called name, newest first, at most limit. Raises NotFound."""
        return revisions(self._store, self.get(name).id, limit=limit)

    def _switch(self, name: str, verb: str, *, by: str, version: int | None) -> Profile:
        with self._store.write() as session:
            row = edit.own_row(session, name)
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

    def _opened(self, profile: Profile, tokens: Mapping[str, str], *, slots: Iterable[str] = SLOTS) -> Secrets:
        if profile.is_managed:
            wanted = tuple(pair for pair in profile.secret_refs if pair[0] in set(slots))
            return self._references.secrets(replace(profile, secret_refs=wanted))
        return Secrets(**{slot: self._open(profile.id, tokens, slot) for slot in slots})

    def _open(self, profile_id: str, tokens: Mapping[str, str], slot: str) -> str | None:
        return self._vault.decrypt(profile_id, slot, tokens[slot]) if slot in tokens else None


def open_profiles(store: Store, settings: Settings, *, environ: Mapping[str, str] | None = None) -> Profiles:
    """The registry of a store, with its vault; locked when the keys are not those of the stored secrets.

    environ is where env: references lead, without it the environment of the process.
    """
    references = References(os.environ if environ is None else environ, settings.secret_env, settings.secrets_dir)
    return Profiles(store, open_vault(store), policy=Policy(settings.unix_socket_dirs), references=references)


def own(profile: Profile) -> Profile:
    """A profile as people make and edit it: kept in the dashboard, with no references of a file."""
    return replace(profile, source=Source.UI, secret_refs=())


def _nothing(slot: str) -> None:  # noqa: ARG001  a new profile has no secret in any slot
    return None


def _moved(name: str) -> Stale:
    return Stale(f"{name} was changed meanwhile, so its stored password is not used here. Load the page again.")
