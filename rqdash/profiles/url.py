"""A pasted URL as a profile and its secrets: our own parser, whose errors never hold a part of what was pasted.

redis-py's parser reads redis://h/abc as database 0 and redis://h/1/2 as database 12, shows the start of a password that holds a
slash, takes passwords from the query and knows no Sentinel (redis-py 8.1, redis/_parsers/url.py); so it is not used.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

from rqdash.errors import Invalid
from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls
from rqdash.profiles.url_options import OPTIONS, Refusal, option

LONGEST = 8192
DATA_PORT = 6379
SENTINEL_PORT = 26379
SCHEMES = {
    "redis": (Kind.STANDALONE, Tls()),
    "rediss": (Kind.STANDALONE, Tls(enabled=True)),
    "unix": (Kind.UNIX, Tls()),
    "redis+sentinel": (Kind.SENTINEL, Tls()),
    "rediss+sentinel": (Kind.SENTINEL, Tls(enabled=True)),
    "redis-sentinel": (Kind.SENTINEL, Tls()),
    "rediss-sentinel": (Kind.SENTINEL, Tls(enabled=True)),
    "sentinel": (Kind.SENTINEL, Tls()),
}
NEXT = re.compile(r";\s*(?=[a-z+-]{1,20}://)|;\s*\Z", re.IGNORECASE)
"""Between the URLs of a list, and after the last: a ; inside a password is followed by no scheme."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """One URL, cut but not understood; nothing of it is ever printed."""

    scheme: str
    user: str = field(repr=False)
    password: str | None = field(repr=False)
    hosts: str = field(repr=False)
    path: str = field(repr=False)
    query: str = field(repr=False)


def profile_from_url(url: str) -> tuple[Profile, Secrets]:
    """What a URL, or a list of Sentinel URLs separated by ;, means; the name is suggested from the host, or "".

    Nothing is checked that validation checks. Raises Invalid with a problem for url, which names a place and a remedy, never a text.
    """
    try:
        return _profile(url.strip())
    except Refusal as refusal:
        raise Invalid(f"The URL cannot be read: {refusal}", problems={"url": str(refusal)}) from None


def _profile(url: str) -> tuple[Profile, Secrets]:
    if not url:
        raise Refusal("Paste one, such as redis://user@host:6379/0.")
    if len(url) > LONGEST or not url.isprintable():
        raise Refusal("It is too long or holds a character that cannot be shown. Copy it again, in one line.")
    parts = [_cut(part, position) for position, part in enumerate(NEXT.split(url), start=1) if part]
    if not parts:
        raise Refusal("Paste one, such as redis://user@host:6379/0.")
    first = parts[0]
    kind, tls = SCHEMES[first.scheme]
    if len(parts) > 1:
        first = _joined(parts, kind)
    base = Profile(name="", kind=kind, tls=tls, sentinel_tls=tls if kind is Kind.SENTINEL else Tls(), username=first.user)
    read: dict[Kind, Callable[[Profile, Pieces], Profile]] = {Kind.STANDALONE: _standalone, Kind.UNIX: _unix, Kind.SENTINEL: _sentinel}
    profile = _with_options(read[kind](base, first), first)
    return profile, Secrets(first.password or None)


def _cut(url: str, position: int) -> Pieces:
    scheme, mark, rest = url.strip().partition("://")
    if not mark or scheme.lower() not in SCHEMES:
        raise Refusal(
            f"URL {position} begins with no scheme rqdash knows. Begin with one of {', '.join(f'{name}://' for name in SCHEMES)}."
        )
    end = re.search(r"[/?#]", rest)
    authority, rest = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    if "@" in rest:
        raise Refusal(
            "There is an @ after a /, ? or #. In a user name or password write / as %2F, ? as %3F and # as %23; elsewhere write @ as %40."
        )
    if "#" in rest:
        raise Refusal("There is a # in it. The name of a Sentinel master goes into the path: sentinel://host:26379/master/0.")
    # The last @, for redis-py reads it so, and people do paste passwords that hold one.
    credentials, at, hosts = authority.rpartition("@")
    user, colon, password = credentials.partition(":")
    path, _, query = rest.partition("?")
    return Pieces(
        scheme.lower(),
        _decoded(user, "user name"),
        _decoded(password, "password") if at and colon else None,
        hosts,
        path,
        query,
    )


def _decoded(text: str, what: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise Refusal(f"The {what} holds a % that begins no escape. Write % as %25.")
    try:
        decoded = unquote_to_bytes(text).decode("utf-8")
    except UnicodeError:
        raise Refusal(f"The {what} holds escapes that are no UTF-8. Fill that field by hand.") from None
    if any(ord(char) < 32 for char in decoded):
        raise Refusal(f"The {what} holds an escaped control character. Fill that field by hand.")
    return decoded


def _joined(parts: Sequence[Pieces], kind: Kind) -> Pieces:
    """A list of Sentinel URLs as one with many hosts; what several of them say they must say alike."""
    if kind is not Kind.SENTINEL or any(part.scheme != parts[0].scheme for part in parts):
        raise Refusal("There are several URLs. Only Sentinels come in a list, all with the same scheme; paste other backends one by one.")
    return replace(
        parts[0],
        user=_agreed([part.user for part in parts], "user name"),
        password=_agreed([part.password or "" for part in parts], "password") or None,
        hosts=",".join(part.hosts for part in parts),
        path=_agreed([part.path.rstrip("/") for part in parts], "path"),
        query=_agreed([part.query for part in parts], "query"),
    )


def _agreed(texts: Sequence[str], what: str) -> str:
    found = {text for text in texts if text}
    if len(found) > 1:
        raise Refusal(f"The URLs of the list differ in their {what}. One backend has one; give it in the first URL only.")
    return found.pop() if found else ""


def _standalone(base: Profile, pieces: Pieces) -> Profile:
    if "," in pieces.hosts:
        raise Refusal("There are several hosts. A standalone Redis has one; for Sentinels begin with redis+sentinel:// instead.")
    node = _node(pieces.hosts, DATA_PORT, "The host")
    segments = _segments(pieces.path)
    if len(segments) > 1:
        raise Refusal("The path has several parts. A standalone Redis has only a database there: redis://host:6379/0.")
    return replace(base, host=node.host, port=node.port, db=_db(segments[0]) if segments else 0, name=_suggested(node.host))


def _unix(base: Profile, pieces: Pieces) -> Profile:
    if pieces.hosts:
        raise Refusal("A unix URL has no host: write unix:///run/redis/redis.sock, with three slashes.")
    return replace(base, unix_path=_decoded(pieces.path, "path"))


def _sentinel(base: Profile, pieces: Pieces) -> Profile:
    hosts = pieces.hosts.split(",")
    nodes = tuple(_node(host, SENTINEL_PORT, f"Host {position}") for position, host in enumerate(hosts, start=1))
    segments = _segments(pieces.path)
    if len(segments) > 2:
        raise Refusal("The path has more than two parts. It is /master/database, or /database with ?sentinel_master=name.")
    if len(segments) == 2:
        master, db = segments[0], _db(segments[1])
    elif segments and not _is_number(segments[0]):
        master, db = segments[0], 0
    else:
        master, db = "", _db(segments[0]) if segments else 0
    return replace(base, sentinels=nodes, master_name=master, db=db, name=_suggested(master))


def _segments(path: str) -> list[str]:
    inner = path.removeprefix("/").removesuffix("/")
    return [_decoded(segment, "path") for segment in inner.split("/")] if inner else []


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,10}", text) is not None


def _db(text: str) -> int:
    if not _is_number(text):
        raise Refusal("The database, the last part of the path, is no number. RQ uses 0 unless told otherwise.")
    return int(text)


def _node(text: str, default_port: int, where: str) -> Node:
    found = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([^:]*))?", text)
    if found is None:
        raise Refusal(f"{where} has several colons. An IPv6 address stands in brackets: [::1]:6379.")
    host, port = found[1], found[2]
    if not host or host == "[]":
        raise Refusal(f"{where} is missing. Write it before the port: redis://host:6379/0.")
    if port and not re.fullmatch(r"[0-9]{1,5}", port):
        raise Refusal(f"{where} has a port that is no number. If it is part of a password, an @ must follow: redis://:password@host.")
    if host.startswith("["):
        return Node(_ipv6(host[1:-1], where), int(port or default_port))
    return Node(host, int(port or default_port))


def _ipv6(text: str, where: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise Refusal(f"{where} has brackets around something that is no IPv6 address. Write other hosts without them.") from None


def _suggested(host: str) -> str:
    """A name for the profile: the first label of a host, or the name of a master; none for addresses and the local host."""
    if re.fullmatch(r"[0-9.:a-f]*[.:][0-9.:a-f]*|localhost", host):
        return ""
    return re.sub(r"[^a-z0-9]+", "-", host.partition(".")[0].lower())[:20].strip("-")


def _with_options(profile: Profile, pieces: Pieces) -> Profile:
    seen: set[str] = set()
    for position, text in enumerate((text for text in pieces.query.split("&") if text), start=1):
        name, _, raw = text.partition("=")
        if name not in OPTIONS:
            # Its name is not repeated: what follows a stray & may be half a password.
            raise Refusal(
                f"Parameter {position} of the query is none rqdash knows. Take it out, and fill the form's field if there is one."
            )
        if name in seen:
            raise Refusal(f"{name} is there twice. Keep one.")
        seen.add(name)
        profile = option(profile, name, value=_decoded(raw.replace("+", " "), "query"))
    return profile
