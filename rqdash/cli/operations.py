"""rqdash operations: the long work, run by a process of its own, looked at and ended from the command line."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import TYPE_CHECKING

import click

from rqdash.cli.frame import environment, opened

if TYPE_CHECKING:
    from rqdash.cli.frame import Opened
    from rqdash.operations.requests import Operations
    from rqdash.operations.values import Operation

MOST = 50
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


@click.group()
def operations() -> None:
    """Long work: what was asked for in the dashboard and takes more than a page."""


@operations.command("run")
def run() -> None:
    """Run operations until this process is told to end (SIGTERM, Ctrl-C). On as many hosts as you like; set RQDASH_BACKGROUND=off
    for the serving processes if only such processes are to do it.
    """
    from rqdash import logs
    from rqdash.app import background
    from rqdash.runtime import Runtime

    settings = environment()
    logs.configure(settings.log_level)
    told = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    runtime = Runtime(background(settings))
    runtime.ensure_started()
    click.echo("Operations are run by this process.", err=True)
    told.wait()
    runtime.stop()


@operations.command("list")
@AS_JSON
def list_operations(as_json: bool) -> None:  # noqa: FBT001  click's flag
    """Show the newest 50 operations."""
    with opened() as data:
        found = _operations(data).records.list(is_visible=lambda _: True, most=MOST)
    if as_json:
        click.echo(json.dumps([_facts(operation) for operation in found], indent=2))
        return
    _table(("ID", "VERB", "STATE", "JOBS", "DONE", "BACKENDS", "BY"), [_row(operation) for operation in found])


@operations.command("show")
@click.argument("operation_id", metavar="ID")
@AS_JSON
def show(operation_id: str, as_json: bool) -> None:  # noqa: FBT001  click's flag
    """Show one operation: what was asked, what came of it so far."""
    with opened() as data:
        operation = _operations(data).records.get(operation_id)
    if as_json:
        click.echo(json.dumps(_facts(operation), indent=2))
        return
    for name, value in _facts(operation).items():
        click.echo(f"{name}: {_printable(value) if isinstance(value, str) else json.dumps(value)}")
    for event in operation.events:
        click.echo(f"{event.at:%Y-%m-%d %H:%M:%S}Z  {event.who}  {_printable(event.what)}")


@operations.command("cancel")
@click.argument("operation_id", metavar="ID")
def cancel(operation_id: str) -> None:
    """End an operation after the item its runner is at; what was done stays done."""
    from rqdash.operations import requests

    with opened() as data:
        ended = requests.cancel(_operations(data), data.actor, operation_id)
    is_over = ended.state.value == "canceled"
    click.echo("It has ended." if is_over else "It ends as soon as its runner has done the item it is at.")


def _operations(data: Opened) -> Operations:
    """Without backends: these commands act on none."""
    from rqdash.operations.records import Records
    from rqdash.operations.requests import Operations

    return Operations(Records(data.store), {}, data.access.audit)


def _row(operation: Operation) -> tuple[str, ...]:
    return (
        operation.id,
        operation.verb,
        operation.state.value,
        f"{operation.total:,}",
        f"{operation.done:,}",
        operation.asked.scope,
        operation.asked.who.name,
    )


def _facts(operation: Operation) -> dict[str, object]:
    """What a program wants to know of an operation; names of bytes that are not UTF-8 hold lone surrogates, as in the API."""
    asked = operation.asked
    facts: dict[str, object] = {
        "id": operation.id,
        "verb": operation.verb,
        "state": operation.state.value,
        "backends": list(asked.backends),
        "search": asked.search,
        "as_of": asked.as_of.isoformat(),
        "by": asked.who.name,
        "jobs": operation.total,
        "outcomes": {verdict.value: count for verdict, count in operation.tally.items()},
        "left": operation.left,
    }
    if asked.to_backend:
        facts["to_backend"] = asked.to_backend
    if asked.to_queue is not None:
        facts["to_queue"] = asked.to_queue
    if operation.problem:
        facts["problem"] = operation.problem
    return facts | ({"waits": {wait.backend: wait.reason for wait in operation.waits}} if operation.waits else {})


def _printable(text: str) -> str:
    """Searches and names hold anything, also what a terminal would obey."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = [header, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
