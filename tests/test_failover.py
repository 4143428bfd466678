"""No acknowledged write is lost and no page hangs while the master of a Sentinel group is killed, switched or frozen."""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
import redis

from rqdash.model.caller import Role
from tests.actors import write_job
from tests.processes import wait_until
from tests.secured import MASTER_NAME, Material, Member, SecuredGroup, make_material, start_secured
from tests.served import Served, served
from tests.traffic import ACTIONS_A_SECOND, FAILED, PAGE, QUEUED, Seen, Traffic

IS_FULL = bool(os.environ.get("RQDASH_SOAK"))
RUNS = 10 if IS_FULL else 1
JOBS = 40 * ACTIONS_A_SECOND
CALM_S = 2.0 if IS_FULL else 1.0
SLOW_PAGE_S = 2.5
UNKNOWN = ("unknown", "unknown_result")
REPORT = Path(__file__).parents[1] / "docs" / "measurements" / "failover.md"
KINDS = ("plain", "mutual TLS") if IS_FULL else ("plain",)

Event = Callable[[SecuredGroup], None]


@dataclass(frozen=True, slots=True)
class Run:
    """What one failover did to those at work. blind: longest time without a page of the backend; waiting: without a write done."""

    blind_s: float
    waiting_s: float
    pages: int
    errors: int
    slow_pages: int
    slowest_page_s: float
    slowest_write_s: float
    writes: Counter[str]
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    strange: tuple[Seen, ...]


def kill(group: SecuredGroup) -> None:
    old = group.master
    old.server.kill()
    assert wait_until(lambda: group.master is not old)
    group.revive(old)


def switch(group: SecuredGroup) -> None:
    old = group.master
    with group.sentinels[1].client() as sentinel:
        sentinel.execute_command("SENTINEL", "FAILOVER", MASTER_NAME)
    assert wait_until(lambda: group.master is not old)


def freeze(group: SecuredGroup) -> None:
    old = group.master
    old.server.pause()
    try:
        assert wait_until(lambda: group.master is not old)
    finally:
        old.server.resume()


EVENTS: dict[str, Event] = {"master killed": kill, "SENTINEL FAILOVER": switch, "master stopped and continued": freeze}


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_a_failover_loses_no_acknowledged_write_and_no_page_is_slow(tmp_path: Path, kind: str) -> None:
    group = start_secured(tmp_path / "group", material=material(tmp_path, kind))
    site = dashboard(tmp_path / "data", group)
    events = EVENTS if IS_FULL else dict([next(iter(EVENTS.items()))])
    try:
        runs = {name: [run(site, group, event, f"{name}-{turn}") for turn in range(RUNS)] for name, event in events.items()}
    finally:
        site.stop()
        group.stop()

    report(kind, runs)
    everything = [one for several in runs.values() for one in several]
    assert [one.lost for one in everything] == [()] * len(everything)
    assert [one.doubled for one in everything] == [()] * len(everything)
    assert [one.strange for one in everything] == [()] * len(everything)
    assert not IS_FULL or sum(one.slow_pages for one in everything) == 0
    assert all(one.writes["done"] > CALM_S * ACTIONS_A_SECOND / 2 for one in everything)


def material(tmp_path: Path, kind: str) -> Material | None:
    return None if kind == "plain" else make_material(tmp_path / "tls")


def dashboard(data_dir: Path, group: SecuredGroup) -> Served:
    site = served(data_dir, {})
    profile, secrets = group.profile("orders")
    site.profiles.create(profile, secrets=secrets, by="test")
    return site.start()


def run(site: Served, group: SecuredGroup, event: Event, name: str) -> Run:
    """One failover in the middle of work that goes on until the old master is a replica; then what Redis holds is compared."""
    group.settle()
    ids = prepare(group, name)
    account = site.access.accounts.add(f"reader-{abs(hash(name))}", role=Role.OPERATOR, password=None, grants=("*",))
    traffic = Traffic(site, site.access.sessions.start(account, "127.0.0.1", now=datetime.now(UTC)), ids)
    traffic.start()
    try:
        time.sleep(CALM_S)
        event(group)
        group.settle()
        is_over_s = time.monotonic()
        assert wait_until(lambda: writes_since(traffic.seen, is_over_s) > CALM_S * ACTIONS_A_SECOND / 2)
    finally:
        traffic.stop()
    return judged(traffic.seen, group.master)


def writes_since(seen: Sequence[Seen], began_s: float) -> int:
    return sum(one.code == "done" and one.began_s > began_s for one in list(seen))


