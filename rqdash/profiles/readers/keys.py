"""What the keys of connections mean, in RQ, in redis-py and in the tools people come from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from rqdash.model.profile import WORKER_SOCKET_TIMEOUT_S
from rqdash.profiles.readers import tls_fields as tls
from rqdash.profiles.readers.draft import Draft, Handler, ignored, known, seconds, secret, text, truth, whole
from rqdash.profiles.readers.nodes import nodes
from rqdash.profiles.readers.notes import shown
from rqdash.profiles.readers.tree import Entry, Leaf, Table, Unread
from rqdash.profiles.readers.url_field import CONNECT_S, url

HIGHEST_DB = 2**31 - 1
NO_DECODING = (
    "RQ stores bytes and does not support decode_responses: with it, reading a job fails. Take it out, in the settings of the workers too."
)
PORT = whole("port", low=1, high=65535)
DB = whole("db", low=0, high=HIGHEST_DB)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one kind of table. reader is who reads them, for findings; an unknown key is noted when there is a reader."""

    handlers: Mapping[str, Handler]
    reader: str = ""


def read_table(draft: Draft, table: Table, *, keys: Keys) -> None:
    """Hands every entry to its handler. A key in the wrong case is read as meant, with a warning; others get a suggestion."""
    for entry in table.entries:
        handler = keys.handlers.get(entry.key)
        if handler is not None:
            handler(draft, entry)
            continue
        cased = next((name for name in keys.handlers if name.lower() == entry.key.lower()), None)
        if cased is not None and table.get(cased) is None:
            if keys.reader:
                message = f"{shown(entry.key)}: {keys.reader} reads {cased} and ignores this spelling; read as {cased}. Correct it."
                draft.notes.warning(entry.at, "wrong-case", message=message)
            keys.handlers[cased](draft, Entry(cased, entry.value, entry.at))
        elif keys.reader:
            near = difflib.get_close_matches(entry.key.upper(), [name.upper() for name in keys.handlers], 1, 0.6)
            meant = next((name for name in keys.handlers if near and name.upper() == near[0]), "")
            hint = f"did you mean {meant}?" if meant else "take it out, or look up its name."
            message = f"{shown(entry.key)}: {keys.reader} does not know this key; {hint}"
            draft.notes.warning(entry.at, "unknown-key", message=message)


def timeout(draft: Draft, entry: Entry) -> None:
    """The socket timeout of whoever uses the file, in seconds; what is wrong with it is said when all is known."""
    value = known(draft, "worker_socket_timeout_s", entry=entry)
    draft.seen["timeout"] = entry.at
    number = seconds(value)
    draft.timeout_s = number
    if number is None and value is not None:
        draft.notes.error(entry.value.at, "not-a-number", message=f"{shown(entry.key)}: a number of seconds belongs here.")
    if number is not None and WORKER_SOCKET_TIMEOUT_S <= number <= 86400:
        draft.values["worker_socket_timeout_s"] = number


def connect_timeout(draft: Draft, entry: Entry) -> None:
    number = seconds(entry.value.value) if isinstance(entry.value, Leaf) else None
    if number is not None and CONNECT_S[0] <= number <= CONNECT_S[1]:
        draft.values["connect_timeout_s"] = number


def decode_responses(draft: Draft, entry: Entry) -> None:
    if truth(draft, "decode_responses", entry=entry):
        draft.refuse(entry.at, "decode-responses", message=f"{shown(entry.key)}: {NO_DECODING}")
    draft.needs.pop("decode_responses", None)


def credentials_by_code(draft: Draft, entry: Entry) -> None:
    message = f"{shown(entry.key)}: credentials made by code are not imported. Fill in the user and the password."
    draft.notes.warning(entry.at, "not-imported", message=message)
    draft.need("password", "password", at=entry.at)


def inner(keys: Keys) -> Handler:
    """A handler for a table within, such as CONNECTION_KWARGS."""

    def handle(draft: Draft, entry: Entry) -> None:
        draft.seen[entry.key] = entry.at
        if isinstance(entry.value, Table):
            read_table(draft, entry.value, keys=keys)
        elif isinstance(entry.value, Unread):
            draft.notes.unread(entry.value, of=shown(entry.key))
        elif not (isinstance(entry.value, Leaf) and not entry.value.value):
            draft.notes.error(entry.value.at, "not-a-table", message=f"{shown(entry.key)}: a dictionary belongs here.")

    return handle


def socket_path(draft: Draft, entry: Entry) -> None:
    text("unix_path")(draft, entry)
    if draft.values.get("unix_path"):
        draft.seen["unix_path"] = entry.at


