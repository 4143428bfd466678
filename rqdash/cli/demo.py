"""rqdash demo: everything at once, to look at."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click

from rqdash.cli.listen import check_port

DIRECTORY = Path(".rqdash") / "demo"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option(
    "--data-dir",
    default=DIRECTORY,
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Where accounts, connections and logs are kept. Jobs start anew each time.",
)
@click.option("--workers", default=2, show_default=True, type=click.IntRange(0, 32), help="Workers for each live backend.")
@click.option("--no-producers", is_flag=True, help="Enqueue nothing.")
@click.option("--json", "as_json", is_flag=True, help="When ready, print one JSON object on one line.")
def demo(host: str, port: int, data_dir: Path, workers: int, no_producers: bool, as_json: bool) -> None:  # noqa: FBT001, PLR0917  click's
    """Run three live backends and one that is down, with workers, jobs and the dashboard. Ctrl-C ends all of it."""
    from rqdash.demo.run import Options, run

    check_port(host, port, remedy=f"Give another: --port {port + 1 if port < 65535 else port - 1}.")
    options = Options(data_dir, host=host, port=port, workers=workers, producers=not no_producers, as_json=as_json)
    run(options, environ=os.environ, say=click.echo, note=partial(click.echo, err=True))
