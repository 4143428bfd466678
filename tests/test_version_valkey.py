"""The version matrix on Valkey 9: what each version of RQ writes is read, and what we write its workers run as they should, once.

The other servers have modules of their own, which take these tests over: so two processes can share the work.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rqdash.demo.servers import start_server
from rqdash.model.registry import STATUSES, Registry
from tests.version_scenarios import HELD, LOST, Scenario, of
from tests.version_stage import HERE, THERE
from tests.version_story import Counts, Story, story
from tests.versions import VERSIONS, number

Stories = Callable[[str], Story]
BEFORE_STREAMS = ("1.16.2", "2.0.0")
"""These still know servers without streams, and keep results in the hash there."""
EACH = [(version, scenario) for version in VERSIONS for scenario in of(version)]
REGISTRIES = {registry.value for registry in Registry}


def named(value: object) -> str | None:
    return value.id if isinstance(value, Scenario) else None


@pytest.fixture(scope="module")
def executable() -> Path | None:
    """The server; None is the embedded one."""
    return None


@pytest.fixture(scope="module")
def stories(executable: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Stories:
    """stories(version) tells the story of a version; it happens when it is asked for first."""
    told: dict[str, Story | None] = {}

    def tell(version: str) -> Story:
        if version not in told:
            # Whatever comes of it is not tried again for each test of this version.
            told[version] = None
            told[version] = _told(version, executable, tmp_path_factory.mktemp(version))
        found = told[version]
        if found is None:
            pytest.fail(f"The story of RQ {version} has failed; see the first test that asked for it.", pytrace=False)
        return found

    return tell


def _told(version: str, executable: Path | None, directory: Path) -> Story:
    server = start_server(directory / "here", executable=executable)
    other = start_server(directory / "there")
    try:
        return story(version, server, other, directory)
    finally:
        server.stop()
        other.stop()


@pytest.mark.parametrize("version", VERSIONS)
class TestPages:
    """What a version's producers and workers wrote, read before anything was done to it."""

    def test_every_page_answers(self, stories: Stories, version: str) -> None:
        statuses = stories(version).before.statuses | stories(version).after.statuses

        assert {address: status for address, status in statuses.items() if status not in (200, 303)} == {}

    def test_no_page_writes(self, stories: Stories, version: str) -> None:
        before, after = stories(version).before, stories(version).after

        assert (before.written, after.written) == (frozenset(), frozenset())

    def test_a_user_who_may_run_no_scripts_is_shown_the_same(self, stories: Stories, version: str) -> None:
        before, after = stories(version).before, stories(version).after

        assert (before.unlike, after.unlike) == ((), ())

    def test_lists_hold_the_jobs_and_say_what_they_run(self, stories: Stories, version: str) -> None:
        told = stories(version)

        for (registry, queue), page in told.before.lists.items():
            rows = {row["id"]: row for row in page["jobs"]["rows"]}
            assert rows.keys() == of_list(told, registry, queue)
            for row in rows.values():
                assert row["function"].startswith("tests.version_tasks.")
                assert row["status"] in STATUSES
                assert row["queue"] == queue
                assert row["exists"]
                assert row["is_expired"] == (row["id"] == LOST)

    def test_counts_are_those_of_rq(self, stories: Stories, version: str) -> None:
        told = stories(version)

        assert known(told.before.counts, told.counted) == told.counted
        assert known(told.after.counts, told.counted_after) == told.counted_after

    def test_a_deferred_job_has_no_time_in_whatever_its_score_means(self, stories: Stories, version: str) -> None:
        rows = stories(version).before.lists["deferred", "mail"]["jobs"]["rows"]

        assert {(row["due_at"], row["expires_at"], row["is_expired"]) for row in rows} == {(None, None, False)}

    def test_a_worker_says_which_job_it_is_in_the_middle_of(self, stories: Stories, version: str) -> None:
        worker = stories(version).before.workers["at-work"]

        assert (worker["state"], worker["rq_version"], worker["queues"]) == ("busy", version, ["long"])
        assert (worker["current"]["id"], worker["current"]["queue"]) == (HELD, "long")
        assert worker["current"]["function"] == "tests.version_tasks.hold"
        assert worker["current"]["started_at"]
        (row,) = stories(version).before.lists["started", "long"]["jobs"]["rows"]
        assert (row["id"], row["worker"], len(row["execution_id"])) == (HELD, "at-work", 0 if version == "1.16.2" else 32)

    def test_a_worker_that_vanished_is_lost_and_its_job_abandoned(self, stories: Stories, version: str) -> None:
        told = stories(version)
        (row,) = told.before.lists["started", "abandoned"]["jobs"]["rows"]

        assert told.before.workers[LOST]["state"] == "lost"
        assert (row["id"], row["worker"], row["is_expired"]) == (LOST, LOST, True)
        assert told.before.counts["abandoned"]["started"] == 0
        assert told.before.jobs[LOST]["job"]["is_worker_gone"]

    def test_the_overview_says_which_versions_work_there(self, stories: Stories, version: str) -> None:
        cards = stories(version).before.overview["cards"]

        assert [card["summary"]["rq_versions"] for card in cards] == [[version]]

    def test_what_travels_with_a_job_is_shown_and_no_secret_of_it(self, stories: Stories, version: str) -> None:
        told = stories(version)
        job, in_json = told.before.jobs["finished-left"]["job"], told.before.jobs["finished-in-json"]["job"]

        assert [[value["text"] for value in found["call"]["args"]] for found in (job, in_json)] == [["'Ada'", "7"]] * 2
        assert (job["call"]["serializer"], in_json["call"]["serializer"]) == ("pickle", "json")
        assert [found["results"][0]["value"]["text"] for found in (job, in_json)] == ["'Ada 7'"] * 2
        assert "'by': 'Ada'" in job["meta"]["text"]
        assert told.before.jobs["retried-left"]["job"]["policies"]["retries_left"] == 1
        assert not told.before.tells_secret


