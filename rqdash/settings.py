"""The environment, read once into one frozen Settings; every mistake is reported at once and no value is ever repeated."""

from __future__ import annotations

import difflib
import ipaddress
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rqdash.errors import SettingsError

PREFIX = "RQDASH_"
OTHER = frozenset({"RQDASH_REQUIRE_ALL"})
"""Variables of the test runs, which are no settings."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How rqdash runs. Times in seconds; database_url "" means SQLite in data_dir; secure_cookies is auto, on or off."""

    data_dir: Path
    database_url: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    port: int = 8000
    processes: int = 2
    threads: int = 8
    session_idle_s: int = 8 * 3600
    session_absolute_s: int = 7 * 86400
    secure_cookies: str = "auto"
    allowed_targets: tuple[str, ...] = ()
    unix_socket_dirs: tuple[str, ...] = ("/run", "/var/run")
    trusted_proxies: int = 0
    trusted_hosts: tuple[str, ...] = ()
    read_deadline_s: float = 2.0
    log_level: str = "INFO"


class Mistake(Exception):
    """What a variable should have been; holds no part of what it was."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of docs/settings.md. default is the text that, written out, means the same as leaving the variable unset."""

    name: str
    default: str
    meaning: str
    field: str
    parse: Callable[[str], object]


def settings(environ: Mapping[str, str]) -> Settings:
    """The settings an environment asks for. Raises SettingsError with one line a mistake, naming variables and remedies."""
    values: dict[str, object] = {}
    mistakes = _misspelt(environ)
    for variable in VARIABLES:
        text = environ.get(variable.name, "").strip()
        try:
            values[variable.field] = variable.parse(text) if text else _default(variable, environ)
        except Mistake as mistake:
            mistakes.append(f"{variable.name}: {mistake}")
    if not mistakes and int(str(values["session_idle_s"])) > int(str(values["session_absolute_s"])):
        mistakes.append("RQDASH_SESSION_IDLE: it is longer than RQDASH_SESSION_ABSOLUTE; give at most that.")
    if mistakes:
        raise SettingsError("\n".join(["The settings cannot be used:", *mistakes]))
    return Settings(**values)  # type: ignore[arg-type]  # each parser gives the type of the field its row names


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Where the data lies when RQDASH_DATA_DIR is unset: the platform's place for a user's application data."""
    if base := environ.get("XDG_DATA_HOME", ""):
        return Path(base) / "rqdash"
    home = Path(environ["HOME"]) if environ.get("HOME") else Path("~").expanduser()
    inside = "Library/Application Support" if sys.platform == "darwin" else ".local/share"
    return home / inside / "rqdash"


def _default(variable: Variable, environ: Mapping[str, str]) -> object:
    if variable.field == "data_dir":
        return default_data_dir(environ)
    return variable.parse(variable.default)


def _misspelt(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like one of ours but are none. Any other RQDASH_ name is left alone: it may belong to a script around us."""
    known = [variable.name for variable in VARIABLES]
    mistakes = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known and name not in OTHER:
            mistakes += [
                f"{name}: there is no such setting; did you mean {near}?" for near in difflib.get_close_matches(name, known, 1, 0.85)
            ]
    return mistakes


