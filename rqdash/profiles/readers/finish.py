"""A draft as a candidate: what follows from all of it together, and what RQ would make of it."""

from __future__ import annotations

from dataclasses import fields, replace

from rqdash.model.profile import WORKER_SOCKET_TIMEOUT_S, Kind, Profile, Secrets, Tls
from rqdash.profiles.readers.draft import Draft
from rqdash.profiles.readers.nodes import is_host
from rqdash.profiles.readers.tls_fields import side_field
from rqdash.profiles.readers.values import Candidate
from rqdash.profiles.rebind import SLOTS

ENDPOINT = ("kind", "host", "port", "unix_path", "sentinels", "master_name", "db", "username", "sentinel_username", "tls", "sentinel_tls")
"""What a foreign file has a say in, by naming it or by leaving it at its default."""
HANGS = (
    "without a socket timeout a connection that dies is noticed never. RQ's workers set {least} s by themselves, but whatever else uses "
    "this file, such as the code that enqueues, can hang for ever. Give more than the worker TTL, 420 s."
)
CUT_OFF = (
    "this is shorter than an idle RQ worker waits. RQ's workers raise it to {least} s, but whatever else uses this file keeps it, and a "
    "call that waits longer is cut off. Give more than the worker TTL, 420 s."
)


def finished(draft: Draft, *, is_rq: bool = True) -> Candidate | None:
    """The candidate of a draft, or None when it is refused; warns of what RQ would do if it is RQ's file."""
    values = {"host": "", **draft.values}
    kind = _kind(draft)
    _check_host(draft, kind)
    if draft.is_refused:
        return None
    data, sentinels = _tls(draft, "tls"), _tls(draft, "sentinel_tls")
    if kind is Kind.SENTINEL:
        _check_sentinels(draft)
        _check_sides(draft, data, sentinels, is_rq=is_rq)
    if is_rq:
        _check_timeout(draft, kind)
    values |= {"kind": kind, "tls": data, "sentinel_tls": sentinels if kind is Kind.SENTINEL else Tls(), "name": draft.name}
    values |= {f"has_{slot}": slot in draft.secrets for slot in SLOTS}
    known = {found.name for found in fields(Profile)}
    profile = Profile(**{name: value for name, value in values.items() if name in known})  # type: ignore[arg-type]  # handlers set the types
    decided = (*ENDPOINT, *(("worker_socket_timeout_s",) if values.get("worker_socket_timeout_s") else ()))
    return Candidate(
        _of_kind(profile),
        Secrets(**draft.secrets),
        tuple(draft.needs.values()),
        draft.at.line,
        draft.label,
        tuple(draft.templates),
        decided,
    )


def _of_kind(profile: Profile) -> Profile:
    plain = Profile(name="")
    if profile.kind is Kind.SENTINEL:
        return replace(profile, host=plain.host, port=plain.port, unix_path="")
    if profile.kind is Kind.UNIX:
        return replace(profile, host=plain.host, port=plain.port)
    return replace(profile, unix_path="")


def _kind(draft: Draft) -> Kind:
    if "sentinels" in draft.seen or draft.values.get("kind") is Kind.SENTINEL:
        return Kind.SENTINEL
    if "unix_path" in draft.seen or draft.values.get("kind") is Kind.UNIX:
        return Kind.UNIX
    return Kind.STANDALONE


def _check_host(draft: Draft, kind: Kind) -> None:
    """Of one server, the host must be one; what is needed for it is filled in later."""
    host = str(draft.values.get("host", "")).removeprefix("[").removesuffix("]")
    if kind is not Kind.STANDALONE or draft.is_refused:
        return
    if host and not is_host(host):
        draft.refuse(draft.seen.get("host", draft.at), "bad-host", message="The host is no name and no address. Correct it.")
    elif not host and not any({"host", "url"} & set(need.fields) for need in draft.needs.values()):
        draft.refuse(draft.at, "no-host", message="There is no host here. Give one.")
    elif any(need.name == "host" for need in draft.needs.values()):
        # The file has one, which cannot be read: nothing else of it says where to connect to.
        draft.is_refused = True
    if host:
        draft.values["host"] = host.lower()


