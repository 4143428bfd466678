"""The parts of the benchmark and how large each is: in full, and small for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import actions, bulk, memory, page_tables, pages, rendering, rivals, round_trips, scan, transfer, viewers, whole_operations
from bench.cases import cases
from bench.pages import Pace
from bench.seed import Size, fill
from bench.tables import Table, Verdict
from bench.viewers import Load
from rqdash.demo.servers import start_server


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a run is.

    bulk: jobs of a bulk action; lists: sizes of the lists that single actions are measured on, in so many rounds; renderings: of each
    page; moved: jobs that go to another backend; scanned: jobs that a search goes through, scans times; viewers: how many
    look at live pages, and for how long.
    """

    size: Size
    pace: Pace
    bulk: int
    lists: Sequence[int]
    rounds: int
    renderings: int
    moved: int
    scanned: int
    scans: int
    viewers: Load

    @property
    def described(self) -> str:
        size = self.size
        jobs = f"{size.queued:,} queued (half of them on one), {size.failed:,} failed and {size.finished:,} finished jobs"
        return f"{size.queues} queues, {jobs}, {size.workers} workers."


FULL = Scale(
    Size(),
    Pace(),
    bulk=100_000,
    lists=(200, 20_000, 100_000),
    rounds=3,
    renderings=30,
    moved=transfer.JOBS,
    scanned=scan.JOBS,
    scans=scan.RUNS,
    viewers=Load(),
)
SMALL = Scale(
    Size(4, 600, 400, 40, 6),
    Pace(most=1, within_s=0.0, clients=2, rivals=False),
    bulk=500,
    lists=(200,),
    rounds=1,
    renderings=1,
    moved=100,
    scanned=2_000,
    scans=1,
    viewers=Load((1, 4), 10),
)


def tables(name: str, scale: Scale) -> Iterator[Table]:
    """The tables of one part, as they come. Raises KeyError for a part there is not."""
    yield from PARTS[name](scale)


def _pages(scale: Scale) -> Iterator[Table]:
    if scale.pace.rivals:
        rivals.install()
    with TemporaryDirectory() as directory:
        server = start_server(Path(directory))
        try:
            with server.client() as client:
                fill(client, size=scale.size, now=datetime.now(UTC))
                found = cases(client, queues=scale.size.queues, workers=scale.size.workers)
            run = pages.run(server, found, scale.pace)
        finally:
            server.stop()
    yield from page_tables.tables(run)
    yield memory.table(run.serving)


def _reads(scale: Scale) -> Iterator[Table]:
    yield round_trips.table(round_trips.measured(scale.size))


def _rendering(scale: Scale) -> Iterator[Table]:
    yield rendering.table(rendering.measured(scale.renderings))


def _actions(scale: Scale) -> Iterator[Table]:
    yield actions.table(scale.lists, rounds=scale.rounds)


def _bulk(scale: Scale) -> Iterator[Table]:
    with bulk.prepared(scale.bulk) as dumps:
        found = bulk.measured(dumps)
        yield bulk.table(dumps, found)
        yield whole_operations.table(dumps, found)


def _transfer(scale: Scale) -> Iterator[Table]:
    bare, ours = transfer.measured(scale.moved)
    share = ours.a_second / bare.a_second
    verdicts = (
        Verdict(
            "move to another backend", f"{share:.0%} of the bare protocol", f"{transfer.LEAST_SHARE:.0%}", share >= transfer.LEAST_SHARE
        ),
        Verdict(
            "move to another backend",
            f"{ours.a_second:,.0f} jobs/s",
            f"{transfer.LEAST_A_SECOND:,}",
            ours.a_second > transfer.LEAST_A_SECOND,
        ),
        Verdict("its longest script", f"{ours.longest_ms:.1f} ms", f"{transfer.LONGEST_MS:.0f} ms", ours.longest_ms <= transfer.LONGEST_MS),
    )
    rows = [(row.name, round(row.a_second), round(row.longest_ms, 2)) for row in (bare, ours)]
    note = f"{scale.moved:,} queued jobs, in batches of {transfer.BATCH}; medians of {transfer.ROUNDS} rounds that take turns."
    yield Table("Move between backends", ("", "jobs a second", "longest script, ms"), rows, note, verdicts)


def _scan(scale: Scale) -> Iterator[Table]:
    yield scan.table(scan.measured(scale.scanned, runs=scale.scans))


def _viewers(scale: Scale) -> Iterator[Table]:
    yield from viewers.tables(scale.viewers)


PARTS: dict[str, Callable[[Scale], Iterator[Table]]] = {
    "pages": _pages,
    "reads": _reads,
    "rendering": _rendering,
    "actions": _actions,
    "bulk": _bulk,
    "transfer": _transfer,
    "scan": _scan,
    "viewers": _viewers,
}
"""In the order they run."""
