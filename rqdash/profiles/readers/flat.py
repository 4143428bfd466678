"""Settings that are one name a value, in the environment or in a module: REDIS_URL, REDIS_HOST, REDIS_SENTINEL_HOSTS and their kin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rqdash.profiles.readers import tls_fields as tls
from rqdash.profiles.readers.draft import Draft, Handler, ignored, secret, text
from rqdash.profiles.readers.finish import finished
from rqdash.profiles.readers.keys import DB, PORT, socket_path, timeout
from rqdash.profiles.readers.nodes import nodes
from rqdash.profiles.readers.notes import Notes, shown
from rqdash.profiles.readers.tree import Bound, Entry, Leaf, Table, Value
from rqdash.profiles.readers.url_field import is_url, url
from rqdash.profiles.readers.values import Candidate

SENTINEL_LISTS = """SENTINELS SENTINEL_HOSTS SENTINEL_NODES SENTINEL_ADDRS SENTINEL_ADDRESSES SENTINEL_INSTANCES SENTINEL_SERVERS
    SENTINEL_URLS SENTINEL_HOST SENTINEL SENTINEL_LIST SENTINEL_HOSTNAMES"""
MASTER_NAMES = """SENTINEL_MASTER SENTINEL_MASTER_NAME SENTINEL_MASTER_SET SENTINEL_SERVICE SENTINEL_SERVICE_NAME SENTINEL_NAME
    MASTER_NAME MASTER_SET MASTER_GROUP SERVICE_NAME SENTINEL_MASTER_GROUP SENTINEL_MASTER_SERVICE SENTINEL_PRIMARY"""
AUTHORITIES = "SSL_CA_CERTS SSL_CA_CERT SSL_CA_DATA SSL_CA_FILE CA_CERT CA_CERTS TLS_CA_CERT TLS_CA_FILE CA_CERT_PATH"
MEANINGS: dict[str, Handler] = {}
"""After REDIS_, by whatever name people and images use."""
for _names, _handler in (
    ("URL URI DSN CONNECTION_STRING CONNECTION_URL", url),
    ("HOST HOSTNAME SERVER ADDRESS", text("host")),
    ("PORT", PORT),
    ("DB DATABASE DB_INDEX DB_NUMBER", DB),
    ("USERNAME USER ACL_USERNAME", text("username")),
    ("PASSWORD PASS PASSWD AUTH AUTH_TOKEN", secret("password")),
    ("SSL TLS USE_SSL USE_TLS SSL_ENABLED TLS_ENABLED ENABLE_SSL ENABLE_TLS IS_SSL", tls.enabled("tls")),
    ("SSL_CERT_REQS", tls.checked("tls")),
    ("SSL_CHECK_HOSTNAME", tls.hostname_checked("tls")),
    (AUTHORITIES, tls.authority("tls")),
    ("SSL_CERTFILE SSL_CERT TLS_CERT_FILE CLIENT_CERT", tls.client_certificate("tls")),
    ("SSL_KEYFILE SSL_KEY TLS_KEY_FILE CLIENT_KEY", tls.client_key("tls")),
    ("SOCKET UNIX_SOCKET SOCKET_PATH UNIX_SOCKET_PATH", socket_path),
    ("SOCKET_TIMEOUT", timeout),
    (SENTINEL_LISTS, nodes),
    (MASTER_NAMES, text("master_name")),
    ("SENTINEL_PASSWORD SENTINEL_PASS SENTINEL_AUTH", secret("sentinel_password")),
    ("SENTINEL_USERNAME SENTINEL_USER", text("sentinel_username")),
    ("SENTINEL_SSL SENTINEL_TLS SENTINEL_USE_SSL SENTINEL_USE_TLS", tls.enabled("sentinel_tls")),
    ("SENTINEL_PORT SENTINEL_ENABLED SENTINEL_SOCKET_TIMEOUT SENTINEL_TIMEOUT USE_SENTINEL SENTINEL_DB", ignored),
):
    MEANINGS |= dict.fromkeys(_names.split(), _handler)
RQ_OWN = frozenset(
    ["URL", "HOST", "PORT", "DB", "PASSWORD", "SSL", "SSL_CA_CERTS", "SSL_CERT_REQS", "SSL_CA_DATA", "SSL_KEYFILE", "SSL_CERTFILE"]
)
"""After REDIS_: what RQ itself reads; everything else it ignores."""
ABOUT_REDIS = re.compile(r"(?:(?P<group>.*?)_)??(?:REDIS|VALKEY)_(?P<rest>.+)")
RQ_TRUTHS = ("y", "yes", "t", "true", "n", "no", "f", "false", "")


@dataclass(slots=True)
class Group:
    """The names of one connection, by meaning; several names may mean the same, and the first counts."""

    name: str
    bound: dict[str, tuple[str, Bound]] = field(default_factory=dict)

    def first(self, *handlers: Handler) -> tuple[str, Bound] | None:
        return next((found for rest, found in self.bound.items() if MEANINGS[rest] in handlers), None)

    @property
    def has_address(self) -> bool:
        return self.first(url, text_host, nodes, socket_path) is not None


text_host = MEANINGS["HOST"]


def groups(names: Mapping[str, Bound]) -> tuple[Group, ...]:
    """The connections that names are about, in the order they first appear: APP_REDIS_HOST is the host of the group app."""
    found: dict[str, Group] = {}
    for name, bound in names.items():
        place = _place(re.sub(r"[.\-]", "_", name).upper())
        if place is not None and not _is_empty(bound):
            group, rest = place
            found.setdefault(group, Group(group)).bound.setdefault(rest, (name, bound))
    return tuple(found.values())


def _is_empty(bound: Bound) -> bool:
    return (isinstance(bound.value, Leaf) and bound.value.value in (None, "")) or isinstance(bound.value, Table)


def _place(name: str) -> tuple[str, str] | None:
    """The group and the meaning of a name; None when it is about something else."""
    found = ABOUT_REDIS.fullmatch(name)
    if found is None:
        return ("", name) if name in MEANINGS and (name.startswith("SENTINEL") or name == "MASTER_NAME") else None
    group, rest = (found["group"] or "").lower(), found["rest"]
    if rest in MEANINGS:
        return group, rest
    inner = max((known for known in MEANINGS if rest.endswith(f"_{known}")), key=len, default="")
    return ("-".join(part for part in (group, rest.removesuffix(f"_{inner}").lower()) if part), inner) if inner else None


def candidates(names: Mapping[str, Bound], notes: Notes, *, is_code: bool, only_url: bool = False) -> list[Candidate]:
    """The connections of flat names. REDIS_URL goes before Sentinels and those before a host, as in RQ."""
    offered: list[Candidate | None] = []
    for group in groups(names):
        found, sentinels = group.first(url), group.first(nodes)
        if found is not None:
            offered.append(_of_url(group, found, notes=notes, is_code=is_code))
        if only_url:
            continue
        if sentinels is not None:
            if found is not None:
                notes.warning(sentinels[1].at, "precedence", message=PRECEDENCE.format(winner=shown(found[0]), loser=shown(sentinels[0])))
            offered.append(_of_parts(group, notes, is_code=is_code))
        elif found is None and (group.has_address or {"PORT", "DB"} & group.bound.keys()):
            offered.append(_of_parts(group, notes, is_code=is_code))
        elif found is not None and (host := group.first(text_host)) is not None:
            message = f"RQ takes {shown(found[0])} and ignores {shown(host[0])} and its kin; so does this import."
            notes.info(host[1].at, "precedence", message=message)
    return [candidate for candidate in offered if candidate is not None]


PRECEDENCE = (
    "{loser} stands beside {winner}: RQ takes {winner} and ignores {loser}. Both are offered here: which one is meant? Save that one, and "
    "take the other out of the file."
)


def _of_url(group: Group, found: tuple[str, Bound], *, notes: Notes, is_code: bool) -> Candidate | None:
    name, bound = found
    draft = Draft(notes, name, bound.at, is_code=is_code)
    warn(name, bound, notes=notes)
    url(draft, Entry(name, bound.value, bound.at))
    if is_code and name != "REDIS_URL":
        notes.warning(bound.at, "not-rq-name", message=f"{shown(name)}: RQ reads REDIS_URL only, and ignores this name. Rename it for RQ.")
    draft.name = draft.name or group.name
    return finished(draft, is_rq=False)


def _of_parts(group: Group, notes: Notes, *, is_code: bool) -> Candidate | None:
    at = next(iter(group.bound.values()))[1].at
    draft = Draft(notes, f"{group.name.upper() or 'REDIS'}_*", at, name=group.name, is_code=is_code)
    for rest, (name, bound) in group.bound.items():
        if MEANINGS[rest] is url:
            continue
        _warn_of_rq(rest, name, bound=bound, notes=notes, is_code=is_code, is_own=not group.name)
        MEANINGS[rest](draft, Entry(name, _with_port(group, rest, bound), bound.at))
    if not group.has_address:
        if not {"port", "db"} & draft.values.keys() and not draft.templates:
            # What it says of its place cannot be read: there is nothing to offer.
            return None
        draft.values.setdefault("host", "localhost")
        notes.info(at, "no-host", message="No host is named: RQ would take localhost, and so does this import.")
    return finished(draft, is_rq=False)


def _with_port(group: Group, rest: str, bound: Bound) -> Value:
    """Sentinels' hosts with the port that stands apart from them."""
    port = group.bound.get("SENTINEL_PORT")
    value = bound.value
    if MEANINGS[rest] is not nodes or port is None or not isinstance(port[1].value, Leaf) or not isinstance(value, Leaf):
        return value
    hosts = re.split(r"[,;\s]+", str(value.value).strip())
    return Leaf(",".join(host if ":" in host else f"{host}:{port[1].value.value}" for host in hosts), value.at)


