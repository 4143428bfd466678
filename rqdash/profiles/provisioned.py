"""Connections written in a TOML file: read strictly, and every mistake named with the file, the table and the field."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from rqdash.errors import Invalid, SettingsError
from rqdash.model.profile import Kind, Node, Profile, Source, Tls
from rqdash.profiles.rebind import DATA_KEY_SLOTS, SENTINEL_KEY_SLOTS, SLOTS, used_slots
from rqdash.profiles.references import References
from rqdash.profiles.rows import BODY
from rqdash.profiles.validation import Policy, validated

MOST_BYTES = 1024 * 1024
MOST_PROFILES = 500
SENTINEL_PORT = 26379
TYPES: Mapping[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), 'a text in quotes, such as "orders"'),
    "Kind": ((str,), f"one of {', '.join(kind.value for kind in Kind)}, in quotes"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number of seconds"),
    "float | None": ((int, float), "a number of seconds"),
    "bool": ((bool,), "true or false"),
    "tuple[str, ...]": ((list,), 'a list of texts, such as ["*password*", "*token*"]'),
}
"""By the types of the model's fields: what TOML may hold for it, and how it is asked for."""
FIELDS = {field.name: str(field.type) for field in fields(Profile) if field.name in {*BODY} - {"source", "secret_refs"}}
TLS_FIELDS = {field.name: str(field.type) for field in fields(Tls)}

Problem = tuple[str, str]
"""A field and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a file is judged by; taken are the names of the connections made in the dashboard."""

    references: References
    policy: Policy
    taken: Collection[str] = ()


class _Wrong(Exception):
    """What a value should have been; holds no part of it."""


def provisioned(path: Path, *, rules: Rules) -> tuple[Profile, ...]:
    """The profiles of a file, in its order, with their references. Raises SettingsError with a line for every mistake."""
    tables = _tables(path)
    found: list[Profile] = []
    mistakes: list[str] = []
    for name, table in tables.items():
        profile, problems = _profile(name, table, rules)
        found.append(profile)
        mistakes += [f"{path.name} [profile.{_shown(name)}] {field}: {problem}" for field, problem in problems]
    if mistakes:
        raise _refusal(path, *mistakes)
    return tuple(found)


