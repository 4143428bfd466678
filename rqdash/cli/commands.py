"""The commands of rqdash, put together."""

from __future__ import annotations

import click

from rqdash import __version__
from rqdash.cli.check import check
from rqdash.cli.demo import demo
from rqdash.cli.export import export
from rqdash.cli.frame import Sentences, environment
from rqdash.cli.importing import import_files
from rqdash.cli.keys import keys
from rqdash.cli.move import move
from rqdash.cli.operations import operations
from rqdash.cli.people import link, token, user
from rqdash.cli.serve import serve
from rqdash.cli.static import static


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


for command in (demo, serve, check, static, user, token, link, keys, import_files, export, operations, move):
    main.add_command(command)
