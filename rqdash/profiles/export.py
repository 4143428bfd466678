"""Profiles for other places: rqdash's own export, with secrets only under a passphrase, and URLs."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from rqdash.errors import Invalid
from rqdash.model.profile import Kind, Node, Profile, Secrets
from rqdash.profiles.readers.own import FORMAT
from rqdash.profiles.readers.plain import plain_profile
from rqdash.profiles.rebind import SLOTS

SHORTEST_PASSPHRASE = 12
SALT_BYTES = 16
COST = {"n": 2**15, "r": 8, "p": 1}
"""scrypt's cost: 32 MB and about 0.1 s. A file that asks for another is refused, for it could ask for all memory there is."""
WRONG = "The passphrase is wrong, or the export was changed. Type it again, or export again."


def own_export(profiles: Iterable[Profile]) -> str:
    """The profiles as rqdash/1, without secrets: only which of them there are."""
    return _json({"format": FORMAT, "profiles": [_plain(profile) for profile in profiles]})


def encrypted_export(profiles: Iterable[tuple[Profile, Secrets]], passphrase: str) -> str:
    """The profiles with their secrets, all of it encrypted: were only the secrets, somebody could lead them to another host.

    Raises Invalid when the passphrase is short.
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        problem = f"A passphrase has at least {SHORTEST_PASSPHRASE} characters: several words are easy to remember."
        raise Invalid(problem, problems={"passphrase": problem})
    items = [{**_plain(profile), "secrets": _present(secrets)} for profile, secrets in profiles]
    inner = json.dumps({"format": FORMAT, "profiles": items}).encode("ascii")
    salt = os.urandom(SALT_BYTES)
    token = Fernet(_key(passphrase, salt)).encrypt(inner).decode("ascii")
    kdf = {"kdf": "scrypt", **COST, "salt": base64.b64encode(salt).decode("ascii")}
    return _json({"format": FORMAT, "encrypted": {**kdf, "token": token}})


def is_encrypted(content: bytes) -> bool:
    """Whether a file is an export under a passphrase; looks at its beginning only."""
    return content.lstrip()[:1] == b"{" and b'"encrypted"' in content[:200] and FORMAT.encode() in content[:200]


def decrypted(content: bytes, passphrase: str) -> bytes:
    """The export inside an encrypted one. Raises Invalid when the passphrase does not open it, or when it is none."""
    try:
        box = json.loads(content)["encrypted"]
        if any(box[name] != value for name, value in COST.items()) or box["kdf"] != "scrypt":
            raise Invalid("This export is encrypted in a way this rqdash does not know. Export again.")
        salt = base64.b64decode(box["salt"], validate=True)
        return Fernet(_key(passphrase, salt)).decrypt(box["token"])
    except InvalidToken:
        raise Invalid(WRONG, problems={"passphrase": WRONG}) from None
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        raise Invalid("This is no whole encrypted export. Export again.") from None


def url(profile: Profile) -> str:
    """The profile as a URL, with its users but without passwords and certificates. Raises Invalid when no URL can say it."""
    if profile.kind is Kind.SENTINEL and profile.tls.enabled != profile.sentinel_tls.enabled:
        raise Invalid(f"{profile.name} has TLS on one side only, which no URL can say. Use another format.")
    user = f"{quote(profile.username, safe='')}@" if profile.username else ""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in _options(profile).items())
    return f"{_place(profile, user)}{'?' if query else ''}{query}"


def _place(profile: Profile, user: str) -> str:
    s = "s" if profile.tls.enabled else ""
    if profile.kind is Kind.UNIX:
        return f"unix://{user}{quote(profile.unix_path)}"
    if profile.kind is Kind.SENTINEL:
        hosts = ",".join(str(node) for node in profile.sentinels)
        return f"redis{s}+sentinel://{user}{hosts}/{quote(profile.master_name, safe='')}/{profile.db}"
    return f"redis{s}://{user}{Node(profile.host, profile.port)}/{profile.db}"


def _options(profile: Profile) -> Mapping[str, str]:
    options = {"db": str(profile.db)} if profile.kind is Kind.UNIX and profile.db else {}
    if profile.sentinel_username:
        options["sentinel_username"] = profile.sentinel_username
    if profile.tls.enabled and not profile.tls.verify:
        options["ssl_cert_reqs"] = "none"
    if profile.tls.enabled and not profile.tls.check_hostname:
        options["ssl_check_hostname"] = "false"
    if profile.worker_socket_timeout_s is not None:
        options["socket_timeout"] = f"{profile.worker_socket_timeout_s:g}"
    return options


def _plain(profile: Profile) -> dict[str, Any]:
    return plain_profile(profile) | {f"has_{slot}": True for slot in SLOTS if getattr(profile, f"has_{slot}")}


def _present(secrets: Secrets) -> dict[str, str]:
    return {slot: value for slot, value in asdict(secrets).items() if value}


def _key(passphrase: str, salt: bytes) -> bytes:
    derived = Scrypt(salt=salt, length=32, n=COST["n"], r=COST["r"], p=COST["p"]).derive(passphrase.encode("utf-8", "surrogatepass"))
    return base64.urlsafe_b64encode(derived)


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"
