"""What names and values mean, wherever they come from: RQ's settings, django-rq's, NetBox's, Celery's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from rqdash.model.profile import Node
from rqdash.profiles.readers import flat
from rqdash.profiles.readers.celery import celery
from rqdash.profiles.readers.draft import Draft
from rqdash.profiles.readers.finish import finished
from rqdash.profiles.readers.keys import NETBOX, RQ_QUEUE, RQ_SENTINEL, Keys, read_table
from rqdash.profiles.readers.notes import Notes, shown
from rqdash.profiles.readers.tree import Bound, Entry, Leaf, Table, Unread
from rqdash.profiles.readers.values import Candidate

Found = tuple[str, list[Candidate]]
SENTINELS = ("instances", "sentinels")
OTHERS = re.compile(r"rq_queues|redis|caches|.*transport_options|redbeat.*", re.IGNORECASE)
"""Tables of other readers, or of nobody's queues."""
NO_MASTER = "mymaster"


def connections(names: Mapping[str, Bound], notes: Notes, *, is_code: bool, plain: str) -> Found:
    """The format and the candidates; plain is the format of flat names. Several tools' settings may stand in one file."""
    readers: tuple[tuple[str, Callable[[Mapping[str, Bound], Notes], list[Candidate] | None]], ...] = (
        ("django-rq", _django),
        ("netbox", _netbox),
        ("celery", celery),
        ("rq-settings", _rq_sentinel),
    )
    formats: list[str] = []
    offered: list[Candidate] = []
    for name, read in readers:
        found = read(names, notes)
        if found is not None:
            formats.append(name)
            offered += found
    own = {name: bound for name, bound in names.items() if name.isupper() or not is_code}
    if formats:
        if "rq-settings" in formats:
            offered = flat.candidates({key: own[key] for key in ("REDIS_URL",) if key in own}, notes, is_code=is_code) + offered
            _note_precedence(names, notes)
        return formats[0], offered
    return plain, _flat(names, own, notes=notes, is_code=is_code)


def _flat(names: Mapping[str, Bound], own: Mapping[str, Bound], *, notes: Notes, is_code: bool) -> list[Candidate]:
    offered = flat.candidates(own, notes, is_code=is_code)
    has_errors = any(finding.severity.value == "error" for finding in notes.findings)
    if not offered and not has_errors:
        offered = flat.candidates(names, notes, is_code=is_code) or flat.urls_elsewhere(names, notes, is_code=is_code)
    return offered


def _note_precedence(names: Mapping[str, Bound], notes: Notes) -> None:
    sentinel = next((name for name, bound in names.items() if name.upper() == "SENTINEL"), None)
    if sentinel is None:
        return
    at = names[sentinel].at
    if "REDIS_URL" in names and not _is_none(names["REDIS_URL"]):
        notes.warning(at, "precedence", message=flat.PRECEDENCE.format(winner="REDIS_URL", loser=shown(sentinel)))
    elif host := names.get("REDIS_HOST"):
        notes.info(host.at, "precedence", message="RQ takes SENTINEL and ignores REDIS_HOST and its kin; so does this import.")


def _is_none(bound: Bound) -> bool:
    return isinstance(bound.value, Leaf) and bound.value.value is None


def _rq_sentinel(names: Mapping[str, Bound], notes: Notes) -> list[Candidate] | None:
    """SENTINEL, and tables under other names that look like it."""
    found = [name for name, bound in names.items() if name.upper() == "SENTINEL" and not _is_text(bound) and not _is_none(bound)]
    similar = [name for name, bound in names.items() if name not in found and not OTHERS.fullmatch(name) and _is_sentinel(bound)]
    if not found and not similar:
        return None
    offered = [_sentinel(name, names[name], notes=notes) for name in (*found, *similar)]
    return [candidate for candidate in offered if candidate is not None]


def _is_text(bound: Bound) -> bool:
    return isinstance(bound.value, Leaf) and isinstance(bound.value.value, str)


def _is_sentinel(bound: Bound) -> bool:
    return isinstance(bound.value, Table) and any(entry.key.lower() in SENTINELS for entry in bound.value.entries)


def _sentinel(name: str, bound: Bound, *, notes: Notes) -> Candidate | None:
    draft = Draft(notes, name, bound.at, is_code=True)
    flat.warn(name, bound, notes=notes)
    if not isinstance(bound.value, Table):
        if isinstance(bound.value, Unread):
            notes.unread(bound.value, of=shown(name))
        else:
            notes.error(bound.value.at, "not-a-table", message=f"{shown(name)}: a dictionary belongs here, with INSTANCES and MASTER_NAME.")
        return None
    if name != "SENTINEL":
        message = f"{shown(name)}: RQ reads SENTINEL only, and ignores this name; read as meant. Rename it for RQ."
        notes.warning(bound.at, "not-rq-name", message=message)
    keys = RQ_QUEUE if bound.value.get("SENTINELS") and not bound.value.get("INSTANCES") else RQ_SENTINEL
    read_table(draft, bound.value, keys=keys)
    _default_sentinel(draft)
    return finished(draft)