def prepare(group: SecuredGroup, name: str) -> tuple[str, ...]:
    """Failed jobs on the master and its replica, and nothing else; gives their ids."""
    ids = tuple(f"{name.replace(' ', '-')}-{number}" for number in range(JOBS))
    with group.master.client() as client:
        client.flushall()
        pipeline = client.pipeline()
        for job_id in ids:
            write_job(pipeline, job_id, status="failed", queue=FAILED)
            pipeline.zadd(f"rq:failed:{FAILED}", {job_id: -1})
        pipeline.sadd("rq:queues", f"rq:queue:{FAILED}", f"rq:queue:{QUEUED}")
        pipeline.execute()
        assert client.wait(1, 5000) == 1
    return ids


def judged(seen: Sequence[Seen], master: Member) -> Run:
    with master.client() as client:
        queued = Counter(client.lrange(f"rq:queue:{FAILED}", 0, -1) + client.lrange(f"rq:queue:{QUEUED}", 0, -1))
        kept = still_failed(client)
    pages = [one for one in seen if one.code == "page"]
    writes = [one for one in seen if one.code != "page"]
    done = [one for one in writes if one.code == "done"]
    return Run(
        blind_s=longest_gap([one for one in pages if one.what == PAGE and one.status == 200]),
        waiting_s=longest_gap(done),
        pages=len(pages),
        errors=sum(one.status != 200 for one in pages),
        slow_pages=sum(one.took_s > SLOW_PAGE_S for one in pages),
        slowest_page_s=max(one.took_s for one in pages),
        slowest_write_s=max(one.took_s for one in writes),
        writes=Counter(one.code for one in writes),
        lost=tuple(one.what for one in done if one.what not in queued or one.what in kept),
        doubled=tuple(job_id for job_id, times in queued.items() if times > 1),
        strange=tuple(one for one in seen if one.status not in (200, 409, 503)),
    )


def still_failed(client: redis.Redis) -> set[str]:
    return set(client.zrange(f"rq:failed:{FAILED}", 0, -1))


def longest_gap(good: Sequence[Seen]) -> float:
    ends = sorted(one.ended_s for one in good)
    return max((after - before for before, after in pairwise(ends)), default=0.0)


def report(kind: str, runs: dict[str, list[Run]]) -> None:
    """Prints the rows of the table; the full trial also keeps them."""
    rows = [row(kind, name, several) for name, several in runs.items()]
    print("\n" + "\n".join((*HEAD, *rows)))
    if IS_FULL:
        REPORT.parent.mkdir(exist_ok=True)
        others = [line for line in REPORT.read_text().splitlines() if is_row_of_others(line, kind)] if REPORT.exists() else []
        REPORT.write_text("\n".join((INTRODUCTION, *HEAD, *others, *rows)) + "\n")


def is_row_of_others(line: str, kind: str) -> bool:
    return any(line.startswith(f"| {other} |") for other in KINDS if other != kind)


def row(kind: str, name: str, runs: Sequence[Run]) -> str:
    codes = sum((one.writes for one in runs), Counter[str]())
    refused = {code: count for code, count in sorted(codes.items()) if code not in ("done", *UNKNOWN)}
    cells = (
        kind,
        name,
        len(runs),
        spread([one.blind_s for one in runs]),
        spread([one.waiting_s for one in runs]),
        f"{sum(one.errors for one in runs)} of {sum(one.pages for one in runs)}",
        ", ".join(f"{count} {code}" for code, count in refused.items()) or "0",
        sum(codes[code] for code in UNKNOWN),
        codes["done"],
        sum(len(one.lost) for one in runs),
        f"{sum(one.slow_pages for one in runs)} ({max(one.slowest_page_s for one in runs):.2f} s)",
        f"{max(one.slowest_write_s for one in runs):.2f} s",
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


COLUMNS = (
    "connection",
    "event",
    "runs",
    "s blind",
    "s without writes",
    "errors shown",
    "writes refused",
    "result unknown",
    "writes acknowledged",
    "of these lost",
    "pages over 2.5 s (slowest)",
    "slowest action",
)
HEAD = ("| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS))
INTRODUCTION = f"""# Failover, measured

Made by `RQDASH_SOAK=1 python -m pytest -m soak tests/test_failover.py -s`. Three sentinels (quorum 2, down-after 2 s), a master and a
replica, with passwords and users of few rights on both sides; plain is Valkey, TLS is redis-server 7.0. The dashboard is served by
gunicorn with two processes of eight threads; {ACTIONS_A_SECOND} actions a second (each of one job, through the API) and three readers of
pages go on before, during and after. Seconds are median (least to most). Blind is the longest time without a page of the backend,
refused writes changed nothing and say so, and lost ones were acknowledged but are not on the final master. Unknown are writes without
an answer in time, and those whose master was found being replaced when the sentinels were asked once more after its answer.

Down-after and an election pass before anybody can know the new master; a settled one is written to 2 s later. Now and then the
sentinels' votes are split (`-failover-abort-not-elected` in their logs), and they try again after 20 s, twice the failover-timeout.
"""
