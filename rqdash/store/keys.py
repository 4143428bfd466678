"""The keys in the data directory: made once, readable by their owner only, never in the database."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.fernet import Fernet

from rqdash.errors import StoreError

DIRECTORY = "keys"
SESSION_KEY = "session.key"
SECRETS_KEYS = "secrets.keys"
SESSION_KEY_BYTES = 64
LEAST_BYTES = 32
UNWRITABLE = "The keys cannot be written. The data directory must be writable and on a local disk."
MISSING = (
    "There is no {name} in the keys of the data directory, and with PostgreSQL rqdash makes none by itself: every host needs the same "
    "ones. Copy the directory keys from another host, or on the very first host run: rqdash keys make"
)

log = logging.getLogger(__name__)


def session_key(data_dir: Path, *, makes: bool = True) -> bytes:
    """The key that signs cookies, at least 32 bytes; made when absent if makes. Raises StoreError when it cannot be used."""
    key = _kept(data_dir / DIRECTORY / SESSION_KEY) or (_make_session_key(data_dir) if makes else b"")
    if not key:
        raise StoreError(MISSING.format(name=SESSION_KEY))
    if len(key) < LEAST_BYTES:
        raise StoreError(f"{SESSION_KEY} is shorter than {LEAST_BYTES} bytes. Delete it and start again; everybody signs in anew.")
    return key


def secret_keys(data_dir: Path) -> tuple[bytes, ...]:
    """The Fernet keys that encrypt the secrets of profiles, newest first; none when the file is absent."""
    return tuple(_kept(data_dir / DIRECTORY / SECRETS_KEYS).split())


def secret_keys_stamp(data_dir: Path) -> tuple[int, int, int] | None:
    """What differs whenever the file of secret_keys was written anew, None when it is absent; one system call."""
    try:
        found = (data_dir / DIRECTORY / SECRETS_KEYS).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def replace_secret_keys(data_dir: Path, keys: Sequence[bytes]) -> None:
    """Writes other keys in the place of those of secret_keys; whoever reads meanwhile gets the old ones or the new, whole."""
    path = data_dir / DIRECTORY / SECRETS_KEYS
    try:
        with _draft(path, b"".join(key + b"\n" for key in keys)) as draft:
            draft.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            # Without it a crash of the machine could bring the old file back, after secrets were encrypted with the new key.
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise StoreError(UNWRITABLE) from error


def make_secret_keys(data_dir: Path) -> tuple[bytes, ...]:
    """The keys of secret_keys, with one made if there was none. Of two processes at once one makes it and both get it."""
    return tuple(_made(data_dir / DIRECTORY / SECRETS_KEYS, Fernet.generate_key() + b"\n").split())


def make_keys(data_dir: Path) -> None:
    """Makes whichever of the key files is absent; those that are there stay as they are."""
    _make_session_key(data_dir)
    make_secret_keys(data_dir)


def _make_session_key(data_dir: Path) -> bytes:
    return _made(data_dir / DIRECTORY / SESSION_KEY, secrets.token_hex(SESSION_KEY_BYTES // 2).encode("ascii") + b"\n")


def _kept(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            log.warning("key file readable by others: run chmod 600 on it", extra={"file": path.name})
        return path.read_bytes().strip()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(f"{path.name} in the keys of the data directory cannot be read. Check its owner: rqdash must own it.") from error


def _made(path: Path, content: bytes) -> bytes:
    """What the file holds, which is content if it was not there: it appears whole, by a link, or another process's stays."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _draft(path, content) as draft, suppress(FileExistsError):
            os.link(draft, path)
    except OSError as error:
        raise StoreError(UNWRITABLE) from error
    return _kept(path)


@contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    """A file beside path that holds the content on disk, for its owner only; gone afterwards unless it was moved."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
