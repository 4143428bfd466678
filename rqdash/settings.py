"""The environment, read once into one frozen Settings; every mistake is reported at once and no value is ever repeated."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rqdash import parsers
from rqdash.errors import SettingsError
from rqdash.parsers import Mistake

PREFIX = "RQDASH_"
SECRET = "RQDASH_SECRET_"  # noqa: S105  what names of secrets begin with, whose names are anybody's choice
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
    profiles_file: Path | None = None
    secret_env: tuple[str, ...] = ("RQDASH_SECRET_*",)
    secrets_dir: Path | None = None
    trusted_proxies: int = 0
    trusted_hosts: tuple[str, ...] = ()
    read_deadline_s: float = 2.0
    activity_keep_s: int = 400 * 86400
    background: str = "threads"
    log_level: str = "INFO"


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
        if name.startswith(PREFIX) and name not in known and name not in OTHER and not name.startswith(SECRET):
            mistakes += [
                f"{name}: there is no such setting; did you mean {near}?" for near in difflib.get_close_matches(name, known, 1, 0.85)
            ]
    return mistakes


VARIABLES = (
    Variable(
        "RQDASH_DATA_DIR",
        "$XDG_DATA_HOME/rqdash",
        "Directory of the SQLite database and of the keys. Without XDG_DATA_HOME: ~/.local/share/rqdash, on macOS "
        "~/Library/Application Support/rqdash. Must be on a local disk.",
        "data_dir",
        parsers.path,
    ),
    Variable(
        "RQDASH_DATABASE_URL",
        "",
        "The dashboard's own database: postgresql://user:password@host/database when several hosts serve it; unset, SQLite in the data "
        "directory. With PostgreSQL the keys must exist on every host.",
        "database_url",
        parsers.database,
    ),
    Variable("RQDASH_HOST", "127.0.0.1", "Address rqdash serve listens on.", "host", parsers.word),
    Variable("RQDASH_PORT", "8000", "Port rqdash serve listens on, 1 to 65535.", "port", parsers.whole(1, 65535)),
    Variable("RQDASH_PROCESSES", "2", "Serving processes, 1 to 64.", "processes", parsers.whole(1, 64)),
    Variable("RQDASH_THREADS", "8", "Threads of each process, 1 to 128.", "threads", parsers.whole(1, 128)),
    Variable("RQDASH_SESSION_IDLE", "8h", "A session ends after this long without a request.", "session_idle_s", parsers.lifetime),
    Variable(
        "RQDASH_SESSION_ABSOLUTE", "7d", "A session ends this long after sign-in, whatever happens.", "session_absolute_s", parsers.lifetime
    ),
    Variable(
        "RQDASH_SECURE_COOKIES",
        "auto",
        "Whether cookies are sent over HTTPS only: on, off, or auto (on for requests that came by HTTPS).",
        "secure_cookies",
        parsers.one_of("auto", "on", "off"),
    ),
    Variable(
        "RQDASH_ALLOWED_TARGETS",
        "",
        "Where backends may be, separated by commas: host globs, addresses or CIDRs, each with :port or :low-high if wanted, such as "
        "10.0.0.0/8:6379, *.prod.internal. Unset: anywhere. Link-local, multicast and unspecified addresses are always refused.",
        "allowed_targets",
        parsers.targets,
    ),
    Variable(
        "RQDASH_UNIX_SOCKET_DIRS",
        "/run,/var/run",
        "Directories, separated by commas, under which unix sockets of backends may lie.",
        "unix_socket_dirs",
        parsers.directories,
    ),
    Variable(
        "RQDASH_PROFILES_FILE",
        "",
        "TOML file of connections, locked in the dashboard (docs/provisioning.md). Read at start; those that it no longer holds go.",
        "profiles_file",
        parsers.path_or_none,
    ),
    Variable(
        "RQDASH_SECRET_ENV",
        "RQDASH_SECRET_*",
        "Variables, separated by commas, that env: references of that file may name; * stands for any letters.",
        "secret_env",
        parsers.patterns,
    ),
    Variable(
        "RQDASH_SECRETS_DIR",
        "",
        "Directory in which file: references of that file lie, such as /run/secrets.",
        "secrets_dir",
        parsers.path_or_none,
    ),
    Variable(
        "RQDASH_TRUSTED_PROXIES",
        "0",
        "How many reverse proxies stand in front, 0 to 5: that many last addresses of X-Forwarded-For are believed.",
        "trusted_proxies",
        parsers.whole(0, 5),
    ),
    Variable(
        "RQDASH_TRUSTED_HOSTS",
        "",
        "Host names a request may ask for, separated by commas; .example.org covers all below it. Unset: any.",
        "trusted_hosts",
        parsers.hosts,
    ),
    Variable(
        "RQDASH_READ_DEADLINE",
        "2.0",
        "Seconds a page waits for its backends, 0.5 to 10; a backend that is later is shown as slow.",
        "read_deadline_s",
        parsers.seconds(0.5, 10),
    ),
    Variable(
        "RQDASH_ACTIVITY_KEEP",
        "400d",
        "How long the audit log keeps what was done, 1d to 3650d; older rows are removed within a day (docs/access.md).",
        "activity_keep_s",
        parsers.keeping,
    ),
    Variable(
        "RQDASH_BACKGROUND",
        "threads",
        "Where operations run and what else goes on in the background: threads of the serving processes, or off when other processes "
        "do it (rqdash operations run).",
        "background",
        parsers.one_of("threads", "off"),
    ),
    Variable(
        "RQDASH_LOG_LEVEL",
        "INFO",
        "Least severe messages that are logged: DEBUG, INFO, WARNING or ERROR.",
        "log_level",
        parsers.one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    ),
)
