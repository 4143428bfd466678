"""What a profile must be before it is saved: every problem with its field and its remedy, found without touching the network."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from rqdash.errors import Invalid
from rqdash.model import redaction
from rqdash.model.profile import ARGUMENTS, HUES, WORKER_SOCKET_TIMEOUT_S, WORKER_TTL_S, Kind, Node, Profile, Tls
from rqdash.profiles.certificates import AUTHORITY, CLIENT, pem_problem

RESERVED = ("new", "import", "test")
LONGEST_NAME = 20
LONGEST_ENVIRONMENT = 10
LONGEST_NOTES_BYTES = 4096
LONGEST_SOCKET_PATH_BYTES = 107
"""sockaddr_un.sun_path is 108 bytes with its NUL on Linux; macOS has 104, and says so itself."""
MOST_SENTINELS = 32
MOST_RULES = 50
HIGHEST_DB = 2**31 - 1
CONNECT_TIMEOUTS_S = (0.1, 10.0)
READ_TIMEOUTS_S = (0.5, 10.0)
LONGEST_WARN_S = 30 * 86_400
MOST_FAILURES = 1_000_000
CLOCK_SKEWS_S = (1.0, 3600.0)
HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")
USER = re.compile(r"[!-~]{0,128}")
WORKERS_WAIT = (
    f"An idle worker waits on Redis for up to its TTL less 15 s. RQ's rule is a timeout above the worker TTL, {WORKER_TTL_S} s by default; "
    f"a shorter one ends the wait with an error. Give more than {WORKER_TTL_S} ({WORKER_SOCKET_TIMEOUT_S}, which RQ sets by itself, is the "
    "least), or leave it empty for none."
)

Problems = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings allow: the directories under which unix sockets may lie."""

    unix_socket_dirs: tuple[str, ...] = ("/run", "/var/run")


def validated(profile: Profile, *, taken: Collection[str], policy: Policy) -> Profile:
    """The profile with its texts tidied and the fields its kind does not use at their defaults.

    taken are the names of the other profiles. Raises Invalid with a problem for every field that has one, by the names of Profile's
    fields; those inside tls are ca_pem, server_name and client_cert_pem, with sentinel_ before them for those inside sentinel_tls.
    """
    tidy = _tidied(profile)
    about_it = (_label_problems(tidy, taken), _shown_problems(tidy), _warning_problems(tidy))
    found = (*about_it, _place_problems(tidy, policy), _user_problems(tidy), _tls_problems(tidy), _limit_problems(tidy))
    problems: dict[str, str] = {}
    for each in found:
        for name, problem in each:
            problems.setdefault(name, problem)
    if problems:
        raise Invalid(f"The connection cannot be saved: {' '.join(problems.values())}", problems=problems)
    return tidy


def _tidied(profile: Profile) -> Profile:
    """Only what is used stays: a value that no connection reads must not look like one that does."""
    plain = Profile(name=profile.name.strip())
    tidy = replace(
        profile,
        name=plain.name,
        environment=profile.environment.strip(),
        notes=profile.notes.replace("\r\n", "\n").strip(),
        redact=tuple(dict.fromkeys(rule.strip() for rule in profile.redact if rule.strip())),
        tls=_tidied_tls(profile.tls),
        sentinel_tls=_tidied_tls(profile.sentinel_tls),
    )
    if tidy.kind is Kind.SENTINEL:
        sentinels = tuple(Node(_host(node.host), node.port) for node in tidy.sentinels)
        return replace(tidy, sentinels=sentinels, master_name=tidy.master_name.strip(), host=plain.host, port=plain.port, unix_path="")
    tidy = replace(tidy, sentinels=(), master_name="", sentinel_username="", sentinel_tls=Tls())
    if tidy.kind is Kind.UNIX:
        return replace(tidy, host=plain.host, port=plain.port, tls=Tls(), unix_path=tidy.unix_path.strip())
    return replace(tidy, host=_host(tidy.host), unix_path="")