@pytest.mark.parametrize("version", BEFORE_STREAMS)
class TestBeforeStreams:
    """What a server before Redis 5 is given to keep."""

    def test_a_job_shows_what_its_hash_holds(self, stories: Stories, version: str) -> None:
        jobs = stories(version).before.jobs

        failed, finished = jobs["failed-in-its-hash"]["job"], jobs["finished-in-its-hash"]["job"]
        assert (failed["failure"]["type"], failed["failure"]["frames"][-1]["function"]) == ("LookupError", "fail")
        assert [result["kind"] for result in finished["results"]] == ["successful"]


@pytest.mark.parametrize(("version", "scenario"), EACH, ids=named)
class TestEachJob:
    """One job each: where it is said to be, what an action says, and what a worker makes of it."""

    def test_its_page_says_where_it_is(self, stories: Stories, version: str, scenario: Scenario) -> None:
        job = stories(version).before.jobs[scenario.id]["job"]

        assert job["registry"] == (scenario.made if scenario.made in REGISTRIES else None)
        assert job["row"]["status"] in STATUSES
        assert job["call"]["function"].startswith("tests.version_tasks.")
        assert (job["failure"] is not None) == (scenario.made == "failed")

    def test_the_action_says_what_it_did(self, stories: Stories, version: str, scenario: Scenario) -> None:
        said = stories(version).said(scenario)

        assert said == (scenario.said if scenario.act else "")

    def test_a_worker_runs_it_as_often_as_it_should_and_leaves_it_in_one_place(
        self, stories: Stories, version: str, scenario: Scenario
    ) -> None:
        told, side = stories(version), THERE if scenario.is_there else HERE

        runs = {HERE: told.ended.ran.count(scenario.id), THERE: told.ended.ran_there.count(scenario.id)}
        assert runs == {HERE: 0, THERE: 0} | {side: scenario.runs}
        assert told.places[scenario.id] - of_earlier_runs(scenario) == (
            {(side, scenario.ends, scenario.ends_on)} if scenario.ends else set()
        )
        assert told.leftovers[scenario.id] == []