def _tls(draft: Draft, name: str) -> Tls:
    side = draft.sides[name]
    if not side.enabled:
        if side.option_at is not None and name not in {field for need in draft.needs.values() for field in need.fields}:
            message = f"{side.option}: it is about TLS, which is off; redis-py 8 fails on it (TypeError). Switch TLS on, or take it out."
            draft.notes.warning(side.option_at, "tls-off", message=message)
            for field_name in ("ca_pem", "client_cert_pem", "client_key", "client_key_password"):
                draft.needs.pop(side_field(name, field_name), None)
        return Tls()
    return Tls(True, side.verify, side.check_hostname and side.verify, side.ca_pem, side.server_name, side.client_cert_pem)


def _check_sentinels(draft: Draft) -> None:
    found = draft.values.get("sentinels", ())
    count = len(found) if isinstance(found, tuple) else 0
    at = draft.seen.get("sentinels", draft.at)
    is_open = any("sentinels" in need.fields for need in draft.needs.values())
    if count == 1 and not is_open:
        message = "There is one Sentinel only: when it is down, nobody can say where the master is. List all of them, three or five."
        draft.notes.warning(at, "one-sentinel", message=message)
    elif count and count % 2 == 0 and not is_open and "peers" not in draft.seen:
        message = f"There is an even number of Sentinels ({count}): half of them cannot agree on a failover. Three or five are usual."
        draft.notes.warning(at, "even-sentinels", message=message)
    if not draft.values.get("master_name") and "master_name" not in {name for need in draft.needs.values() for name in need.fields}:
        draft.need("master_name", "master_name", at=at)
        draft.notes.warning(at, "no-master-name", message="No master is named. Fill in the name the Sentinels know it by.")
    if not count and not is_open:
        draft.need("sentinels", "sentinels", at=at)


def _check_sides(draft: Draft, data: Tls, sentinels: Tls, *, is_rq: bool) -> None:
    at = draft.seen.get("SENTINEL_KWARGS", draft.seen.get("sentinels", draft.at))
    if data.enabled != sentinels.enabled:
        on, off = ("Redis", "the Sentinels") if data.enabled else ("the Sentinels", "Redis")
        message = f"TLS is on for {on} only, not for {off}: each side has its own setting, neither inherits. If both use TLS, set both."
        draft.notes.warning(at, "tls-one-side", message=message)
    if is_rq and "password" in draft.secrets and "sentinel_password" not in draft.secrets and "sentinel_password" not in draft.needs:
        message = (
            "The password goes to Redis only: the Sentinels get none, for SENTINEL_KWARGS inherits nothing. If they ask for one, add it."
        )
        draft.notes.info(at, "sentinels-no-password", message=message)
    if is_rq and "timeout" in draft.seen and "sentinel_timeout" not in draft.seen and draft.timeout_s is not None:
        message = (
            "The timeout goes to Redis only: the Sentinels have redis-py's 5 s and its retries. Set socket_timeout in SENTINEL_KWARGS."
        )
        draft.notes.info(at, "sentinels-no-timeout", message=message)


def _check_timeout(draft: Draft, kind: Kind) -> None:
    at = draft.seen.get("timeout")
    if at is None and kind is not Kind.SENTINEL:
        return
    if any("worker_socket_timeout_s" in need.fields for need in draft.needs.values()):
        return
    if draft.timeout_s is None:
        draft.notes.warning(at or draft.at, "no-timeout", message=f"SOCKET_TIMEOUT: {HANGS.format(least=WORKER_SOCKET_TIMEOUT_S)}")
    elif draft.timeout_s < WORKER_SOCKET_TIMEOUT_S:
        draft.notes.warning(at or draft.at, "short-timeout", message=f"SOCKET_TIMEOUT: {CUT_OFF.format(least=WORKER_SOCKET_TIMEOUT_S)}")
