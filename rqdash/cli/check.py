"""rqdash check: whether this machine could serve, said before anybody looks at the page."""

from __future__ import annotations

from collections.abc import Mapping

import click

from rqdash.errors import RqdashError, SettingsError
from rqdash.settings import settings as read_settings


@click.command()
def check() -> None:
    """Say what would keep rqdash from serving: settings, database, keys, the file of connections. Changes nothing that is there."""
    import os

    wrong = mistakes(os.environ)
    if wrong:
        raise SettingsError("\n".join(wrong))
    click.echo("rqdash can serve with these settings.")


def mistakes(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each thing that is wrong; none when rqdash can serve. Makes the database and the keys of a first start."""
    from rqdash.profiles.registry import open_profiles
    from rqdash.profiles.secrets import open_vault
    from rqdash.store import open_store
    from rqdash.store.keys import session_key

    try:
        settings = read_settings(environ)
        store = open_store(settings.database_url, data_dir=settings.data_dir)
    except RqdashError as error:
        return [error.message]
    wrong: list[str] = []
    for ask in (
        lambda: session_key(settings.data_dir, makes=not settings.database_url),
        lambda: _unlocked(open_vault(store).locked),
        lambda: open_profiles(store, settings).provision(settings.profiles_file),
    ):
        try:
            ask()
        except RqdashError as error:
            wrong.append(error.message)
    store.close()
    return wrong


def _unlocked(problem: str) -> None:
    if problem:
        raise SettingsError(f"Stored passwords cannot be used: {problem}")
