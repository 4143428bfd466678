"""Which format a file is in, by what is in it; its name only decides where the content leaves it open."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rqdash.profiles.readers import named, other_tools, own
from rqdash.profiles.readers.dotenv import dotenv, looks_like_dotenv
from rqdash.profiles.readers.flat import candidates as flat_candidates
from rqdash.profiles.readers.json_tree import parsed_json
from rqdash.profiles.readers.lists import looks_like_urls, urls
from rqdash.profiles.readers.notes import Notes, Unreadable
from rqdash.profiles.readers.python_file import names_of
from rqdash.profiles.readers.sentinel_conf import is_sentinel_conf, sentinel_conf
from rqdash.profiles.readers.tree import At, Bound, Leaf, Row, Table, Value
from rqdash.profiles.readers.values import Candidate
from rqdash.profiles.readers.yaml_tree import environments, parsed_yaml

LARGEST_TEXT_BYTES = 128 * 1024
"""Of anything but an export, which may hold hundreds of connections."""
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]{16,}")
YAML_LINE = re.compile(r"^\s*(-\s+)?[A-Za-z_][\w.-]*\s*:(\s|$)", re.MULTILINE)
SETTINGS = re.compile(r"redis|sentinel|rq_queues|broker", re.IGNORECASE)
NOTHING = (
    "There are no connection settings here that rqdash knows. It reads RQ's SENTINEL, REDIS_URL and REDIS_HOST, django-rq's RQ_QUEUES, "
    "NetBox's REDIS, Celery's broker, .env and compose files, lists of URLs, sentinel.conf and exports of other tools."
)
TOO_LARGE = f"A settings file has at most {LARGEST_TEXT_BYTES // 1024} KiB. Import a file with only the settings."


@dataclass(frozen=True, slots=True)
class Content:
    """What came out of a file."""

    format: str
    candidates: tuple[Candidate, ...]


def read(name: str, raw: bytes, notes: Notes) -> Content:
    """The candidates of a file. Raises Unreadable when nothing can be read from some place on."""
    text = _decoded(raw, notes)
    stripped = text.lstrip()
    if stripped.startswith(("{", "[")) and not name.endswith(".py"):
        found = _json(text, notes, is_sure=name.endswith(".json") or len(raw) > LARGEST_TEXT_BYTES, tool="")
        if found is not None:
            return found
    if BASE64.fullmatch(text) and (inner := _unpacked(text)):
        found = _json(inner, notes, is_sure=True, tool="ardm")
        if found is not None:
            return found
    if len(raw) > LARGEST_TEXT_BYTES:
        raise Unreadable("too-large", TOO_LARGE)
    return _text(name, text, notes=notes)


def _decoded(raw: bytes, notes: Notes) -> str:
    """The text of a file: UTF-8, with a byte order mark or without; UTF-16 with one; else Latin-1, with a warning."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8-sig")):
        if raw.startswith(mark):
            try:
                text = raw.decode(encoding)
                break
            except UnicodeError:
                continue
    else:
        text = raw.decode("latin-1")
        notes.warning(At(), "not-utf-8", message="The file is not UTF-8; letters with accents may be wrong. Save it as UTF-8.")
    if (position := text.find("\x00")) >= 0:
        line, start = text.count("\n", 0, position) + 1, text.rfind("\n", 0, position) + 1
        raise Unreadable("nul", "There is a NUL byte here: this is no text file. Save it again as text.", At(line, position - start + 1))
    return text


