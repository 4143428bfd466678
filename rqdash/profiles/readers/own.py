"""rqdash's own export, rqdash/1: every field of a profile under its own name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls
from rqdash.profiles.readers.notes import Notes, shown
from rqdash.profiles.readers.plain import BODY, with_presence
from rqdash.profiles.readers.tree import Entry, Leaf, Row, Table, Value
from rqdash.profiles.readers.values import Candidate, Need
from rqdash.profiles.rebind import SLOTS

FORMAT = "rqdash/1"
LABELS = frozenset({"name", "enabled"})
"""What an import does not decide: it is asked for, or always the same."""
POLICY = frozenset({"arguments", "redact", "oldest_warn_s", "failures_warn_per_hour", "clock_skew_warn_s"})
"""What older exports do not say: it stays as it is where an import goes over a connection."""
PRESENT = {f"has_{slot}": slot for slot in SLOTS}


class Wrong(Exception):
    """A value that its field cannot have; carries where."""

    def __init__(self, key: str, value: Value) -> None:
        super().__init__(key)
        self.key = key
        self.value = value


def is_own(value: Value) -> bool:
    """Whether a JSON value is an export of rqdash, of this format or a later one."""
    found = value.get("format") if isinstance(value, Table) else None
    return found is not None and isinstance(found.value, Leaf) and str(found.value.value).startswith("rqdash/")


def profiles(value: Value, notes: Notes) -> list[Candidate]:
    """The profiles of an export, as they were, and what of their secrets is not in it."""
    assert isinstance(value, Table)  # noqa: S101  is_own said so
    kind, listed = value.get("format"), value.get("profiles")
    if kind is None or not isinstance(kind.value, Leaf) or kind.value.value != FORMAT:
        at = kind.at if kind else value.at
        notes.error(
            at, "newer-format", message=f"This export is of another version; this rqdash reads {FORMAT}. Export it again from there."
        )
        return []
    if listed is None or not isinstance(listed.value, Row):
        notes.error(value.at, "no-profiles", message="There are no profiles in this export. Export it again.")
        return []
    offered: list[Candidate] = []
    for position, item in enumerate(listed.value.items, start=1):
        try:
            offered.append(_candidate(item, notes))
        except Wrong as wrong:
            message = f"Profile {position}: {shown(wrong.key)} has a value it cannot have. Export it again, or correct it."
            notes.error(wrong.value.at, "bad-value", message=message)
    return offered


def _candidate(item: Value, notes: Notes) -> Candidate:
    if not isinstance(item, Table):
        raise Wrong("profile", item)
    values: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    needs: list[Need] = []
    for entry in item.entries:
        if entry.key in BODY:
            values[entry.key] = _read(entry)
        elif entry.key == "secrets":
            secrets |= {found.key: _text(found) for found in _table(entry).entries if found.key in SLOTS}
        elif entry.key in PRESENT:
            slot = PRESENT[entry.key]
            needs += [Need(slot, (slot,), None, True, entry.at.line, entry.at.column)] if _flag(entry) else []
        else:
            notes.warning(entry.at, "unknown-key", message=f"{shown(entry.key)}: this rqdash does not know it; left out.")
    missing = tuple(need for need in needs if need.name not in secrets)
    given = Secrets(**secrets)
    profile = with_presence(Profile(**{"name": "", **values}), given)
    decided = tuple(name for name in BODY if name not in LABELS and (name in values or name not in POLICY))
    return Candidate(profile, given, missing, item.at.line, profile.name, (), decided)


def _read(entry: Entry) -> Any:
    return READERS[entry.key](entry)


def _text(entry: Entry) -> str:
    if not isinstance(entry.value, Leaf) or not isinstance(entry.value.value, str):
        raise Wrong(entry.key, entry.value)
    return entry.value.value


def _flag(entry: Entry) -> bool:
    if not isinstance(entry.value, Leaf) or not isinstance(entry.value.value, bool):
        raise Wrong(entry.key, entry.value)
    return entry.value.value


def _whole(entry: Entry) -> int:
    if not isinstance(entry.value, Leaf) or type(entry.value.value) is not int:
        raise Wrong(entry.key, entry.value)
    return entry.value.value


def _number(entry: Entry) -> float:
    value = entry.value.value if isinstance(entry.value, Leaf) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Wrong(entry.key, entry.value)
    return float(value)


def _number_or_none(entry: Entry) -> float | None:
    return None if isinstance(entry.value, Leaf) and entry.value.value is None else _number(entry)


def _table(entry: Entry) -> Table:
    if not isinstance(entry.value, Table):
        raise Wrong(entry.key, entry.value)
    return entry.value


def _kind(entry: Entry) -> Kind:
    try:
        return Kind(_text(entry))
    except ValueError:
        raise Wrong(entry.key, entry.value) from None


def _nodes(entry: Entry) -> tuple[Node, ...]:
    if not isinstance(entry.value, Row):
        raise Wrong(entry.key, entry.value)
    return tuple(_node(entry.key, item) for item in entry.value.items)


def _node(key: str, item: Value) -> Node:
    host, port = (item.get("host"), item.get("port")) if isinstance(item, Table) else (None, None)
    if host is None or port is None:
        raise Wrong(key, item)
    return Node(_text(host), _whole(port))


def _texts(entry: Entry) -> tuple[str, ...]:
    if not isinstance(entry.value, Row):
        raise Wrong(entry.key, entry.value)
    leaves = [item.value if isinstance(item, Leaf) else None for item in entry.value.items]
    if not all(isinstance(leaf, str) for leaf in leaves):
        raise Wrong(entry.key, entry.value)
    return tuple(str(leaf) for leaf in leaves)


def _tls(entry: Entry) -> Tls:
    known = {found.name: found for found in fields(Tls)}
    inner = {found.key: BY_TYPE[str(known[found.key].type)](found) for found in _table(entry).entries if found.key in known}
    return Tls(**inner)


BY_TYPE: dict[str, Callable[[Entry], Any]] = {
    "str": _text,
    "bool": _flag,
    "int": _whole,
    "float": _number,
    "float | None": _number_or_none,
    "Kind": _kind,
    "tuple[Node, ...]": _nodes,
    "tuple[str, ...]": _texts,
    "Tls": _tls,
}
READERS = {found.name: BY_TYPE[str(found.type)] for found in fields(Profile) if found.name in BODY}
"""By the types the model declares, so that a new field of it needs no word here."""