def _default_sentinel(draft: Draft) -> None:
    if "sentinels" not in draft.seen:
        draft.seen["sentinels"] = draft.at
        draft.values["sentinels"] = (Node("localhost", 26379),)
        draft.notes.warning(
            draft.at, "no-instances", message="INSTANCES is missing: RQ would ask localhost:26379, and so does this import."
        )
    if not draft.values.get("master_name") and not _is_needed(draft, "master_name"):
        draft.values["master_name"] = NO_MASTER
        draft.notes.info(draft.at, "no-master-name", message=f"MASTER_NAME is missing: RQ takes {NO_MASTER}, and so does this import.")


def _is_needed(draft: Draft, field_name: str) -> bool:
    return any(field_name in need.fields for need in draft.needs.values())


def _django(names: Mapping[str, Bound], notes: Notes) -> list[Candidate] | None:
    bound = names.get("RQ_QUEUES")
    if bound is None:
        return None
    flat.warn("RQ_QUEUES", bound, notes=notes)
    return _tables(bound, notes, name="RQ_QUEUES", keys=RQ_QUEUE)


def _netbox(names: Mapping[str, Bound], notes: Notes) -> list[Candidate] | None:
    """REDIS.tasks; NetBox keeps no jobs under REDIS.caching."""
    bound = names.get("REDIS")
    table = bound.value if bound else None
    if bound is None or not isinstance(table, Table) or table.get("tasks") is None:
        return None
    tasks = [entry for entry in table.entries if entry.key == "tasks"]
    for entry in table.entries:
        if entry.key != "tasks":
            notes.info(entry.at, "not-queues", message=f"{shown(entry.key)}: NetBox keeps no jobs there; not offered.")
    return _tables(Bound(Table(tuple(tasks), table.at), bound.at), notes, name="REDIS", keys=NETBOX)


def _tables(bound: Bound, notes: Notes, *, name: str, keys: Keys) -> list[Candidate]:
    """One candidate for each table of a table."""
    if not isinstance(bound.value, Table):
        if isinstance(bound.value, Unread):
            notes.unread(bound.value, of=name)
        else:
            notes.error(bound.value.at, "not-a-table", message=f"{name}: a dictionary of connections belongs here.")
        return []
    offered = [_table(entry, notes, name=name, keys=keys) for entry in bound.value.entries]
    return [candidate for candidate in offered if candidate is not None]


def _table(entry: Entry, notes: Notes, *, name: str, keys: Keys) -> Candidate | None:
    draft = Draft(notes, f"{name}[{entry.key!r}]", entry.at, is_code=True)
    table = entry.value
    if not isinstance(table, Table):
        if isinstance(table, Unread):
            notes.unread(table, of=shown(entry.key))
        else:
            notes.error(table.at, "not-a-table", message=f"{shown(entry.key)}: a dictionary belongs here.")
        return None
    if found := table.get("USE_REDIS_CACHE"):
        message = "USE_REDIS_CACHE: the connection is that of a cache in CACHES, which is not followed. Write HOST and PORT, or URL."
        notes.error(found.at, "elsewhere", message=message)
        return None
    _only_url(draft, table, keys=keys)
    has_place = "sentinels" in draft.seen or draft.values.get("unix_path") or "host" in draft.values
    if not has_place and not _is_needed(draft, "host") and not _is_needed(draft, "url"):
        draft.values["host"] = "localhost"
        notes.info(entry.at, "no-host", message=f"{shown(entry.key)}: no host is named; localhost is taken.")
    candidate = finished(draft, is_rq="sentinels" in draft.seen)
    return candidate if candidate is None else _named(candidate, entry.key)


def _only_url(draft: Draft, table: Table, *, keys: Keys) -> None:
    """django-rq takes URL before anything else, and of the rest only the options."""
    if table.get("URL") is None:
        read_table(draft, table, keys=keys)
        return
    places = {"HOST", "PORT", "SENTINELS", "MASTER_NAME", "UNIX_SOCKET_PATH", "USERNAME", "PASSWORD"}
    kept = tuple(entry for entry in table.entries if entry.key not in places)
    first = sorted(kept, key=lambda entry: entry.key != "URL")
    read_table(draft, Table(tuple(first), table.at), keys=keys)


def _named(candidate: Candidate, key: str) -> Candidate:
    name = "netbox" if candidate.label.startswith("REDIS[") else key
    return replace(candidate, profile=replace(candidate.profile, name=name))
