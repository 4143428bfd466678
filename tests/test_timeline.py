"""The timeline of a job: what it waited for, its attempts, and how they share the whole."""

from __future__ import annotations

from datetime import datetime, timedelta

from rqdash.model.job import JobRow, Result, Step
from rqdash.model.timeline import timeline
from tests.stored import NOW


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def row(**fields: object) -> JobRow:
    return JobRow("live", "job", "mail", **fields)  # type: ignore[arg-type]


def steps(job: JobRow, *results: Result) -> list[tuple[str, float | None]]:
    return [(step.label, step.took_s) for step in timeline(job, results, now=NOW)]


def result(kind: str, started_s_ago: float, ended_s_ago: float) -> Result:
    return Result(kind, ago(ended_s_ago), "w", started_at=ago(started_s_ago), ended_at=ago(ended_s_ago))


def test_a_waiting_job_waits_until_now() -> None:
    found = timeline(row(status="queued", created_at=ago(60), enqueued_at=ago(60)), (), now=NOW)

    assert found == (Step("waited", "Waiting in mail", "queued", ago(60), None, share_start=0.0, share=1.0),)


def test_a_job_held_back_before_it_was_enqueued_shows_that() -> None:
    job = row(status="finished", created_at=ago(100), enqueued_at=ago(60), started_at=ago(50), ended_at=ago(40))

    assert steps(job) == [("Deferred or scheduled", 40.0), ("Waited in mail", 10.0), ("Attempt 1", 10.0)]


def test_attempts_with_waits_between_come_from_the_results() -> None:
    job = row(status="failed", created_at=ago(100), enqueued_at=ago(30), started_at=ago(20), ended_at=ago(10))

    found = timeline(job, (result("failed", 20, 10), result("retried", 80, 70)), now=NOW)

    assert [(step.label, step.took_s) for step in found] == [
        ("Waited in mail", 20.0),
        ("Attempt 1", 10.0),
        ("Waited for retry", 40.0),
        ("Waited in mail", 10.0),
        ("Attempt 2", 10.0),
    ]
    assert [round(step.share_start + step.share, 3) for step in found] == [0.222, 0.333, 0.778, 0.889, 1.0]
    assert [step.status for step in found] == ["queued", "failed", "scheduled", "queued", "failed"]


def test_a_second_attempt_under_way_has_no_end() -> None:
    job = row(status="started", created_at=ago(100), enqueued_at=ago(30), started_at=ago(20), attempt=2)

    found = timeline(job, (result("retried", 80, 70),), now=NOW)

    assert [(step.label, step.ended_at) for step in found][-1] == ("Attempt 2", None)
    assert round(found[-1].share_start + found[-1].share, 6) == 1.0


def test_a_job_that_waits_for_its_retry_says_so() -> None:
    job = row(status="scheduled", created_at=ago(100), enqueued_at=ago(99), started_at=ago(80), ended_at=ago(70))

    assert steps(job, result("retried", 80, 70)) == [("Waited in mail", 19.0), ("Attempt 1", 10.0), ("Scheduled", None)]


def test_a_deferred_job_waits_since_it_was_created() -> None:
    assert steps(row(status="deferred", created_at=ago(5))) == [("Deferred", None)]


def test_a_job_without_moments_has_no_timeline() -> None:
    assert timeline(row(), (), now=NOW) == ()


def test_clocks_that_disagree_leave_shares_between_0_and_1() -> None:
    job = row(status="finished", created_at=ago(10), enqueued_at=ago(10), started_at=ago(20), ended_at=ago(15))

    found = timeline(job, (), now=NOW)

    assert all(0 <= step.share_start <= 1 and 0 <= step.share <= 1 for step in found)
