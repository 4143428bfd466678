"""One process of all records: whoever is killed, no slot is sampled twice and none is missed longer than the lease lasts.

And what it costs: processor time, and room for a year of 1,000 queues. The full trial writes docs/measurements/recorder.md.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import redis
from sqlalchemy import select

from rqdash.demo.servers import Server
from rqdash.history import samples
from rqdash.history.archive import Archive
from rqdash.history.directory import Directory
from rqdash.history.packing import Sample, pack
from rqdash.history.reading import Reading
from rqdash.history.tables import SampleRow
from rqdash.history.tiers import COARSE, COLUMNS, FINE, RAW, TIERS, TOTALS, Tier, choose
from rqdash.model.keys import Keys
from rqdash.store import Store, open_store
from tests.processes import wait_until
from tests.recording import Order, recording_process
from tests.stored import Stored

IS_FULL = bool(os.environ.get("RQDASH_SOAK"))
KILLS = 20 if IS_FULL else 2
PROCESSES = 4
PREFIXES = ("orders", "billing", "mail", "media", "reports")
QUEUES = 200 if IS_FULL else 10
SAMPLES = 30 if IS_FULL else 2
SLOT_S = 10 if IS_FULL else 1
LEAD_S = 2 if IS_FULL else 1
ROWS = {RAW: 17_280, FINE: 8_640, COARSE: 8_784} if IS_FULL else {RAW: 100}
SPANS = {"an hour": 3600, "a day": 86400, "a week": 7 * 86400, "30 days": 30 * 86400, "a year": 365 * 86400}
MOST_BYTES = 1_000_000_000
REPORT = Path(__file__).parents[1] / "docs" / "measurements" / "recorder.md"
KINDS = ("sqlite", "postgresql") if IS_FULL else ("sqlite",)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of what the processes say; cpu_s is what that process has used by then."""

    what: str
    slot_s: int
    pid: int
    at_s: float
    cpu_s: float


@dataclass(slots=True)
class Crew:
    """Processes that would all record, one of which does."""

    order: Order
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, count: int = 1) -> None:
        started = [recording_process(self.order) for _ in range(count)]
        self.running |= {process.pid: process for process in started}
        assert wait_until(lambda: {process.pid for process in started} <= {line.pid for line in self.lines()})

    def lines(self) -> list[Line]:
        path = Path(self.order.log)
        whole = path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
        return [Line(what, int(slot), int(pid), float(at), float(cpu)) for what, slot, pid, at, cpu in map(str.split, whole)]

    def kept(self, *, after_s: float = 0.0) -> list[Line]:
        return [line for line in self.lines() if line.what == "kept" and line.at_s > after_s]

    def leader(self, *, after_s: float) -> int:
        """Who keeps the next sample."""
        assert wait_until(lambda: self.kept(after_s=after_s), within_s=60)
        return self.kept(after_s=after_s)[-1].pid

    def end(self, pid: int, number: signal.Signals) -> float:
        """Sends a process a signal and waits for its end; gives when it was sent."""
        process = self.running.pop(pid)
        sent_s = time.time()
        process.send_signal(number)
        process.wait(30)
        return sent_s

    def stop(self) -> None:
        for pid in tuple(self.running):
            self.end(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, list[str]]]:
    """Lines of tables by their name; the full trial writes them down."""
    found: dict[str, list[str]] = {}
    yield found
    if IS_FULL and found.keys() == {"leaders", "cost", "size", "reading"}:
        REPORT.write_text(TEXT.format(**{name: "\n".join(lines) for name, lines in found.items()}))


@pytest.fixture
def crew(database_url: str, tmp_path: Path, server: Server) -> Iterator[Crew]:
    open_store(database_url, data_dir=tmp_path).close()
    started = Crew(Order(str(tmp_path), database_url, server.port, str(tmp_path / "recorded.log"), slot_s=LEAD_S, lease_s=1.5 * LEAD_S))
    yield started
    started.stop()


@pytest.mark.soak
@pytest.mark.parametrize("database_url", KINDS, indirect=True)
def test_one_process_records_whoever_is_killed(
    crew: Crew, redis_client: redis.Redis, database_url: str, tmp_path: Path, report: dict[str, list[str]]
) -> None:
    Stored(redis_client).queue("mail")
    rng = random.Random(7)
    crew.start(PROCESSES)
    first_s = time.time()
    ended = []
    for number in range(KILLS + 1):
        leader = crew.leader(after_s=ended[-1] if ended else first_s)
        time.sleep(rng.random() * crew.order.slot_s)
        # The last one is asked to end, and gives its lease back.
        ended.append(crew.end(leader, signal.SIGKILL if number < KILLS else signal.SIGTERM))
        if number < KILLS:
            crew.start()
    crew.leader(after_s=ended[-1])
    crew.stop()

    begun: dict[int, set[int]] = defaultdict(set)
    for line in crew.lines():
        if line.what == "begun":
            begun[line.slot_s].add(line.pid)
    stored = slots(open_store(database_url, data_dir=tmp_path))

    assert [slot for slot, pids in begun.items() if len(pids) > 1] == []
    assert [slot for slot, count in stored.items() if count > 1] == []
    assert unexplained(stored, ended, crew.order) == []
    report.setdefault("leaders", []).append(leadership(stored, ended, crew.order, kind=database_url.partition(":")[0] or "sqlite"))