def _unpacked(text: str) -> str:
    try:
        inner = base64.b64decode("".join(text.split()), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    return inner if inner.lstrip().startswith(("{", "[")) else ""


def _json(text: str, notes: Notes, *, is_sure: bool, tool: str) -> Content | None:
    """What a JSON text means; None when it is not JSON and may be something else."""
    try:
        value = parsed_json(text)
    except Unreadable as unreadable:
        if is_sure or unreadable.code != "syntax":
            raise
        return None
    if own.is_own(value):
        return Content(own.FORMAT, tuple(own.profiles(value, notes)))
    if tool or (tool := other_tools.tool_of(value)):
        return Content(tool, tuple(other_tools.connections(value, notes, tool=tool)))
    if isinstance(value, Row) and value.items and all(isinstance(item, Leaf) for item in value.items):
        lines = [(str(item.value), item.at) for item in value.items if isinstance(item, Leaf)]
        return Content("urls", tuple(urls(lines, notes)))
    return _of_names(_names(value), notes, is_code=False, plain="json")


def _names(value: Value) -> Mapping[str, Bound]:
    return {entry.key: Bound(entry.value, entry.at) for entry in value.entries} if isinstance(value, Table) else {}


def _text(name: str, text: str, *, notes: Notes) -> Content:
    is_python = name.endswith(".py")
    if is_sentinel_conf(text) and not is_python:
        return Content("sentinel.conf", tuple(sentinel_conf(text, notes)))
    if looks_like_urls(text):
        lines = [(line, At(number)) for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1)]
        return Content("urls", tuple(urls(lines, notes)))
    if not is_python and (looks_like_dotenv(text) or _is_named_env(name)):
        return _of_names(dotenv(text, notes), notes, is_code=False, plain="env")
    if name.endswith((".yml", ".yaml")):
        return _yaml(text, notes)
    try:
        return _of_names(names_of(text, notes), notes, is_code=True, plain="rq-settings")
    except Unreadable as unreadable:
        if is_python or unreadable.code != "syntax":
            raise
        if not YAML_LINE.search(text):
            raise (unreadable if SETTINGS.search(text) else Unreadable("nothing-found", NOTHING)) from None
        return _yaml(text, notes)


def _is_named_env(name: str) -> bool:
    base = name.replace("\\", "/").rpartition("/")[2].lower()
    return base.startswith(".env") or base.endswith((".env", ".properties", ".envrc"))


def _yaml(text: str, notes: Notes) -> Content:
    value = parsed_yaml(text)
    found: list[Candidate] = []
    services = list(environments(value))
    listed = _services(value)
    inside = {entry.key for entry in listed.entries} if listed else set()
    for service, names in services:
        for candidate in flat_candidates(names, notes, is_code=False):
            if not any(_is_alike(candidate, known) for known in found):
                found.append(_labelled(candidate, service))
                _note_inside(candidate, inside, notes)
    if services:
        return _content("compose", found, notes)
    return _of_names(_names(value), notes, is_code=False, plain="yaml")


def _services(value: Value) -> Table | None:
    found = value.get("services") if isinstance(value, Table) else None
    return found.value if found and isinstance(found.value, Table) else None


def _note_inside(candidate: Candidate, inside: set[str], notes: Notes) -> None:
    profile = candidate.profile
    if {profile.host, *(node.host for node in profile.sentinels)} & inside:
        message = "The host is the name of a service here, which is known inside its network only. Change it if rqdash runs elsewhere."
        notes.info(At(candidate.line), "service-name", message=message)


def _is_alike(one: Candidate, other: Candidate) -> bool:
    """Whether two services use the same connection; it is offered once."""
    return (one.profile, one.secrets, [need.name for need in one.needs]) == (
        other.profile,
        other.secrets,
        [need.name for need in other.needs],
    )


def _labelled(candidate: Candidate, service: str) -> Candidate:
    return replace(candidate, label=f"{service}: {candidate.label}" if service else candidate.label)


def _of_names(names: Mapping[str, Bound], notes: Notes, *, is_code: bool, plain: str) -> Content:
    name, found = named.connections(names, notes, is_code=is_code, plain=plain)
    return _content(name, found, notes)


def _content(name: str, found: list[Candidate], notes: Notes) -> Content:
    if not found and not any(finding.severity.value == "error" for finding in notes.findings):
        notes.error(At(), "nothing-found", message=NOTHING)
    return Content(name, tuple(found))
