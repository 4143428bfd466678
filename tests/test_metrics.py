"""/metrics: what Prometheus reads, who may, and that the files in deploy/ ask for nothing that is not there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
import yaml
from prometheus_client.parser import text_string_to_metric_families

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server, free_port
from rqdash.history.latest import Latest
from rqdash.store import open_store
from rqdash.web.metrics import text
from tests.conftest import backend_of
from tests.histories import Recording
from tests.site import Site, site
from tests.stored import HOSTILE, Stored

DEPLOY = Path(__file__).parents[1] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
NAME = re.compile(r"\brqdash_[a-z_]+")

Found = dict[tuple[str, ...], float]


@pytest.fixture
def dead(server: Server) -> Iterator[Backend]:
    backend = backend_of(replace(server, port=free_port()), name="legacy")
    yield backend
    backend.close()


@pytest.fixture
def place(tmp_path: Path, backend: Backend, dead: Backend) -> Site:
    return site(tmp_path, {"live": backend, "legacy": dead})


def record(place: Site, *backends: Backend, times: int = 1) -> None:
    """Samples the backends just now; their rates need two samples."""
    now = datetime.now(UTC).timestamp()
    recording = Recording(open_store("", data_dir=place.settings.data_dir), {backend.name: backend for backend in backends}, now)
    recording.now -= 10 * times
    recording.turn(times)


def scraped(place: Site, path: str = "/metrics", *, grants: tuple[str, ...] = ("*",)) -> dict[str, Found]:
    """Values by metric, and by the values of its labels in their order."""
    response = place.stranger().get(path, headers=place.token("viewer", grants=grants))
    assert response.status_code == 200
    families = text_string_to_metric_families(response.get_data(as_text=True))
    return {family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples} for family in families}


def test_the_newest_samples_are_told_for_each_backend_and_queue(
    place: Site, backend: Backend, dead: Backend, redis_client: redis.Redis
) -> None:
    put = Stored(redis_client)
    for number in range(3):
        put.waiting(f"w{number}")
    put.failed("f", score=1e11)
    put.worker("busy", state="busy", queues="mail,high", successful_job_count=4)
    redis_client.set("rq:suspended", 1)
    record(place, backend, dead, times=2)

    found = scraped(place)

    assert found["rqdash_up"] == {("live",): 1, ("legacy",): 0}
    assert (found["rqdash_jobs"]["live", "mail", "queued"], found["rqdash_jobs"]["live", "mail", "failed"]) == (3, 1)
    assert found["rqdash_oldest_job_age_seconds"]["live", "mail"] > 0
    assert found["rqdash_queue_workers"] == {("live", "mail", "listening"): 1, ("live", "mail", "busy"): 1}
    assert found["rqdash_workers"]["live", "busy"] == 1
    assert found["rqdash_workers"]["live", "lost"] == 0
    assert found["rqdash_suspended"] == {("live",): 1}
    assert found["rqdash_finished_per_minute"] == {("live",): 0}
    assert 0 <= found["rqdash_scrape_age_seconds"]["live",] < 60
    assert found["rqdash_scrape_duration_seconds"]["live",] < 10
    assert not [labels for values in found.values() for labels in values if "legacy" in labels and values is not found["rqdash_up"]]


def test_names_of_any_content_are_told_apart(place: Site, backend: Backend, redis_client: redis.Redis) -> None:
    for name in HOSTILE:
        Stored(redis_client).queue(name)
    record(place, backend)

    found = scraped(place)["rqdash_oldest_job_age_seconds"]

    assert len(found) == len(HOSTILE)
    assert ("live", "<script>alert(1)</script>") in found


def test_a_token_sees_its_grants_alone(place: Site, backend: Backend, dead: Backend) -> None:
    record(place, backend, dead)

    few = scraped(place, grants=("legacy",))
    chosen = scraped(place, "/metrics?backend=live")
    refused = place.stranger().get("/metrics?backend=live", headers=place.token("viewer", grants=("legacy",)))

    assert (set(few["rqdash_up"]), set(chosen["rqdash_up"])) == ({("legacy",)}, {("live",)})
    assert (refused.status_code, refused.json["code"]) == (404, "not_found")


def test_strangers_are_refused_in_json_and_browsers_may_look(place: Site) -> None:
    stranger = place.stranger().get("/metrics")
    mistaken = place.stranger().get("/metrics", headers={"Authorization": "Bearer rqd_wrong"})
    browser = place.sign_in("viewer").get("/metrics")

    assert (stranger.status_code, stranger.json["code"], mistaken.status_code) == (401, "not_signed_in", 401)
    assert (browser.status_code, browser.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")


def test_before_the_first_sample_there_are_no_values(place: Site) -> None:
    assert all(not values for values in scraped(place).values())


def test_what_is_old_is_not_told_but_for_its_age() -> None:
    asked = datetime(2026, 1, 1, tzinfo=UTC)
    latest = [Latest("live", asked.timestamp(), asked.timestamp(), 3.0, "")]

    told = text(latest, now=asked + timedelta(minutes=5)).text.decode()

    assert {line for line in told.splitlines() if not line.startswith("#")} == {
        'rqdash_scrape_age_seconds{backend="live"} 300.0',
        "rqdash_recorder_age_seconds 300.0",
    }


def told_names() -> set[str]:
    return set(NAME.findall(text([], now=datetime.now(UTC)).text.decode()))


def test_the_alerts_have_their_parts_and_ask_for_metrics_that_are_told() -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    asked = {name for rule in rules for name in NAME.findall(rule["expr"])}

    assert {group["name"] for group in groups} == {"rqdash"}
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 8
    assert all({"summary", "description"} <= rule["annotations"].keys() for rule in rules)
    assert {rule["labels"]["severity"] for rule in rules} == {"critical", "warning"}
    assert asked <= told_names()


def complaints(*arguments: str, stdin: bytes = b"") -> str:
    """What promtool finds wrong. It comes with a whole Prometheus: where it is not on PATH, nothing is asked and nothing found."""
    if shutil.which("promtool") is None:
        return ""
    done = subprocess.run(["promtool", "check", *arguments], input=stdin, capture_output=True, check=False)
    return "" if done.returncode == 0 else (done.stdout + done.stderr).decode()


def test_where_promtool_is_installed_it_finds_nothing_wrong() -> None:
    latest = Latest("live", 1.0, 1.0, 3.0, "", workers={"busy": 1}, rates={"finished_per_min": 1.0})
    told = text([latest], now=datetime.fromtimestamp(2, UTC)).text

    assert complaints("rules", str(RULES)) == ""
    assert complaints("metrics", stdin=told) == ""


def test_the_dashboard_for_grafana_asks_for_metrics_that_are_told() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    panels = dashboard["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", ())]

    asked = {name for query in queries for name in NAME.findall(query)}
    places = [panel["gridPos"] for panel in panels]

    assert {"title", "uid", "schemaVersion", "templating", "time"} <= dashboard.keys()
    assert len({panel["id"] for panel in panels}) == len(panels) >= 8
    assert len({(place["x"], place["y"]) for place in places}) == len(places)
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert {"rqdash_up", "rqdash_jobs", "rqdash_workers"} <= asked <= told_names()
    assert all(target["datasource"]["uid"] == "${datasource}" for panel in panels for target in panel.get("targets", ()))
