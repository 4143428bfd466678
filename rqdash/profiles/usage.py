"""A profile for use elsewhere: Python, a settings file for RQ, and command lines. Secrets are look-ups in the environment, never values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from rqdash.model.profile import Kind, Node, Profile, Tls
from rqdash.profiles.rebind import PASSWORD, SENTINEL_PASSWORD, stored_slots, used_slots

Arguments = list[tuple[str, str]]
"""Names with their values as Python source."""

SENTINEL_TIMEOUT_S = 5
"""Sentinels inherit no timeout; without one of their own a hung sentinel holds a worker for ever (redis-py before 8)."""
SUFFIXES = {
    PASSWORD: "PASSWORD",
    SENTINEL_PASSWORD: "SENTINEL_PASSWORD",
    "client_cert": "CERT_FILE",
    "client_key": "KEY_FILE",
    "client_key_password": "KEY_PASSWORD",
    "sentinel_client_cert": "SENTINEL_CERT_FILE",
    "sentinel_client_key": "SENTINEL_KEY_FILE",
    "sentinel_client_key_password": "SENTINEL_KEY_PASSWORD",
}
MEANINGS = {
    PASSWORD: "the Redis password",
    SENTINEL_PASSWORD: "the Sentinels' password",
    "client_cert": "where the client certificate for Redis is",
    "client_key": "where its key is",
    "client_key_password": "the password of that key",
    "sentinel_client_cert": "where the client certificate for the Sentinels is",
    "sentinel_client_key": "where its key is",
    "sentinel_client_key_password": "the password of that key",
}
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment that the generated texts look up, and what it must hold."""

    name: str
    meaning: str


def module_name(profile: Profile) -> str:
    """What the settings file is called, without .py: orders-prod gives rq_orders_prod."""
    return f"rq_{profile.name.replace('-', '_')}"


def variables(profile: Profile) -> tuple[Variable, ...]:
    """What has to be in the environment, in the order of SUFFIXES; nothing for a profile without secrets."""
    found = [*stored_slots(profile), *(f"{before}client_cert" for before, tls in _sides(profile) if tls.client_cert_pem)]
    return tuple(Variable(variable(profile, what), MEANINGS[what]) for what in SUFFIXES if what in found)


def variable(profile: Profile, what: str) -> str:
    """The name of a variable of a profile; what is a slot, client_cert or sentinel_client_cert.

    A password that a profile from a file takes from the environment is looked up by the same name elsewhere.
    """
    kind, _, name = dict(profile.secret_refs).get(what, "").partition(":")
    if kind == "env" and what.endswith("password"):
        return name
    stem = profile.name.upper().replace("-", "_")
    return f"{'RQ_' if stem[:1].isdigit() else ''}{stem}_{SUFFIXES[what]}"


def authorities(tls: Tls) -> str:
    """The certificates in a profile's authorities as PEM, each block and nothing between; "" when the system's are meant."""
    return "\n".join(CERTIFICATE.findall(tls.ca_pem)) if tls.enabled and tls.verify else ""


def python_snippet(profile: Profile) -> str:
    """A queue with its connection given by name, as RQ recommends."""
    lines = ["import os", ""] if variables(profile) else []
    if profile.kind is Kind.SENTINEL:
        lines += ["from redis.sentinel import Sentinel", "from rq import Queue", "", *_constants(profile)]
        lines += _call("sentinel = Sentinel", [("", _nodes(profile.sentinels)), ("sentinel_kwargs", _table(sentinel_arguments(profile)))])
        lines += _call("connection = sentinel.master_for", [("", _text(profile.master_name)), *data_arguments(profile)])
    else:
        lines += ["from redis import Redis", "from rq import Queue", "", *_constants(profile)]
        lines += _call("connection = Redis", [*_place(profile), *data_arguments(profile)])
    return "\n".join([*lines, 'queue = Queue("default", connection=connection)', ""])


def settings_module(profile: Profile) -> str:
    """An RQ settings file, for rq worker -c: SENTINEL for Sentinels, REDIS_URL for the rest."""
    lines = ["import os"] if variables(profile) else []
    if profile.kind is Kind.SENTINEL:
        return "\n".join([*lines, *([""] if lines else []), *_constants(profile), *_sentinel_setting(profile), ""])
    url_lines, needs_quote = _url_setting(profile)
    lines += ["from urllib.parse import quote"] if needs_quote else []
    return "\n".join([*lines, *([""] if lines else []), *_constants(profile), *url_lines, ""])


def data_arguments(profile: Profile) -> Arguments:
    """redis-py's arguments for the data server, its place aside."""
    found: Arguments = [("db", str(profile.db))]
    found += _signed_in(profile, profile.username, PASSWORD)
    found += _secured(profile, "")
    if profile.worker_socket_timeout_s is not None:
        found.append(("socket_timeout", f"{profile.worker_socket_timeout_s:g}"))
    return found


def sentinel_arguments(profile: Profile) -> Arguments:
    """redis-py's arguments for the Sentinels, which inherit nothing from those for the data server."""
    timeout: Arguments = [("socket_timeout", str(SENTINEL_TIMEOUT_S))]
    return [*_signed_in(profile, profile.sentinel_username, SENTINEL_PASSWORD), *_secured(profile, "sentinel_"), *timeout]


