"""Lists of Sentinels in the shapes people write."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from rqdash.model.profile import Node
from rqdash.profiles.readers.draft import Draft, as_whole, leave_open
from rqdash.profiles.readers.notes import Unreadable, shown
from rqdash.profiles.readers.tree import At, Entry, Leaf, Open, Row, Table, Unread, Value, joined

SENTINEL_PORT = 26379
MOST = 32
HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")
PAIR = 'Write a list of pairs: [("host", 26379)].'


@dataclass(frozen=True, slots=True)
class Slot:
    """One entry of a list: where it stands and what it is called in a finding."""

    at: At
    name: str


def nodes(draft: Draft, entry: Entry) -> None:
    """Reads a list of Sentinels into the draft; refuses the draft when none is left."""
    value, key = entry.value, shown(entry.key)
    if isinstance(value, Leaf) and (value.value is None or value.value == ""):
        return
    draft.seen["sentinels"] = entry.at
    if isinstance(value, Unread):
        draft.notes.unread(value, of=key)
        draft.is_refused = True
    elif isinstance(value, Open):
        leave_open(draft, "sentinels", value=value, key=key)
        if value.known is not None:
            _take(draft, _of_text(value.known, value.at), key=key, at=value.at)
    elif isinstance(value, Leaf):
        _text(draft, str(value.value), key=key, at=value.at)
    elif isinstance(value, Table):
        _take(draft, (value,), key=key, at=value.at)
    elif _is_pair(value):
        message = f"{key}: one pair stands where a list of pairs belongs, and RQ would fail to read it. {PAIR}"
        draft.refuse(value.at, "pair-not-list", message=message)
    else:
        _take(draft, value.items, key=key, at=value.at)


def _is_pair(row: Row) -> bool:
    if len(row.items) != 2 or not isinstance(row.items[0], Leaf | Open):
        return False
    second = row.items[1]
    return isinstance(second, Leaf) and as_whole(second.value) is not None


def _text(draft: Draft, text: str, *, key: str, at: At) -> None:
    if text.lstrip().startswith("["):
        # redis-commander also takes the list as a text of JSON.
        from rqdash.profiles.readers.json_tree import parsed_json

        try:
            inner = parsed_json(text)
        except Unreadable:
            draft.refuse(at, "not-a-list", message=f"{key}: this is no list of hosts. {PAIR}")
            return
        _take(draft, inner.items if isinstance(inner, Row) else (inner,), key=key, at=at)
        return
    if draft.is_code:
        draft.notes.warning(at, "text-not-list", message=f"{key}: a text stands where a list of pairs belongs; RQ would fail on it. {PAIR}")
    _take(draft, _of_text(text, at), key=key, at=at, quiet=True)


def _of_text(text: str, at: At) -> tuple[Value, ...]:
    return tuple(Leaf(part, at) for part in re.split(r"[,;\s]+", text.strip()) if part)


def _take(draft: Draft, items: tuple[Value, ...], *, key: str, at: At, quiet: bool = False) -> None:
    """Reads each entry on its own, so that one bad entry costs no other."""
    if len(items) > MOST:
        draft.refuse(at, "too-many", message=f"{key}: there are more than {MOST} entries. Give the Sentinels of one group.")
        return
    found: list[Node] = []
    pieces: list[Value] = []
    for position, item in enumerate(items):
        slot = Slot(item.at if item.at != At() else at, f"{key}[{position}]")
        value = _address(draft, item, slot=slot, quiet=quiet or not draft.is_code)
        if value is None:
            continue
        pieces += [Leaf(","), value] if pieces else [value]
        node = _node(draft, value, slot=slot)
        if node is not None and node in found:
            draft.notes.warning(slot.at, "duplicate", message=f"{slot.name}: this Sentinel is in the list already; read once.")
        elif node is not None:
            found.append(node)
    _settle(draft, found, whole=joined(tuple(pieces), at), key=key, at=at, was_empty=not items)


def _settle(draft: Draft, found: list[Node], *, whole: Value, key: str, at: At, was_empty: bool) -> None:
    if isinstance(whole, Open):
        leave_open(draft, "sentinels", value=Open(whole.pieces, at), key=key)
    draft.values["sentinels"] = tuple(found)
    if found or isinstance(whole, Open):
        return
    draft.is_refused = True
    if was_empty:
        draft.notes.error(at, "no-sentinels", message=f"{key}: the list is empty. {PAIR}")


def _address(draft: Draft, item: Value, *, slot: Slot, quiet: bool) -> Value | None:
    """host:port of one entry, as a text; None with a finding when it is no address."""
    if isinstance(item, Unread):
        draft.notes.unread(item, of=slot.name)
        return None
    if isinstance(item, Table):
        return _of_table(draft, item, slot=slot)
    if isinstance(item, Row):
        return _of_pair(draft, item, slot=slot)
    if isinstance(item, Leaf) and not isinstance(item.value, str):
        draft.notes.error(slot.at, "not-a-pair", message=f"{slot.name}: this is no pair of host and port. {PAIR}")
        return None
    if not quiet and isinstance(item, Leaf):
        message = f"{slot.name}: a text stands where a pair belongs; RQ itself would fail to unpack it. {PAIR}"
        draft.notes.warning(slot.at, "text-not-pair", message=message)
    return item


def _of_table(draft: Draft, table: Table, *, slot: Slot) -> Value | None:
    host = table.get("host") or table.get("HOST") or table.get("ip") or table.get("address")
    port = table.get("port") or table.get("PORT")
    if host is None:
        draft.notes.error(slot.at, "not-a-pair", message=f"{slot.name}: there is no host in it. {PAIR}")
        return None
    return _of_pair(draft, Row((host.value, port.value if port else Leaf(SENTINEL_PORT)), slot.at), slot=slot)


def _of_pair(draft: Draft, row: Row, *, slot: Slot) -> Value | None:
    if len(row.items) != 2:
        draft.notes.error(slot.at, "not-a-pair", message=f"{slot.name}: a pair has two parts, host and port. {PAIR}")
        return None
    host, port = row.items
    for part in (host, port):
        if isinstance(part, Unread):
            draft.notes.unread(part, of=slot.name)
            return None
        if isinstance(part, Row | Table):
            draft.notes.error(slot.at, "not-a-pair", message=f"{slot.name}: a pair has two parts, host and port. {PAIR}")
            return None
    if isinstance(port, Leaf) and isinstance(port.value, str):
        message = f"{slot.name}: the port is written as text; read as a number. Take the quotes away."
        if draft.is_code:
            draft.notes.warning(slot.at, "port-as-text", message=message)
    if isinstance(host, Leaf) and isinstance(host.value, str):
        host = _unbracketed(draft, host, host.value.strip(), slot=slot)
    value = joined((host, Leaf(":"), port), slot.at)
    if isinstance(value, Unread):
        draft.notes.unread(value, of=slot.name)
        return None
    return value


def _unbracketed(draft: Draft, host: Leaf, text: str, *, slot: Slot) -> Leaf:
    if text.startswith("[") and text.endswith("]"):
        message = f"{slot.name}: redis-py takes IPv6 addresses without brackets; read without them."
        draft.notes.warning(slot.at, "bracketed", message=message)
        return host
    return Leaf(f"[{text}]", host.at) if ":" in text else host


def _node(draft: Draft, value: Value, *, slot: Slot) -> Node | None:
    text = value.known if isinstance(value, Open) else str(value.value) if isinstance(value, Leaf) else ""
    if text is None:
        return None
    found = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([^:]*))?", text.strip())
    host = found[1].strip("[]") if found else ""
    port = as_whole(found[2]) if found and found[2] is not None else SENTINEL_PORT
    if not is_host(host):
        message = f"{slot.name}: the host is no name and no address: letters, digits, dots and dashes, no spaces. Correct it."
        draft.notes.error(slot.at, "bad-host", message=message)
        return None
    if port is None or not 1 <= port <= 65535:
        draft.notes.error(slot.at, "bad-port", message=f"{slot.name}: a port is a number from 1 to 65535, usually 26379. Correct it.")
        return None
    return Node(host.lower(), port)


def is_host(text: str) -> bool:
    """Whether it can be a host name or an IP address."""
    if ":" in text:
        try:
            return "%" not in text and bool(ipaddress.IPv6Address(text))
        except ValueError:
            return False
    return HOST.fullmatch(text) is not None


def single(draft: Draft, host: Value, *, port: Value, at: At) -> None:
    """One Sentinel given as host and port apart, as RedisInsight and others keep it."""
    _take(draft, (Row((host, port), at),), key="host", at=at, quiet=True)
