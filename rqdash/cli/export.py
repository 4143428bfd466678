"""rqdash export: connections for another rqdash, for rq worker -c, or as URLs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from rqdash.cli.frame import opened

if TYPE_CHECKING:
    from rqdash.model.profile import Profile
    from rqdash.profiles.registry import Profiles

FORMATS = ("rqdash", "rq-settings", "url")


@click.command("export")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--format", "kind", type=click.Choice(FORMATS), default="rqdash", show_default=True, help="What to write.")
@click.option("--with-secrets", is_flag=True, help="Export passwords and keys as well, encrypted under a passphrase; format rqdash only.")
@click.option("--passphrase-stdin", "from_stdin", is_flag=True, help="Read the passphrase from the first line of standard input.")
def export(names: tuple[str, ...], kind: str, with_secrets: bool, from_stdin: bool) -> None:  # noqa: FBT001  click's flags
    """Write connections to standard output: all, or those called NAME. Without --with-secrets no secret is in it."""
    if with_secrets and kind != "rqdash":
        raise click.UsageError("Secrets are only exported with --format rqdash, where they are encrypted.")
    from rqdash.profiles.registry import open_profiles

    with opened() as data:
        profiles = open_profiles(data.store, data.settings)
        chosen = [profiles.get(name) for name in names] or list(profiles.all())
        passphrase = _passphrase(from_stdin=from_stdin) if with_secrets else ""
        facts = {"names": ", ".join(profile.name for profile in chosen), "format": kind, "with_secrets": "yes" if with_secrets else "no"}
        with data.actor.recording("export connections", values=facts):
            text = _encrypted(profiles, chosen, passphrase) if with_secrets else WRITERS[kind](chosen)
    click.echo(text, nl=False)


def _encrypted(profiles: Profiles, chosen: Sequence[Profile], passphrase: str) -> str:
    from rqdash.profiles.export import encrypted_export

    return encrypted_export([(profile, profiles.secrets(profile)) for profile in chosen], passphrase)


def _own(chosen: Sequence[Profile]) -> str:
    from rqdash.profiles.export import own_export

    return own_export(chosen)


def _settings(chosen: Sequence[Profile]) -> str:
    from rqdash.errors import Invalid
    from rqdash.profiles.usage import settings_module

    if len(chosen) != 1:
        raise Invalid("A settings file is for one connection. Name it: rqdash export NAME --format rq-settings")
    return settings_module(chosen[0])


def _urls(chosen: Sequence[Profile]) -> str:
    from rqdash.profiles.export import url

    return "".join(f"{url(profile)}\n" for profile in chosen)


def _passphrase(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt="Again", err=True)
    return typed


WRITERS: dict[str, Callable[[Sequence[Profile]], str]] = {"rqdash": _own, "rq-settings": _settings, "url": _urls}
