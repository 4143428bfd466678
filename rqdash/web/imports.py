"""Importing connections: a file is read, what it offers is shown, and what an operator picks is saved, disabled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import cycle

from rqdash.access.actor import Actor
from rqdash.errors import Conflict, Invalid
from rqdash.model.caller import Caller, Permission
from rqdash.model.profile import Profile
from rqdash.profiles.export import decrypted, is_encrypted
from rqdash.profiles.importing import Planned, State, no_secrets, plan
from rqdash.profiles.importing import save as save_planned
from rqdash.profiles.listing import Line, listing
from rqdash.profiles.pending import PendingImports
from rqdash.profiles.readers.filling import fill
from rqdash.profiles.readers.read import read_file
from rqdash.profiles.readers.values import Candidate, FileReading
from rqdash.profiles.registry import Profiles
from rqdash.web.connections import refuse_outside
from rqdash.web.forms import Raw, Upload, whole
from rqdash.web.offers import ADD, UPDATE, FileRead, Offer, Pick, coloured, file_read, free_hues, free_name, need_key, offer, repeated
from rqdash.web.route import Notice, Page, Rejected, Result, Route, To

PASTED = "pasted text"
MOST_FILES = 8
"""Each may take up to 2 s to read."""
NO_FILE = "Choose a file, or paste its text."
TOO_MANY = f"At most {MOST_FILES} files at once. Import the others after these."
NOT_PICKED = "Nothing is picked. Tick what to save."


@dataclass(frozen=True, slots=True)
class ImportPage(Page):
    """The form alone (files empty), or what was read; pending is by which the server finds it again, "" when there is nothing to save."""

    files: tuple[FileRead, ...] = ()
    pending: str = ""
    problem: str = ""
    saved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """What was handed in to be read; passphrase opens an encrypted export."""

    files: tuple[Upload, ...] = field(repr=False)
    passphrase: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Picks:
    """What was picked of a pending import, the form's texts by field; keys of offers in the order of the page."""

    pending: str
    keys: tuple[str, ...]
    raw: Raw = field(repr=False)

    def pick(self, key: str, candidate: Candidate) -> Pick:
        """What was chosen for one offer. Raises Invalid for a garbled version."""
        text = self.raw.text
        return Pick(
            name=text(f"name-{key}", default=candidate.profile.name).strip(),
            mode=UPDATE if text(f"mode-{key}") == UPDATE else ADD,
            version=whole(text(f"version-{key}"), field_name="version", default=0),
            environment=text(f"environment-{key}", default=candidate.profile.environment).strip(),
            is_protected=self.raw.ticked(f"protected-{key}"),
            values={need.name: text(need_key(key, position)) for position, need in enumerate(candidate.needs)},
        )


def parse_given(raw: Raw) -> Given:
    pasted = raw.text("text")
    files = (*raw.files, *((Upload(PASTED, pasted.encode("utf-8", "surrogatepass")),) if pasted.strip() else ()))
    return Given(files, raw.text("passphrase"))


def parse_picks(raw: Raw) -> Picks:
    return Picks(raw.text("pending"), tuple(raw.form.get("pick", ())), raw)


def form(params: Raw, caller: Caller) -> ImportPage:  # noqa: ARG001
    return ImportPage()


def read(params: Given, caller: Caller, *, profiles: Profiles, pending: PendingImports) -> Result:
    """What the files offer. Their text is used for this answer only; the secrets in them wait on the server, encrypted, for 15 minutes."""
    if not params.files or len(params.files) > MOST_FILES:
        return Rejected(ImportPage(problem=TOO_MANY if params.files else NO_FILE))
    readings, listings = [], []
    for file in params.files:
        try:
            content = decrypted(file.content, params.passphrase) if is_encrypted(file.content) else file.content
        except Invalid as error:
            return Rejected(ImportPage(problem=f"{file.name}: {error.message}"))
        reading = read_file(file.name, content)
        readings.append(reading)
        # An export that was encrypted is shown by no line of it.
        listings.append(listing(content.decode("utf-8-sig", "replace"), reading) if content is file.content else ())
    kept = pending.keep(readings, owner=_owner(caller)) if any(reading.candidates for reading in readings) else ""
    return ImportPage(_files(readings, _seen(profiles, caller), profiles, listings=listings), kept)


