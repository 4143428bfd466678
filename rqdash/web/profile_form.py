"""The connection editor's fields: a profile as texts, and texts as a profile. Secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rqdash.errors import Invalid
from rqdash.model import redaction
from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls
from rqdash.profiles.certificates import lasting
from rqdash.profiles.rebind import SLOTS, stored_slots
from rqdash.profiles.secrets import Clear, Keep, SecretEdit, SecretEdits, Set
from rqdash.web.forms import Raw, required, seconds, whole

SENTINEL_ROWS = 3
TEXTS = ("name", "host", "unix_path", "master_name", "username", "sentinel_username", "prefix", "environment")
FLAGS = ("protected", "read_only", "enabled")
TLS = (("tls", ""), ("sentinel_tls", "sentinel_"))
"""The two TLS fields of a profile, and what the form's names of their parts begin with."""
WARNINGS = ("oldest_warn_s", "failures_warn_per_hour", "clock_skew_warn_s")
TLS_TEXTS = ("ca_pem", "server_name", "client_cert_pem")


@dataclass(frozen=True, slots=True)
class ProfileForm:
    """What the editor shows: text by field, ticks by field, sentinels as (host, port) texts, problems by field.

    stored are the slots that have a secret; expiry says by field when a certificate in it expires.
    """

    texts: Mapping[str, str]
    ticks: Mapping[str, bool]
    sentinels: tuple[tuple[str, str], ...]
    kind: Kind = Kind.STANDALONE
    hue: str = "slate"
    stored: tuple[str, ...] = ()
    expiry: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    version: int = 0


def shown(profile: Profile) -> ProfileForm:
    """A stored profile as the editor's fields."""
    rows = [(node.host, str(node.port)) for node in profile.sentinels]
    rows += [("", "")] * max(1, SENTINEL_ROWS - len(rows))
    texts = {name: str(getattr(profile, name)) for name in TEXTS} | {
        "port": str(profile.port),
        "db": str(profile.db),
        "connect_timeout_s": f"{profile.connect_timeout_s:g}",
        "read_timeout_s": f"{profile.read_timeout_s:g}",
        "worker_socket_timeout_s": "" if profile.worker_socket_timeout_s is None else f"{profile.worker_socket_timeout_s:g}",
        **{f"{before}{part}": getattr(getattr(profile, tls), part) for tls, before in TLS for part in TLS_TEXTS},
        "notes": profile.notes,
        "arguments": profile.arguments,
        "redact": "\n".join(profile.redact),
        **{name: f"{getattr(profile, name):.10g}" for name in WARNINGS},
    }
    return ProfileForm(
        texts=texts,
        ticks={name: bool(getattr(profile, name)) for name in FLAGS}
        | _tls_ticks("tls", profile.tls)
        | _tls_ticks("sentinel_tls", profile.sentinel_tls),
        sentinels=tuple(rows),
        kind=profile.kind,
        hue=profile.hue,
        stored=stored_slots(profile),
        version=profile.version,
    )


def typed(raw: Raw, base: Profile, *, problems: Mapping[str, str]) -> ProfileForm:
    """What was typed, shown again with what is wrong; nothing but the secrets is lost."""
    stored = shown(base)
    texts = {name: raw.text(name, default=value) for name, value in stored.texts.items()}
    hosts, ports = raw.form.get("sentinel_host", ()), raw.form.get("sentinel_port", ())
    rows = tuple(zip(hosts, ports, strict=False)) or stored.sentinels
    ticks = {name: raw.ticked(name) for name in stored.ticks}
    kind = raw.text("kind")
    return replace(
        stored,
        texts=texts,
        ticks=ticks,
        sentinels=(*rows, ("", "")) if all(host for host, _ in rows) else rows,
        kind=Kind(kind) if kind in set(Kind) else stored.kind,
        hue=raw.text("hue", default=stored.hue),
        problems=problems,
    )


