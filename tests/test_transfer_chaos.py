"""Chaos: movers are killed at random while workers consume on both sides, and every job runs exactly once all the same."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import redis

from rqdash.actions.transfer import sweep
from rqdash.demo.servers import Server, start_server
from rqdash.operations.requests import Operations
from rqdash.operations.values import State
from tests.movers import QUEUE, STEPS, Mover, kept_going, open_entries, process, runs, sides, step, wait_for
from tests.operating import asked, fail_jobs, opened, outcomes, started
from tests.stored import packed
from tests.transfers import Between, backend_at
from tests.workers import work

IS_FULL = bool(os.environ.get("RQDASH_SOAK"))
KILLS = 200 if IS_FULL else 6
OF_EACH_STEP = 20 if IS_FULL else 0
MOVERS = 3
DELAY_S = 0.012
SLOW_S = 0.04
WAITING = 400
OPERATION_KILLS = KILLS if IS_FULL else 2
OPERATION_JOBS = 30_000 if IS_FULL else 1_400
AT_ONCE = 20
PATIENCE_S = 7200.0 if IS_FULL else 240.0
LEFT_TO_RQ = 60 if IS_FULL else 6
YOUNG_S = 1.0
REPORT = Path(__file__).parents[1] / "docs" / "measurements" / "chaos.md"

CONSUME = """
local ids = {}
for _ = 1, tonumber(ARGV[2]) do
  local id = redis.call('LPOP', ARGV[1] .. ':queue:mail')
  if not id then break end
  if redis.call('HGET', ARGV[1] .. ':job:' .. id, 'status') ~= 'queued' then
    redis.call('RPUSH', 'strange', id)
  else
    redis.call('RPUSH', 'ran', id)
    redis.call('DEL', ARGV[1] .. ':job:' .. id)
  end
  ids[#ids + 1] = id
end
return ids
"""
PREFIXES = ("rq", "app")


@dataclass(slots=True)
class Scene:
    """The two servers, what was supplied to them, and how the movers died. calm holds off whoever would disturb a look at them."""

    servers: Sequence[Server]
    clients: Sequence[redis.Redis]
    movers: Sequence[Mover]
    over: threading.Event = field(default_factory=threading.Event)
    calm: threading.Lock = field(default_factory=threading.Lock)
    supplied: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    kills: Counter[str] = field(default_factory=Counter)
    others: int = 0
    restarts: int = 0

    @property
    def landed(self) -> int:
        return sum(self.kills.values())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    lasting = ("--appendonly", "yes", "--appendfsync", "always")
    servers = (start_server(tmp_path / "left"), start_server(tmp_path / "right", arguments=lasting))
    clients = [server.client() for server in servers]
    yield Scene(servers, clients, [Mover(servers, DELAY_S, number) for number in range(MOVERS)])
    for client in clients:
        client.close()
    for server in servers:
        server.stop()


@pytest.mark.soak
def test_every_job_runs_once_though_its_movers_are_killed(scene: Scene) -> None:
    began_s = time.monotonic()
    beside = [threading.Thread(target=going, args=(scene, work)) for work in (supply, consume, sweep_both)]
    for thread in beside:
        thread.start()

    try:
        kill_movers(scene, until_s=began_s + PATIENCE_S)
    finally:
        scene.over.set()
        for thread in beside:
            thread.join()
        for mover in scene.movers:
            mover.kill()
    took_s = time.monotonic() - began_s
    settle(scene)
    executed = drain(scene)

    lost = scene.supplied - executed.keys()
    doubled = {job_id for job_id, times in executed.items() if times > 1}
    print(f"\nkills: {dict(scene.kills)}, {scene.others} more while nothing was on its way; jobs: {len(scene.supplied):,}; {took_s:.0f} s")
    assert (lost, doubled) == (set(), set())
    assert executed.keys() <= scene.supplied | scene.unsure
    assert open_entries(scene.clients) == 0
    assert [client.lrange("strange", 0, -1) for client in scene.clients] == [[], []]
    assert scene.landed >= KILLS
    assert all(scene.kills[name] >= OF_EACH_STEP for name in STEPS)
    assert scene.restarts == 1
    if IS_FULL:
        report(scene, took_s)


def going(scene: Scene, work) -> None:  # type: ignore[no-untyped-def]
    while not scene.over.wait(0.05):
        kept_going(partial(work, scene))


def supply(scene: Scene) -> None:
    """Keeps so many jobs waiting on each side."""
    for client, prefix in zip(scene.clients, PREFIXES, strict=True):
        missing = WAITING - client.llen(f"{prefix}:queue:{QUEUE}")
        if missing <= 0:
            continue
        ids = [f"job-{len(scene.supplied) + len(scene.unsure) + number}" for number in range(missing)]
        pipeline = client.pipeline(transaction=True)
        for job_id in ids:
            fields = {"status": "queued", "origin": QUEUE, "data": packed("tests.tasks.note", "ran"), "timeout": 180}
            pipeline.hset(f"{prefix}:job:{job_id}", mapping={**fields, "created_at": "2026-01-01T00:00:00.000000Z"})
        pipeline.rpush(f"{prefix}:queue:{QUEUE}", *ids)
        pipeline.sadd(f"{prefix}:queues", f"{prefix}:queue:{QUEUE}")
        scene.unsure.update(ids)
        pipeline.execute()
        scene.unsure.difference_update(ids)
        scene.supplied.update(ids)


def consume(scene: Scene, most: int = 5) -> int:
    """What workers do: each job popped runs, if it is still one that may."""
    return sum(len(client.eval(CONSUME, 0, prefix, most)) for client, prefix in zip(scene.clients, PREFIXES, strict=True))


def sweep_both(scene: Scene, *, back: bool | None = None) -> None:
    """Finishes what was left, or puts it back, now and then."""
    ends = sides([server.port for server in scene.servers])
    for source, destination in (ends, ends[::-1]):
        with scene.calm:
            sweep(source, lambda *_, one=destination: one, back=random.random() < 0.3 if back is None else back, min_age_s=YOUNG_S)
    for end in ends:
        end.close()
    scene.over.wait(0.3)


def kill_movers(scene: Scene, *, until_s: float) -> None:
    """Kills one mover after the other, at random moments, until enough were hit at every step; restarts a server half way."""
    chance = random.Random(7)
    for mover in scene.movers:
        mover.start()
    while (scene.landed < KILLS or any(scene.kills[name] < OF_EACH_STEP for name in STEPS)) and time.monotonic() < until_s:
        mover = chance.choice(scene.movers)
        wait_for(lambda at=mover: at.is_at_work)
        time.sleep(chance.random() * 12 * DELAY_S)
        kill(scene, mover)
        if scene.landed >= KILLS // 2 and not scene.restarts:
            restart(scene)


def kill(scene: Scene, mover: Mover) -> None:
    with scene.calm:
        tokens = mover.kill()
        name, is_open = step(tokens, scene.clients), open_entries(scene.clients) > 0
    if name and is_open:
        scene.kills[name] += 1
    else:
        scene.others += 1
    mover.start()


def restart(scene: Scene) -> None:
    """As a crash would: the server loses nothing that it has acknowledged, because it writes everything down at once."""
    with scene.calm:
        scene.servers[1].kill()
        scene.servers[1].start()
    scene.restarts += 1


def settle(scene: Scene) -> None:
    """The sweeper, as it goes on after the movers have gone."""
    scene.over.clear()
    wait_for(lambda: sweep_both(scene, back=False) or open_entries(scene.clients) == 0)


def drain(scene: Scene) -> Counter[str]:
    """Lets what is left run, the last of it by real workers; how often each job ran."""
    while sum(client.llen(f"{prefix}:queue:{QUEUE}") for client, prefix in zip(scene.clients, PREFIXES, strict=True)) > LEFT_TO_RQ:
        consume(scene, LEFT_TO_RQ // 2)
    for server, prefix in zip(scene.servers, PREFIXES, strict=True):
        work(server, QUEUE, prefix=prefix)
    return Counter(job_id.decode() for client in scene.clients for job_id in client.lrange("ran", 0, -1))


RUN = """
local ids = redis.call('LPOP', 'rq:queue:' .. ARGV[1], ARGV[2]) or {}
for _, id in ipairs(ids) do
  local is_fit = redis.call('HGET', 'rq:job:' .. id, 'status') == 'queued'
  redis.call('RPUSH', is_fit and 'ran' or 'strange', id)
  redis.call('DEL', 'rq:job:' .. id)
end
return #ids
"""


@pytest.mark.soak
def test_an_operation_acts_on_every_job_once_though_its_runners_are_killed(tmp_path: Path, server: Server) -> None:
    proxy = Between(server, delay_s=SLOW_S).start()
    rows = []
    for verb in ("move", "requeue"):
        kills, jobs, began_s = 0, 0, time.monotonic()
        while kills < OPERATION_KILLS:
            found, ids = killed_operation(verb, tmp_path, server, proxy, at_most=OPERATION_KILLS - kills)
            kills, jobs = kills + found, jobs + len(ids)
            with server.client() as client:
                assert Counter(job_id.decode() for job_id in client.lrange("ran", 0, -1)) == Counter(ids)
                assert client.lrange("strange", 0, -1) == []
                client.flushall()
            print(f"{verb}: {kills} kills, {jobs:,} jobs, {time.monotonic() - began_s:.0f} s", flush=True)
        rows.append(f"| {verb} | {kills} | {jobs:,} | 0 | 0 |")

    proxy.stop()
    print("\n" + "\n".join(rows))
    if IS_FULL:
        report_operations(rows)


def killed_operation(verb: str, data_dir: Path, server: Server, proxy: Between, *, at_most: int) -> tuple[int, list[str]]:
    """Has one operation run by processes that are killed while it runs and workers run what it queues; kills, and its jobs."""
    direct = backend_at(server.port, name="left")
    operations = opened(data_dir, {"left": direct})
    with server.client() as client:
        ids = fail_jobs(client, OPERATION_JOBS)
        if verb == "move":
            move_to_queue(client, ids)
        search = "status:failed" if verb == "requeue" else "status:queued queue:mail"
        to = {} if verb == "requeue" else {"to_queue": "slow"}
        operation = started(operations, asked(verb, on=("left",), search=search, **to))
        over = threading.Event()
        worker = threading.Thread(target=run_what_comes, args=(server, "mail" if verb == "requeue" else "slow", over))
        worker.start()
        kills = kill_runners(operations, operation.id, [str(data_dir), proxy.port], at_most=at_most)
        over.set()
        worker.join()
        assert outcomes(operations.records.get(operation.id)) == {"done": len(ids)}
        while client.eval(RUN, 0, "mail" if verb == "requeue" else "slow", AT_ONCE):
            pass
    direct.close()
    return kills, ids


def move_to_queue(client: redis.Redis, ids: Sequence[str]) -> None:
    pipeline = client.pipeline(transaction=False)
    for job_id in ids:
        pipeline.hset(f"rq:job:{job_id}", mapping={"status": "queued", "ended_at": ""})
    pipeline.rpush("rq:queue:mail", *ids)
    pipeline.delete("rq:failed:mail")
    pipeline.execute()


def run_what_comes(server: Server, queue: str, over: threading.Event) -> None:
    with server.client() as client:
        while not over.wait(0.002 * AT_ONCE):
            client.eval(RUN, 0, queue, AT_ONCE)


def kill_runners(operations: Operations, operation_id: str, arguments: Sequence[object], *, at_most: int) -> int:
    """A runner that is killed, and followed by another, again and again until the operation is done; how often while it was not."""
    chance, kills = random.Random(operation_id), 0
    is_over = partial(has_ended, operations, operation_id)
    while True:
        runner = process(runs, *arguments)
        wait_for(partial(has_begun, operations, operation_id, operations.records.get(operation_id).tried))
        time.sleep(chance.random() * 6 * SLOW_S)
        if kills >= at_most:
            wait_for(is_over)
        was_over = is_over()
        runner.kill()
        runner.join()
        if was_over:
            return kills
        kills += 1


def has_ended(operations: Operations, operation_id: str) -> bool:
    return operations.records.get(operation_id).state is not State.RUNNING


def has_begun(operations: Operations, operation_id: str, before: int) -> bool:
    """Whether a runner is at work on it, or has ended it: it writes down how far it came a few times a second."""
    operation = operations.records.get(operation_id)
    return operation.tried > before or operation.state is not State.RUNNING


def report(scene: Scene, took_s: float) -> None:
    rows = [f"| {name} | {scene.kills[name]} |" for name in STEPS]
    lines = (
        "# Moves between backends while everything dies",
        "",
        "Made by `RQDASH_SOAK=1 python -m pytest -m soak tests/test_transfer_chaos.py -s`. Three movers take jobs to and fro between two",
        "backends, through proxies that hold every request up by 12 ms, while consumers take jobs on both sides, a sweeper finishes what",
        "was left (and puts 30 % of it back), and the movers are killed with SIGKILL at random. The server that writes every command down",
        "(`appendfsync always`) is killed and started again half way. What is left in the end is run by real workers of RQ 3.",
        "",
        "| the mover had last done | kills while a job was on its way |",
        "|---|---|",
        *rows,
        f"| all | {scene.landed} |",
        "",
        f"Further kills while nothing was on its way: {scene.others}. Jobs: {len(scene.supplied):,} in {took_s:.0f} s.",
        "",
        "| lost | run twice | left in the journals |",
        "|---|---|---|",
        "| 0 | 0 | 0 |",
        "",
    )
    REPORT.write_text("\n".join(lines))


def report_operations(rows: Sequence[str]) -> None:
    lines = (
        "# Operations while their runners die",
        "",
        "Made by `RQDASH_SOAK=1 python -m pytest -m soak tests/test_transfer_chaos.py -s`. A bulk move to another queue of the backend and",
        f"a bulk requeue, {OPERATION_JOBS:,} jobs each, over and over; every request is held up by {SLOW_S * 1000:.0f} ms, the runner is",
        "killed with SIGKILL at random while the operation runs, another takes over when its lease has run out, and a worker runs what",
        "comes.",
        "",
        "| operation | kills while it ran | jobs | lost | run twice |",
        "|---|---|---|---|---|",
        *rows,
        "",
    )
    REPORT.with_name("chaos-operations.md").write_text("\n".join(lines))
