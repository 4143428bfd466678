"""How long calls take, one after the other or by several clients at once."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median, quantiles

Call = Callable[[], object]

TURNS = 5
"""Of each call among several that take turns."""
WARM_S = 0.05
"""A call that takes longer is not made once more to warm up."""
SLOW_S = 5.0
"""A call that takes longer is made once, and not by several clients."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What so many calls took, in milliseconds."""

    median_ms: float
    p95_ms: float
    runs: int

    @property
    def text(self) -> str:
        return f"{brief(self.median_ms)} / {brief(self.p95_ms)}"


def timed(call: Call, *, most: int, within_s: float) -> Timing:
    """At most so many calls, one after the other, after one that warms up; none begins after within_s."""
    first_s = _took_s(call)
    if first_s > SLOW_S:
        return timing([first_s])
    took, until_s = [_took_s(call)], time.perf_counter() + within_s
    while len(took) < most and time.perf_counter() < until_s:
        took.append(_took_s(call))
    return timing(took)


def in_turns(calls: Mapping[str, Call], *, most: int, within_s: float) -> dict[str, Timing | Exception]:
    """The same of several calls that take turns of some calls each, so that all feel alike what else the machine does; by their names.

    One that has made its calls, or taken within_s in all, is left out of further turns. One that raises is left out too: its error
    stands for it.
    """
    took: dict[str, list[float]] = {name: [] for name in calls}
    failed: dict[str, Timing | Exception] = {}
    left = list(calls)
    while left:
        for name in left:
            try:
                took[name] += _turn(calls[name], at_once=math.ceil(most / TURNS), within_s=within_s / TURNS)
            except Exception as error:  # noqa: BLE001  whoever asked decides what an error of each means
                failed[name] = error
        left = [name for name in left if name not in failed and len(took[name]) < most and sum(took[name]) < within_s]
    return {name: failed.get(name) or timing(took[name]) for name in calls}


def _turn(call: Call, *, at_once: int, within_s: float) -> list[float]:
    """Some calls one after the other. The first warms up, as a client that goes on reading finds it, unless there is time for no other."""
    first_s = _took_s(call)
    if first_s > max(within_s, WARM_S):
        return [first_s]
    took = [_took_s(call)]
    while len(took) < at_once and sum(took) < within_s:
        took.append(_took_s(call))
    return took


def together(client: Callable[[], AbstractContextManager[Call]], count: int, *, most: int, within_s: float) -> Timing:
    """The same by so many clients at once, each with a call of its own; each calls at least once. Raises what a call raised."""
    took: list[float] = []
    failures: list[BaseException] = []
    ready = threading.Barrier(count)

    def work() -> None:
        try:
            with client() as call:
                ready.wait()
                until_s = time.perf_counter() + within_s
                took.append(_took_s(call))
                while len(took) < most and time.perf_counter() < until_s:
                    took.append(_took_s(call))
        except Exception as error:  # noqa: BLE001  raised again by the caller's thread
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return timing(took)


def timing(took_s: list[float]) -> Timing:
    """Of at least one call; with fewer than two the 95th percentile is the same."""
    slowest = quantiles(took_s, n=20, method="inclusive")[-1] if len(took_s) > 1 else took_s[0]
    return Timing(median(took_s) * 1000, slowest * 1000, len(took_s))


def brief(milliseconds: float) -> str:
    """Three figures: 0.52, 5.2, 52, 5,200."""
    if milliseconds < 1:
        return f"{milliseconds:.2f}"
    return f"{milliseconds:.1f}" if milliseconds < 100 else f"{milliseconds:,.0f}"


def _took_s(call: Call) -> float:
    began_s = time.perf_counter()
    call()
    return time.perf_counter() - began_s
