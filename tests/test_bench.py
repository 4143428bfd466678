"""The benchmark itself: every table comes out whole, from data that RQ counts as we do. Nothing here depends on how long anything took."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from bench import delay, parts, results, rivals
from bench.__main__ import run
from bench.delay import delayed
from bench.parts import PARTS, SMALL
from bench.round_trips import measured, table
from bench.seed import Size, fill
from bench.tables import Table, Verdict
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.registry import TABS
from rqdash.queries.overview import summary
from tests.workers import counts

FEW = Size(queues=4, queued=400, failed=400, finished=40, workers=6)
ROOT = Path(__file__).parents[1]


NOT_HERE = frozenset({"viewers"})
"""Parts that need a package index the first time (locust), and a minute each time."""


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    """Everything that make bench measures, of little data and without the rivals, by title."""
    return {found.title: found for found in run(SMALL, [name for name in PARTS if name not in NOT_HERE], say=lambda _table: None)}


def test_the_seed_is_what_it_says_and_what_rq_counts(server: Server, redis_client: redis.Redis, backend: Backend) -> None:
    now = datetime.now(UTC)
    fill(redis_client, size=FEW, now=now)

    found = summary(backend, now=now)

    assert (len(found.queues), found.workers, found.workers_busy) == (4, 6, 3)
    hot = next(queue for queue in found.queues if queue.name == "hot")
    assert counts(server, "hot") == {registry.value: hot.count(registry) for registry in TABS}
    assert (hot.queued, sum(queue.queued for queue in found.queues)) == (200, 400)


def test_every_page_is_measured_and_costs_two_round_trips_at_most() -> None:
    rows = measured(Size(queues=4, queued=2000, failed=2000, finished=40, workers=6))

    assert {row.round_trips for row in rows} == {1, 2}
    assert len(table(rows).rows) == len(rows) == 13


def test_every_part_gives_its_tables(tables: dict[str, Table]) -> None:
    titles = list(tables)

    assert titles == [
        "Pages",
        "What a page asks of the server",
        "The data part and the floor",
        "Our pages 2.5 ms away from their data",
        "Memory of serving processes",
        "Round trips and the server's time of each read",
        "From a page's value to its HTML",
        "The longest call of an action, ms",
        "Bulk actions on 500 jobs",
        "Operations, whole",
        "Move between backends",
        "Scans",
    ]
    assert all(found.rows for found in tables.values())


def test_no_page_fails_and_every_reader_gives_the_rows_it_was_asked_for(tables: dict[str, Table]) -> None:
    pages = [dict(zip(tables["Pages"].columns, row, strict=True)) for row in tables["Pages"].rows]

    assert {page[""] for page in pages} == {""}
    assert {page["read by"] for page in pages} == {"floor", "rqdash, replies", "rqdash, values", "rqdash JSON", "rqdash HTML"}
    assert {page["rows"] for page in pages if page["page"] == "list of 100, start of 300"} == {None, 100}


def test_what_a_page_asks_is_counted_between_client_and_server(tables: dict[str, Table]) -> None:
    asked = {(row[0], row[1]): row[3] for row in tables["What a page asks of the server"].rows}

    assert {trips for (page, _), trips in asked.items() if page.startswith(("list", "failed", "job"))} == {1}
    assert {trips for (page, _), trips in asked.items() if page.startswith(("overview", "workers"))} == {2}


def test_results_are_written_for_people_and_programs_without_a_path_of_this_machine(tables: dict[str, Table], tmp_path: Path) -> None:
    facts = results.facts(began_at=datetime(2026, 11, 23, tzinfo=UTC), took_s=60, data=SMALL.described, load="0.1, 0.1, 0.1")

    results.write("pages", list(tables.values()), facts, folder=tmp_path)

    written = json.loads((tmp_path / "pages.json").read_text())
    assert [found["title"] for found in written["tables"]] == list(tables)
    assert {"Python", "Valkey", "redis"} <= written["versions"].keys()
    for file in tmp_path.iterdir():
        assert str(ROOT) not in file.read_text()
        assert str(Path.home()) not in file.read_text()


def test_a_verdict_says_what_was_allowed_and_a_table_is_fine_when_all_its_verdicts_are() -> None:
    good, bad = Verdict("overview", "1.2x", "2x", is_fine=True), Verdict("workers", "3.0x", "2x", is_fine=False)

    both = Table("Ratios", ("page", "times"), [("overview", 1.2), ("workers", 3.0)], "Medians.", (good, bad))

    assert not both.is_fine
    assert "FAIL  workers: 3.0x (allowed: 2x)" in both.as_text()
    assert "| workers | 3.00 |" in both.as_markdown()


def test_the_proxy_holds_back_what_passes_and_counts_commands_and_round_trips(server: Server) -> None:
    with delayed(server.port, delay_ms=1.0) as proxy, redis.Redis(port=proxy.port, socket_timeout=10) as client:
        client.ping()

        proxy.count()
        pipeline = client.pipeline(transaction=False)
        for number in range(1000):
            pipeline.set(f"key:{number}", b"x" * 300)
        pipeline.execute()
        stored = client.dbsize()
        passed = proxy.told()

    assert stored == 1000
    assert (passed.commands, passed.connections) == (1001, 0)


@pytest.mark.parametrize(("data", "found"), [(b"*1\r\n$4\r\nPING\r\n" * 3, 3), (b"*2\r\n$3\r\nGET\r\n$1\r\n", 0), (b"", 0)])
def test_commands_are_counted_when_they_are_whole(data: bytes, found: int) -> None:
    assert delay.commands(data)[0] == found


def test_the_rivals_are_those_that_were_named() -> None:
    named = {requirement for rival in rivals.RIVALS for requirement in rival.requirements}

    assert {"rq-dashboard==0.9.0", "six", "rq-dashboard-fast==0.9.2", "rq==3.0.0"} <= named
    assert parts.FULL.size == Size(queues=200, queued=100_000, failed=20_000, workers=200)
