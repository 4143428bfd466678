"""rqdash move: which jobs it chooses, what it asks and says, and that it finishes what a crash has left."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rqdash.access.audit import Audit
from rqdash.cli import main
from rqdash.demo.servers import Server
from rqdash.model.profile import Profile
from rqdash.profiles.registry import open_profiles
from rqdash.settings import Settings
from rqdash.store import open_store
from tests.stored import NOW_S, Stored
from tests.test_transfer_copy import left_behind
from tests.transfers import Pair, enqueued, journal

Run = Callable[..., Result]


@pytest.fixture
def run(pair: Pair, tmp_path: Path) -> Run:
    """run("move", …) in a data directory that knows both backends."""
    ends = ((pair.source.profile, pair.here_server), (pair.destination.profile, pair.there_server))
    save(tmp_path, *((replace(profile, id=""), server) for profile, server in ends))

    def _run(*arguments: str, stdin: str = "") -> Result:
        kept = {name: None for name in os.environ if name.startswith("RQDASH_")}
        return CliRunner().invoke(main, arguments, input=stdin, env={**kept, "RQDASH_DATA_DIR": str(tmp_path)})

    return _run


def save(data_dir: Path, *profiles: tuple[Profile, Server]) -> None:
    settings = Settings(data_dir=data_dir)
    store = open_store("", data_dir=data_dir)
    known = open_profiles(store, settings)
    for profile, server in profiles:
        known.create(replace(profile, host="127.0.0.1", port=server.port), by="test")
    store.close()


def edit(data_dir: Path, name: str, **fields: object) -> None:
    store = open_store("", data_dir=data_dir)
    known = open_profiles(store, Settings(data_dir=data_dir))
    stored = known.get(name)
    known.update(name, replace(stored, **fields), version=stored.version, by="test")  # type: ignore[arg-type]
    store.close()


def test_a_queue_is_moved_in_its_order_and_written_into_the_audit_log(run: Run, pair: Pair, tmp_path: Path) -> None:
    ids = enqueued(pair.here, 3)

    result = run("move", "here", "there", "--queue", "mail", "--yes")

    assert result.exit_code == 0, result.output
    assert result.stdout == "Moved 3 jobs from here to there.\n"
    assert "Warning: No worker of there listens" in result.stderr
    assert pair.there.lrange("app:queue:mail", 0, -1) == [job_id.encode() for job_id in ids]
    (entry,) = Audit(open_store("", data_dir=tmp_path)).entries()
    assert (entry.kind, entry.verb, entry.backend, entry.queue) == ("command line", "move", "here", "mail")
    assert (entry.outcomes, entry.values) == ({"done": 3}, {"to_backend": "there", "jobs": 3})


def test_jobs_that_match_a_search_are_moved_and_no_others(run: Run, pair: Pair) -> None:
    stored = Stored(pair.here)
    stored.failed("timed-out", trace="TimeoutError: too slow")
    stored.failed("broken", trace="ValueError: no")
    stored.waiting("waiting")

    result = run("move", "here", "there", "--registry", "failed", "--where", "error:TimeoutError", "--to-queue", "again", "--yes", "--json")

    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert (facts["outcomes"], facts["jobs"]) == ({"done": 1}, [{"id": "timed-out", "verdict": "done"}])
    assert pair.there.lrange("app:queue:again", 0, -1) == [b"timed-out"]
    assert pair.here.zscore("rq:failed:mail", "broken") is not None
    assert pair.here.llen("rq:queue:mail") == 1


def test_a_search_for_a_status_chooses_the_registry(run: Run, pair: Pair) -> None:
    Stored(pair.here).failed("one")
    Stored(pair.here).waiting("two")

    result = run("move", "here", "there", "--where", "status:failed", "--yes")

    assert result.exit_code == 0, result.output
    assert pair.there.lrange("app:queue:mail", 0, -1) == [b"one"]


def test_a_limit_takes_those_that_stand_first_and_copies_have_new_ids(run: Run, pair: Pair) -> None:
    ids = enqueued(pair.here, 3)

    result = run("move", "here", "there", "--queue", "mail", "--limit", "2", "--copy", "--yes", "--json")

    facts = json.loads(result.stdout)
    assert (result.exit_code, facts["verb"]) == (0, "copy")
    assert [job["id"] for job in facts["jobs"]] == ids[:2]
    assert pair.there.lrange("app:queue:mail", 0, -1) == [job["new_id"].encode() for job in facts["jobs"]]
    assert pair.here.llen("rq:queue:mail") == 3


def test_what_was_not_moved_is_told_and_the_exit_code_says_so(run: Run, pair: Pair) -> None:
    stored = Stored(pair.here)
    stored.waiting("a.b")
    stored.waiting("fine")

    result = run("move", "here", "there", "--queue", "mail", "--yes")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "Moved 1 job from here to there.",
        "1 with an id that workers there cannot read: a.b",
    ]


def test_it_asks_before_it_begins_and_no_means_no(run: Run, pair: Pair) -> None:
    enqueued(pair.here, 2)

    refused = run("move", "here", "there", "--queue", "mail", stdin="n\n")

    assert refused.exit_code == 1
    assert "2 queued of mail" in refused.stderr
    assert "Move 2 jobs from here to there?" in refused.stderr
    assert pair.here.llen("rq:queue:mail") == 2
    assert run("move", "here", "there", "--queue", "mail", stdin="y\n").exit_code == 0
    assert pair.here.llen("rq:queue:mail") == 0


def test_a_protected_backend_wants_its_name_typed(run: Run, pair: Pair, tmp_path: Path) -> None:
    enqueued(pair.here, 1)
    edit(tmp_path, "there", protected=True)

    assert run("move", "here", "there", "--queue", "mail", stdin="yes\n").exit_code == 1
    assert pair.here.llen("rq:queue:mail") == 1
    assert run("move", "here", "there", "--queue", "mail", stdin="there\n").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("here",), 2, "Name two backends"),
        (("here", "there"), 2, "Say which jobs"),
        (("here", "there", "--where", " "), 2, "--where is empty"),
        (("here", "there", "--where", "color:red"), 1, "There is no field color"),
        (("here", "nowhere", "--queue", "mail"), 1, "no enabled connection called nowhere"),
        (("here", "there", "--queue", "mail", "--back"), 2, "--recover"),
        (("--recover", "here", "--force"), 2, "--force goes with --back"),
        (("here", "there", "--recover", "here"), 2, "--recover"),
    ],
)
def test_a_mistake_is_a_sentence_and_nothing_is_done(run: Run, pair: Pair, arguments: tuple[str, ...], code: int, words: str) -> None:
    enqueued(pair.here, 1)

    result = run("move", *arguments)

    assert (result.exit_code, words in result.stderr) == (code, True), result.output
    assert pair.here.llen("rq:queue:mail") == 1


def test_a_read_only_destination_is_refused_in_a_sentence(run: Run, pair: Pair, tmp_path: Path) -> None:
    enqueued(pair.here, 1)
    edit(tmp_path, "there", read_only=True)

    result = run("move", "here", "there", "--queue", "mail", "--yes")

    assert (result.exit_code, result.stderr) == (1, "there is read-only here: its profile says so.\n")


def crashed(run: Run, pair: Pair, tmp_path: Path) -> list[str]:
    """Jobs on their way between the profiles as they are stored."""
    ids = enqueued(pair.here, 2)
    store = open_store("", data_dir=tmp_path)
    known = open_profiles(store, Settings(data_dir=tmp_path))
    pair.destination.profile = known.get("there")
    store.close()
    left_behind(pair, ids)
    return ids


def test_what_a_crash_has_left_is_finished_on_request(run: Run, pair: Pair, tmp_path: Path) -> None:
    ids = crashed(run, pair, tmp_path)

    result = run("move", "--recover", "here")

    assert (result.exit_code, result.stdout) == (0, "2 arrived, 0 back where they were, 0 still on the way.\n"), result.output
    assert pair.there.lrange("app:queue:slow", 0, -1) == [job_id.encode() for job_id in ids]
    assert journal(pair.here) == []


def test_or_put_back(run: Run, pair: Pair, tmp_path: Path) -> None:
    ids = crashed(run, pair, tmp_path)

    result = run("move", "--recover", "here", "--back", "--json")

    assert (result.exit_code, json.loads(result.stdout)["outcomes"]) == (0, {"raced": 2})
    assert pair.here.lrange("rq:queue:mail", 0, -1) == [job_id.encode() for job_id in ids]


def test_what_cannot_be_finished_stays_and_the_exit_code_says_so(run: Run, pair: Pair, tmp_path: Path) -> None:
    crashed(run, pair, tmp_path)
    edit(tmp_path, "there", enabled=False)

    result = run("move", "--recover", "here", "--back")

    assert (result.exit_code, result.stdout) == (1, "0 arrived, 0 back where they were, 2 still on the way.\n")
    assert run("move", "--recover", "here", "--back", "--force").exit_code == 0
    assert journal(pair.here) == []


def test_scheduled_jobs_are_moved_as_due(run: Run, pair: Pair) -> None:
    Stored(pair.here).entry("scheduled", Stored(pair.here).job("later", status="scheduled"), NOW_S * 2)

    result = run("move", "here", "there", "--queue", "mail", "--registry", "scheduled", "--yes")

    assert result.exit_code == 0, result.output
    assert pair.there.zscore("app:scheduled:mail", "later") == NOW_S * 2
