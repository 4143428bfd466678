"""How fast jobs fail: in the last hour, and usually."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from rqdash.history import samples
from rqdash.history.archive import marks
from rqdash.history.rollup import LOOK_BACK_S, growth
from rqdash.history.samples import Kept
from rqdash.history.tables import QueueRow
from rqdash.history.tiers import COARSE, DAY_S, FINE, GROWTH, HOUR_S, RAW
from rqdash.model.attention import Pace

USUAL_S = 7 * DAY_S
FEWEST_HOURS = 6
"""With fewer hours known there is no usual yet."""
STALE_S = 60.0
COVERED_S = 50 * 60.0
"""So much of the last hour must be known, and the last sample must not be older than this."""


@dataclass(frozen=True, slots=True)
class Usual:
    """Failed jobs in an hour, by queue number: the median of the last seven days. hours is how many are known of this endpoint."""

    hours: int
    an_hour: Mapping[int, float]


def usual(session: Session, backend_id: int, *, now_s: float) -> Usual:
    newest = samples.between(session, RAW, backend_id, start_s=now_s - STALE_S, stop_s=now_s + 1)
    hours = samples.between(session, COARSE, backend_id, start_s=now_s - USUAL_S, stop_s=now_s - HOUR_S)
    if newest:
        hours = _alike(hours, newest[-1])
    found: dict[int, list[float]] = defaultdict(list)
    for hour in hours:
        for number, value in zip(hour.packed.numbers(), hour.packed.column(GROWTH), strict=True):
            found[number].append(value or 0.0)
    return Usual(len(hours), {number: median(values) for number, values in found.items()})


def paces(session: Session, backend_id: int, known: Usual, *, now_s: float) -> Sequence[Pace] | None:
    """The queues whose jobs failed within the last hour.

    None while the history of the backend is too short to tell what is usual, and where the last hour has gaps: what is not known there
    must not make light of what a page reads by itself.
    """
    failed = _last_hour(session, backend_id, now_s=now_s) if known.hours >= FEWEST_HOURS else None
    if failed is None:
        return None
    rows = session.execute(select(QueueRow.id, QueueRow.name).where(QueueRow.id.in_(list(failed)))) if failed else ()
    return tuple(Pace(name, failed[number], known.an_hour.get(number, 0.0)) for number, name in rows)


def _last_hour(session: Session, backend_id: int, *, now_s: float) -> Counter[int] | None:
    made_s = marks(session).get(samples.mark_name(FINE), 0)
    start_s = now_s - HOUR_S
    found: Counter[int] = Counter()
    raw_s = max(made_s, start_s)
    raw = samples.between(session, RAW, backend_id, start_s=raw_s - LOOK_BACK_S, stop_s=now_s + 1)
    if not raw or now_s - raw[-1].slot_s > STALE_S:
        return None
    windows = _alike(samples.between(session, FINE, backend_id, start_s=start_s, stop_s=made_s), raw[-1])
    for window in windows:
        values = zip(window.packed.numbers(), window.packed.column(GROWTH), strict=True)
        found.update({number: int(value) for number, value in values if value})
    if len(windows) * FINE.step_s + now_s - raw_s < COVERED_S:
        return None
    raw = _alike(raw, raw[-1])
    before = [one for one in raw if one.slot_s < raw_s][-1:]
    found.update(growth([*before, *(one for one in raw if one.slot_s >= raw_s)]))
    return +found


def _alike(kept: Sequence[Kept], newest: Kept) -> list[Kept]:
    """The samples of the server that the newest one is of: what failed where the connection led before is no news of this one."""
    return [one for one in kept if one.packed.endpoint == newest.packed.endpoint]
