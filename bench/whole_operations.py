"""Whole operations: a search planned, previewed and walked by the runner, against the bare script that does the same to the same jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.bulk import ELSEWHERE, Dumps, Found, Ran, backend_of, judged, logged
from bench.snapshots import restored
from bench.tables import Table, Verdict
from rqdash.access.actor import Actor, command_line
from rqdash.access.audit import Audit
from rqdash.model.outcome import Verdict as Said
from rqdash.operations import requests
from rqdash.operations.records import Records
from rqdash.operations.requests import Operations
from rqdash.operations.runner import Planner, Runner
from rqdash.operations.values import Asked, Operation, State, Who
from rqdash.store import open_store

NEVER = threading.Event()
ONE_IN_FIVE = "fn:shop.mail.send_receipt"
"""The function of one job in five, scattered over all."""


@dataclass(frozen=True, slots=True)
class Case:
    """One operation; beside names the bulk case whose bare script does the same, by its action and order."""

    name: str
    verb: str
    search: str
    dump: str
    beside: tuple[str, str]


CASES = (
    Case("requeue all failed", "requeue", "status:failed", "failed", ("requeue failed", "from the head")),
    Case("requeue one failed in five", "requeue", f"status:failed {ONE_IN_FIVE}", "failed", ("requeue failed", "every 5th")),
    Case(
        "delete all failed while others wait", "delete", "status:failed", "both", ("delete failed while half as many wait", "from the head")
    ),
    Case("delete one queued in five", "delete", f"status:queued {ONE_IN_FIVE}", "queued", ("delete queued", "every 5th")),
    Case("move all queued", "move", "status:queued", "queued", ("move queued", "from the head")),
)


def table(dumps: Dumps, bulk: Sequence[Found]) -> Table:
    """One row an operation; bulk holds what the bare scripts did in this run."""
    bare = {(found.case.name, found.case.order): found.bare for found in bulk}
    rows: list[tuple[str, int, float, int, int, float, float, int]] = []
    verdicts: list[Verdict] = []
    for case in CASES:
        planning_s, ran = _measured(case, dumps)
        ratio = round(bare[case.beside].rate / ran.rate, 2)
        figures = (round(planning_s, 1), round(bare[case.beside].rate), round(ran.rate), ratio, round(ran.longest_ms, 1), ran.slow)
        rows.append((case.name, ran.jobs, *figures))
        verdicts += judged(f"operation: {case.name}", ratio=ratio, ran=ran)
    head = ("operation", "jobs", "planning, s", "bare, jobs/s", "ours, jobs/s", "times slower", "longest call, ms", "calls over 5 ms")
    note = "From start to done, by the runner of one process, with journals, counts and the audit; planning (scan and items) apart."
    return Table("Operations, whole", head, rows, note, verdicts)


def _measured(case: Case, dumps: Dumps) -> tuple[float, Ran]:
    """How long planning took, in seconds, and how the operation ran."""
    with restored(dumps.by_name[case.dump]) as server, server.client() as client, TemporaryDirectory() as directory:
        store = open_store("", data_dir=Path(directory))
        operations = Operations(Records(store), {"bench": backend_of(server)}, Audit(store))
        actor = command_line("bench", operations.audit)
        began_s = time.perf_counter()
        planned = _planned(operations, actor, case)
        planning_s = time.perf_counter() - began_s
        try:
            return planning_s, logged(client, lambda: _run(operations, actor, planned))
        finally:
            operations.backends["bench"].close()
            store.close()


def _planned(operations: Operations, actor: Actor, case: Case) -> Operation:
    to_queue = ELSEWHERE if case.verb == "move" else None
    asked = Asked(case.verb, ("bench",), case.search, datetime.now(UTC), Who("command line", "bench"), to_queue=to_queue)
    operation = requests.ask(operations, actor, asked)
    while operation.state is State.PLANNING:
        Planner(operations).turn(NEVER)
        operation = operations.records.get(operation.id)
    return operation


def _run(operations: Operations, actor: Actor, planned: Operation) -> tuple[int, float]:
    """Jobs, and seconds from start to done."""
    began_s = time.perf_counter()
    requests.start(operations, actor, planned.id)
    runner = Runner(operations)
    while runner.turn(NEVER):
        pass
    took_s = time.perf_counter() - began_s
    ended = operations.records.get(planned.id)
    assert ended.state is State.DONE, ended.state
    assert ended.tally == {Said.DONE: ended.total}, ended.tally
    return ended.total, took_s
