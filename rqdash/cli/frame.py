"""What every command shares: errors as sentences, the environment, the dashboard's own data, and who is acting."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from rqdash.errors import RqdashError
from rqdash.settings import Settings
from rqdash.settings import settings as read_settings

if TYPE_CHECKING:
    from rqdash.access.access import Access
    from rqdash.access.actor import Actor
    from rqdash.backends.backends import Backends
    from rqdash.store import Store


class Sentences(click.Group):
    """A group whose commands say what went wrong on stderr and exit 1; a mistake in the command itself exits 2."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RqdashError as error:
            click.echo(error.message, err=True)
            ctx.exit(1)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a command works on, and in whose name."""

    settings: Settings
    store: Store
    access: Access
    actor: Actor


def environment() -> Settings:
    """The settings this environment asks for. Raises SettingsError."""
    return read_settings(os.environ)


@contextmanager
def opened() -> Iterator[Opened]:
    """The dashboard's own data, made if there is none yet. Raises SettingsError or StoreError."""
    # Here, not above: `rqdash --help` and `rqdash serve` need no database driver.
    from rqdash.access.access import open_access
    from rqdash.access.actor import command_line
    from rqdash.store import open_store

    settings = environment()
    store = open_store(settings.database_url, data_dir=settings.data_dir)
    try:
        access = open_access(store, settings)
        yield Opened(settings, store, access, command_line(_user(), access.audit))
    finally:
        store.close()


def live(data: Opened) -> Backends:
    """The enabled backends by name; nothing is connected to before it is used."""
    from functools import partial

    from rqdash.app import live_backend
    from rqdash.backends.backends import Backends
    from rqdash.backends.policy import TargetPolicy
    from rqdash.profiles.registry import open_profiles

    profiles = open_profiles(data.store, data.settings)
    policy = TargetPolicy(data.settings.allowed_targets, data.settings.unix_socket_dirs)
    return Backends(profiles, partial(live_backend, profiles, policy))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a number that has no name.
        return str(os.getuid())
