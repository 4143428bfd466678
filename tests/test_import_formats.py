"""Files that are not Python: environments, compose files, lists of URLs, sentinel.conf, and exports of other tools."""

from __future__ import annotations

import base64
import json

import pytest

from rqdash.model.profile import Kind, Node
from rqdash.profiles.readers.read import read_file
from rqdash.profiles.readers.values import Candidate, FileReading, Outcome

TWO = (Node("h1", 26379), Node("h2", 26380))


def read(text: str, name: str = "pasted") -> FileReading:
    return read_file(name, text.encode())


def offered(text: str, name: str = "pasted") -> Candidate:
    found = read(text, name)
    assert len(found.candidates) == 1, found.findings
    return found.candidates[0]


def codes(found: FileReading) -> set[str]:
    return {finding.code for finding in found.findings}


def test_an_environment_file_is_read_with_its_quotes_comments_and_groups() -> None:
    found = read(
        '# jobs\nREDIS_HOST=h.example.test\nexport REDIS_PASSWORD="fixture-p#w" \nREDIS_DB=3 # trailing\nDEBUG=1\n'
        "APP_REDIS_URL=rediss://u:fixture-x@h:6380/1?ssl_cert_reqs=CERT_NONE\n"
    )

    main, app = found.candidates
    assert (found.format, found.outcome) == ("env", Outcome.ACCEPT)
    assert (main.profile.host, main.profile.db, main.secrets.password) == ("h.example.test", 3, "fixture-p#w")
    assert (app.profile.host, app.profile.tls.verify, app.secrets.password) == ("h", False, "fixture-x")


@pytest.mark.parametrize(
    "text",
    [
        "REDIS_SENTINEL_HOSTS=h1,h2:26380\nREDIS_MASTER_NAME=m",
        "REDIS_SENTINELS=h1:26379;h2:26380\nREDIS_SENTINEL_MASTER=m",
        "SENTINEL_HOSTS=h1 h2:26380\nSENTINEL_SERVICE_NAME=m",
        "VALKEY_SENTINEL_NODES=h1,h2:26380\nVALKEY_SENTINEL_MASTER_NAME=m",
        "spring.redis.sentinel.nodes=h1,h2:26380\nspring.redis.sentinel.master=m",
    ],
)
def test_sentinels_in_the_environment_have_many_names(text: str) -> None:
    found = offered(text)

    assert (found.profile.kind, found.profile.sentinels, found.profile.master_name) == (Kind.SENTINEL, TWO, "m")


def test_what_an_environment_file_leaves_open_is_a_blank() -> None:
    found = offered("REDIS_URL=redis://:${PW}@${HOST:-h1}:6379/0\n", ".env")

    assert [(need.name, need.fields) for need in found.needs] == [("PW", ("password",)), ("HOST", ("url",))]
    assert found.profile.host == "h1"


def test_a_compose_file_offers_each_connection_once_and_follows_anchors() -> None:
    found = read(
        "x-env: &env\n  REDIS_URL: redis://:${PW}@redis:6379/0\nservices:\n  redis:\n    image: redis\n  web:\n    environment: *env\n"
        "  worker:\n    command: rq worker -u redis://redis:6379/5\n    environment:\n      <<: *env\n  other:\n    environment:\n"
        "      - REDIS_HOST=h.example.test\n      - REDIS_PASSWORD\n",
        "docker-compose.yml",
    )

    assert found.format == "compose"
    assert [(candidate.profile.host, candidate.profile.db) for candidate in found.candidates] == [
        ("redis", 0),
        ("redis", 5),
        ("h.example.test", 0),
    ]
    assert [need.name for need in found.candidates[2].needs] == ["REDIS_PASSWORD"]
    assert "service-name" in codes(found)


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://:fixture-pw@h1,h2:26380/m/2",
        "redis-sentinel://:fixture-pw@h1,h2:26380/2?sentinelMasterId=m",
        "redis-sentinel://:fixture-pw@h1,h2:26380/2#m",
        "sentinel://:fixture-pw@h1/2;sentinel://:fixture-pw@h2:26380/2?sentinel_master=m",
        "sentinel://:fixture-pw@h1,h2:26380?service_name=m&db=2",
        "valkey+sentinel://:fixture-pw@h1,h2:26380/m/2",
        "redis-sentinel://:fixture-pw@h1,h2:26380/2?master=m",
    ],
)
def test_each_spelling_of_sentinels_in_a_list_of_urls_means_the_same(url: str) -> None:
    found = offered(f"# ours\n{url}\n")

    profile = found.profile
    assert (profile.sentinels, profile.master_name, profile.db, found.secrets.password) == (TWO, "m", 2, "fixture-pw")


