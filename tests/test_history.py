"""The history of backends: what is sampled, what is kept of it for how long, and what pages read."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from rqdash.app import background
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server, free_port
from rqdash.errors import StoreError
from rqdash.history.archive import Archive
from rqdash.history.packing import Packed, Sample, pack
from rqdash.history.reading import Points, Reading
from rqdash.history.recorder import Recorder
from rqdash.history.rollup import upkeep
from rqdash.history.tables import MarkRow, QueueRow, SampleRow
from rqdash.history.tiers import COLUMNS, FINE, RAW, STEPS, TOTALS, choose, tier_of
from rqdash.model.attention import Pace
from rqdash.settings import settings as read_settings
from rqdash.store import Store, open_store
from tests.conftest import backend_of
from tests.histories import BEGIN, Recording, stored_sample
from tests.pages import Document
from tests.site import site
from tests.stored import HOSTILE, Stored, iso

VALUES = st.none() | st.integers(0, 2**40) | st.integers(0, 10**6).map(lambda tenths: tenths / 10)


@pytest.fixture
def recording(store: Store, backend: Backend) -> Recording:
    return Recording(store, {backend.name: backend})


def values(points: Points) -> list[float | None]:
    return list(points.values)


@settings(max_examples=40, deadline=None)
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
def test_a_step_that_no_samples_have_is_refused(step: int) -> None:
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


def test_a_backend_that_did_not_answer_leaves_a_gap(recording: Recording, redis_client: redis.Redis, server: Server) -> None:
    live, dead = recording.backends["live"], backend_of(replace(server, port=free_port()))
    Stored(redis_client).queue("mail")
    recording.turn()
    recording.backends = recording.recorder.backends = {"live": dead}
    recording.turn()
    down = recording.reading().latest(["live"])[0]
    recording.backends = recording.recorder.backends = {"live": live}
    recording.turn()

    reading, times = recording.reading(), {"start": BEGIN - 10, "stop": BEGIN + 40, "step": 10}

    assert values(reading.queue("live", "mail", "queued", **times)) == [None, 0, None, 0, None]
    assert values(reading.backends(["live"], "workers", **times)["live"]) == [None, 0, None, 0, None]
    assert (down.problem, down.asked_s, down.answered_s, [queue.name for queue in down.queues]) == ("refused", BEGIN + 10, BEGIN, ["mail"])
    assert reading.latest(["live"])[0].problem == ""
    dead.close()


def test_rates_are_what_the_same_workers_counted_since_the_sample_before(recording: Recording, redis_client: redis.Redis) -> None:
    put = Stored(redis_client)
    born = iso(datetime.fromtimestamp(BEGIN - 60, UTC))
    put.worker("stays", birth=born, successful_job_count=1000, failed_job_count=10)
    put.worker("leaves", birth=born, successful_job_count=500)
    recording.turn()
    put.worker("stays", birth=born, successful_job_count=1004, failed_job_count=11)
    redis_client.srem("rq:workers", "rq:worker:leaves")
    put.worker("comes", birth=iso(datetime.fromtimestamp(BEGIN + 5, UTC)), successful_job_count=2)
    recording.turn()
    # Started anew under its name, it counts from zero again.
    put.worker("stays", birth=iso(datetime.fromtimestamp(BEGIN + 15, UTC)), successful_job_count=1, failed_job_count=0)
    recording.turn()

    reading, times = recording.reading(), {"start": BEGIN, "stop": BEGIN + 30, "step": 10}

    assert values(reading.backends(["live"], "finished_per_min", **times)["live"]) == [None, 36, 6]
    assert values(reading.backends(["live"], "failed_per_min", **times)["live"]) == [None, 6, 0]


def test_coarser_samples_keep_peaks_and_means_and_the_newest_are_made_of_finer_ones(recording: Recording) -> None:
    for minute in range(70):
        busy = {"queued": minute, "oldest_s": 600 - minute, "started": minute % 2, "workers": 4}
        stored_sample(recording, BEGIN + 60 * minute, {"mail": busy, "idle": {}}, queued=minute, finished_per_min=minute)
    while upkeep(recording.archive, now_s=BEGIN + 70 * 60):
        pass

    reading, times = recording.reading(), {"start": BEGIN, "stop": BEGIN + 4200, "step": 300}

    assert values(reading.queue("live", "mail", "queued", **times)) == list(range(4, 70, 5))
    assert values(reading.queue("live", "mail", "oldest_s", **times)) == list(range(600, 530, -5))
    assert values(reading.queues("live", "started", **times)["mail"])[:2] == [0.4, 0.6]
    assert values(reading.queues("live", "workers", **times)["idle"]) == [0] * 14
    assert values(reading.backends(["live"], "finished_per_min", **times)["live"])[:2] == [2, 7]
    # The second hour has not ended: it is told from what there is of it.
    assert values(reading.backends(["live"], "queued", start=BEGIN, stop=BEGIN + 7200, step=3600)["live"]) == [59, 69]
    assert values(reading.backends(["live"], "queued", start=BEGIN, stop=BEGIN + 600, step=120)["live"]) == [1, 3, 5, 7, 9]


def test_old_samples_go_when_their_time_is_over(recording: Recording) -> None:
    stored_sample(recording, BEGIN, {"mail": {"queued": 7}}, queued=7)
    stored_sample(recording, BEGIN + RAW.keep_s, {"mail": {"queued": 8}}, queued=8)
    upkeep(recording.archive, now_s=BEGIN + RAW.keep_s + 300)
    upkeep(recording.archive, now_s=BEGIN + RAW.keep_s + 600)

    with recording.archive.read() as session:
        kept = session.execute(select(SampleRow.tier, SampleRow.slot_s).order_by(SampleRow.tier, SampleRow.slot_s)).all()

    assert [tuple(row) for row in kept] == [
        (RAW.number, BEGIN + RAW.keep_s),
        (FINE.number, BEGIN),
        (FINE.number, BEGIN + RAW.keep_s),
        (2, BEGIN),
    ]
    assert values(recording.reading().queue("live", "mail", "queued", start=BEGIN, stop=BEGIN + 600, step=300)) == [7, None]


def test_how_fast_jobs_fail_is_told_once_the_history_knows_what_is_usual(recording: Recording) -> None:
    failed = 100
    for minute in range(0, 8 * 60, 3):
        # Twenty an hour; once somebody empties the registry; in the last half hour ten a minute more.
        failed = 0 if minute == 201 else failed + (31 if minute >= 450 else 1)
        stored_sample(recording, BEGIN + 60 * minute, {"mail": {"failed": failed}, "quiet": {}})
    stored_sample(recording, BEGIN + 8 * 3600, {"mail": {"failed": failed}})
    recording.now = BEGIN + 8 * 3600
    early = recording.reading().pace(["live"])
    while upkeep(recording.archive, now_s=int(recording.now)):
        pass

    (pace,) = recording.reading().pace(["live"])["live"]
    recording.now += 120
    late = recording.reading().pace(["live"])
    stored_sample(recording, BEGIN + 8 * 3600 + 110, {"mail": {}}, endpoint=2)
    elsewhere = recording.reading().pace(["live"])

    assert pace == Pace("mail", 320, 20)
    # Without the hours that say what is usual, when the recorder has stopped, and of where the connection led before, nothing is told.
    assert (early, late, elsewhere) == ({}, {}, {})


def test_failures_of_another_server_under_the_same_profile_are_no_growth(recording: Recording, redis_client: redis.Redis) -> None:
    Stored(redis_client).queue("mail")
    recording.turn()
    live = recording.backends["live"]
    live.profile = replace(live.profile, endpoint_version=2)
    redis_client.zadd("rq:failed:mail", {f"j{number}": 1e12 for number in range(50)})
    recording.turn(29)

    with recording.archive.read() as session:
        body = session.scalars(select(SampleRow.body).where(SampleRow.tier == FINE.number)).one()

    assert Packed(body).column("failed") == (50,)
    assert list(Packed(body).column("failures")) == [0]


def test_only_one_of_two_processes_records_and_the_other_takes_over(recording: Recording) -> None:
    first, second = recording.recorder, recording.another()
    recording.now = BEGIN

    shares = [first.turn(), second.turn()]
    first._release()
    recording.now = BEGIN + 10
    shares += [second.turn(), first.turn(), second.turn()]

    assert shares == [True, False, True, False, False]


def test_a_process_whose_lease_ran_out_while_it_read_keeps_nothing(recording: Recording) -> None:
    recording.recorder.lease_s = 0
    recording.now = BEGIN

    assert not recording.recorder.turn()
    assert not recording.archive.is_there()


def test_a_clock_that_is_set_back_stops_nothing(recording: Recording, redis_client: redis.Redis) -> None:
    Stored(redis_client).queue("mail")
    recording.now = BEGIN + 86400
    recording.turn(40)
    recording.now = BEGIN - 10
    recording.turn(40)

    points = recording.reading().backends(["live"], "queued", start=BEGIN, stop=BEGIN + 600, step=300)["live"]

    assert values(points) == [0, 0]
    assert recording.reading().latest(["live"])[0].asked_s == BEGIN + 390


def test_a_history_outlives_the_name_of_its_backend(recording: Recording, redis_client: redis.Redis) -> None:
    Stored(redis_client).queue("mail")
    recording.turn()
    live = recording.backends["live"]
    live.profile = replace(live.profile, name="renamed")
    recording.turn()
    live.profile = replace(live.profile, id="another")
    recording.turn()

    reading, times = recording.reading(), {"start": BEGIN, "stop": BEGIN + 30, "step": 10}

    assert reading.backends(["live"], "queued", **times) == {}
    assert values(reading.backends(["renamed"], "queued", **times)["renamed"]) == [None, None, 0]


def test_names_of_queues_that_are_long_gone_are_forgotten(recording: Recording) -> None:
    year = 367 * 86400
    for slot_s, queue in ((BEGIN, "old"), (BEGIN + year, "new")):
        stored_sample(recording, slot_s, {queue: {}})
        upkeep(recording.archive, now_s=slot_s + 3600)
        upkeep(recording.archive, now_s=slot_s + 3600)

    with recording.archive.read() as session:
        assert session.scalars(select(QueueRow.name)).all() == ["new"]


def test_a_history_of_another_version_is_refused(recording: Recording) -> None:
    recording.turn()
    with recording.archive.write() as session:
        session.get_one(MarkRow, "format").value = 99

    with pytest.raises(StoreError, match="another version"):
        Archive(recording.store).is_there()

    assert Reading(Archive(recording.store)).pace(["live"]) == {}


def test_the_overview_its_cards_and_chips_say_what_is_more_than_usual(tmp_path: Path, backend: Backend) -> None:
    dashboard = site(tmp_path, {"live": backend})
    now_s = int(datetime.now(UTC).timestamp())
    recording = Recording(open_store("", data_dir=tmp_path), {})
    begin_s = now_s // 3600 * 3600 - 9 * 3600
    for slot_s in (*range(begin_s, now_s, 300), now_s):
        failed = (slot_s - begin_s) // 300 + (400 if slot_s > now_s - 900 else 0)
        stored_sample(recording, slot_s, {"mail": {"failed": failed}})
    while upkeep(recording.archive, now_s=now_s):
        pass
    browser = dashboard.sign_in("viewer")

    page = " ".join(Document(browser.get("/").get_data(as_text=True)).text.split())
    again = browser.get("/").get_data(as_text=True)

    assert re.search(r"mail : 41\d jobs failed in 1 h, usually 12\.", page)
    assert re.search(r"mail: 41\d jobs failed in 1 h, usually 12\.", page)
    assert "warning" in re.search(r'<[^>]*href="/\?backend=live".*?</a>', again, re.DOTALL)[0]


def test_every_process_that_works_in_the_background_would_record(tmp_path: Path) -> None:
    parts = background(read_settings({"RQDASH_DATA_DIR": str(tmp_path)}))

    assert [part.name for part in parts if part.name == "recorder"] == ["recorder"]
    assert [part.slot_s for part in parts if isinstance(part, Recorder)] == [10]
    assert not (tmp_path / "history.db").exists()
