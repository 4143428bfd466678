"""The dashboard's own data for the demo: its four connections, an account without a password, a token."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rqdash.access.access import Access, open_access
from rqdash.demo.backends import profile
from rqdash.demo.layout import DemoBackend
from rqdash.errors import Conflict, NotFound
from rqdash.model.caller import Role
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.profiles.secrets import Clear, SecretEdits
from rqdash.settings import Settings
from rqdash.store import open_store

NAME = "demo"
BY = "rqdash demo"


@dataclass(frozen=True, slots=True)
class Entry:
    """The ways in: link_token signs the account demo in once, api_token may do everything."""

    link_token: str = field(repr=False)
    api_token: str = field(repr=False)


def seed(data_dir: Path, backends: tuple[DemoBackend, ...]) -> Entry:
    """Makes or renews them; what else an earlier demo's visitor made stays. Raises StoreError."""
    settings = Settings(data_dir=data_dir)
    store = open_store("", data_dir=data_dir)
    try:
        profiles = open_profiles(store, settings)
        for backend in backends:
            _save(profiles, backend)
        return _entry(open_access(store, settings))
    finally:
        store.close()


def _save(profiles: Profiles, backend: DemoBackend) -> None:
    """The servers have other ports each time, so a connection of an earlier demo is re-pointed, without what it had as passwords."""
    wanted = profile(backend)
    if backend.name not in profiles.names:
        profiles.create(wanted, by=BY)
        return
    version = profiles.get(backend.name).version
    profiles.update(backend.name, wanted, edits=SecretEdits(Clear(), Clear()), version=version, by=BY)


def _entry(access: Access) -> Entry:
    try:
        access.accounts.add(NAME, role=Role.ADMIN, password=None)
    except Conflict:
        access.accounts.enable(NAME)
        access.accounts.change(NAME, role=Role.ADMIN, grants=("*",))
    try:
        access.tokens.revoke(NAME)
    except NotFound:
        pass
    api_token = access.tokens.add(NAME, role=Role.ADMIN)
    return Entry(access.links.issue(NAME, now=datetime.now(UTC)), api_token)
