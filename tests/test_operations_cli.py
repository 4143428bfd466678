"""rqdash operations: looked at, ended and run from the command line, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result

from rqdash.cli import main
from rqdash.demo.servers import HOST, Server
from rqdash.model.profile import Profile
from rqdash.operations.requests import Operations
from rqdash.operations.values import State
from rqdash.profiles.registry import open_profiles
from rqdash.settings import Settings
from tests.conftest import backend_of
from tests.operating import asked, fail_jobs, opened, outcomes, planned, run, started, waiting
from tests.processes import wait_until
from tests.served import served

ROOT = Path(__file__).parents[1]
Command = Callable[..., Result]


@pytest.fixture
def operations(tmp_path: Path, server: Server) -> Iterator[Operations]:
    backend = backend_of(server)
    made = opened(tmp_path, {"live": backend})
    yield made
    backend.close()
    made.records.store.close()


@pytest.fixture
def rqdash(tmp_path: Path, operations: Operations) -> Command:
    """rqdash("operations", "list") runs a command on the same data directory."""

    def _run(*arguments: str) -> Result:
        kept = {name: None for name in os.environ if name.startswith("RQDASH_")}
        return CliRunner().invoke(main, arguments, env={**kept, "RQDASH_DATA_DIR": str(tmp_path)})

    return _run


def test_operations_are_listed_the_newest_first(rqdash: Command, operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 3)
    first, second = run(operations, started(operations, asked())), planned(operations, asked("delete"))

    listed = rqdash("operations", "list").stdout.splitlines()
    as_json = json.loads(rqdash("operations", "list", "--json").stdout)

    assert listed[0].split() == ["ID", "VERB", "STATE", "JOBS", "DONE", "BACKENDS", "BY"]
    assert listed[1].split() == [second.id, "delete", "planned", "0", "0", "live", "mira"]
    assert listed[2].split() == [first.id, "requeue", "done", "3", "3", "live", "mira"]
    assert [found["id"] for found in as_json] == [second.id, first.id]


def test_one_operation_is_shown_with_its_outcomes_and_course(rqdash: Command, operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 3)
    operation = planned(operations, asked("move", search='status:failed -desc:"\x1b[31m"', to_queue="other\udcff"))

    shown = rqdash("operations", "show", operation.id)
    facts = json.loads(rqdash("operations", "show", operation.id, "--json").stdout)

    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout
    assert "found 3 jobs" in shown.stdout
    assert (facts["state"], facts["jobs"], facts["left"], facts["to_queue"]) == ("planned", 3, 3, "other\udcff")


def test_an_operation_is_ended_and_that_is_audited(rqdash: Command, operations: Operations, redis_client: redis.Redis) -> None:
    fail_jobs(redis_client, 3)
    preview, running = planned(operations, asked()), started(operations, asked())

    ended, ends = rqdash("operations", "cancel", preview.id), rqdash("operations", "cancel", running.id)
    again = rqdash("operations", "cancel", preview.id)

    assert (ended.stdout, ends.stdout[:12]) == ("It has ended.\n", "It ends as s")
    assert operations.records.get(running.id).state is State.CANCELING
    assert (again.exit_code, "canceled now" in again.stderr) == (1, True)
    assert {entry.verb for entry in operations.audit.entries(2)} == {"cancel operation"}


def test_an_id_of_no_operation_is_a_sentence(rqdash: Command) -> None:
    shown = rqdash("operations", "show", "nobody")

    assert (shown.exit_code, shown.stderr) == (1, "There is no such operation.\n")


def test_a_process_of_its_own_runs_what_was_started_and_ends_when_told(
    tmp_path: Path, server: Server, operations: Operations, redis_client: redis.Redis
) -> None:
    ids = fail_jobs(redis_client, 450)
    settings = Settings(data_dir=tmp_path)
    stored = open_profiles(operations.records.store, settings).create(Profile("live", host=HOST, port=server.port), by="mira")
    operations.backends["live"].profile = stored
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RQDASH_")}
    operation = started(operations, asked())

    runner = subprocess.Popen(
        [sys.executable, "-m", "rqdash.cli", "operations", "run"],
        cwd=ROOT,
        env={**kept, "RQDASH_DATA_DIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert wait_until(lambda: operations.records.get(operation.id).state is State.DONE)
    finally:
        runner.send_signal(signal.SIGTERM)

    assert runner.wait(15) == 0
    assert outcomes(operations.records.get(operation.id)) == {"done": 450}
    assert waiting(redis_client) == ids


def test_a_served_dashboard_runs_operations_beside_its_requests(tmp_path: Path, server: Server, redis_client: redis.Redis) -> None:
    ids = fail_jobs(redis_client, 250)
    site = served(tmp_path / "served", {"live": server}).start()

    try:
        made = site.post("/operations", {"verb": "requeue", "on": ["live"], "q": "status:failed"}).json()["operation"]
        site.post(f"/operations/{made['id']}/start", {})
        is_done = wait_until(lambda: site.get(f"/operations/{made['id']}").json()["operation"]["state"] == "done")
        site.hang_up()
    finally:
        site.stop()

    assert (made["state"], made["total"], is_done) == ("planned", 250, True)
    assert waiting(redis_client) == ids
