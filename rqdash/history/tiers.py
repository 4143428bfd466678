"""What is kept of a backend, how finely and for how long, and how finer values become coarser ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SLOT_S = 10
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400

MEASURES = ("queued", "oldest_s", "started", "failed", "busy", "workers")
"""Of each queue and of each backend: jobs, the age in seconds of the oldest waiting one, and workers."""
RATES = ("finished_per_min", "failed_per_min")
"""Of each backend alone: workers count what they did, and not for which queue."""
GROWTH = "failures"
"""How many jobs the failed registry gained, in coarser tiers only."""
COLUMNS = (*MEASURES, GROWTH)
TOTALS = (*MEASURES, *RATES)
HOW = {"queued": "max", "oldest_s": "max", "failed": "max", "started": "mean", "busy": "mean", "workers": "mean", GROWTH: "sum"}
"""A peak between two points is what a person looks for in queues; of workers the usual number says more. Rates are means."""

Value = float | None


@dataclass(frozen=True, slots=True)
class Tier:
    """Samples of one width: number as stored, seconds from one to the next, and for how long they are kept."""

    number: int
    step_s: int
    keep_s: int


RAW = Tier(0, SLOT_S, 48 * HOUR_S)
FINE = Tier(1, 5 * MINUTE_S, 30 * DAY_S)
COARSE = Tier(2, HOUR_S, 366 * DAY_S)
TIERS = (RAW, FINE, COARSE)
MOST_POINTS = 400
STEPS = (10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


def choose(span_s: float, *, age_s: float | None = None) -> int:
    """The step for a range of so many seconds: at most about 400 points, of samples that are still kept.

    age_s is how long ago the range begins; without it, it ends now.
    """
    age = span_s if age_s is None else max(age_s, span_s)
    fits = (step for step in STEPS if span_s / step <= MOST_POINTS and age <= tier_of(step).keep_s + step)
    return next(fits, STEPS[-1])


def tier_of(step: int) -> Tier:
    """The coarsest tier that a step can be made of. Raises ValueError for one that is no multiple of ten seconds."""
    fits = [tier for tier in TIERS if step > 0 and step % tier.step_s == 0]
    if not fits:
        raise ValueError(f"no step of the history: {step}")
    return fits[-1]


def combined(measure: str, values: Sequence[tuple[float, int]]) -> Value:
    """One value of several (value, seconds it stands for), None of none."""
    if not values:
        return None
    how = HOW.get(measure, "mean")
    if how == "max":
        return max(value for value, _ in values)
    if how == "sum":
        return sum(value for value, _ in values)
    return sum(value * seconds for value, seconds in values) / sum(seconds for _, seconds in values)