def slots(store: Store) -> Counter[int]:
    with Archive(store).read() as session:
        found = Counter(session.scalars(select(SampleRow.slot_s).where(SampleRow.tier == RAW.number)))
    store.close()
    return found


def missing(stored: Mapping[int, int]) -> list[int]:
    return [slot for slot in range(min(stored), max(stored), LEAD_S) if slot not in stored]


def unexplained(stored: Mapping[int, int], ended: Sequence[float], order: Order) -> list[int]:
    """Slots without a sample that did not begin while the lease of a killed leader lasted, nor were being sampled when it was."""
    kills = ended[:KILLS]
    return [slot for slot in missing(stored) if not any(end_s - order.slot_s < slot < end_s + order.lease_s for end_s in kills)]


def leadership(stored: Mapping[int, int], ended: Sequence[float], order: Order, *, kind: str) -> str:
    pauses = [min(slot for slot in stored if slot > end_s) - end_s for end_s in ended[:KILLS]]
    row = (kind, PROCESSES, KILLS, len(stored), 0, len(missing(stored)), f"{order.slot_s} s, {order.lease_s} s", f"{max(pauses):.1f} s")
    return "| " + " | ".join(map(str, row)) + " |"


@pytest.mark.soak
@pytest.mark.parametrize("database_url", KINDS, indirect=True)
def test_all_backends_are_sampled_and_what_it_costs(
    crew: Crew, redis_client: redis.Redis, database_url: str, tmp_path: Path, report: dict[str, list[str]]
) -> None:
    for prefix in PREFIXES:
        fill(redis_client, prefix)
    redis_client.config_resetstat()
    crew.order = replace(crew.order, prefixes=PREFIXES, slot_s=SLOT_S, lease_s=1.5 * SLOT_S)
    crew.start()
    for _ in range(2 * SAMPLES):
        shift(redis_client)
        seen = len(crew.lines())
        wait_until(lambda seen=seen: len(crew.lines()) > seen, within_s=SLOT_S + 30)

    kept = crew.kept()
    calls = redis_client.info("commandstats")
    call_ms = max(calls[name]["usec_per_call"] for name in calls if "eval" in name) / 1000
    crew.stop()
    store = open_store(database_url, data_dir=tmp_path)
    with Archive(store).read() as session:
        rows = session.execute(select(SampleRow.slot_s, SampleRow.body).where(SampleRow.tier == RAW.number)).all()
    store.close()
    share = (kept[-1].cpu_s - kept[0].cpu_s) / (kept[-1].slot_s - kept[0].slot_s)

    assert {Counter(row.slot_s for row in rows)[line.slot_s] for line in kept} == {len(PREFIXES)}
    if IS_FULL:
        assert share < 0.05
    bytes_a_row = sum(len(row.body) for row in rows) / len(rows)
    ms = share * SLOT_S * 1000
    kind = database_url.partition(":")[0] or "sqlite"
    report.setdefault("cost", []).append(
        f"| {kind} | {len(PREFIXES)} x {QUEUES} | {len(kept) - 1} | {ms:.0f} ms | {share:.2%} | {bytes_a_row:.0f} B | {call_ms:.1f} ms |"
    )


def fill(client: redis.Redis, prefix: str) -> None:
    """Queues with jobs and two workers each."""
    put = Stored(client, Keys(prefix))
    for number in range(QUEUES):
        put.waiting(f"job-{number}", queue=f"queue-{number}")
        put.worker(f"worker-{number}-a", queues=f"queue-{number}", state="busy", successful_job_count=number, failed_job_count=1)
        put.worker(f"worker-{number}-b", queues=f"queue-{number},queue-0", successful_job_count=number)


