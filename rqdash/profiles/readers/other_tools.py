"""Exports of RedisInsight, redis-commander and Another Redis Desktop Manager: lists of connections under many names."""

from __future__ import annotations

from rqdash.model.profile import Kind
from rqdash.profiles.readers import tls_fields as tls
from rqdash.profiles.readers.draft import Draft, Handler, entry_of, ignored, secret, text
from rqdash.profiles.readers.finish import finished
from rqdash.profiles.readers.keys import DB, PORT, Keys, read_table, socket_path
from rqdash.profiles.readers.nodes import nodes, single
from rqdash.profiles.readers.notes import Notes
from rqdash.profiles.readers.tree import Entry, Leaf, Row, Table, Value
from rqdash.profiles.readers.values import Candidate

CHARACTERISTIC = {
    "redisinsight": ("connectionType", "sentinelMaster", "verifyServerCert", "nameFromProvider", "caCert"),
    "ardm": ("auth", "connectionName", "sentinelOptions", "sslOptions", "separator"),
    "redis-commander": ("label", "dbIndex", "sentinelName", "sentinels"),
}
COMMON: dict[str, Handler] = {
    "host": text("host"),
    "port": PORT,
    "db": DB,
    "dbIndex": DB,
    "username": text("username"),
    "password": secret("password"),
    "auth": secret("password"),
    "path": socket_path,
    "unixSocket": socket_path,
}
TUNNEL = "This connection goes through an SSH tunnel, which rqdash has not. Make Redis reachable from here, then import it again."
CLUSTER = "This is a cluster, which RQ does not work with. Export connections to one Redis or to Sentinels."
NO_CHECK = "This tool does not check the server's certificate. It is checked here: give the authority's certificates if it has its own."


def tool_of(value: Value) -> str:
    """Which tool a JSON value is of; "" for none."""
    if isinstance(value, Table) and (listed := value.get("connections")) and isinstance(listed.value, Row):
        return "redis-commander"
    items = value.items if isinstance(value, Row) else (value,)
    keys = {entry.key for item in items if isinstance(item, Table) for entry in item.entries}
    if not {"host", "path", "sentinels"} & keys:
        return ""
    return max(CHARACTERISTIC, key=lambda name: len(keys & set(CHARACTERISTIC[name])))


def connections(value: Value, notes: Notes, *, tool: str) -> list[Candidate]:
    """One candidate for each connection of an export; one that cannot be read costs no other."""
    if isinstance(value, Table) and (listed := value.get("connections")):
        value = listed.value
    offered: list[Candidate] = []
    for position, item in enumerate(value.items if isinstance(value, Row) else (value,), start=1):
        if not isinstance(item, Table):
            notes.error(item.at, "not-a-table", message=f"Entry {position} is no connection. Export it again.")
        elif (candidate := _connection(item, notes, tool=tool, position=position)) is not None:
            offered.append(candidate)
    return offered


def _connection(item: Table, notes: Notes, *, tool: str, position: int) -> Candidate | None:
    draft = Draft(notes, f"connection {position}", item.at, name=_title(item))
    if _is_on(item, "ssh") or _is_table(item, "sshOptions"):
        notes.error(item.at, "tunnel", message=TUNNEL)
        return None
    if _is_on(item, "cluster") or _plain(item, "connectionType").upper() == "CLUSTER" or _is_on(item, "isCluster"):
        notes.error(item.at, "cluster", message=CLUSTER)
        return None
    {"redisinsight": _insight, "ardm": _desktop, "redis-commander": _commander}[tool](draft, item)
    if draft.seen.get("sentinels") is None and not draft.values.get("unix_path"):
        draft.values.setdefault("host", "localhost" if tool == "redis-commander" else "")
    return finished(draft, is_rq=False)


def _insight(draft: Draft, item: Table) -> None:
    """With a sentinelMaster, host, port, username and password are the Sentinel's."""
    master = item.get("sentinelMaster")
    if master is not None and isinstance(master.value, Table):
        _of_sentinel(draft, item, secret_key="password")  # noqa: S106  a key's name
        inside = {"name": text("master_name"), "username": text("username"), "password": secret("password")}
        read_table(draft, master.value, keys=Keys(inside))
    else:
        if _plain(item, "connectionType").upper() == "SENTINEL":
            draft.values["kind"] = Kind.SENTINEL
            draft.seen["sentinels"] = item.at
        read_table(draft, item, keys=Keys({name: COMMON[name] for name in ("host", "port", "db", "username", "password")}))
    _insight_tls(draft, item)
    draft.values["environment"] = _plain(item, "environment") if _plain(item, "environment") in ("production", "staging") else ""


