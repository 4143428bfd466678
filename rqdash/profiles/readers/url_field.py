"""URLs in files: every spelling of Sentinel, certificates beside the URL, and texts with holes."""

from __future__ import annotations

import re
from urllib.parse import unquote

from rqdash.errors import Invalid
from rqdash.model.profile import WORKER_SOCKET_TIMEOUT_S, Kind, Profile, Secrets, Tls
from rqdash.profiles.readers.draft import LITERAL, Draft, entry_of, leave_open
from rqdash.profiles.readers.notes import shown
from rqdash.profiles.readers.tls_fields import options
from rqdash.profiles.readers.tree import At, Entry, Leaf, Open, Unread
from rqdash.profiles.readers.values import Hole, Template
from rqdash.profiles.rebind import SLOTS
from rqdash.profiles.url import profile_from_url

CONNECT_S = (0.1, 10.0)
SCHEMES = {
    "valkey": "redis",
    "valkeys": "rediss",
    "valkey+sentinel": "redis+sentinel",
    "redis+socket": "unix",
    "redis-socket": "unix",
    "redis+unix": "unix",
    "redis+ssl": "rediss",
    "sentinels": "rediss+sentinel",
    "redis_sentinel": "redis-sentinel",
}
"""Other clients' spellings of what rqdash reads."""
A_URL = re.compile(r"\s*([a-z][a-z0-9+_-]{2,20})://", re.IGNORECASE)
KNOWN = frozenset(
    ("redis", "rediss", "unix", "sentinel", "redis+sentinel", "rediss+sentinel", "redis-sentinel", "rediss-sentinel", *SCHEMES)
)
FILES = re.compile(r"[?&](ssl_ca_certs|ssl_ca_path|ssl_ca_data|ssl_certfile|ssl_keyfile|ssl_password)=([^&#;]*)")
CERT = re.compile(r"([?&]ssl_cert_reqs=)cert_", re.IGNORECASE)
MASTER = re.compile(r"[?&](?:master|sentinel_master_name|mastername|sentinelMaster)=", re.IGNORECASE)
LETTUCE = re.compile(r"#([A-Za-z0-9_.-]+)(?=\s*\Z)")
HOLE = 61001
"""Stands for an unknown part while the rest of a URL is read: a number, for it may be a port."""


def is_url(text: str) -> bool:
    """Whether a text begins as a URL of Redis, Valkey or Sentinels does."""
    found = A_URL.match(text)
    return found is not None and found[1].lower() in KNOWN


def url(draft: Draft, entry: Entry) -> None:
    """Reads a whole connection out of a URL; refuses the draft when it cannot be read."""
    value, key = entry.value, shown(entry.key)
    if isinstance(value, Unread):
        draft.notes.unread(value, of=key)
        draft.is_refused = True
    elif isinstance(value, Open):
        _open(draft, value, key=key)
    elif isinstance(value, Leaf) and isinstance(value.value, str) and value.value.strip():
        _known(draft, value.value, key=key, at=value.at)
        if draft.is_code and "password" in draft.secrets:
            draft.notes.warning(value.at, "literal-password", message=f"{key}: {LITERAL}")
    else:
        draft.refuse(value.at, "no-url", message=f"{key}: a URL belongs here, such as redis://host:6379/0.")


def _open(draft: Draft, value: Open, *, key: str) -> None:
    text = value.known
    if text is not None and is_url(text):
        leave_open(draft, "url", value=value, key=key)
        _known(draft, text, key=key, at=value.at)
    elif len(value.pieces) == 1:
        leave_open(draft, "url", value=value, key=key)
        draft.values |= {"kind": Kind.STANDALONE, "host": ""}
    else:
        _partly(draft, value, key=key)


def _partly(draft: Draft, value: Open, *, key: str) -> None:
    """A URL with unknown parts: each gets a number of its own, and where that number turns up is what is needed."""
    tokens: dict[str, Hole] = {}
    pieces: list[str] = []
    literal = "".join(piece for piece in value.pieces if isinstance(piece, str))
    for piece in value.pieces:
        if isinstance(piece, Hole) and (piece.default is None or not piece.default.strip()):
            token = next(str(number) for number in range(HOLE, 65535) if str(number) not in tokens and str(number) not in literal)
            tokens[token] = piece
            pieces.append(token)
        else:
            pieces.append(piece if isinstance(piece, str) else piece.default or "")
    scratch = Draft(draft.notes, draft.label, draft.at)
    _known(scratch, "".join(pieces), key=key, at=value.at)
    draft.is_refused |= scratch.is_refused
    draft.sides, draft.name = scratch.sides, ""
    kept = scratch.needs
    leave_open(draft, "url", value=value, key=key)
    draft.templates.pop()
    draft.needs.clear()
    draft.needs |= kept
    for name, found in (scratch.values | scratch.secrets).items():
        _place(draft, name, found, tokens=tokens, at=value.at)
    for hole in value.holes:
        if hole.default is not None and hole.default.strip():
            draft.need(hole.name, "url", at=value.at, default=hole.default)
    if any(need.fields == ("url",) for need in draft.needs.values()):
        draft.templates.append(Template("url", value.pieces))