def _tables(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise _refusal(path, f"{path.name}: it is over 1 MiB.")
        whole = tomllib.loads(raw.decode("utf-8"))
    except OSError:
        raise _refusal(path, f"{path.name}: it cannot be read. Check RQDASH_PROFILES_FILE and the file's owner.") from None
    except UnicodeDecodeError:
        raise _refusal(path, f"{path.name}: it is no text in UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # Of the library's text only the place: the rest may repeat what stands there.
        place = re.search(r"at line \d+, column \d+", str(error))
        raise _refusal(path, f"{path.name}: it is no TOML{f' ({place[0]})' if place else ''}. Texts stand in quotes.") from None
    tables = whole.pop("profile", {})
    mistakes = [f"{path.name} {_shown(key)}: there is no such table. Connections are tables [profile.NAME]." for key in whole]
    if not isinstance(tables, dict):
        mistakes.append(f"{path.name} profile: it is no table. Connections are tables [profile.NAME].")
    elif len(tables) > MOST_PROFILES:
        mistakes.append(f"{path.name}: it holds over {MOST_PROFILES} connections.")
    if mistakes:
        raise _refusal(path, *mistakes)
    found: dict[str, object] = tables
    return found


def _profile(name: str, table: object, rules: Rules) -> tuple[Profile, list[Problem]]:
    if not isinstance(table, dict):
        return Profile(name), [("(table)", "it is no table. Begin it with [profile.NAME].")]
    references = {slot: table[slot] for slot in SLOTS if slot in table}
    values, problems = _values({field: value for field, value in table.items() if field not in references}, FIELDS)
    profile = Profile(name=name, **values)
    try:
        profile = validated(profile, taken=rules.taken, policy=rules.policy)
    except Invalid as error:
        known = {field.partition(".")[0] for field, _ in problems}
        problems += [(_written(field), problem) for field, problem in error.problems.items() if _written(field) not in known]
    problems += _reference_problems(profile, references, rules.references)
    refs = tuple((slot, str(reference)) for slot, reference in references.items())
    return replace(profile, source=Source.FILE, secret_refs=refs), problems


def _values(table: Mapping[str, object], types: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """The values of the fields that can be read, and what is wrong with the others."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for field, value in table.items():
        try:
            if types.get(field) == "Tls":
                inner, wrong = _values(_table(value), TLS_FIELDS)
                values[field] = Tls(**inner)
                problems += [(f"{field}.{part}", problem) for part, problem in wrong]
            else:
                values[field] = _value(field, value, types)
        except _Wrong as error:
            problems.append((_shown(field), str(error)))
    return values, problems


def _value(field: str, value: object, types: Mapping[str, str]) -> object:
    if field not in types:
        near = difflib.get_close_matches(field, [*types, *SLOTS], 1, 0.7)
        raise _Wrong(f"there is no such field{f'; did you mean {near[0]}?' if near else '.'}")
    if field == "sentinels":
        return _sentinels(value)
    allowed, asked = TYPES[types[field]]
    if not isinstance(value, allowed) or isinstance(value, bool) != (bool in allowed):
        raise _Wrong(f"give {asked}.")
    if isinstance(value, list):
        if not all(isinstance(item, str) for item in value):
            raise _Wrong(f"give {asked}.")
        return tuple(value)
    if types[field] != "Kind":
        return value
    if value not in {kind.value for kind in Kind}:
        raise _Wrong(f"give {asked}.")
    return Kind(value)


def _sentinels(value: object) -> tuple[Node, ...]:
    if not isinstance(value, list):
        raise _Wrong('give a list, such as ["10.0.0.1:26379", "10.0.0.2:26379"].')
    return tuple(_node(item, position) for position, item in enumerate(value, start=1))


def _node(value: object, position: int) -> Node:
    if isinstance(value, dict) and value.keys() == {"host", "port"} and isinstance(value["host"], str) and type(value["port"]) is int:
        return Node(value["host"], value["port"])
    found = re.fullmatch(r"(\[[^\]]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?", value) if isinstance(value, str) else None
    if found is None:
        raise _Wrong(f'entry {position} is no address. Give "host:port", an IPv6 address in brackets, or {{host = "…", port = 26379}}.')
    return Node(found[1].strip("[]"), int(found[2] or SENTINEL_PORT))


def _table(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _Wrong("give a table, such as {enabled = true}.")
    return value


def _reference_problems(profile: Profile, found: Mapping[str, object], references: References) -> list[Problem]:
    used = used_slots(profile)
    problems: list[Problem] = []
    for slot, reference in found.items():
        if problem := references.problem(reference if isinstance(reference, str) else ""):
            problems.append((slot, f"it {problem}"))
        elif slot not in used:
            problems.append((slot, "nothing uses it: Sentinels' secrets need the kind sentinel, keys need a client_cert_pem and TLS."))
    keys = ((DATA_KEY_SLOTS[0], "tls"), (SENTINEL_KEY_SLOTS[0], "sentinel_tls"))
    problems += [
        (slot, f"{tls}.client_cert_pem needs its key. Give a reference.") for slot, tls in keys if slot in used and slot not in found
    ]
    return problems


def _written(field: str) -> str:
    """The name in the file of a field in validation's words."""
    plain = field.removeprefix("sentinel_")
    if plain not in TLS_FIELDS:
        return field
    return f"{'sentinel_' if plain != field else ''}tls.{plain}"


def _shown(name: str) -> str:
    """A key as it stands in the file, cut where it is endless."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name) else json.dumps(name[:40])


def _refusal(path: Path, *mistakes: str) -> SettingsError:
    return SettingsError("\n".join([f"The connections in {path.name} cannot be used:", *mistakes]))
