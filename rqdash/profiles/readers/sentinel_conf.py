"""sentinel.conf: which masters are watched, by whom, and which password is whose."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rqdash.profiles.readers.draft import Draft, entry_of, secret, text
from rqdash.profiles.readers.finish import finished
from rqdash.profiles.readers.nodes import nodes
from rqdash.profiles.readers.notes import Notes, shown
from rqdash.profiles.readers.tree import At, Leaf, Row
from rqdash.profiles.readers.values import Candidate

DIRECTIVE = re.compile(
    r"^[ \t]*sentinel[ \t]+(monitor|auth-pass|auth-user|down-after-milliseconds|known-\w+|myid|parallel-syncs|failover-timeout)\b",
    re.IGNORECASE | re.MULTILINE,
)
TEMPLATE = re.compile(r"\{\{|\$\{|<%|\{[A-Za-z_]\w*\}|\$[A-Za-z_]\w*|%[A-Za-z_]\w*%|@[A-Z_]+@")
WHOLE_TEMPLATE = re.compile(r"\{\{.*|\$\{.*|<%.*|\{[A-Za-z_]\w*\}|\$[A-Za-z_]\w*")
"""What marks a template where a password stands, which may hold a $ of its own."""
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')
SECRET = ("auth-pass", "sentinel-pass", "requirepass")
OWN = "This file's own Sentinel is not among its peers, for its address is not in it. Add it: its host, and port {port}."
ASK = "No Sentinel's address is in this file: monitor names the master, which changes. Fill in the Sentinels, host and port {port}."
WHOSE = {
    "auth-pass": "This is the password the Sentinels themselves use for Redis. It is taken here too; if rqdash has its own, change it.",
    "requirepass": "This is the password that clients, and so rqdash, need for the Sentinels. It is taken for that.",
    "sentinel-pass": "This is what the Sentinels use between themselves; not taken. rqdash may need a user of its own for the Sentinels.",
    "aclfile": "The users of the Sentinels are in another file, which is not read. If rqdash has a user there, fill it in.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One directive: its words, and where each begins."""

    words: tuple[str, ...] = field(repr=False)
    places: tuple[At, ...]

    @property
    def at(self) -> At:
        return self.places[0]


@dataclass(slots=True)
class Conf:
    """All of a file that matters. options are by master, then by directive."""

    masters: dict[str, Line] = field(default_factory=dict)
    options: dict[str, dict[str, list[Line]]] = field(default_factory=dict)
    own: dict[str, Line] = field(default_factory=dict)


def is_sentinel_conf(content: str) -> bool:
    return DIRECTIVE.search(content) is not None


def sentinel_conf(content: str, notes: Notes) -> list[Candidate]:
    """One candidate for each master."""
    lines = [line for number, raw in enumerate(re.split(r"\r\n|\r|\n", content), start=1) if (line := _line(raw, number))]
    if _templates(lines, notes):
        return []
    conf = _sorted(lines)
    for name, options in conf.options.items():
        if name not in conf.masters:
            first = next(iter(options.values()))[0]
            message = "These are options of a master that no monitor line names. Add the line: sentinel monitor NAME HOST PORT QUORUM."
            notes.error(first.at, "unknown-master", message=message)
    if len(conf.masters) > 1:
        at = list(conf.masters.values())[1].at
        notes.info(at, "several-masters", message="Several masters are watched; each is offered. Save those that RQ uses.")
    _own_notes(conf, notes)
    offered = [_master(conf, name, notes=notes) for name in conf.masters]
    return [candidate for candidate in offered if candidate is not None]


def _line(raw: str, number: int) -> Line | None:
    if raw.lstrip().startswith("#"):
        return None
    found = list(WORD.finditer(raw))
    words = tuple(next(group for group in match.groups() if group is not None) for match in found)
    return Line(words, tuple(At(number, match.start() + 1) for match in found)) if words else None