def test_a_list_of_urls_may_name_them_and_a_bad_line_costs_no_other() -> None:
    found = read("jobs = redis://h1/0\n- redis://h2/1\nhttp://nothing\nredis://h3/abc\n")

    assert [candidate.profile.name for candidate in found.candidates] == ["jobs", "h2"]
    assert (found.outcome, [each.line for each in found.findings]) == (Outcome.PARTIAL, [3, 4])


def test_options_of_a_master_nobody_monitors_are_refused() -> None:
    found = read("sentinel monitor a 192.0.2.1 6379 2\nsentinel auth-pass b fixture-pw\n", "sentinel.conf")

    assert (found.outcome, found.findings[-1].code, found.findings[-1].line) == (Outcome.PARTIAL, "unknown-master", 2)


def test_several_masters_are_each_offered_and_a_dollar_in_a_password_is_no_template() -> None:
    found = read(
        "SENTINEL MONITOR a h 6379 2\nsentinel monitor b h 6380 2\nsentinel auth-pass a fixture$Pw\nsentinel known-sentinel a h1 1 x\n"
    )

    assert [candidate.profile.master_name for candidate in found.candidates] == ["a", "b"]
    assert found.candidates[0].secrets.password == "fixture$Pw"


DESKTOP = [
    {
        "host": "s1",
        "port": "26379",
        "auth": "fixture-spw",
        "username": "app",
        "name": "jobs",
        "sentinelOptions": {"masterName": "m", "nodePassword": "fixture-pw"},
    },
    {"host": "h", "port": 6379, "auth": "", "sshOptions": {"host": "x"}},
    {"host": "h", "port": 6379, "cluster": True},
]


def test_another_redis_desktop_manager_keeps_the_sentinels_password_as_auth() -> None:
    found = read(base64.b64encode(json.dumps(DESKTOP).encode()).decode())

    profile, secrets = found.candidates[0].profile, found.candidates[0].secrets
    assert (found.format, found.outcome) == ("ardm", Outcome.PARTIAL)
    assert (profile.name, profile.sentinels, profile.master_name, profile.username) == ("jobs", (Node("s1", 26379),), "m", "app")
    assert (secrets.password, secrets.sentinel_password) == ("fixture-pw", "fixture-spw")
    assert {"tunnel", "cluster"} <= codes(found)


@pytest.mark.parametrize(
    "sentinels",
    [
        "h1:26379, h2:26380",
        ["h1:26379", "h2:26380"],
        [{"host": "h1"}, {"host": "h2", "port": 26380}],
        '[{"host": "h1"}, {"host": "h2", "port": 26380}]',
    ],
)
def test_redis_commanders_four_spellings_of_sentinels_are_read(sentinels: object) -> None:
    connection = {"label": "jobs", "sentinels": sentinels, "sentinelName": "m", "sentinelPassword": "fixture-spw", "password": "fixture-pw"}

    found = offered(json.dumps({"connections": [connection]}), "local.json")

    assert (found.profile.name, found.profile.sentinels, found.profile.master_name) == ("jobs", TWO, "m")
    assert (found.secrets.password, found.secrets.sentinel_password) == ("fixture-pw", "fixture-spw")


def test_redisinsights_standalone_and_cluster_connections() -> None:
    items = [
        {"host": "h", "port": 6380, "name": "One DB", "db": 2, "username": "u", "password": "fixture-pw", "connectionType": "STANDALONE"},
        {"host": "h", "port": 6380, "name": "many", "connectionType": "CLUSTER"},
    ]

    found = read(json.dumps(items))

    assert [(each.profile.name, each.profile.db, each.profile.username) for each in found.candidates] == [("one-db", 2, "u")]
    assert codes(found) == {"cluster"}


def test_broken_json_is_refused_where_it_breaks() -> None:
    found = read('{"connections": [\n  {"host": }]}', "x.json")

    assert [(each.line, each.column, each.code) for each in found.findings] == [(2, 12, "syntax")]


def test_a_file_of_something_else_is_refused_with_what_is_read() -> None:
    found = read("Dear all,\nplease find attached\n")

    assert found.outcome is Outcome.REFUSE
    assert "sentinel.conf" in found.findings[0].message
