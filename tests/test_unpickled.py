"""Nothing is unpickled: hostile bytes in jobs are shown or refused by a served dashboard, in bounded time and memory."""

from __future__ import annotations

import base64
import pickle
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import redis

from rqdash.demo.servers import Server
from tests.pages import Document, Person, person
from tests.processes import PROC, descendants
from tests.served import Served, served
from tests.stored import NOW_S, Stored

SLOWEST_S = 5.0
"""After so long a page counts as hanging; the tests take no finer measure of time."""
MOST_GROWTH_KB = 150 * 1024
INFLATED = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Touch:
    """What unpickles by making a file."""

    path: Path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@cache
def inflating() -> bytes:
    """200 KB that inflate to the pickle of a text of 200 MB."""
    packer = zlib.compressobj()
    parts = [b"\x80\x04X" + INFLATED.to_bytes(4, "little"), *[b"a" * 1024 * 1024] * 200, b"."]
    return b"".join([*map(packer.compress, parts), packer.flush()])


def payloads(canary: Path) -> dict[str, bytes]:
    """By name, the bytes that a job's data, meta and result are."""
    nested = b"\x80\x04" + b"]" * 30_000 + b"a" * 29_999 + b"."
    return {
        "file": pickle.dumps(Touch(canary)),
        "file-old": pickle.dumps(Touch(canary), protocol=0),
        "file-packed": zlib.compress(pickle.dumps(Touch(canary))),
        "memory": bytes.fromhex("80044e72ffffff7f2e"),
        "deep": nested,
        "deep-packed": zlib.compress(nested),
        "inflating": inflating(),
        "inflating-twice": zlib.compress(inflating()),
    }


def test_a_pickle_of_these_tests_would_make_a_file(tmp_path: Path) -> None:
    """The trap is armed: in the tests below the file's absence means something."""
    script = "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"

    subprocess.run([sys.executable, "-c", script], input=pickle.dumps(Touch(tmp_path / "armed")), check=True)

    assert (tmp_path / "armed").exists()


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "made-by-a-pickle"


@pytest.fixture
def jobs(redis_client: redis.Redis, canary: Path) -> tuple[str, ...]:
    """The ids of failed, running and plain jobs made of every payload, as data, meta, result, error, and all at once."""
    stored = Stored(redis_client)
    made: list[str] = []
    for name, raw in payloads(canary).items():
        encoded = base64.b64encode(raw)
        made.append(stored.failed(f"{name}-all"))
        redis_client.hset(f"rq:job:{name}-all", mapping={"data": raw, "meta": raw, "result": raw, "exc_info": raw})
        redis_client.xadd(f"rq:results:{name}-all", {"type": 2, "exc_string": encoded, "return_value": encoded})
        made.append(stored.failed(f"{name}-legacy"))
        redis_client.delete(f"rq:results:{name}-legacy")
        redis_client.hset(f"rq:job:{name}-legacy", mapping={"exc_info": raw, "result": raw})
        made.append(stored.job(f"{name}-result", status="finished"))
        stored.entry("finished", f"{name}-result", NOW_S + 10**7)
        redis_client.xadd(f"rq:results:{name}-result", {"type": 1, "return_value": encoded})
        made.append(stored.running(stored.worker(f"w-{name}", state="busy", current_job=f"{name}-run"), f"{name}-run"))
        redis_client.hset(f"rq:job:{name}-run", "data", raw)
    return tuple(made)


@pytest.fixture
def site(tmp_path: Path, server: Server) -> Iterator[Served]:
    """One process, so that its memory is the dashboard's."""
    place = served(tmp_path / "data", {"live": server}).start(processes=1, threads=4)
    yield place
    place.hang_up()
    place.stop()


def test_hostile_pickles_are_shown_or_refused_in_bounded_time_and_memory_and_run_nothing(
    site: Served, jobs: tuple[str, ...], canary: Path, redis_client: redis.Redis
) -> None:
    redis_client.sadd("rq:queues", "rq:queue:mail")
    visitor = person(site, timeout_s=SLOWEST_S)
    # What a process grows by when it first draws pages is not what payloads cost it.
    for path in paths(("none",)):
        visitor.get(path)
    before_kb = peak_kb(site)

    answers = [(path, status) for path in paths(jobs) for status in asked(visitor, site, path)]

    growth_kb = peak_kb(site) - before_kb
    print(f"\n{len(answers)} answers about hostile jobs; memory grew by {growth_kb / 1024:.0f} MB at its peak")
    assert [answer for answer in answers if answer[1] != 200] == []
    assert not canary.exists()
    assert growth_kb < MOST_GROWTH_KB


def test_what_was_not_unpickled_is_named_or_refused_with_its_size_on_the_page_of_its_job(
    site: Served, jobs: tuple[str, ...], canary: Path
) -> None:
    visitor = person(site, timeout_s=SLOWEST_S)
    said = {
        "file-result": f"touch(PosixPath('{canary}'))",
        "file-run": "not the name, instance, arguments and keyword arguments that RQ stores",
        "memory-run": "unknown, 9 B: not the name, instance, arguments and keyword arguments that RQ stores",
        "deep-result": "[[[[[[[…]]]]]]]",
        "inflating-run": "unknown, 199 KB: over 1 MB of it, more than is read",
        "inflating-result": "unknown, 199 KB: not pickle, not JSON",
    }

    pages = {job_id: Document(visitor.get(f"/b/live/job?id={job_id}").text).text for job_id in jobs}

    assert all("Decoded without running code" in page and job_id in page for job_id, page in pages.items())
    assert {job_id: words for job_id, words in said.items() if words not in pages[job_id]} == {}


def paths(job_ids: tuple[str, ...]) -> list[str]:
    """Every list that shows jobs, and each job, with its full traceback too."""
    lists = [f"/b/live/queue?name=mail&registry={name}" for name in ("failed", "started", "finished")]
    pages = [f"/b/live/job?id={job_id}{more}" for job_id in job_ids for more in ("", "&trace=full")]
    return ["/", "/queues", "/workers", *lists, *pages]


def asked(visitor: Person, site: Served, path: str) -> tuple[int, int]:
    """The status of a page, and of its JSON, each within the time."""
    return visitor.get(path).status, site.get(path).status


def peak_kb(site: Served) -> int:
    """The most memory that any process of the dashboard ever held; where there is no /proc, what it holds now."""
    assert site.process is not None
    pids = {site.process.pid, *(process.pid for process in descendants(site.process.pid))}
    return max(_memory_kb(pid) for pid in pids)


def _memory_kb(pid: int) -> int:
    status = PROC / str(pid) / "status"
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout)
