"""TLS as settings files have it: redis-py's ssl_ options, for Redis or for the Sentinels."""

from __future__ import annotations

from rqdash.profiles.readers.draft import Draft, Handler, Side, ignored, known, secret, truth
from rqdash.profiles.readers.notes import shown
from rqdash.profiles.readers.tree import Entry, Leaf

CHECKS = {"none": False, "optional": True, "required": True}
PEM_BEGINS = "-----BEGIN"


def enabled(side: str) -> Handler:
    """Whether TLS is on: a flag, or, as in node's clients, a table of options."""

    def handle(draft: Draft, entry: Entry) -> None:
        draft.sides[side].enabled = truth(draft, side, entry=entry)

    return handle


def checked(side: str) -> Handler:
    """ssl_cert_reqs; only redis-py's own spellings are right, others are understood."""

    def handle(draft: Draft, entry: Entry) -> None:
        value = known(draft, side, entry=entry)
        word = "none" if value is None or value is False else str(value).strip().lower()
        if not isinstance(entry.value, Leaf) and value is None:
            return
        word = {"0": "none", "1": "optional", "2": "required", "true": "required"}.get(word, word)
        if word.startswith("cert_"):
            word = word.removeprefix("cert_")
            message = f'{shown(entry.key)}: redis-py knows "none", "optional" and "required" and fails on this spelling; read as "{word}".'
            draft.notes.warning(entry.value.at, "cert-spelling", message=message if word in CHECKS else f"{shown(entry.key)}: unknown.")
        if word not in CHECKS:
            draft.notes.error(
                entry.value.at, "cert-spelling", message=f'{shown(entry.key)}: "none", "optional" or "required" belongs here.'
            )
            return
        _side(draft, side, entry).verify = CHECKS[word]
        if not CHECKS[word]:
            message = f"{shown(entry.key)}: the server's certificate is not checked, so anyone in between can read along. Check it."
            draft.notes.warning(entry.value.at, "unverified-tls", message=message)

    return handle


def hostname_checked(side: str) -> Handler:
    def handle(draft: Draft, entry: Entry) -> None:
        value = truth(draft, side, entry=entry)
        if value is not None:
            _side(draft, side, entry).check_hostname = value

    return handle


def unverified(side: str) -> Handler:
    """A flag that switches the check of certificates off, such as NetBox's INSECURE_SKIP_TLS_VERIFY."""

    def handle(draft: Draft, entry: Entry) -> None:
        if truth(draft, side, entry=entry):
            draft.sides[side].verify = False
            message = f"{shown(entry.key)}: the server's certificate is not checked, so anyone in between can read along. Check it."
            draft.notes.warning(entry.value.at, "unverified-tls", message=message)

    return handle


def authority(side: str) -> Handler:
    """The authority's certificates: PEM is taken, a path becomes a blank, for no file is read from here."""

    def handle(draft: Draft, entry: Entry) -> None:
        field_name = side_field(side, "ca_pem")
        value = known(draft, field_name, entry=entry)
        found = _side(draft, side, entry)
        if value is None or value == "":
            return
        if PEM_BEGINS in str(value):
            found.ca_pem = str(value)
            return
        draft.need(field_name, field_name, at=entry.value.at)
        message = f"{shown(entry.key)}: a path is not read from here. Paste the authority's certificates (PEM) into the profile."
        draft.notes.warning(entry.value.at, "path-not-read", message=message)

    return handle


def client_certificate(side: str) -> Handler:
    """The certificate shown to the server: PEM is taken, a path becomes a blank."""

    def handle(draft: Draft, entry: Entry) -> None:
        field_name = side_field(side, "client_cert_pem")
        value = known(draft, field_name, entry=entry)
        found = _side(draft, side, entry)
        if PEM_BEGINS in str(value):
            found.client_cert_pem = str(value)
        elif value is not None and value != "":
            draft.need(field_name, field_name, at=entry.value.at)
            message = f"{shown(entry.key)}: a path is not read from here. Paste the client's certificate (PEM) into the profile."
            draft.notes.warning(entry.value.at, "path-not-read", message=message)

    return handle


def client_key(side: str) -> Handler:
    """The key of that certificate, a secret: PEM is taken, a path becomes a blank."""

    def handle(draft: Draft, entry: Entry) -> None:
        slot = side_field(side, "client_key")
        if not isinstance(entry.value, Leaf) or PEM_BEGINS in str(entry.value.value):
            secret(slot)(draft, entry)
            return
        _side(draft, side, entry)
        if entry.value.value not in (None, ""):
            draft.need(slot, slot, at=entry.value.at)
            message = f"{shown(entry.key)}: a path is not read from here. Paste the client's key (PEM) into the profile."
            draft.notes.warning(entry.value.at, "path-not-read", message=message)

    return handle


def server_name(side: str) -> Handler:
    """The name the server is asked for, and its certificate must bear."""

    def handle(draft: Draft, entry: Entry) -> None:
        if isinstance(entry.value, Leaf) and isinstance(entry.value.value, str):
            draft.sides[side].server_name = entry.value.value.strip()

    return handle


def side_field(side: str, name: str) -> str:
    """The name of a field or a slot that each side has one of."""
    return name if side == "tls" else f"sentinel_{name}"


def _side(draft: Draft, side: str, entry: Entry) -> Side:
    found = draft.sides[side]
    if found.option_at is None:
        found.option_at, found.option = entry.at, shown(entry.key)
    return found


def options(side: str) -> dict[str, Handler]:
    """redis-py's names for all of it."""
    return {
        "ssl": enabled(side),
        "ssl_cert_reqs": checked(side),
        "ssl_check_hostname": hostname_checked(side),
        "ssl_ca_certs": authority(side),
        "ssl_ca_path": authority(side),
        "ssl_ca_data": authority(side),
        "ssl_certfile": client_certificate(side),
        "ssl_keyfile": client_key(side),
        "ssl_password": secret(side_field(side, "client_key_password")),
        "ssl_min_version": ignored,
        "ssl_ciphers": ignored,
        "ssl_validate_ocsp": ignored,
    }