OPTIONS = [
    "retry",
    "retry_on_error",
    "retry_on_timeout",
    "health_check_interval",
    "socket_keepalive",
    "socket_keepalive_options",
    "client_name",
    "max_connections",
    "protocol",
    "encoding",
    "encoding_errors",
    "connection_class",
    "parser_class",
    "socket_read_size",
    "socket_type",
    "lib_name",
    "lib_version",
    "driver_info",
    "redis_connect_func",
    "connection_pool",
    "single_connection_client",
    "charset",
    "timeout",
    "socket_read_timeout",
    "event_dispatcher",
    "cache",
    "cache_config",
    "maint_notifications_config",
    "min_other_sentinels",
    "force_master_ip",
]
DATA_KWARGS = Keys(
    {
        "host": text("host"),
        "port": PORT,
        "db": DB,
        "username": text("username"),
        "password": secret("password"),
        "socket_timeout": timeout,
        "socket_connect_timeout": connect_timeout,
        "unix_socket_path": socket_path,
        "decode_responses": decode_responses,
        "credential_provider": credentials_by_code,
        **tls.options("tls"),
        **dict.fromkeys(OPTIONS, ignored),
    },
    "redis-py",
)
"""Of redis.Redis (redis-py 8.1)."""


def _sentinel_timeout(draft: Draft, entry: Entry) -> None:
    draft.seen["sentinel_timeout"] = entry.at


SENTINEL_KWARGS = Keys(
    {
        "username": text("sentinel_username"),
        "password": secret("sentinel_password"),
        "socket_timeout": _sentinel_timeout,
        "decode_responses": ignored,
        "socket_connect_timeout": ignored,
        "credential_provider": credentials_by_code,
        "db": ignored,
        **tls.options("sentinel_tls"),
        **dict.fromkeys(OPTIONS, ignored),
    },
    "redis-py",
)
"""Of the clients that talk to the Sentinels; decode_responses does no harm there."""
RQ_SENTINEL = Keys(
    {
        "INSTANCES": nodes,
        "MASTER_NAME": text("master_name"),
        "DB": DB,
        "USERNAME": text("username"),
        "PASSWORD": secret("password"),
        "SOCKET_TIMEOUT": timeout,
        "SSL": tls.enabled("tls"),
        "CONNECTION_KWARGS": inner(DATA_KWARGS),
        "SENTINEL_KWARGS": inner(SENTINEL_KWARGS),
    },
    "RQ",
)
"""rq/cli/helpers.py, get_redis_from_config (RQ 3.0)."""
QUEUE_ONLY = [
    "DEFAULT_TIMEOUT",
    "DEFAULT_RESULT_TTL",
    "ASYNC",
    "JOB_CLASS",
    "QUEUE_CLASS",
    "WORKER_CLASS",
    "SERIALIZER",
    "AUTOCOMMIT",
    "COMMIT_MODE",
    "ON_DB_COMMIT",
    "CONNECTION_POOL",
    "JOB_FAILURE_TTL",
    "RQ_JOB_TIMEOUT",
]
RQ_QUEUE = Keys(
    {
        "HOST": text("host"),
        "PORT": PORT,
        "URL": url,
        "UNIX_SOCKET_PATH": socket_path,
        "SENTINELS": nodes,
        "SSL_CERT_REQS": tls.checked("tls"),
        "REDIS_CLIENT_KWARGS": inner(DATA_KWARGS),
        **{name: handler for name, handler in RQ_SENTINEL.handlers.items() if name != "INSTANCES"},
        **dict.fromkeys(QUEUE_ONLY, ignored),
    },
    "django-rq",
)
NETBOX = Keys(
    {
        "HOST": text("host"),
        "PORT": PORT,
        "URL": url,
        "UNIX_SOCKET_PATH": socket_path,
        "SENTINELS": nodes,
        "SENTINEL_SERVICE": text("master_name"),
        "SENTINEL_TIMEOUT": ignored,
        "SENTINEL_KWARGS": inner(SENTINEL_KWARGS),
        "DATABASE": DB,
        "USERNAME": text("username"),
        "PASSWORD": secret("password"),
        "SSL": tls.enabled("tls"),
        "INSECURE_SKIP_TLS_VERIFY": tls.unverified("tls"),
        "CA_CERT_PATH": tls.authority("tls"),
        "KWARGS": inner(DATA_KWARGS),
        "DEFAULT_TIMEOUT": ignored,
    },
    "NetBox",
)
CELERY = Keys(
    {
        "master_name": text("master_name"),
        "service_name": text("master_name"),
        "sentinels": nodes,
        "sentinel_kwargs": inner(SENTINEL_KWARGS),
        **{name: handler for name, handler in DATA_KWARGS.handlers.items() if name not in ("host", "port")},
    }
)
"""Transport options of Celery's broker and options of redbeat; most of them are about queues and locks."""