def parsed(raw: Raw, base: Profile) -> Profile:
    """The profile a form describes, over the stored one (id, versions). Raises Invalid with every problem by field."""
    raw = _whole(raw, base)
    problems: dict[str, str] = {}

    def read(name: str, call: object) -> object:
        try:
            return call()  # type: ignore[operator]
        except Invalid as error:
            problems.update(error.problems or {name: error.message})
            return getattr(base, name, None)

    values: dict[str, object] = {name: raw.text(name).strip() for name in TEXTS}
    values |= {name: raw.ticked(name) for name in FLAGS}
    values["kind"] = read("kind", lambda: required(raw.text("kind"), Kind, field_name="kind"))
    values["port"] = read("port", lambda: whole(raw.text("port"), field_name="port", default=6379))
    values["db"] = read("db", lambda: whole(raw.text("db"), field_name="db", default=0))
    for name, default in (("connect_timeout_s", 1.0), ("read_timeout_s", 2.0), ("worker_socket_timeout_s", None)):
        found = read(name, lambda name=name: seconds(raw.text(name), field_name=name))
        values[name] = default if found is None else found
    values |= {name: read(name, partial(_warning, raw, name, base)) for name in WARNINGS}
    values["sentinels"] = read("sentinels", lambda: sentinels(raw))
    values |= {tls: _tls(raw, tls, before) for tls, before in TLS}
    values |= {"hue": raw.text("hue") or "slate", "notes": raw.text("notes").replace("\r\n", "\n"), "prefix": values["prefix"] or "rq"}
    values |= {"arguments": raw.text("arguments", default=base.arguments), "redact": _rules(raw, base)}
    if problems:
        raise Invalid("Some fields cannot be read.", problems=problems)
    return replace(base, **values)  # type: ignore[arg-type]


def sentinels(raw: Raw) -> tuple[Node, ...]:
    """The sentinel rows that are filled in; the port defaults to 26379."""
    hosts, ports = raw.form.get("sentinel_host", ()), raw.form.get("sentinel_port", ())
    rows = [(host.strip(), port) for host, port in zip(hosts, ports, strict=False) if host.strip()]
    return tuple(Node(host, whole(port, field_name="sentinels", default=26379)) for host, port in rows)


def secret_edits(raw: Raw) -> SecretEdits:
    """What to do with each secret: a text typed replaces it, the tick clears it, else it is kept."""
    return SecretEdits(**{slot: _edit(raw, slot) for slot in SLOTS})


def new_secrets(raw: Raw) -> Secrets:
    """The secrets of a new profile."""
    return Secrets(**{slot: _secret(raw, slot) or None for slot in SLOTS})


def dated(form: ProfileForm, *, now: datetime) -> ProfileForm:
    """The form with what it says about its certificates' ends."""
    pems = (f"{before}{part}" for _, before in TLS for part in ("ca_pem", "client_cert_pem"))
    return replace(form, expiry={name: lasting(form.texts[name], now=now) for name in pems})


def _whole(raw: Raw, base: Profile) -> Raw:
    """A browser sends every field and leaves out what is not ticked; a JSON body that leaves a field out means no change to it."""
    if not raw.is_json:
        return raw
    stored = shown(base)
    form = {name: (text,) for name, text in stored.texts.items()} | {name: ("1",) for name, is_ticked in stored.ticks.items() if is_ticked}
    hosts, ports = zip(*stored.sentinels, strict=True)
    form |= {"kind": (stored.kind.value,), "hue": (stored.hue,), "sentinel_host": hosts, "sentinel_port": ports}
    return replace(raw, form={**form, **raw.form})


def _edit(raw: Raw, slot: str) -> SecretEdit:
    if found := _secret(raw, slot):
        return Set(found)
    return Clear() if raw.ticked(f"clear_{slot}") else Keep()


def _secret(raw: Raw, slot: str) -> str:
    """What was typed; of a key without the space around it, for a page sends lines as it likes."""
    text = raw.text(slot)
    return _pem(text) if slot.endswith("_key") else text


def _pem(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _rules(raw: Raw, base: Profile) -> tuple[str, ...]:
    """The rules typed, or as many in a JSON list. A form without the field means no change: to hide less is never what a gap says."""
    return redaction.globs("\n".join(raw.form["redact"])) if "redact" in raw.form else base.redact


def _warning(raw: Raw, name: str, base: Profile) -> float:
    """A limit as typed, 0 for an empty field; a form without the field means no change."""
    text = raw.text(name, default=f"{getattr(base, name):.10g}")
    found = seconds(text, field_name=name) if name == "clock_skew_warn_s" else whole(text, field_name=name, default=0)
    return found or 0


def _tls(raw: Raw, name: str, before: str) -> Tls:
    return Tls(
        raw.ticked(name),
        raw.ticked(f"{name}_verify"),
        raw.ticked(f"{name}_check_hostname"),
        **{part: _pem(raw.text(f"{before}{part}")) for part in TLS_TEXTS},
    )


def _tls_ticks(name: str, tls: Tls) -> dict[str, bool]:
    return {name: tls.enabled, f"{name}_verify": tls.verify, f"{name}_check_hostname": tls.check_hostname}
