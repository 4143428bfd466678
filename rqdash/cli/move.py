"""rqdash move: jobs from one backend to another, and what a crash has left on the way."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from rqdash.cli.frame import Opened, opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rqdash.actions.transfer import Preflight
    from rqdash.backends.backend import Backend
    from rqdash.backends.backends import Backends
    from rqdash.cli.moving import Chosen, Done, Wish

REGISTRIES = ("queued", "failed", "canceled", "scheduled")
SAMPLE = 5


@click.command()
@click.argument("source", metavar="SOURCE", required=False)
@click.argument("destination", metavar="DEST", required=False)
@click.option("--queue", metavar="NAME", help="Only jobs of this queue.")
@click.option("--to-queue", metavar="NAME", help="The queue they go to. Default: the one of the same name.")
@click.option("--registry", type=click.Choice(REGISTRIES), help="Where they are. Default: queued, or what --where says of status.")
@click.option("--where", metavar="SEARCH", help="Only jobs that match, in the words of the search box: 'error:TimeoutError age:>2h'.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@click.option("--front", is_flag=True, help="To the front of the queue.")
@click.option("--copy", is_flag=True, help="Leave the jobs where they are; the copies get new ids.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--recover", metavar="BACKEND", help="Instead: finish the moves from this backend that a crash has left on the way.")
@click.option("--back", is_flag=True, help="With --recover: put back what has not arrived.")
@click.option("--force", is_flag=True, help="With --back: also what went to a backend that will never answer again.")
@click.pass_context
def move(context: click.Context, /, source: str | None, destination: str | None, **options: Any) -> None:
    """Move jobs of the backend SOURCE to the backend DEST; they are in both or on the way for a moment, and run in one.

    Exits with 1 when anything was not moved. Without --yes it asks before it begins.
    """
    recover = options.pop("recover")
    with opened() as data:
        if recover is not None:
            if source is not None:
                raise click.UsageError("--recover names the only backend there is to name.")
            is_whole = _recover(data, recover, back=options["back"], force=options["force"], as_json=options["as_json"])
        elif source is None or destination is None:
            raise click.UsageError("Name two backends: rqdash move SOURCE DEST")
        else:
            is_whole = _move(data, source, destination, options)
    context.exit(0 if is_whole else 1)


def _move(data: Opened, source_name: str, destination_name: str, options: Mapping[str, Any]) -> bool:
    from rqdash.actions.transfer import preflight
    from rqdash.cli import moving
    from rqdash.cli.frame import live

    wish = _wish(options)
    backends = live(data)
    source, destination = _backend(backends, source_name), _backend(backends, destination_name)
    found = preflight(source, destination, to_queue=wish.goes_to, copy=wish.copy)
    _tell(found, source, destination)
    chosen = moving.choose(source, wish)
    if chosen.jobs and not options["yes"]:
        _ask(chosen, source, destination, wish)
    with data.actor.recording(
        wish.verb, backend=source.name, queue=wish.queue or "", values=moving.values(destination, wish, chosen)
    ) as row:
        done = moving.carry(source, destination, wish, chosen, progress=_progress(chosen.jobs))
        row.finish(done.counts)
    _show(done, source, destination, wish, warnings=found.warnings, as_json=options["as_json"])
    return done.is_whole


def _wish(options: Mapping[str, Any]) -> Wish:
    from rqdash.cli.moving import Wish

    if options["back"] or options["force"]:
        raise click.UsageError("--back and --force go with --recover.")
    if options["queue"] is None and options["where"] is None:
        raise click.UsageError("Say which jobs: --queue NAME, --where SEARCH, or both.")
    if options["where"] is not None and not options["where"].strip():
        raise click.UsageError("--where is empty. Leave it out to mean every job of --queue.")
    names = ("queue", "to_queue", "registry", "where", "limit", "copy")
    return Wish(**{name: options[name] for name in names}, at_front=options["front"])


def _backend(backends: Backends, name: str) -> Backend:
    from rqdash.errors import NotFound

    try:
        return backends[name]
    except KeyError:
        raise NotFound(f"There is no enabled connection called {name}.") from None


def _tell(found: Preflight, source: Backend, destination: Backend) -> None:
    from rqdash.errors import Conflict

    if found.refusal:
        raise Conflict(found.refusal)
    if found.is_same:
        click.echo(f"{source.name} and {destination.name} are the same backend: this is a move within it.", err=True)
    for warning in found.warnings:
        click.echo(f"Warning: {warning}", err=True)


def _ask(chosen: Chosen, source: Backend, destination: Backend, wish: Wish) -> None:
    """Ends the command unless the answer is yes, or the names of protected backends."""
    from rqdash.model.protection import names_to_type

    for line in chosen.lines():
        click.echo(line, err=True)
    count = f"{chosen.jobs:,} job{'' if chosen.jobs == 1 else 's'}"
    question = f"{wish.verb.capitalize()} {count} from {source.name} to {destination.name}?"
    protected = names_to_type([source.profile], destination.profile, copy=wish.copy)
    if not protected:
        click.confirm(question, abort=True, err=True)
    for name in protected:
        if click.prompt(f"{question} {name} is protected; type its name to go on", err=True) != name:
            raise click.Abort


def _progress(total: int) -> Any:
    """What to call with how many jobs are through; None where nobody looks."""
    if not sys.stderr.isatty():
        return None

    def show(through: int, a_second: float) -> None:
        end = "\n" if through >= total else ""
        click.echo(f"\r{through:,} of {total:,} jobs, {a_second:,.0f} a second {end}", nl=False, err=True)

    return show


def _show(done: Done, source: Backend, destination: Backend, wish: Wish, *, warnings: Sequence[str], as_json: bool) -> None:
    if as_json:
        facts = {"verb": wish.verb, "source": source.name, "destination": destination.name, "warnings": list(warnings)}
        click.echo(json.dumps(facts | done.plain()))
        return
    past = "Copied" if wish.copy else "Moved"
    moved = done.counts.get("done", 0)
    click.echo(f"{past} {moved:,} job{'' if moved == 1 else 's'} from {source.name} to {destination.name}.")
    for line in done.others(SAMPLE):
        click.echo(line)
    if done.failure:
        click.echo(done.failure, err=True)


def _recover(data: Opened, name: str, *, back: bool, force: bool, as_json: bool) -> bool:
    from rqdash.cli import moving
    from rqdash.cli.frame import live

    if force and not back:
        raise click.UsageError("--force goes with --back.")
    backends = live(data)
    source = _backend(backends, name)
    with data.actor.recording(
        "finish moves", backend=name, values={"back": "yes" if back else "no", "force": "yes" if force else "no"}
    ) as row:
        done = moving.recover(source, backends, back=back, force=force)
        row.finish(done.counts)
    if as_json:
        click.echo(json.dumps({"verb": "recover", "source": name} | done.plain()))
        return done.is_settled
    arrived, left = done.counts.get("done", 0), done.counts.get("in_transit", 0)
    returned = sum(done.counts.values()) - arrived - left
    click.echo(f"{arrived:,} arrived, {returned:,} back where they were, {left:,} still on the way.")
    if done.failure:
        click.echo(done.failure, err=True)
    return done.is_settled