def _insight_tls(draft: Draft, item: Table) -> None:
    sides = ("tls", "sentinel_tls") if "sentinels" in draft.seen else ("tls",)
    for side in sides:
        draft.sides[side].enabled = _is_on(item, "tls")
        draft.sides[side].verify = not _is_on(item, "tls") or _is_on(item, "verifyServerCert")
        certificate = item.get("caCert")
        if certificate is not None and isinstance(certificate.value, Table) and (pem := certificate.value.get("certificate")):
            tls.authority(side)(draft, pem)
        client = item.get("clientCert")
        if client is not None and isinstance(client.value, Table):
            inside = {"certificate": tls.client_certificate(side), "key": tls.client_key(side)}
            read_table(draft, client.value, keys=Keys(inside))
        read_table(draft, item, keys=Keys({"tlsServername": tls.server_name(side)}))


def _desktop(draft: Draft, item: Table) -> None:
    """Another Redis Desktop Manager: host, port and auth are the Sentinel's, nodePassword and username are Redis's."""
    options = item.get("sentinelOptions")
    if options is not None and isinstance(options.value, Table):
        _of_sentinel(draft, item, secret_key="auth")  # noqa: S106  a key's name
        inside = {"masterName": text("master_name"), "name": text("master_name"), "nodePassword": secret("password")}
        read_table(draft, options.value, keys=Keys(inside))
        read_table(draft, item, keys=Keys({"username": text("username"), "db": DB}))
        draft.values.pop("sentinel_username", None)
    else:
        read_table(draft, item, keys=Keys(COMMON))
    secure = item.get("sslOptions")
    if secure is not None and isinstance(secure.value, Table):
        draft.notes.info(secure.at, "unverified-tls", message=NO_CHECK)
        for side in ("tls", "sentinel_tls") if "sentinels" in draft.seen else ("tls",):
            draft.sides[side].enabled = True
            read_table(draft, secure.value, keys=_secure(side))


def _commander(draft: Draft, item: Table) -> None:
    """redis-commander: a path goes before Sentinels, and those before a host."""
    handlers: dict[str, Handler] = {
        **COMMON,
        "sentinels": nodes,
        "sentinelName": text("master_name"),
        "sentinelPassword": secret("sentinel_password"),
        "sentinelUsername": text("sentinel_username"),
        "tls": _commander_tls,
        "sentinelTLS": tls.enabled("sentinel_tls"),
        "label": ignored,
    }
    read_table(draft, item, keys=Keys(handlers))
    if "sentinels" in draft.seen:
        draft.values.setdefault("master_name", "mymaster")


def _commander_tls(draft: Draft, entry: Entry) -> None:
    if not isinstance(entry.value, Table):
        tls.enabled("tls")(draft, entry)
        return
    draft.sides["tls"].enabled = True
    read_table(draft, entry.value, keys=_secure("tls"))
    if (checked := entry.value.get("rejectUnauthorized")) and isinstance(checked.value, Leaf) and checked.value.value is False:
        draft.sides["tls"].verify = False


def _secure(side: str) -> Keys:
    """The options of node's TLS sockets."""
    handlers = {"ca": tls.authority(side), "cert": tls.client_certificate(side), "key": tls.client_key(side)}
    return Keys({**handlers, "servername": tls.server_name(side)})


def _of_sentinel(draft: Draft, item: Table, *, secret_key: str) -> None:
    """Host, port, user and secret of the one Sentinel an export knows."""
    host, port = item.get("host"), item.get("port")
    at = host.at if host else item.at
    draft.seen["sentinels"] = at
    single(draft, host.value if host else Leaf(""), port=port.value if port else Leaf(26379), at=at)
    for key, handle in ((secret_key, secret("sentinel_password")), ("username", text("sentinel_username")), ("db", DB)):
        found = item.get(key)
        if found is not None:
            handle(draft, entry_of(key, found.value, found.at))


def _title(item: Table) -> str:
    return _plain(item, "name") or _plain(item, "connectionName") or _plain(item, "label")


def _plain(item: Table, key: str) -> str:
    found = item.get(key)
    return found.value.value if found and isinstance(found.value, Leaf) and isinstance(found.value.value, str) else ""


def _is_on(item: Table, key: str) -> bool:
    found = item.get(key)
    return found is not None and isinstance(found.value, Leaf) and found.value.value is True


def _is_table(item: Table, key: str) -> bool:
    found = item.get(key)
    return found is not None and isinstance(found.value, Table) and bool(found.value.entries)