def _tidied_tls(tls: Tls) -> Tls:
    if not tls.enabled:
        return Tls()
    return replace(
        tls,
        check_hostname=tls.check_hostname and tls.verify,
        ca_pem=tls.ca_pem.replace("\r\n", "\n").strip(),
        server_name=_host(tls.server_name),
        client_cert_pem=tls.client_cert_pem.replace("\r\n", "\n").strip(),
    )


def _host(text: str) -> str:
    host = text.strip().lower()
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _label_problems(profile: Profile, taken: Collection[str]) -> Problems:
    if not re.fullmatch(rf"[a-z0-9][a-z0-9-]{{0,{LONGEST_NAME - 1}}}", profile.name):
        yield "name", f"A name is 1 to {LONGEST_NAME} small letters, digits and dashes, and begins with a letter or digit: orders-prod."
    elif profile.name in RESERVED:
        yield "name", f"{profile.name} is a word of rqdash's own addresses. Choose another name."
    elif profile.name in taken:
        yield "name", f"There is a connection {profile.name} already. Choose another name."
    if not re.fullmatch(rf"([A-Za-z0-9][A-Za-z0-9_.-]{{0,{LONGEST_ENVIRONMENT - 1}}})?", profile.environment):
        yield "environment", f"An environment is at most {LONGEST_ENVIRONMENT} letters, digits, dots and dashes: prod. Or leave it empty."
    if profile.hue not in HUES:
        yield "hue", f"Choose a colour: {', '.join(HUES)}."
    if len(profile.notes.encode("utf-8", "surrogatepass")) > LONGEST_NOTES_BYTES:
        yield "notes", "Notes are at most 4 KB. Shorten them, or link to a page that holds the rest."
    elif _has_control_characters(profile.notes):
        yield "notes", "Notes are plain text; they hold a character that cannot be shown. Type them again."


def _shown_problems(profile: Profile) -> Problems:
    if profile.arguments not in ARGUMENTS:
        yield "arguments", f"Choose what is shown of jobs' arguments: {', '.join(ARGUMENTS)}."
    if len(profile.redact) > MOST_RULES:
        yield "redact", f"Give at most {MOST_RULES} rules; one with stars covers many names: *password*."
    elif problem := redaction.problem(profile.redact):
        yield "redact", problem


def _place_problems(profile: Profile, policy: Policy) -> Problems:
    if profile.kind is Kind.STANDALONE:
        yield from _host_problems(profile.host)
        yield from _port_problems(profile.port)
    elif profile.kind is Kind.UNIX:
        yield from _path_problems(profile.unix_path, policy)
    else:
        yield from _sentinel_problems(profile.sentinels)
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", profile.master_name):
            yield "master_name", "Give the name the Sentinels know the master by (sentinel monitor NAME …): letters, digits, dots, dashes."
    if not 0 <= profile.db <= HIGHEST_DB:
        yield "db", "A database is a number from 0 on; RQ uses 0 unless told otherwise."
    if not re.fullmatch(r"[A-Za-z0-9_.:{}-]{1,64}", profile.prefix):
        yield "prefix", "A key prefix is letters, digits and _ . : { } -, as RQ 3.0 allows them. Before RQ 3.0 it is always rq."


def _host_problems(host: str, name: str = "host", where: str = "") -> Problems:
    if not host:
        yield name, f"{where}Give a host name or an IP address."
    elif "://" in host or "/" in host or "@" in host:
        yield name, f"{where}Give the host alone. A whole URL goes into From a URL, which fills the fields."
    elif not HOST.fullmatch(host) and not _is_ip(host):
        yield name, f"{where}A host is a name or an IP address: letters, digits, dots and dashes; an IPv6 address without its port."


def _is_ip(host: str) -> bool:
    try:
        # A zone such as %eth0 belongs to link-local addresses, which rqdash never connects to.
        return "%" not in host and bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _port_problems(port: int, name: str = "port", where: str = "") -> Problems:
    if not 1 <= port <= 65535:
        yield name, f"{where}A port is a number from 1 to 65535; Redis uses 6379 and Sentinel 26379 unless told otherwise."