def _place(draft: Draft, name: str, found: object, *, tokens: dict[str, Hole], at: At) -> None:
    text = ",".join(str(node) for node in found) if isinstance(found, tuple) else str(found)
    hit = [token for token in tokens if token in text]
    if not hit:
        if name in SLOTS:
            draft.secrets[name] = str(found)
        else:
            draft.values[name] = found
        return
    parts = re.split(f"({'|'.join(hit)})", text)
    pieces = tuple(tokens.get(part, part) for part in parts if part)
    draft.templates.append(Template(name, pieces))
    for token in hit:
        draft.need(tokens[token].name, name, at=at)
    if isinstance(found, tuple):
        draft.values[name] = tuple(node for node in found if not any(token in str(node) for token in tokens))
    elif isinstance(found, str) and name not in SLOTS:
        draft.values[name] = ""


def _known(draft: Draft, text: str, *, key: str, at: At) -> None:
    plain = _certificates(draft, _respelt(draft, text.strip(), key=key, at=at), at=at)
    try:
        profile, secrets = profile_from_url(plain)
    except Invalid as error:
        draft.refuse(at, "bad-url", message=f"{key}: {error.problems.get('url', '')}")
        return
    _spread(draft, profile, secrets)
    draft.seen.setdefault({Kind.SENTINEL: "sentinels", Kind.UNIX: "unix_path"}.get(profile.kind, "host"), at)
    if profile.worker_socket_timeout_s is not None and profile.worker_socket_timeout_s < WORKER_SOCKET_TIMEOUT_S:
        message = (
            f"{key}: socket_timeout is shorter than an idle RQ worker waits. RQ's workers raise it to {WORKER_SOCKET_TIMEOUT_S} s; "
            "anything else that uses this URL keeps it and can be cut off. It is left out here."
        )
        draft.notes.warning(at, "short-timeout", message=message)
        draft.values["worker_socket_timeout_s"] = None


def _spread(draft: Draft, profile: Profile, secrets: Secrets) -> None:
    used = ["kind", "db", "username", "worker_socket_timeout_s"]
    by_kind = {Kind.UNIX: ["unix_path"], Kind.SENTINEL: ["sentinels", "master_name", "sentinel_username"]}
    used += by_kind.get(profile.kind, ["host", "port"])
    draft.values |= {name: getattr(profile, name) for name in used}
    if CONNECT_S[0] <= profile.connect_timeout_s <= CONNECT_S[1]:
        draft.values["connect_timeout_s"] = profile.connect_timeout_s
    draft.name = draft.name or profile.name
    for side, tls in (("tls", profile.tls), ("sentinel_tls", profile.sentinel_tls)):
        _spread_tls(draft, side, tls)
    if secrets.password:
        draft.secrets["password"] = secrets.password


def _spread_tls(draft: Draft, side: str, tls: Tls) -> None:
    found = draft.sides[side]
    if tls.enabled:
        found.enabled, found.verify, found.check_hostname = True, tls.verify, tls.check_hostname
    elif found.enabled is None:
        found.enabled = False


def _respelt(draft: Draft, text: str, *, key: str, at: At) -> str:
    """Other clients' spellings in rqdash's: schemes, Lettuce's #master, CERT_NONE."""
    found = A_URL.match(text)
    if found and found[1].lower() in SCHEMES:
        text = SCHEMES[found[1].lower()] + text[found.end(1) :]
    if found and "sentinel" in found[1].lower() and (master := LETTUCE.search(text)) and "@" not in text[master.start() :]:
        before = text[: master.start()]
        text = f"{before}{'&' if '?' in before else '?'}sentinelMasterId={master[1]}"
    if CERT.search(text):
        message = f'{key}: redis-py knows "none", "optional" and "required" for ssl_cert_reqs and fails on CERT_…; read without CERT_.'
        draft.notes.warning(at, "cert-spelling", message=message)
        text = CERT.sub(r"\1", text)
        text = re.sub(r"(?<=ssl_cert_reqs=)(NONE|OPTIONAL|REQUIRED)", lambda word: word[0].lower(), text, flags=re.IGNORECASE)
    return MASTER.sub(lambda name: f"{name[0][0]}sentinel_master=", text)


def _certificates(draft: Draft, text: str, *, at: At) -> str:
    """The URL without its parameters about certificates, which are read by themselves."""
    for found in FILES.finditer(text):
        entry = entry_of(found[1], Leaf(unquote(found[2]), at))
        options("tls")[found[1]](draft, entry)
        if "sentinel" in text.partition("://")[0].lower():
            options("sentinel_tls")[found[1]](draft, entry)
    plain = FILES.sub(lambda found: "?" if found[0][0] == "?" else "", text)
    return plain.replace("?&", "?").removesuffix("?")