def _warn_of_rq(rest: str, name: str, *, bound: Bound, notes: Notes, is_code: bool, is_own: bool) -> None:
    warn(name, bound, notes=notes)
    if is_code and (rest not in RQ_OWN or not is_own or name.upper() != name):
        notes.warning(
            bound.at, "not-rq-name", message=f"{shown(name)}: RQ ignores this name; read as meant. Give RQ a REDIS_URL that says it."
        )
    if (
        rest == "SSL"
        and isinstance(bound.value, Leaf)
        and isinstance(bound.value.value, str)
        and bound.value.value.lower() not in RQ_TRUTHS
    ):
        notes.warning(bound.value.at, "flag-as-text", message=f"{shown(name)}: RQ fails on this word; write True or False.")


def warn(name: str, bound: Bound, *, notes: Notes) -> None:
    """What is odd about how a name is bound: a colon for an equals sign, or a second value inside an if."""
    if bound.is_annotation:
        message = (
            f"'{shown(name)}: ...' is a type annotation: Python assigns nothing, and RQ would read nothing and connect to localhost:6379. "
            f"Read as '{shown(name)} = ...'; change the colon to an equals sign."
        )
        notes.warning(bound.at, "annotation", message=message)
    if bound.unsure_at is not None:
        message = f"{shown(name)} may get another value here, inside if, for, try or with, which is not evaluated. Check what was read."
        notes.warning(bound.unsure_at, "conditional", message=message)


def urls_elsewhere(names: Mapping[str, Bound], notes: Notes, *, is_code: bool) -> list[Candidate]:
    """Names that RQ does not know and whose value is a URL of Redis all the same."""
    offered: list[Candidate | None] = []
    for name, bound in names.items():
        value = bound.value
        if isinstance(value, Leaf) and isinstance(value.value, str) and is_url(value.value):
            offered.append(_of_url(Group(""), (name, bound), notes=notes, is_code=is_code))
    return [candidate for candidate in offered if candidate is not None]
