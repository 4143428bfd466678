"""The history of backends: what is sampled, what is kept of it for how long, and what pages read."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from rqdash.backends.backend import Backend
from rqdash.history.archive import Archive
from rqdash.history.packing import Packed, Sample, pack
from rqdash.history.reading import Points, Reading
from rqdash.history.tiers import COLUMNS, STEPS, TOTALS, choose, tier_of
from rqdash.store import Store
from tests.histories import BEGIN, Recording
from tests.stored import HOSTILE, Stored

VALUES = st.none() | st.integers(0, 2**40) | st.integers(0, 10**6).map(lambda tenths: tenths / 10)


@pytest.fixture
def recording(store: Store, backend: Backend) -> Recording:
    return Recording(store, {backend.name: backend})


def values(points: Points) -> list[float | None]:
    return list(points.values)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(1, 10**6), st.lists(VALUES, min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=30))
def test_a_sample_is_unpacked_as_it_was_packed(rows: dict[int, list[float | None]]) -> None:
    numbers = sorted(rows)
    columns = {name: [rows[number][place] for number in numbers] for place, name in enumerate(COLUMNS)}
    totals = dict(zip(TOTALS, [1, None, 0.25, 2**40, 0, 7, None, 1 / 3], strict=True))

    found = Packed(pack(Sample(7, totals, numbers, columns)))

    assert (found.endpoint, found.numbers(), found.totals()) == (7, tuple(numbers), totals)
    for name, column in columns.items():
        assert list(found.column(name)) == column
        assert [found.value(name, place) for place in range(len(numbers))] == column


def test_a_chart_has_at_most_400_points_of_samples_that_are_kept() -> None:
    spans = [60, 3600, 6 * 3600, 86400, 2 * 86400, 7 * 86400, 30 * 86400, 365 * 86400]

    steps = [choose(span) for span in spans]

    assert steps == [10, 10, 60, 300, 600, 1800, 7200, 86400]
    assert all(span / step <= 400 and tier_of(step).keep_s >= span for span, step in zip(spans, steps, strict=True))
    assert choose(3600, age_s=10 * 86400) == 300
    assert choose(3600, age_s=200 * 86400) == 3600
    assert set(steps) <= set(STEPS)


@pytest.mark.parametrize("step", [0, -10, 5, 15])
def test_a_step_that_no_samples_have_is_refused(tmp_path: Path, step: int) -> None:
    with pytest.raises(ValueError, match="step"):
        tier_of(step)


def test_before_anything_was_sampled_there_is_nothing_and_nothing_is_made(store: Store) -> None:
    reading = Reading(Archive(store))

    assert reading.backends(["live"], "queued", start=0, stop=100, step=10) == {}
    assert reading.queues("live", "queued", start=0, stop=100, step=10) == {}
    assert values(reading.queue("live", "mail", "queued", start=0, stop=30, step=10)) == [None] * 3
    assert (reading.pace(["live"]), reading.latest(["live"])) == ({}, [])
    assert not (store.data_dir / "history.db").exists()


def test_each_slot_is_sampled_once_and_read_back(recording: Recording, redis_client: redis.Redis) -> None:
    put = Stored(redis_client)
    for queue in HOSTILE:
        put.queue(queue)
    put.queue("mail")
    for number in range(3):
        redis_client.rpush("rq:queue:mail", put.job(f"j{number}"))
        recording.turn()

    reading, times = recording.reading(), {"start": BEGIN, "stop": BEGIN + 30, "step": 10}
    of_queues = reading.queues("live", "queued", **times)

    assert values(reading.backends(["live"], "queued", **times)["live"]) == [1, 2, 3]
    assert values(reading.queue("live", "mail", "queued", **times)) == [1, 2, 3]
    assert set(of_queues) == {*HOSTILE, "mail"}
    assert of_queues["mail"] == Points(BEGIN, 10, (1, 2, 3))
    assert values(of_queues[HOSTILE[-1]]) == [0, 0, 0]
    assert reading.backends(["other"], "queued", **times) == {}