def shift(client: redis.Redis) -> None:
    """Changes a tenth of everything, as work does."""
    rng = random.Random(time.monotonic_ns())
    pipeline = client.pipeline(transaction=False)
    for prefix in PREFIXES:
        for number in rng.sample(range(QUEUES), QUEUES // 10):
            pipeline.rpush(f"{prefix}:queue:queue-{number}", *(f"more-{rng.random()}" for _ in range(rng.randint(1, 9))))
            pipeline.zadd(f"{prefix}:failed:queue-{number}", {f"failed-{rng.random()}": 1e11})
            pipeline.hincrby(f"{prefix}:worker:worker-{number}-a", "successful_job_count", rng.randint(0, 50))
    pipeline.execute()


@pytest.mark.soak
def test_a_year_of_1_000_queues_has_room(tmp_path: Path, report: dict[str, list[str]]) -> None:
    archive = Archive(open_store("", data_dir=tmp_path))
    archive.prepare()
    now_s = int(time.time()) // COARSE.step_s * COARSE.step_s
    written = {tier: write(archive, tier, count=count, now_s=now_s) for tier, count in ROWS.items()}

    room = sum(path.stat().st_size for path in tmp_path.glob("history.db*"))
    rows = sum(written.values())
    of_a_year = room / rows * sum(tier.keep_s // tier.step_s for tier in TIERS) * len(PREFIXES)

    assert of_a_year < MOST_BYTES
    if IS_FULL:
        report["size"] = [f"| {rows:,} | {room / 1e6:.0f} MB | {room / rows:.0f} B |"]
        report["reading"] = [reading_row(archive, span, now_s=now_s) for span in SPANS]
    archive.close()


def busy_sample(rng: random.Random, numbers: Sequence[int], *, tier: Tier) -> Sample:
    """The worst there is: every queue is at work, and nothing is as it was before. Coarser tiers hold means too."""
    many = {"queued": 5000, "oldest_s": 3600, "started": 20, "failed": 3000, "busy": 10, "workers": 10, "failures": 50}
    columns: dict[str, list[float | None]] = {name: [rng.randint(0, many[name]) for _ in numbers] for name in COLUMNS}
    if tier is RAW:
        columns["failures"] = []
    else:
        columns |= {name: [value + rng.randint(0, 9) / 10 for value in columns[name]] for name in ("started", "busy", "workers")}
    return Sample(1, {name: rng.random() * 100_000 for name in TOTALS}, numbers, columns)


def write(archive: Archive, tier: Tier, *, count: int, now_s: int) -> int:
    """Fills a tier up to now with count slots; a few hundred different samples serve in turn, for each is packed by itself."""
    rng, directory = random.Random(tier.number), Directory(archive)
    names = [f"queue-{number}" for number in range(200)]
    with archive.write() as session:
        ids = [directory.backend(session, prefix, name=prefix) for prefix in PREFIXES]
        numbers = [sorted(directory.queues(session, number, queues=names, now_s=now_s).values()) for number in ids]
    bodies = [[pack(busy_sample(rng, known, tier=tier)) for _ in range(min(count, 97))] for known in numbers]
    first_s = now_s - count * tier.step_s
    for start in range(0, count, 500):
        with archive.write() as session:
            for slot in range(start, min(start + 500, count)):
                some = [(number, of[slot % len(of)]) for number, of in zip(ids, bodies, strict=True)]
                samples.add(session, archive, tier, slot_s=first_s + slot * tier.step_s, bodies=some)
    if tier is not RAW:
        with archive.write() as session:
            samples.set_mark(session, archive, tier, value=now_s)
    return count * len(PREFIXES)


def reading_row(archive: Archive, span: str, *, now_s: int) -> str:
    reading, step = Reading(archive), choose(SPANS[span])
    times = {"start": now_s - SPANS[span], "stop": now_s, "step": step}
    took = []
    for read in (
        lambda: reading.queue("orders", "queue-7", "queued", **times),
        lambda: reading.queues("orders", "queued", **times),
        lambda: reading.backends(PREFIXES, "queued", **times),
    ):
        begun = time.process_time()
        read()
        took.append(f"{(time.process_time() - begun) * 1000:.0f} ms")
    return f"| {span} | {step} s | {' | '.join(took)} |"


TEXT = f"""# The recorder, measured

Made by `RQDASH_SOAK=1 python -m pytest -m soak tests/test_recorder_soak.py`.

## One process records

Four processes would record; the one that does is killed with SIGKILL at a random moment, and another is started. Here a slot is two
seconds and the lease three, as ten and fifteen in production. A slot is missed only while a killed process' lease lasts, or when it
was being sampled; the last leader is asked to end, gives its lease back, and no slot is missed. A pause is the time from a kill to the
beginning of the next slot sampled.

| database | processes | kills | slots sampled | sampled twice | missed | slot, lease | longest pause |
|---|---|---|---|---|---|---|---|
{{leaders}}

## What it costs

Five backends of {QUEUES} queues and {2 * QUEUES} workers each, a tenth of them changing between two samples; the recorder's process by
itself, over five minutes of samples every ten seconds. Share is processor time of one core, with everything: reading, counting, packing,
writing, making the coarser samples. A script call reads 75 queues or workers; how long it holds the server is Redis' own mean.

| database | backends x queues | samples | processor time a sample | share of a core | bytes a sample of a backend | a script call |
|---|---|---|---|---|---|---|
{{cost}}

## Room

Everything full: 48 hours of samples every ten seconds, 30 days of five minutes, a year of hours, of 1,000 queues on five backends (SQLite).
The worst there is: every value of every queue is random, so nothing compresses well; of queues at rest a sample takes less than half. The
limit is 1 GB.

| rows | file | a row |
|---|---|---|
{{size}}

Processor time to read a measure from it, the first time (who looks at the same within five seconds is served from what was read):

| range | step | one queue | 200 queues of a backend | five backends |
|---|---|---|---|---|
{{reading}}
"""
