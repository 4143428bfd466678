"""rqdash keys: the keys in the data directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rqdash.cli.frame import environment, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rqdash.profiles.rotation import Rotation, Unreadable


@click.group()
def keys() -> None:
    """The keys in the data directory: they sign cookies and encrypt passwords of profiles."""


@keys.command("make")
def make() -> None:
    """Make the keys that are missing; with PostgreSQL, on the first host only, and copy them to the others."""
    from rqdash.store.keys import make_keys

    settings = environment()
    make_keys(settings.data_dir)
    click.echo("The keys are in the directory keys of the data directory.")


@keys.command("rotate")
@click.option("--new-key-only", is_flag=True, help="Make the key but encrypt nothing yet: copy secrets.keys to the other hosts first.")
def rotate(new_key_only: bool) -> None:  # noqa: FBT001  click's flag
    """Encrypt every stored secret with a new key. rqdash may go on running; run it again if it was interrupted."""
    from rqdash.profiles import rotation

    with opened() as data, data.actor.recording("rotate keys"):
        done = rotation.rotate(data.store, new_key_only=new_key_only)
    click.echo(_rotated(done, new_key_only=new_key_only))
    _complain(done.unreadable)


@keys.command("prune")
def prune() -> None:
    """Drop the keys that no stored secret needs. Backups of the database made before the last rotation need them."""
    from rqdash.profiles import rotation

    with opened() as data, data.actor.recording("prune keys"):
        dropped, left = rotation.prune(data.store)
    click.echo(f"{_counted(dropped, 'key')} dropped, {left} left." if dropped else f"Nothing to drop: {_counted(left, 'key')} in use.")


@keys.command("check")
def check() -> None:
    """Try every stored secret, and say which cannot be read."""
    from rqdash.profiles import rotation

    with opened() as data:
        readable, unreadable = rotation.check(data.store)
    click.echo(f"{_counted(readable, 'secret')} can be read." if readable or not unreadable else "No secret can be read.")
    _complain(unreadable)


def _rotated(done: Rotation, *, new_key_only: bool) -> str:
    made = "An earlier rotation had not ended; this goes on with its key." if done.is_resumed else "There is a new key."
    if new_key_only:
        return f"{made} Copy secrets.keys to every other host, then run: rqdash keys rotate"
    total = done.changed + done.kept
    are = "is" if total == 1 else "are"
    return f"{made} {_counted(total, 'secret')} {are} encrypted with it. Older keys stay until: rqdash keys prune"


def _complain(unreadable: Sequence[Unreadable]) -> None:
    if unreadable:
        for found in unreadable:
            click.echo(f"{found.profile}: {found.slot} cannot be read. Type it again in the connection's editor.", err=True)
        raise SystemExit(1)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
