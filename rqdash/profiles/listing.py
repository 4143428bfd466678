"""The lines of a file that findings are about, for a page: what could be a secret is dots. Nothing of it is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from rqdash.model.profile import Profile
from rqdash.profiles.readers.values import FileReading, Severity

DOTS = "••••••••"
MOST_LINES = 60
LONGEST_LINE = 200
WORD = re.compile(r"[^\s'\"(){}\[\],:;=@/#?&<>|*!$`\\]+")
"""Everything between quotes, brackets and the marks of URLs: what a value is made of."""
ABOUT_SECRETS = re.compile(r"pass|pwd|secret|token|auth|private|credential", re.IGNORECASE)
SEPARATORS = re.compile(r"[\s'\"(){}\[\],:;=@/]+")
_GRAMMAR = """
and as def dict else f False from get getenv if import in int class lambda None not or os os.environ os.environ.get os.getenv environ float
str bool quote quote_plus True true false null yes no on off
"""
_SETTINGS = """
redis rediss unix sentinel sentinels redis+sentinel rediss+sentinel redis-sentinel rediss-sentinel redis_url redis_host redis_port redis_db
redis_password redis_username redis_ssl instances master_name db username password socket_timeout ssl connection_kwargs sentinel_kwargs
socket_connect_timeout ssl_cert_reqs ssl_ca_certs ssl_ca_path ssl_ca_data ssl_certfile ssl_keyfile ssl_check_hostname decode_responses
retry_on_timeout host port url rq_queues redis_client_kwargs default sentinel_service sentinel_timeout database monitor auth-pass
auth-user down-after-milliseconds known-sentinel known-replica requirepass user broker_url broker_transport_options environment services
none required optional
"""
GRAMMAR = frozenset(_GRAMMAR.split())
SETTINGS = frozenset(_SETTINGS.split())
"""Words of settings files, which say nothing of anybody's own."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, counted from 1, as it may be shown; severity is the worst of the findings about it."""

    number: int
    text: str
    severity: Severity


def listing(text: str, reading: FileReading) -> tuple[Line, ...]:
    """The lines with findings, in order, at most 60.

    Shown are words that belong to no value, and those that a profile shows anyway: hosts, ports, names. All else is dots, for a line
    that could not be understood may hold a password anywhere.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    worst: dict[int, Severity] = {}
    for finding in sorted(reading.findings, key=lambda found: list(Severity).index(found.severity)):
        worst.setdefault(finding.line, finding.severity)
    wanted = [number for number in sorted(worst) if 1 <= number <= len(lines) and lines[number - 1].strip()]
    public = _public(reading)
    secret = {value for candidate in reading.candidates for value in _texts(candidate.secrets)}
    return tuple(Line(number, masked(lines[number - 1], public=public, secret=secret), worst[number]) for number in wanted[:MOST_LINES])


def masked(line: str, *, public: Iterable[str], secret: Iterable[str]) -> str:
    """A line in which only known words are left; on a line about a secret, only words of grammar and settings."""
    kept = GRAMMAR | ({word.lower() for word in public} if not ABOUT_SECRETS.search(line) else set())
    hidden = {part.lower() for value in secret for part in (value, *SEPARATORS.split(value))}
    plain = "".join(char if char.isprintable() else " " for char in line.expandtabs(4))
    shown = WORD.sub(lambda found: found[0] if _is_plain(found[0], kept, hidden) else DOTS, plain)
    # Several hidden words side by side would tell how a value is cut.
    shown = re.sub(rf"{DOTS}(?:[^\w'\"(){{}}\[\],=:]*{DOTS})+", DOTS, shown)
    return shown if len(shown) <= LONGEST_LINE else f"{shown[:LONGEST_LINE]}…"


def _is_plain(word: str, kept: frozenset[str] | set[str], hidden: set[str]) -> bool:
    lower = word.lower()
    return lower not in hidden and (word in GRAMMAR or lower in SETTINGS or lower in kept)


def _public(reading: FileReading) -> set[str]:
    """Words of the profiles that pages show, and of the findings, which hold no value of the file."""
    words: set[str] = set()
    for candidate in reading.candidates:
        words |= {part for text in _shown(candidate.profile) for part in WORD.findall(text)}
        words |= {part for text in (candidate.label, *(need.name for need in candidate.needs)) for part in WORD.findall(text)}
    for finding in reading.findings:
        words |= {part.strip(".,") for part in WORD.findall(finding.message)}
    return words


def _shown(profile: Profile) -> Sequence[str]:
    nodes = [str(node) for node in profile.sentinels]
    texts = (profile.host, profile.unix_path, profile.master_name, profile.username, profile.sentinel_username)
    return [*nodes, *texts, str(profile.port), str(profile.db), "26379", "6379"]


def _texts(secrets: object) -> list[str]:
    return [value for part in fields(secrets) if (value := getattr(secrets, part.name))]  # type: ignore[arg-type]