def _directory(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_absolute():
        raise Mistake("it is not an absolute path; give one that begins with /.")
    return path


def _database(text: str) -> str:
    if not text or re.match(r"sqlite:///.|postgres(ql)?(\+psycopg)?://", text):
        return text
    raise Mistake("it is no database rqdash can use; give postgresql://user@host/database, sqlite:////absolute/path, or leave it unset.")


def _word(text: str) -> str:
    if re.search(r"\s", text):
        raise Mistake("it holds white space; give one host name or address.")
    return text


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise Mistake(f"it is not a whole number from {low} to {high}; give one.")
        return int(text)

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not low <= float(text) <= high:
            raise Mistake(f"it is not a number of seconds from {low:g} to {high:g}; give one.")
        return float(text)

    return parse


def _lifetime(text: str) -> int:
    units = {"m": 60, "h": 3600, "d": 86400}
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    length_s = int(found[1]) * units[found[2]] if found else 0
    if not 60 <= length_s <= 366 * 86400:
        raise Mistake("it is not a length of time from 1m to 366d; give a whole number followed by m, h or d, such as 8h.")
    return length_s


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        matching = [choice for choice in choices if choice.lower() == text.lower()]
        if not matching:
            raise Mistake(f"it is none of {', '.join(choices)}; give one of them.")
        return matching[0]

    return parse


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _directories(text: str) -> tuple[str, ...]:
    items = _items(text)
    if any(not item.startswith("/") or ".." in item.split("/") for item in items):
        raise Mistake("one of the directories is not absolute or holds '..'; give absolute paths separated by commas.")
    return tuple(items)


def _hosts(text: str) -> tuple[str, ...]:
    items = _items(text)
    if not all(re.fullmatch(r"\.?[A-Za-z0-9_.\-\[\]:]+", item) for item in items):
        raise Mistake("one of the hosts has a character no host name has; give names separated by commas, .example.org for all below it.")
    return tuple(items)


def _targets(text: str) -> tuple[str, ...]:
    items = _items(text)
    for position, item in enumerate(items, start=1):
        if not is_target(item):
            raise Mistake(f"entry {position} is no target; give a host glob, an address or a CIDR, each with :port or :low-high if wanted.")
    return tuple(items)


def is_target(item: str) -> bool:
    """Whether text is a target: address, CIDR or host glob, then optionally :port or :low-high; IPv6 with ports in brackets."""
    if _is_network(item):
        return True
    found = re.fullmatch(r"(\[[^\]]+\]|[^:\[\]]+)(?::([0-9]{1,5})(?:-([0-9]{1,5}))?)?", item)
    if found is None:
        return False
    host, low, high = found[1], int(found[2] or 1), int(found[3] or found[2] or 65535)
    is_host = _is_network(host[1:-1]) if host.startswith("[") else _is_network(host) or bool(re.fullmatch(r"[A-Za-z0-9_.*?-]+", host))
    return is_host and 1 <= low <= high <= 65535


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


VARIABLES = (
    Variable(
        "RQDASH_DATA_DIR",
        "$XDG_DATA_HOME/rqdash",
        "Directory of the SQLite database and of the keys. Without XDG_DATA_HOME: ~/.local/share/rqdash, on macOS "
        "~/Library/Application Support/rqdash. Must be on a local disk.",
        "data_dir",
        _directory,
    ),
    Variable(
        "RQDASH_DATABASE_URL",
        "",
        "The dashboard's own database: postgresql://user:password@host/database when several hosts serve it; unset, SQLite in the data "
        "directory. With PostgreSQL the keys must exist on every host.",
        "database_url",
        _database,
    ),
    Variable("RQDASH_HOST", "127.0.0.1", "Address rqdash serve listens on.", "host", _word),
    Variable("RQDASH_PORT", "8000", "Port rqdash serve listens on, 1 to 65535.", "port", _whole(1, 65535)),
    Variable("RQDASH_PROCESSES", "2", "Serving processes, 1 to 64.", "processes", _whole(1, 64)),
    Variable("RQDASH_THREADS", "8", "Threads of each process, 1 to 128.", "threads", _whole(1, 128)),
    Variable("RQDASH_SESSION_IDLE", "8h", "A session ends after this long without a request.", "session_idle_s", _lifetime),
    Variable("RQDASH_SESSION_ABSOLUTE", "7d", "A session ends this long after sign-in, whatever happens.", "session_absolute_s", _lifetime),
    Variable(
        "RQDASH_SECURE_COOKIES",
        "auto",
        "Whether cookies are sent over HTTPS only: on, off, or auto (on for requests that came by HTTPS).",
        "secure_cookies",
        _one_of("auto", "on", "off"),
    ),
    Variable(
        "RQDASH_ALLOWED_TARGETS",
        "",
        "Where backends may be, separated by commas: host globs, addresses or CIDRs, each with :port or :low-high if wanted, such as "
        "10.0.0.0/8:6379, *.prod.internal. Unset: anywhere. Link-local, multicast and unspecified addresses are always refused.",
        "allowed_targets",
        _targets,
    ),
    Variable(
        "RQDASH_UNIX_SOCKET_DIRS",
        "/run,/var/run",
        "Directories, separated by commas, under which unix sockets of backends may lie.",
        "unix_socket_dirs",
        _directories,
    ),
    Variable(
        "RQDASH_TRUSTED_PROXIES",
        "0",
        "How many reverse proxies stand in front, 0 to 5: that many last addresses of X-Forwarded-For are believed.",
        "trusted_proxies",
        _whole(0, 5),
    ),
    Variable(
        "RQDASH_TRUSTED_HOSTS",
        "",
        "Host names a request may ask for, separated by commas; .example.org covers all below it. Unset: any.",
        "trusted_hosts",
        _hosts,
    ),
    Variable(
        "RQDASH_READ_DEADLINE",
        "2.0",
        "Seconds a page waits for its backends, 0.5 to 10; a backend that is later is shown as slow.",
        "read_deadline_s",
        _seconds(0.5, 10),
    ),
    Variable(
        "RQDASH_LOG_LEVEL",
        "INFO",
        "Least severe messages that are logged: DEBUG, INFO, WARNING or ERROR.",
        "log_level",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    ),
)
