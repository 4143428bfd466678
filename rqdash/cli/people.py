"""rqdash user, token and link: who may come in."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import click

from rqdash.access import rules
from rqdash.cli.frame import opened
from rqdash.cli.listen import bind_address
from rqdash.model.caller import Role

ROLE = click.option(
    "--role", type=click.Choice([role.value for role in Role]), help="What it may do; needed unless every --grant names a role."
)
GRANTS = click.option(
    "--grant",
    "--backends",
    "grants",
    multiple=True,
    metavar="[ROLE:]GLOB",
    help="Backends it may see, such as 'staging-*' or env:prod, with another role there if one is named (viewer:env:prod); repeatable. "
    "Default: all.",
)
STDIN = click.option("--password-stdin", "from_stdin", is_flag=True, help="Read the password from the first line of standard input.")
FIRST_ADMIN = "admin"


@click.group()
def user() -> None:
    """Accounts: people who sign in."""


@user.command("add")
@click.argument("name")
@ROLE
@GRANTS
@STDIN
def add_user(name: str, role: str | None, grants: tuple[str, ...], from_stdin: bool) -> None:  # noqa: FBT001  click's flag
    """Make an account."""
    rights = rules.rights(role or "", grants)
    password = _password(from_stdin=from_stdin)
    with opened() as data, data.actor.recording("add account", values={"name": name, **rights.facts()}):
        data.access.accounts.add(name, role=rights.role, password=password, grants=rights.grants)
    click.echo(f"{name} can sign in now.")


@user.command("list")
def list_users() -> None:
    """Show every account."""
    with opened() as data:
        accounts = data.access.accounts.list()
    rows = [(found.name, found.role.value, " ".join(found.grants), "" if found.enabled else "disabled") for found in accounts]
    _table(("NAME", "ROLE", "BACKENDS", ""), rows)


@user.command("password")
@click.argument("name")
@STDIN
def change_password(name: str, from_stdin: bool) -> None:  # noqa: FBT001  click's flag
    """Give an account a new password; its sessions end."""
    password = _password(from_stdin=from_stdin)
    with opened() as data, data.actor.recording("change password", values={"name": name}):
        data.access.accounts.set_password(name, password)
    click.echo(f"{name} has a new password; its sessions have ended.")


@user.command("disable")
@click.argument("name")
def disable_user(name: str) -> None:
    """Keep an account from signing in; its sessions end."""
    with opened() as data, data.actor.recording("disable account", values={"name": name}):
        data.access.accounts.disable(name)
    click.echo(f"{name} cannot sign in any more.")


@user.command("enable")
@click.argument("name")
def enable_user(name: str) -> None:
    """Let a disabled account sign in again."""
    with opened() as data, data.actor.recording("enable account", values={"name": name}):
        data.access.accounts.enable(name)
    click.echo(f"{name} can sign in again.")


@click.command()
@click.argument("name", default=FIRST_ADMIN)
@click.option("--url", help="Address of the dashboard as people reach it. Default: the one it listens on.")
def link(name: str, url: str | None) -> None:
    """Print a link that signs NAME in once, within a day. On a dashboard without accounts NAME becomes its first admin."""
    with opened() as data, data.actor.recording("make sign-in link", values={"name": name}):
        if data.access.accounts.list():
            data.access.accounts.get(name)
        token = data.access.links.issue(name, now=datetime.now(UTC))
        base = url or f"http://{bind_address(data.settings.host, data.settings.port)}"
    click.echo(f"{base.rstrip('/')}/sign-in/link?token={token}")


user.add_command(link)


@click.group()
def token() -> None:
    """Tokens for programs that use /api/v1."""


@token.command("add")
@click.argument("name")
@ROLE
@GRANTS
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is good for. Default: until it is revoked.")
def add_token(name: str, role: str | None, grants: tuple[str, ...], days: int | None) -> None:
    """Make a token and print it, this once."""
    rights = rules.rights(role or "", grants)
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with opened() as data, data.actor.recording("add token", values={"name": name, **rights.facts()}):
        made = data.access.tokens.add(name, role=rights.role, grants=rights.grants, expires_at=expires_at)
    click.echo("Keep this token; it is not shown again.", err=True)
    click.echo(made)


@token.command("list")
def list_tokens() -> None:
    """Show every token, but not what it is."""
    with opened() as data:
        tokens = data.access.tokens.list()
    rows = [(found.name, found.role.value, " ".join(found.grants), _day(found.expires_at), _day(found.last_used_at)) for found in tokens]
    _table(("NAME", "ROLE", "BACKENDS", "EXPIRES", "LAST USED"), rows)


@token.command("revoke")
@click.argument("name")
def revoke_token(name: str) -> None:
    """End a token."""
    with opened() as data, data.actor.recording("revoke token", values={"name": name}):
        data.access.tokens.revoke(name)
    click.echo(f"{name} is good for nothing now.")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt="Again")
    return typed


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "never"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