def _sides(profile: Profile) -> list[tuple[str, Tls]]:
    """The ways in use that have TLS, with what the names of their slots begin with."""
    both = [("", profile.tls), ("sentinel_", profile.sentinel_tls)]
    return [(before, tls) for before, tls in both if tls.enabled and (not before or profile.kind is Kind.SENTINEL)]


def _constants(profile: Profile) -> list[str]:
    """Authorities as names of small letters, which RQ does not take for settings."""
    lines: list[str] = []
    for before, tls in _sides(profile):
        if pem := authorities(tls):
            lines += [f'{before}authorities = """', pem, '"""']
    return [*lines, ""] if lines else []


def _place(profile: Profile) -> Arguments:
    if profile.kind is Kind.UNIX:
        return [("unix_socket_path", _text(profile.unix_path))]
    return [("host", _text(profile.host)), ("port", str(profile.port))]


def _signed_in(profile: Profile, username: str, slot: str) -> Arguments:
    found: Arguments = [("username", _text(username))] if username else []
    return [*found, ("password", _looked_up(profile, slot))] if slot in stored_slots(profile) else found


def _secured(profile: Profile, before: str) -> Arguments:
    tls = dict(_sides(profile)).get(before)
    if tls is None:
        return []
    found: Arguments = [("ssl", "True")]
    if not tls.verify:
        found += [("ssl_cert_reqs", '"none"'), ("ssl_check_hostname", "False")]
    elif not tls.check_hostname:
        found += [("ssl_check_hostname", "False")]
    if authorities(tls):
        found += [("ssl_ca_data", f"{before}authorities")]
    if tls.client_cert_pem:
        found += [
            ("ssl_certfile", _looked_up(profile, f"{before}client_cert")),
            ("ssl_keyfile", _looked_up(profile, f"{before}client_key")),
        ]
    if f"{before}client_key_password" in {*stored_slots(profile)} & used_slots(profile):
        found += [("ssl_password", _looked_up(profile, f"{before}client_key_password"))]
    return found


def _sentinel_setting(profile: Profile) -> list[str]:
    known = dict(data_arguments(profile))
    table: Arguments = [("INSTANCES", _nodes(profile.sentinels)), ("MASTER_NAME", _text(profile.master_name))]
    own = (("DB", "db"), ("USERNAME", "username"), ("PASSWORD", "password"), ("SOCKET_TIMEOUT", "socket_timeout"), ("SSL", "ssl"))
    table += [(name, known.pop(argument)) for name, argument in own if argument in known]
    if known:
        table.append(("CONNECTION_KWARGS", _table([*known.items()])))
    table.append(("SENTINEL_KWARGS", _table(sentinel_arguments(profile))))
    return ["SENTINEL = {", *(f"    {_text(name)}: {value}," for name, value in table), "}"]


def _url_setting(profile: Profile) -> tuple[list[str], bool]:
    """The lines that make REDIS_URL, and whether they escape a value. What is not known until run time stands in braces."""
    lines: list[str] = []
    holes: dict[str, str] = {}
    known = dict(data_arguments(profile))
    for name in [name for name, value in known.items() if value.startswith("os.environ") or value.endswith("authorities")]:
        lines.append(f'{name} = quote({known.pop(name)}, safe="")')
        holes[name] = f"{{{name}}}"
    plain = ("ssl_cert_reqs", "ssl_check_hostname", "socket_timeout")
    options: dict[str, str] = {name: known[name].strip('"') for name in plain if name in known}
    options |= {name: hole for name, hole in holes.items() if name != "password"}
    if profile.kind is Kind.UNIX:
        options = {"db": str(profile.db), **options}
    query = "&".join(f"{name}={value}" for name, value in options.items())
    user = quote(profile.username, safe="") + (f":{holes['password']}" if "password" in holes else "")
    url = f"{_origin(profile, f'{user}@' if user else '')}{'?' if query else ''}{query}"
    return [*lines, f'REDIS_URL = {"f" if holes else ""}"{url}"'], bool(holes)


def _origin(profile: Profile, user: str) -> str:
    if profile.kind is Kind.UNIX:
        return f"unix://{user}{quote(profile.unix_path)}"
    return f"redis{'s' if profile.tls.enabled else ''}://{user}{Node(profile.host, profile.port)}/{profile.db}"


def _call(function: str, arguments: Arguments) -> list[str]:
    return [f"{function}(", *(f"    {name}={value}," if name else f"    {value}," for name, value in arguments), ")"]


def _table(arguments: Arguments) -> str:
    return "\n".join(["{", *(f"        {_text(name)}: {value}," for name, value in arguments), "    }"])


def _nodes(nodes: Sequence[Node]) -> str:
    return "\n".join(["[", *(f"        ({_text(node.host)}, {node.port})," for node in nodes), "    ]"])


def _looked_up(profile: Profile, what: str) -> str:
    return f'os.environ["{variable(profile, what)}"]'


def _text(value: str) -> str:
    """A Python literal, in double quotes where that needs no escape."""
    plain = value.isascii() and value.isprintable() and not {'"', "\\"} & set(value)
    return f'"{value}"' if plain else repr(value)
