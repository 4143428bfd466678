"""rqdash serve: the dashboard under gunicorn."""

from __future__ import annotations

import os
import sys

import click

from rqdash.cli.check import mistakes
from rqdash.cli.frame import opened
from rqdash.cli.listen import bind_address, check_port
from rqdash.errors import SettingsError
from rqdash.settings import Settings

NOBODY = "There is no account yet. Make the first one: rqdash user add NAME --role admin"


@click.command()
def serve() -> None:
    """Serve the dashboard, set up by the variables RQDASH_*."""
    # Here, where a mistake is a sentence; the serving processes look again, each when it starts.
    wrong = mistakes(os.environ)
    if wrong:
        raise SettingsError("\n".join(wrong))
    with opened() as data:
        settings = data.settings
        if not data.access.accounts.list():
            click.echo(NOBODY, err=True)
    check_port(settings.host, settings.port, remedy="Give another: RQDASH_PORT.")
    command = gunicorn(settings)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)  # noqa: S606  no shell is what is wanted


def gunicorn(settings: Settings) -> list[str]:
    """The command that serves: threads, because a request mostly waits for Redis; no control socket, which is one more way in."""
    return [
        sys.executable,
        "-m",
        "gunicorn",
        "--bind",
        bind_address(settings.host, settings.port),
        "--worker-class",
        "gthread",
        "--workers",
        str(settings.processes),
        "--threads",
        str(settings.threads),
        "--log-level",
        settings.log_level.lower(),
        # Names of queues and ids of jobs travel in addresses, up to 1 KB each before they are written out.
        "--limit-request-line",
        "8190",
        "--no-control-socket",
        "rqdash.app:create_app()",
    ]
