"""The commands of rqdash, put together."""

from __future__ import annotations

import click

from rqdash import __version__
from rqdash.cli.demo import demo
from rqdash.cli.frame import Sentences, environment
from rqdash.cli.people import link, token, user
from rqdash.cli.serve import serve


@click.group(cls=Sentences)
@click.version_option(__version__, prog_name="rqdash")
def main() -> None:
    """The operations dashboard for RQ on more than one Redis. Its settings are the variables RQDASH_*."""


@main.group()
def db() -> None:
    """The dashboard's own database."""


@db.command("upgrade")
def upgrade_database() -> None:
    """Bring the database's tables up to this version. Stop rqdash and back the database up first."""
    from rqdash.store import connect, upgrade

    settings = environment()
    store = connect(settings.database_url, data_dir=settings.data_dir)
    with store.locked():
        before, after = upgrade(store)
    store.close()
    click.echo(
        f"The database was at {before or 'nothing'} and is at {after}." if before != after else f"The database is at {after} already."
    )


@main.group()
def keys() -> None:
    """The keys in the data directory: they sign cookies and encrypt passwords of profiles."""


@keys.command("make")
def make() -> None:
    """Make the keys that are missing; with PostgreSQL, on the first host only, and copy them to the others."""
    from rqdash.store.keys import make_keys

    settings = environment()
    make_keys(settings.data_dir)
    click.echo("The keys are in the directory keys of the data directory.")


for command in (demo, serve, user, token, link):
    main.add_command(command)