def _templates(lines: list[Line], notes: Notes) -> bool:
    """Whether the file is a template that nobody has filled in; one finding a line."""
    is_template = False
    for line in lines:
        is_secret = any(word.lower() in SECRET for word in line.words[:2])
        for position, (word, at) in enumerate(zip(line.words, line.places, strict=True)):
            is_value = is_secret and position == len(line.words) - 1
            found = WHOLE_TEMPLATE.fullmatch(word) if is_value else TEMPLATE.search(word)
            if found:
                message = "This is a mark of a template that has not been filled in. Import the file that the template makes."
                notes.error(At(at.line, at.column + (0 if is_value else found.start())), "template", message=message)
                is_template = True
                break
    return is_template


def _sorted(lines: list[Line]) -> Conf:
    conf = Conf()
    for line in lines:
        words = [word.lower() for word in line.words[:2]]
        if words[0] != "sentinel":
            conf.own.setdefault(words[0], line)
        elif len(line.words) > 3 and words[1] == "monitor":
            conf.masters.setdefault(line.words[2], line)
        elif len(line.words) > 3:
            conf.options.setdefault(line.words[2], {}).setdefault(words[1], []).append(line)
        elif len(line.words) > 2:
            conf.own.setdefault(words[1], line)
    return conf


def _own_notes(conf: Conf, notes: Notes) -> None:
    for name in ("requirepass", "sentinel-pass", "aclfile"):
        if name in conf.own:
            notes.warning(conf.own[name].at, "whose-password", message=f"{name}: {WHOSE[name]}")


def _master(conf: Conf, name: str, *, notes: Notes) -> Candidate | None:
    line, options = conf.masters[name], conf.options.get(name, {})
    draft = Draft(notes, f"sentinel monitor {shown(name)}", line.at, name=name)
    text("master_name")(draft, entry_of("monitor", Leaf(name, line.places[2])))
    for directive, handle in (("auth-user", text("username")), ("auth-pass", secret("password"))):
        for option in options.get(directive, [])[-1:]:
            handle(draft, entry_of(directive, Leaf(option.words[3], option.places[3])))
            if directive == "auth-pass":
                notes.warning(option.at, "whose-password", message=f"auth-pass: {WHOSE['auth-pass']}")
    if "requirepass" in conf.own and len(conf.own["requirepass"].words) > 1:
        secret("sentinel_password")(draft, entry_of("requirepass", Leaf(conf.own["requirepass"].words[1])))
    _tls(conf, draft)
    _peers(conf, draft, options.get("known-sentinel", []), at=line.at)
    for option in options.get("down-after-milliseconds", [])[-1:]:
        _down_after(option, notes)
    return finished(draft, is_rq=False)


def _tls(conf: Conf, draft: Draft) -> None:
    """A Sentinel with a tls-port only speaks TLS to clients; tls-replication is what it speaks to Redis."""
    tls_port, port = _first(conf, "tls-port"), _first(conf, "port")
    draft.sides["sentinel_tls"].enabled = tls_port not in ("", "0") and port in ("", "0")
    draft.sides["tls"].enabled = _first(conf, "tls-replication").lower() == "yes"


def _first(conf: Conf, name: str) -> str:
    line = conf.own.get(name)
    return line.words[1] if line and len(line.words) > 1 else ""


def _peers(conf: Conf, draft: Draft, lines: list[Line], *, at: At) -> None:
    plain, tls = _first(conf, "port"), _first(conf, "tls-port")
    port = (tls if draft.sides["sentinel_tls"].enabled else plain) or "26379"
    port = port if port.isdigit() and len(port) < 6 else "26379"
    draft.seen["peers"] = at
    if not lines:
        draft.seen["sentinels"] = at
        draft.need("sentinels", "sentinels", at=at)
        draft.notes.warning(at, "needs-sentinels", message=ASK.format(port=port))
        return
    pairs = tuple(
        Row((Leaf(line.words[3], line.places[3]), Leaf(line.words[4], line.places[4])), line.at) for line in lines if len(line.words) > 4
    )
    nodes(draft, entry_of("known-sentinel", Row(pairs, lines[0].at)))
    draft.notes.warning(lines[0].at, "own-address", message=OWN.format(port=port))


def _down_after(line: Line, notes: Notes) -> None:
    number = line.words[3]
    if number.isdigit() and len(number) < 9:
        message = f"A failover takes about {int(number) / 1000 + 1:g} to {int(number) / 1000 + 2:g} s from the master's silence on."
        notes.info(line.at, "down-after", message=message)
