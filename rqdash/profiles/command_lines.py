"""Command lines for a profile, as a shell takes them: RQ's own tools, and redis-cli."""

from __future__ import annotations

import shlex

from rqdash.model.profile import Kind, Node, Profile
from rqdash.profiles.rebind import PASSWORD, SENTINEL_PASSWORD, stored_slots
from rqdash.profiles.usage import authorities, module_name, variable

RQ_PREFIX = "rq"


def authorities_file(profile: Profile, before: str = "") -> str:
    """The file that the command lines expect the authorities in; before is sentinel_ for those of the Sentinels."""
    return f"{profile.name}-{'sentinel-' if before else ''}ca.pem"


def rq_worker(profile: Profile) -> str:
    """A worker on the settings file."""
    return f"{_prefix(profile)}rq worker -c {module_name(profile)} default\n"


def rq_info(profile: Profile) -> str:
    """What queues and workers there are, by RQ's own word."""
    return f"{_prefix(profile)}rq info -c {module_name(profile)}\n"


def redis_cli(profile: Profile) -> str:
    """A shell on the data server; with Sentinel the first line asks who the master is."""
    if profile.kind is not Kind.SENTINEL:
        where = ["-s", shlex.quote(profile.unix_path)] if profile.kind is Kind.UNIX else _at(Node(profile.host, profile.port))
        return f"{_client(profile, where)}\n"
    words = _at(profile.sentinels[0]) if profile.sentinels else []
    asks = " ".join([*words, *_signed(profile.sentinel_username), *_tls(profile, "sentinel_")])
    name = shlex.quote(profile.master_name)
    who = f"{_auth(profile, SENTINEL_PASSWORD)}redis-cli {asks} SENTINEL GET-MASTER-ADDR-BY-NAME {name}"
    there = _client(profile, ['-h "$1"', '-p "$2"'])
    return f"set -- $({who})\n{there}\n"


def _client(profile: Profile, where: list[str]) -> str:
    """where and all that follows are words as the shell takes them: quoted, or look-ups of our own."""
    rest = " ".join([*where, "-n", str(profile.db), *_signed(profile.username), *_tls(profile, "")])
    return f"{_auth(profile, PASSWORD)}redis-cli {rest}"


def _prefix(profile: Profile) -> str:
    return "" if profile.prefix == RQ_PREFIX else f"RQ_KEY_PREFIX={shlex.quote(profile.prefix)} "


def _auth(profile: Profile, slot: str) -> str:
    """The password by redis-cli's own variable: an argument could be read by everybody on the machine."""
    return f'REDISCLI_AUTH="${variable(profile, slot)}" ' if slot in stored_slots(profile) else ""


def _at(node: Node) -> list[str]:
    return ["-h", shlex.quote(node.host), "-p", str(node.port)]


def _signed(username: str) -> list[str]:
    return ["--user", shlex.quote(username)] if username else []


def _tls(profile: Profile, before: str) -> list[str]:
    tls = profile.sentinel_tls if before else profile.tls
    if not tls.enabled:
        return []
    words = ["--tls"]
    words += ["--sni", shlex.quote(tls.server_name)] if tls.server_name else []
    words += [] if tls.verify else ["--insecure"]
    words += ["--cacert", authorities_file(profile, before)] if authorities(tls) else []
    if tls.client_cert_pem:
        cert, key = (variable(profile, f"{before}{what}") for what in ("client_cert", "client_key"))
        words += ["--cert", f'"${cert}"', "--key", f'"${key}"']
    return words