@pytest.mark.parametrize("version", VERSIONS)
class TestWorkers:
    """The workers that ran after the actions; each ended by itself, without dying of a job, or its log had failed the story."""

    def test_no_job_failed_of_what_was_written(self, stories: Stories, version: str) -> None:
        assert "Traceback" not in stories(version).ended.log

    def test_what_was_put_first_ran_first(self, stories: Stories, version: str) -> None:
        told = stories(version)
        of_mail = {scenario.id for scenario in told.scenarios if scenario.ends_on == "mail"}
        ran = [job_id for job_id in told.ended.ran if job_id in of_mail]

        assert ran[:3] == ["canceled-requeued-first", "queued-moved-first", "failed-requeued-first"]

    def test_what_was_carried_over_ran_there_and_a_copy_under_a_name_of_its_own(self, stories: Stories, version: str) -> None:
        told = stories(version)
        (copied,) = told.ended.said["failed-copied"][0].jobs
        named = {scenario.id for scenario in told.scenarios}

        assert told.ended.ran_there[0] == "failed-carried-first"
        assert [job_id for job_id in told.ended.ran_there if job_id not in named] == [copied.new_id]
        assert told.in_transit == 0

    def test_a_suspended_worker_runs_one_job_at_most_and_the_rest_when_it_is_resumed(self, stories: Stories, version: str) -> None:
        ended = stories(version).ended

        assert ended.ran_suspended in ([], ["suspended-taken"])
        assert [ended.ran.count(job_id) for job_id in ("suspended-taken", "suspended-left")] == [1, 1]

    def test_an_edited_job_ran_with_its_new_limits(self, stories: Stories, version: str) -> None:
        queued, failed = (stories(version).after.jobs[job_id]["job"] for job_id in ("queued-edited", "failed-edited"))

        assert [job["row"]["timeout_s"] for job in (queued, failed)] == [120, 120]
        assert (queued["policies"]["result_ttl_s"], queued["expires_in_s"]) == (-1, None)
        assert 0 < failed["expires_in_s"] <= 600

    def test_what_a_job_belonged_to_knows_that_it_is_gone(self, stories: Stories, version: str) -> None:
        told = stories(version)

        assert told.queues & {"rq:queue:forgotten", "rq:queue:mail"} == {"rq:queue:mail"}
        assert told.group == ({"grouped-left"} if "grouped-left" in told.places else frozenset())
        assert told.slots == 0

    def test_a_cron_job_ran_once(self, stories: Stories, version: str) -> None:
        told = stories(version)
        named = {scenario.id for scenario in told.scenarios} | {"suspended-taken", "suspended-left"}

        assert len([job_id for job_id in told.ended.ran if job_id not in named]) == (1 if number(version) >= number("2.6.1") else 0)

    def test_nothing_is_left_to_be_run(self, stories: Stories, version: str) -> None:
        left = {queue: counts["queued"] + counts["started"] for queue, counts in stories(version).counted_after.items()}

        assert {queue: count for queue, count in left.items() if count} == {}


def of_list(told: Story, registry: str, queue: str) -> set[str]:
    """The jobs to be found there. Those to be repeated are kept in the finished registry too, from their last run."""
    made = {scenario.id for scenario in told.scenarios if (scenario.made, scenario.queue) == (registry, queue)}
    is_finished = (registry, queue) == ("finished", "mail")
    return made | {scenario.id for scenario in told.scenarios if is_finished and scenario.id.startswith("repeated")}


def of_earlier_runs(scenario: Scenario) -> set[tuple[str, str, str]]:
    return {(HERE, "finished", scenario.queue)} if scenario.id.startswith("repeated") else set()


def known(counts: Counts, counted: Counts) -> Counts:
    """Of our counts those that RQ was asked for; a queue that never was has no page and no jobs."""
    return {queue: {name: counts[queue].get(name, 0) for name in names} for queue, names in counted.items()}
