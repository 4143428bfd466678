"""An action by filter touches exactly the jobs that matched at its moment and were still in that state; all others it counts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rqdash.actions.jobs import ALLOWED
from rqdash.demo.servers import Server, start_server
from rqdash.model.outcome import Verdict
from rqdash.model.registry import Registry
from rqdash.operations import requests
from rqdash.operations.requests import Operations
from rqdash.operations.runner import Runner
from rqdash.operations.values import State
from tests.conftest import backend_of
from tests.filters import AS_OF, Condition, Job, change, conditions, jobs, state, store
from tests.operating import NEVER, asked, mira, opened
from tests.site import Site, site

CASES = 500
ELSEWHERE = "elsewhere"
MISTAKES = (
    "color:red",
    "queue:",
    "queue:mail,",
    '"not closed',
    "status:nonsense",
    "age:2h",
    "age:>2 h",
    "-",
    "- mail",
    "--mail",
    '""',
    "",
    "   ",
    "\t\n",
)


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start_server(tmp_path_factory.mktemp("valkey"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory, own_server: Server) -> Iterator[Operations]:
    backend = backend_of(own_server)
    made = opened(tmp_path_factory.mktemp("data"), {"live": backend})
    yield made
    backend.close()
    made.records.store.close()


@pytest.fixture(scope="module")
def client(own_server: Server) -> Iterator[redis.Redis]:
    with own_server.client() as made:
        yield made


def meant(verb: str, made: list[Job], wanted: list[Condition]) -> set[str]:
    """The jobs that an action by filter is about: what matched at the moment, in a state that the action takes jobs from."""
    takes = [registry for registry in ALLOWED[verb] if registry is not Registry.STARTED]
    matching = [job for job in made if job.at <= AS_OF and all(condition.holds(job) for condition in wanted)]
    return {job.id for job in matching if job.registry in takes}


@given(verb=st.sampled_from(("requeue", "cancel", "delete", "move", "enqueue")), made=jobs(), wanted=conditions())
@settings(max_examples=CASES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
def test_an_action_by_filter_touches_exactly_what_matched_and_is_still_there(
    operations: Operations, client: redis.Redis, verb: str, made: list[Job], wanted: list[Condition]
) -> None:
    store(client, made)
    text = " ".join(condition.text for condition in wanted)
    wish = asked(verb, search=text, as_of=AS_OF, to_queue=ELSEWHERE if verb == "move" else None)
    changed = {job.id for job in made if job.change}

    preview = requests.ask(operations, mira(operations), wish)
    change(client, made)
    before = state(client, made)
    if preview.total:
        requests.start(operations, mira(operations), preview.id)
        Runner(operations).turn(NEVER)
    after = state(client, made)

    ended = operations.records.get(preview.id)
    expected = meant(verb, made, wanted)
    assert preview.state is State.PLANNED
    assert {line.id for line in operations.lines(preview.id)} == expected
    assert {job_id for job_id in before if after.get(job_id) != before[job_id]} == expected - changed
    assert preview.total == len(expected) == ended.tried
    assert ended.tally.get(Verdict.DONE, 0) == len(expected - changed)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, own_server: Server) -> Site:
    return site(tmp_path_factory.mktemp("site"), {"live": backend_of(own_server)})


@pytest.mark.parametrize("text", MISTAKES, ids=repr)
def test_a_mistaken_or_empty_filter_does_nothing(dashboard: Site, client: redis.Redis, text: str) -> None:
    client.flushall()
    browser, api = dashboard.sign_in("operator"), dashboard.token("operator")
    form = {"verb": "delete", "on": "live", "q": text, "as_of": AS_OF.isoformat()}
    client.config_resetstat()

    page = browser.post("/operations", form)
    program = dashboard.stranger().post("/api/v1/operations", json=form, headers=api)

    assert (page.status_code, program.status_code) == (400, 400)
    assert "cmdstat_eval" not in " ".join(client.info("commandstats"))
    assert dashboard.sign_in("admin").get("/operations").get_data(as_text=True).count("/operations/") == 0
