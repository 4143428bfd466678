"""People who keep live pages open: what their polls take, and what the backends and the serving processes feel of their number.

nginx and gunicorn as deploy/ has them, five backends that change all the time, one of which hangs. locust plays the browsers.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bench import memory, rivals
from bench.cases import HOT
from bench.rivals import Rival
from bench.seed import Size, fill
from bench.tables import Table, Verdict
from rqdash.demo.servers import HOST, Server, start_server
from rqdash.model.caller import Role
from rqdash.web.binding import COOKIE
from tests.behind_nginx import Front, front
from tests.processes import descendants, wait_until
from tests.served import Served, served
from tests.stored import Stored

LOCUST = Rival("locust", ("locust==2.47.0",), kept=rivals.ROOT / ".venv")
LOCUSTFILE = Path(__file__).parent / "locustfile.py"
NAMES = ("orders", "mail", "media", "search", "legacy")
HANGING = NAMES[-1]
SIZE = Size(queues=40, queued=2_000, failed=500, finished=200, workers=40)
PAGES = {"overview": "/", "hot queue": f"/b/{NAMES[0]}/queue?name={HOT}", "workers": "/workers"}
PROCESSES, THREADS = 2, 8
"""As they are by default; threads of each process."""
SETTLED = 5
"""Rounds of polls that do not wait, after which every process knows that one backend is down."""
NEARLY = 1.05
"""A reading more or less at the ends of what is counted."""
RAMP_S = 5
CHANGE_EVERY_S = 0.2
WRITES = frozenset({"rpush", "lpop", "hset", "zadd", "sadd", "zpopmin", "xadd", "config|resetstat"})
"""Commands of the churn and of this measurement; no page sends one."""
MOST_P95_MS, MOST_GROWTH = 300.0, 0.10


@dataclass(frozen=True, slots=True)
class Load:
    """How many viewers, one number after the other, each for how long."""

    viewers: Sequence[int] = (1, 10, 100)
    seconds: int = 300


@dataclass(frozen=True, slots=True)
class Found:
    """What so many viewers saw, by page as locust tells it, and commands a second by backend.

    rss_mb: memory of the serving processes at the end; busy: what they took of one core.
    """

    viewers: int
    pages: Mapping[str, Mapping[str, float]]
    commands: Mapping[str, float]
    rss_mb: float
    busy: float

    @property
    def polls(self) -> int:
        return int(sum(page["polls"] for page in self.pages.values()))

    @property
    def most_commands(self) -> float:
        return max(self.commands.values())


@dataclass(slots=True)
class Stage:
    """Everything that runs: the backends by name, the site before them, and the sessions of the viewers."""

    servers: dict[str, Server]
    front: Front
    cookies: list[str]
    folder: Path
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def live(self) -> dict[str, Server]:
        return {name: server for name, server in self.servers.items() if name != HANGING}

    def asking(self) -> httpx.Client:
        """The first viewer, by hand."""
        made = self.front.client()
        made.headers["Cookie"] = self.cookies[0]
        return made

    def rss_mb(self) -> float:
        return sum(process.rss_mb for process in memory.taken(self._serving()))

    def spent_s(self) -> float:
        """Processor time of the serving processes."""
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self._serving()]
        return sum(int(line[11]) + int(line[12]) for line in fields) / os.sysconf("SC_CLK_TCK")

    def _serving(self) -> list[int]:
        return [child.pid for child in descendants(self.front.gunicorn.pid)]


def tables(load: Load) -> Iterator[Table]:
    """Two tables: what the viewers saw, and what it cost the backends and the processes."""
    rivals.install((LOCUST,))
    with stage(max(load.viewers)) as running:
        ceiling = PROCESSES * _one_of_each(running)
        found = [measured(running, viewers, seconds=load.seconds) for viewers in load.viewers]
    yield _seen(found, load)
    yield _cost(found, ceiling)


@contextmanager
def stage(viewers: int) -> Iterator[Stage]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        servers: dict[str, Server] = {}
        for name in NAMES:
            servers[name] = start_server(folder / name)
            stack.callback(servers[name].stop)
            with servers[name].client() as client:
                fill(client, size=SIZE, now=datetime.now(UTC))
        data = served(folder / "data", servers)
        site = stack.enter_context(
            front("own-host", folder / "front", {"RQDASH_DATA_DIR": str(data.data_dir), "RQDASH_LOG_LEVEL": "error"})
        )
        running = Stage(servers, site, [_cookie(data, number) for number in range(viewers)], folder)
        threads = [threading.Thread(target=_churn, args=(running, server)) for server in running.live.values()]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(running.over.set)
        _settle(running)
        yield running


def _cookie(data: Served, number: int) -> str:
    account = data.access.accounts.add(f"viewer-{number}", role=Role.OPERATOR, password=None)
    return f"{COOKIE}={data.access.sessions.start(account, HOST, now=datetime.now(UTC))}"


def _churn(running: Stage, server: Server) -> None:
    """Jobs come to the hot queue, and go on to fail or to end."""
    with server.client() as client:
        stored, chance = Stored(client), random.Random(server.port)
        number = 0
        while not running.over.wait(CHANGE_EVERY_S):
            number += 1
            stored.waiting(f"new-{number}", queue=HOT)
            taken = client.lpop(stored.keys.queue(HOT))
            if taken is not None and chance.random() < 0.2:
                stored.failed(taken.decode(), queue=HOT, score=time.time() + 86_400)
                client.zpopmin(stored.keys.registry("failed", HOT))


def _settle(running: Stage) -> None:
    """Every process knows every page, one backend hangs, and no process waits for it any more."""
    asking = running.asking()
    for path in list(PAGES.values()) * 8:
        asking.get(path)
    running.servers[HANGING].pause()

    def are_quick() -> bool:
        """Whether none of many polls waits. One process may take most of those that come at once, so there are several rounds."""
        with ThreadPoolExecutor(2 * THREADS) as pool:
            took = list(pool.map(lambda _: asking.get("/", headers={"Rqdash-Poll": "other"}).elapsed.total_seconds(), range(16 * THREADS)))
        return max(took) < 1

    wait_until(lambda: all(are_quick() for _ in range(SETTLED)), within_s=120)


def measured(running: Stage, viewers: int, *, seconds: int) -> Found:
    """Lets so many viewers look for so long; what they did while they came is not counted."""
    asked = {"host": running.front.host, "viewers": viewers, "cookies": running.cookies, "pages": PAGES}
    (running.folder / "asked.json").write_text(json.dumps(asked))
    command = [str(LOCUST.bin / "locust"), "-f", str(LOCUSTFILE), "--headless", "--only-summary", "--loglevel", "ERROR"]
    command += [
        "-u",
        str(viewers),
        "-r",
        str(max(viewers / RAMP_S, 1)),
        "--host",
        f"https://{HOST}:{running.front.port}",
    ]
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=os.environ | {"RQDASH_VIEWERS": str(running.folder)}, **options)  # type: ignore[call-overload]
    begun, told = running.folder / "begun", running.folder / "found.json"
    try:
        assert wait_until(begun.exists, within_s=60), "locust did not start"
        before, spent_s, began_s = _reads(running), running.spent_s(), time.monotonic()
        time.sleep(seconds)
        after, took_s = _reads(running), time.monotonic() - began_s
        busy = (running.spent_s() - spent_s) / took_s
        process.terminate()
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    pages = json.loads(told.read_text())
    for file in (begun, told):
        file.unlink()
    return Found(viewers, pages, {name: (after[name] - before[name]) / took_s for name in after}, running.rss_mb(), busy)


def _reads(running: Stage) -> dict[str, int]:
    """How many commands each live backend has run that read, those inside scripts among them."""
    found = {}
    for name, server in running.live.items():
        with server.client() as client:
            stats = client.info("commandstats")
        found[name] = sum(int(stat["calls"]) for command, stat in stats.items() if command.removeprefix("cmdstat_") not in WRITES)
    return found


def _seen(found: Sequence[Found], load: Load) -> Table:
    head = ("viewers", "page", "polls", "p50, ms", "p95, ms", "longest, ms", "unchanged, %", "errors")
    rows = [(run.viewers, page, *_figures(seen)) for run in found for page, seen in run.pages.items() if seen["polls"]]
    errors = sum(int(seen["errors"]) for run in found for seen in run.pages.values())
    slowest = max(seen["p95_ms"] or 0 for run in found for seen in run.pages.values())
    verdicts = (
        Verdict("polls, 95th percentile of the slowest page", f"{slowest:.0f} ms", f"{MOST_P95_MS:.0f} ms", slowest < MOST_P95_MS),
        Verdict("polls that failed", str(errors), "0", errors == 0),
    )
    note = (
        f"Each for {load.seconds} s, through nginx with TLS and gunicorn with 2 processes; {len(NAMES)} backends of {SIZE.queues} "
        f"queues and {SIZE.workers} workers, which "
        f"change {1 / CHANGE_EVERY_S:.0f} times a second; one of them hangs. Unchanged: answered 204."
    )
    return Table("Viewers of live pages", head, rows, note, verdicts)


def _one_of_each(running: Stage) -> int:
    """How many commands the first backend runs for one reading of each page."""
    with running.asking() as asking:
        before = _reads(running)
        for path in PAGES.values():
            asking.get(path)
        return _reads(running)[NAMES[0]] - before[NAMES[0]]


def _figures(seen: Mapping[str, float]) -> tuple[int | float, ...]:
    share = round(100 * seen["unchanged"] / seen["polls"])
    return (
        int(seen["polls"]),
        round(seen["p50_ms"] or 0),
        round(seen["p95_ms"] or 0),
        round(seen["longest_ms"]),
        share,
        int(seen["errors"]),
    )


def _cost(found: Sequence[Found], ceiling: float) -> Table:
    head = ("viewers", *(f"{name}, commands/s" for name in found[0].commands), "serving processes, MB", "of one core, %")
    rows = [(run.viewers, *(round(rate) for rate in run.commands.values()), round(run.rss_mb, 1), round(100 * run.busy)) for run in found]
    few, many = found[-2], found[-1]
    growth, reads = many.rss_mb / few.rss_mb - 1, many.most_commands
    verdicts = (
        Verdict(f"reads for {many.viewers} viewers", f"{reads:,.0f} commands/s", f"{ceiling:,.0f}", reads <= ceiling * NEARLY),
        Verdict(f"memory, from {few.viewers} viewers on", f"{growth:+.1%}", f"{MOST_GROWTH:.0%}", growth < MOST_GROWTH),
    )
    note = (
        "Commands a second of each backend that answers, those inside scripts counted. Allowed: what one reading of each page costs the "
        f"first backend, once a second for each of the {PROCESSES} processes, whatever the number of viewers."
    )
    return Table("What viewers cost", head, rows, note, verdicts)