def save(params: Picks, caller: Caller, *, profiles: Profiles, pending: PendingImports, actor: Actor) -> Result:
    """Saves what was picked, each by itself; what cannot be saved is shown again with why."""
    readings = pending.readings(params.pending, owner=_owner(caller))
    hues = cycle(free_hues(profiles.all()))
    picked = [(key, candidate, params.pick(key, candidate)) for key, candidate in _keyed(readings) if key in params.keys]
    saved: list[str] = []
    failed: dict[str, tuple[Pick, Invalid | Conflict]] = {}
    for key, candidate, pick in picked:
        try:
            with actor.recording("import connection", backend=pick.name):
                planned = _picked(coloured(candidate, next(hues)), pick, stored=_seen(profiles, caller))
                refuse_outside(caller, _as_saved(planned))
                saved.append(save_planned(profiles, planned, by=caller.name, over=pick.mode == UPDATE).name)
        except (Invalid, Conflict) as error:
            failed[key] = (pick, error)
    if picked and not failed:
        pending.forget(params.pending)
        names = ", ".join(saved)
        return To("connections", notice=Notice(f"Saved {names}, disabled.", "Nothing was connected to: test each, then enable it."))
    problem = "Some of it is not saved: see below." if failed else NOT_PICKED
    files = tuple(_again(file, failed) for file in _files(readings, _seen(profiles, caller), profiles))
    return Rejected(ImportPage(files, params.pending, problem, tuple(saved)))


def _owner(caller: Caller) -> str:
    return f"{caller.kind} {caller.name}"


def _seen(profiles: Profiles, caller: Caller) -> tuple[Profile, ...]:
    return tuple(profile for profile in profiles.all() if caller.may(Permission.ADMIN, profile.name))


def _keyed(readings: list[FileReading] | tuple[FileReading, ...]) -> Iterator[tuple[str, Candidate]]:
    """Each candidate with the key of its offer: the file's position and its own."""
    for place, reading in enumerate(readings):
        for position, candidate in enumerate(reading.candidates):
            yield f"{place}-{position}", candidate


def _files(
    readings: list[FileReading] | tuple[FileReading, ...],
    stored: tuple[Profile, ...],
    profiles: Profiles,
    *,
    listings: list[tuple[Line, ...]] | None = None,
) -> tuple[FileRead, ...]:
    hues, taken = cycle(free_hues(stored)), set(profiles.names)
    secrets_of = no_secrets if profiles.locked else profiles.secrets
    offers: dict[int, list[Offer]] = {}
    for key, candidate in _keyed(readings):
        name = free_name(candidate.profile.name, taken)
        taken.add(name)
        planned = plan(candidate, stored, secrets_of=secrets_of)
        offers.setdefault(int(key.partition("-")[0]), []).append(offer(key, planned, hue=next(hues), name=name))
    return tuple(
        file_read(str(place), reading, offers=tuple(offers.get(place, ())), lines=listings[place] if listings else ())
        for place, reading in enumerate(readings)
    )


def _picked(candidate: Candidate, pick: Pick, *, stored: tuple[Profile, ...]) -> Planned:
    """The candidate as picked, beside what is stored. Raises Invalid, by the names of needs and fields."""
    whole_candidate = fill(candidate, pick.values)
    if pick.mode == UPDATE:
        planned = plan(whole_candidate, stored)
        if planned.over is None:
            raise Conflict("The connection to update is not there any more. Add it as another one.")
        # The version the page was drawn from, so that an edit in between is not overwritten.
        return replace(planned, over=replace(planned.over, version=pick.version))
    named = replace(whole_candidate.profile, name=pick.name, environment=pick.environment, protected=pick.is_protected)
    return Planned(replace(whole_candidate, profile=named), State.NEW)


def _as_saved(planned: Planned) -> Profile:
    """A profile of the name and the environment that saving gives it."""
    found = planned.candidate
    if planned.over is None:
        return found.profile
    return replace(planned.over, environment=found.profile.environment) if "environment" in found.decided else planned.over


def _again(file: FileRead, failed: Mapping[str, tuple[Pick, Invalid | Conflict]]) -> FileRead:
    return replace(file, offers=tuple(_offer_again(shown, failed) for shown in file.offers))


def _offer_again(shown: Offer, failed: Mapping[str, tuple[Pick, Invalid | Conflict]]) -> Offer:
    if shown.key not in failed:
        return repeated(shown, None, problem="", problems={})
    pick, error = failed[shown.key]
    return repeated(shown, pick, problem=error.message, problems=error.problems if isinstance(error, Invalid) else {})


ROUTES = (
    Route("connection_import", "GET", "/connections/import", Permission.ADMIN, form, "connection_import.html", nav="connections"),
    Route(
        "connection_import_read",
        "POST",
        "/connections/import",
        Permission.ADMIN,
        read,
        "connection_import.html",
        parse_given,
        needs=("profiles", "pending"),
        nav="connections",
        audit="read connections",
    ),
    Route(
        "connection_import_save",
        "POST",
        "/connections/import/save",
        Permission.ADMIN,
        save,
        "connection_import.html",
        parse_picks,
        needs=("profiles", "pending", "actor"),
        nav="connections",
    ),
)
