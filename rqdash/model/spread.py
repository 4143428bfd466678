"""Which workers run another version than the others of their queue."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rqdash.model.worker import Worker


@dataclass(frozen=True, slots=True)
class Odd:
    """What most workers of a queue run that a worker of it does not: RQ, Python (major.minor); "" where it runs the same."""

    rq: str = ""
    python: str = ""


def odd(workers: Sequence[Worker]) -> Mapping[str, Odd]:
    """The workers of one backend, by name, whose RQ or Python differs from what most workers of a queue of theirs run.

    Of versions that equally many run the newest is taken for usual. Workers that are lost, or did not say, count for nothing.
    """
    live = [worker for worker in workers if worker.state not in ("lost", "ended")]
    rq, python = _others(live, lambda worker: worker.rq_version), _others(live, lambda worker: worker.python)
    return {name: Odd(rq.get(name, ""), python.get(name, "")) for name in rq.keys() | python.keys()}


def _others(workers: Sequence[Worker], version: Callable[[Worker], str]) -> dict[str, str]:
    """What is usual in the first queue in which a worker is not, by the worker's name."""
    if len(set(map(version, workers)) - {""}) < 2:
        return {}
    by_queue: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for worker in workers:
        if version(worker):
            for queue in worker.queues:
                by_queue[queue][version(worker)] += 1
    usual = {queue: max(counts, key=lambda found: (counts[found], _number(found))) for queue, counts in by_queue.items()}
    found: dict[str, str] = {}
    for worker in workers:
        others = [usual[queue] for queue in worker.queues if version(worker) and usual[queue] != version(worker)]
        if others:
            found[worker.name] = others[0]
    return found


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() and len(part) < 9 else 0 for part in version.split("."))