def _path_problems(path: str, policy: Policy) -> Problems:
    if not path.startswith("/") or ".." in path.split("/") or _has_control_characters(path):
        yield "unix_path", "Give the socket's absolute path, without '..': /run/redis/redis.sock."
    elif len(path.encode("utf-8", "surrogatepass")) > LONGEST_SOCKET_PATH_BYTES:
        yield "unix_path", f"A socket's path is at most {LONGEST_SOCKET_PATH_BYTES} bytes. Give the server a shorter one."
    elif not _is_below(path, policy.unix_socket_dirs):
        allowed = ", ".join(policy.unix_socket_dirs) or "no directory"
        yield "unix_path", f"Sockets may lie under {allowed}. RQDASH_UNIX_SOCKET_DIRS allows others."


def _is_below(path: str, directories: Sequence[str]) -> bool:
    return any(PurePosixPath(directory) in PurePosixPath(path).parents for directory in directories)


def _sentinel_problems(sentinels: Sequence[Node]) -> Problems:
    if not sentinels:
        yield "sentinels", "Give at least one Sentinel, better all of them: host and port, usually 26379."
    if len(sentinels) > MOST_SENTINELS:
        yield "sentinels", f"Give at most {MOST_SENTINELS} Sentinels; three or five are usual."
    for position, node in enumerate(sentinels, start=1):
        yield from _host_problems(node.host, "sentinels", f"Sentinel {position}: ")
        yield from _port_problems(node.port, "sentinels", f"Sentinel {position}: ")
        if node in sentinels[: position - 1]:
            yield "sentinels", f"Sentinel {position} is there twice. Remove one of them."


def _user_problems(profile: Profile) -> Problems:
    for name, user in (("username", profile.username), ("sentinel_username", profile.sentinel_username)):
        if not USER.fullmatch(user):
            yield name, "An ACL user has no spaces and at most 128 characters. Leave it empty for the user called default."


def _tls_problems(profile: Profile) -> Problems:
    for before, tls in (("", profile.tls), ("sentinel_", profile.sentinel_tls)):
        if tls.ca_pem and (problem := pem_problem(tls.ca_pem, remedy=AUTHORITY)):
            yield f"{before}ca_pem", problem
        if tls.client_cert_pem and (problem := pem_problem(tls.client_cert_pem, remedy=CLIENT)):
            yield f"{before}client_cert_pem", problem
        if tls.server_name:
            yield from _host_problems(tls.server_name, f"{before}server_name")


def _limit_problems(profile: Profile) -> Problems:
    for name, value, (low, high) in (
        ("connect_timeout_s", profile.connect_timeout_s, CONNECT_TIMEOUTS_S),
        ("read_timeout_s", profile.read_timeout_s, READ_TIMEOUTS_S),
    ):
        if not low <= value <= high:
            yield name, f"Give {low:g} to {high:g} seconds. These are rqdash's own limits; those of the workers are another field."
    workers = profile.worker_socket_timeout_s
    if workers is not None and not WORKER_SOCKET_TIMEOUT_S <= workers <= 86400:
        yield "worker_socket_timeout_s", WORKERS_WAIT


def _warning_problems(profile: Profile) -> Problems:
    if not 0 <= profile.oldest_warn_s <= LONGEST_WARN_S:
        yield "oldest_warn_s", f"Give 0 to {LONGEST_WARN_S} whole seconds: how long a job may wait before that is said, 0 for never."
    if not 0 <= profile.failures_warn_per_hour <= MOST_FAILURES:
        yield "failures_warn_per_hour", f"Give 0 to {MOST_FAILURES} failures an hour; 0 warns when they rise beyond what is usual."
    low, high = CLOCK_SKEWS_S
    if profile.clock_skew_warn_s and not low <= profile.clock_skew_warn_s <= high:
        yield "clock_skew_warn_s", f"Give {low:g} to {high:g} seconds, or 0 for never."


def _has_control_characters(text: str) -> bool:
    return any((ord(char) < 32 and char not in "\n\t") or ord(char) == 127 or "\ud800" <= char <= "\udfff" for char in text)
