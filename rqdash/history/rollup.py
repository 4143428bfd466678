"""Makes the coarser samples of the finer ones, a window at a time, and deletes what is too old."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from rqdash.history import directory, samples
from rqdash.history.archive import Archive, marks
from rqdash.history.packing import Sample, pack
from rqdash.history.samples import Kept
from rqdash.history.tables import BackendRow
from rqdash.history.tiers import COARSE, COLUMNS, FINE, GROWTH, MEASURES, RAW, TOTALS, Tier, Value, combined

AT_ONCE = 12
"""Windows one turn makes: after a long pause of the recorder the rest follows in the next turns."""
LOOK_BACK_S = 600
"""So far before a window lies at most the sample that its first one is compared with."""
FINER = {FINE: RAW, COARSE: FINE}


def upkeep(archive: Archive, *, now_s: int) -> int:
    """Makes the windows that have ended, at most twelve a tier, and forgets what is old when there were any; gives how many."""
    made = 0
    for tier in (FINE, COARSE):
        with archive.write() as session:
            if marks(session).get(samples.mark_name(tier), 0) > now_s:
                # The clock was set back: what was made for a time to come stays, and so does what will be found there.
                samples.set_mark(session, archive, tier, value=(now_s // tier.step_s - 1) * tier.step_s)
            windows = list(_windows(session, tier, now_s=now_s))
            for start_s in windows:
                _make(session, archive, tier, start_s=start_s)
            if windows:
                samples.set_mark(session, archive, tier, value=windows[-1] + tier.step_s)
                samples.forget_old(session, now_s=now_s)
                directory.forget_queues(session, before_s=now_s - COARSE.keep_s)
            made += len(windows)
    return made


def growth(kept: Sequence[Kept]) -> dict[int, int]:
    """How many failed jobs each queue gained from one raw sample to the next; what left the registry meanwhile takes none away.

    Queues that are new in a sample have gained nothing yet: whether their jobs failed just now is not known.
    """
    found: dict[int, int] = {}
    last: tuple[int, Mapping[int, Value]] | None = None
    for one in kept:
        failed = dict(zip(one.packed.numbers(), one.packed.column("failed"), strict=True))
        if last is not None and last[0] == one.packed.endpoint:
            for number, value in failed.items():
                earlier = last[1].get(number)
                if value is not None and earlier is not None:
                    found[number] = found.get(number, 0) + max(int(value - earlier), 0)
        last = (one.packed.endpoint, failed)
    return found


def _windows(session: Session, tier: Tier, *, now_s: int) -> Iterator[int]:
    """The beginnings of windows that have ended and are not made yet; those without any sample are passed over."""
    finer, step_s = FINER[tier], tier.step_s
    known = marks(session)
    end_s = known.get(samples.mark_name(finer), 0) if finer is not RAW else now_s
    at_s = known.get(samples.mark_name(tier), 0)
    for _ in range(AT_ONCE):
        slot_s = samples.first(session, finer, after_s=at_s)
        if slot_s is None or (start_s := slot_s - slot_s % step_s) + step_s > end_s:
            return
        yield start_s
        at_s = start_s + step_s


def _make(session: Session, archive: Archive, tier: Tier, *, start_s: int) -> None:
    finer, bodies = FINER[tier], []
    for backend_id in session.scalars(select(BackendRow.id)).all():
        back_s = LOOK_BACK_S if finer is RAW else 0
        kept = samples.between(session, finer, backend_id, start_s=start_s - back_s, stop_s=start_s + tier.step_s)
        inside = [one for one in kept if one.slot_s >= start_s]
        if inside:
            before = [one for one in kept if one.slot_s < start_s][-1:]
            sample = _joined(inside, growth([*before, *inside]) if finer is RAW else None)
            bodies.append((backend_id, pack(sample)))
            if tier is COARSE:
                directory.seen(session, sample.numbers, now_s=start_s)
    samples.add(session, archive, tier, slot_s=start_s, bodies=bodies)


def _joined(kept: Sequence[Kept], grown: Mapping[int, int] | None) -> Sample:
    """One sample of several; grown in place of what they say of growth, which raw ones do not."""
    columns = {name: by_number(kept, name) for name in COLUMNS}
    if grown is not None:
        columns[GROWTH] = {number: [(count, 1)] for number, count in grown.items()}
    numbers = sorted({number for name in MEASURES for number in columns[name]})
    return Sample(
        kept[-1].packed.endpoint,
        {name: combined(name, totals(kept, name)) for name in TOTALS},
        numbers,
        {name: [combined(name, columns[name].get(number, ())) for number in numbers] for name in COLUMNS},
    )


def totals(kept: Sequence[Kept], name: str) -> list[tuple[float, int]]:
    """The values of a backend that are known, each with the seconds it stands for."""
    return [(value, one.step_s) for one in kept if (value := one.packed.total(name)) is not None]


def by_number(kept: Sequence[Kept], name: str) -> dict[int, list[tuple[float, int]]]:
    """The values of each queue that are known, each with the seconds it stands for."""
    found: dict[int, list[tuple[float, int]]] = {}
    key, numbers = b"", tuple[int, ...]()
    for one in kept:
        # Most samples are of the same queues as the one before.
        if one.packed.key() != key:
            key, numbers = one.packed.key(), one.packed.numbers()
        for number, value in zip(numbers, one.packed.column(name), strict=True):
            if value is not None:
                found.setdefault(number, []).append((value, one.step_s))
    return found
