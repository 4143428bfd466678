"""What a policy hides is in no page and no JSON, however deep it lies and however the job spells it."""

from __future__ import annotations

import base64
import json
import pickle
import random
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rq.utils import get_call_string

from rqdash.backends.backend import Backend
from rqdash.model import redaction
from rqdash.model.profile import REDACTED, Profile
from rqdash.queries.job import job
from tests.rich import SECRETS, rich
from tests.site import Browser, Site, site
from tests.stored import EXECUTION, NOW, NOW_S, Stored

FUNCTION = "app.tasks.send"
# A whole site is asked for each example: one that fails is told as it is, for to shrink it takes minutes.
QUICK = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": (Phase.explicit, Phase.generate),
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}
CORES = ("password", "Passwd", "SECRET", "token", "api_key", "ApiKey", "Authorization", "credential", "private_key")
DEFAULT = redaction.of(Profile("live"))


@dataclass
class Order:
    """An object whose state has the name in it, and whose repr says so."""

    id: int
    password: object


class Quiet:
    """An object that says what it holds without saying its name."""

    def __init__(self, **state: object) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return f"<Quiet {list(self.__dict__.values())}>"


# The rules.


@pytest.mark.parametrize("name", ["password", "DB_PASSWORD", "passwords_old", "my api_key here", "Ｔoken_token", "authorization"])
def test_a_rule_matches_any_name_it_is_part_of_without_regard_to_case(name: str) -> None:
    assert DEFAULT.rule(name)


@pytest.mark.parametrize("name", ["", "pass", "key", "api-key", "user"])
def test_other_names_are_left_alone(name: str) -> None:
    assert DEFAULT.rule(name) == ""


@pytest.mark.parametrize(
    ("rule", "hidden", "shown"),
    [
        ("pin", "PIN", "shipping"),
        ("*_key", "a_key", "a_keys"),
        ("x?z", "xyz", "xz"),
        ("a*b*c", "a-bb-c", "acb"),
        ("*пароль*", "МОЙ_ПАРОЛЬ", "п"),
    ],
)
def test_stars_and_question_marks_are_what_they_are_elsewhere(rule: str, hidden: str, shown: str) -> None:
    hides = redaction.of(replace(Profile("live"), redact=(rule,)))

    assert (hides.rule(hidden), hides.rule(shown)) == (rule, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("f(1, password='x', b=2)", "f(1, password=<hidden by the rule *password*>, b=2)"),
        ("f({'password': 'it\\'s, x', 'n': 2})", "f({'password':<hidden by the rule *password*>, 'n': 2})"),
        ('{"token": 12, "n": 2}', '{"token":<hidden by the rule *token*>, "n": 2}'),
        ("f(token=<T a, b>, z=1)", "f(token=<hidden by the rule *token*>"),
        ("f('long..., password='x...')", "f('long..., password=<hidden by the rule *password*>"),
        ("https://h/?api_key=x&n=1", "https://h/?api_key=<hidden by the rule *api_key*>"),
        ("{'the password, of all': 'x', 'b': 2}", "{'the password, of all':<hidden by the rule *password*>, 'b': 2}"),
        ("Authorization: Bearer x", "Authorization:<hidden by the rule *authorization*>"),
        ("reset the password of user 4", "reset the password of user 4"),
        ("f('password', n='x')", "f('password', n='x')"),
    ],
)
def test_a_text_loses_the_values_it_names_and_the_rest_where_their_end_is_unsure(text: str, told: str) -> None:
    assert DEFAULT.text(text) == told


@pytest.mark.parametrize("rule", ["", "a b", "a'b", "a,b", "x" * 65, "*a*b*c*d*", "***", "*?", "a\nb"])
def test_what_cannot_be_a_rule_is_refused_with_a_remedy(rule: str) -> None:
    assert redaction.problem([rule]).endswith((".", "that."))


def test_the_usual_rules_can_be_rules() -> None:
    assert redaction.problem(REDACTED) == ""


# No page and no JSON.


@pytest.fixture
def pages(tmp_path: Path, redis_client: redis.Redis, backend: Backend) -> Pages:
    place = site(tmp_path / "data", {"live": backend})
    return Pages(place, place.sign_in("admin"), place.token("admin"))


@dataclass(slots=True)
class Pages:
    """Whatever is shown of the jobs of one backend, as pages and as JSON."""

    site: Site
    browser: Browser
    token: dict[str, str]

    def everything(self, *job_ids: str) -> str:
        paths = [f"/b/live/queue?name=mail&registry={registry}" for registry in ("queued", "failed", "started", "finished", "deferred")]
        paths += [f"/b/live/job?id={job_id}" for job_id in job_ids] + [f"/b/live/job?id={job_id}&trace=full" for job_id in job_ids[:1]]
        paths += ["/", "/workers", *self.found()]
        return "".join(self.read(path) for path in paths)

    def found(self) -> list[str]:
        """The pages over many backends that show jobs, as far as there are such."""
        rules = {rule.rule for rule in self.site.app.url_map.iter_rules()}
        wanted = (("/jobs", "/jobs?q=queue:mail"), ("/failures", "/failures"), ("/failures", "/failures?view=groups"))
        return [path for rule, path in wanted if rule in rules]

    def read(self, path: str) -> str:
        page = self.browser.get(path)
        said = self.site.stranger().get(f"/api/v1{path}", headers=self.token)
        assert (page.status_code, said.status_code) == (200, 200), path
        return page.get_data(as_text=True) + said.get_data(as_text=True)


def kept(value: object, name: str, shape: str) -> object:
    """A value under a name, as programs keep one."""
    return {
        "dict": lambda: {"n": 1, name: value, "z": "last"},
        "ordered": lambda: OrderedDict([(name, value)]),
        "object": lambda: Quiet(a=1, **{name: value}),
        "namespace": lambda: SimpleNamespace(**{name: value}),
        "dataclass": lambda: Order(7, value),
        "pair": lambda: [("host", "h"), (name, value)],
        "option": lambda: ["run", f"--{name}", value, "-v"],
        "json": lambda: json.dumps({"a": 1, name: str(value)}),
        "query": lambda: f"https://h.example/?a=1&{name}={value}",
    }[shape]()


SHAPES = ("dict", "ordered", "object", "namespace", "dataclass", "pair", "option", "json", "query")
WRAPS: dict[str, Callable[[Any], object]] = {
    "list": lambda value: [1, value],
    "tuple": lambda value: (value, "after"),
    "dict": lambda value: {"of": value, 3: "x"},
    "object": lambda value: Quiet(inner=value),
}
names = st.builds("{}{}{}".format, st.sampled_from(("", "my_", "x")), st.sampled_from(CORES), st.sampled_from(("", "_old", "2")))
hidden = st.tuples(names, st.sampled_from(SHAPES), st.lists(st.sampled_from(sorted(WRAPS)), max_size=3))


def built(spec: list[tuple[str, str, list[str]]]) -> tuple[list[object], dict[str, object], list[str]]:
    """Arguments, keywords and secrets: the first few by position inside what names them, one as a keyword of its own."""
    secrets = [f"zq{number}xjkv" for number in range(len(spec) + 1)]
    arguments: list[object] = []
    for secret, (name, shape, wraps) in zip(secrets, spec, strict=False):
        value = kept(secret, name, shape)
        for wrap in wraps:
            value = WRAPS[wrap](value)
        arguments.append(value)
    return arguments, {"plain": 4, f"k_{CORES[len(spec) % len(CORES)]}": secrets[-1]}, secrets


def put(stored: Stored, arguments: list[object], keywords: dict[str, object], *, filler: str = "") -> tuple[str, ...]:
    """The same call waiting, failed, running, finished with it as its result, and deferred."""
    call = [*arguments, filler] if filler else arguments
    data = zlib.compress(pickle.dumps((FUNCTION, None, tuple(call), keywords)))
    plain = {"data": data, "description": get_call_string(FUNCTION, call, keywords, max_length=75), "meta": pickle.dumps(keywords)}
    stored.waiting("waiting", **plain)
    stored.failed("failed")
    stored.client.hset("rq:job:failed", mapping=plain)
    stored.running(stored.worker("worker", state="busy"), "running")
    stored.client.hset("rq:job:running", mapping=plain)
    stored.entry("finished", stored.job("finished", status="finished", **plain), NOW_S + 1e6)
    returned = base64.b64encode(pickle.dumps([*arguments, keywords]))
    stored.client.xadd("rq:results:finished", {"type": 1, "return_value": returned})
    stored.entry("deferred", stored.job("child", status="deferred", dependency_ids='["waiting"]', **plain), NOW_S)
    stored.client.sadd("rq:job:waiting:dependents", "child")
    stored.entry("started", f"running:{EXECUTION}", NOW_S + 1e7)
    return ("failed", "waiting", "running", "finished", "child")


@settings(max_examples=15, **QUICK)
@given(spec=st.lists(hidden, min_size=6, max_size=10))
def test_no_value_under_a_hidden_name_is_in_any_page_or_json(
    pages: Pages, redis_client: redis.Redis, spec: list[tuple[str, str, list[str]]]
) -> None:
    redis_client.flushall()
    arguments, keywords, secrets = built(spec)
    ids = put(Stored(redis_client), arguments, keywords)

    shown = pages.everything(*ids)

    assert [secret for secret in secrets if secret in shown] == []
    assert "hidden by the rule" in shown


@settings(max_examples=4, **QUICK)
@given(
    spec=st.lists(
        st.tuples(names, st.sampled_from(("dict", "dataclass", "namespace", "json", "query")), st.just([])), min_size=2, max_size=4
    )
)
def test_nor_of_a_job_whose_data_is_too_large_for_a_list(
    pages: Pages, redis_client: redis.Redis, spec: list[tuple[str, str, list[str]]]
) -> None:
    redis_client.flushall()
    arguments, keywords, secrets = built(spec)
    ids = put(Stored(redis_client), arguments, keywords, filler=random.Random(1).randbytes(12_000).hex())

    shown = pages.everything(*ids)

    assert [secret for secret in secrets if secret in shown] == []


@pytest.mark.parametrize("policy", ["described", "hidden"])
def test_a_policy_that_shows_no_values_shows_none(tmp_path: Path, redis_client: redis.Redis, backend: Backend, policy: str) -> None:
    place = site(tmp_path / "data", {"live": backend.relabelled(replace(backend.profile, arguments=policy, redact=()))})
    values = ["zqvalue", {"zqkey": "zqinner"}, 4711_4711]
    ids = put(Stored(redis_client), values, {"zqname": "zqcustomer"})

    shown = Pages(place, place.sign_in("admin"), place.token("admin")).everything(*ids)

    assert [text for text in ("zqvalue", "zqkey", "zqinner", "zqcustomer", "47114711") if text in shown] == []
    assert FUNCTION in shown
    assert ("zqname" in shown, "7 characters" in shown) == ((True, True) if policy == "described" else (False, False))


@pytest.mark.parametrize("policy", ["shown", "described", "hidden"])
def test_nothing_secret_of_a_job_with_everything_is_shown(tmp_path: Path, redis_client: redis.Redis, backend: Backend, policy: str) -> None:
    place = site(tmp_path / "data", {"live": backend.relabelled(replace(backend.profile, arguments=policy))})
    rich(Stored(redis_client), queue="mail", dependents=5)

    shown = Pages(place, place.sign_in("admin"), place.token("admin")).everything("rich")

    assert [secret for secret in SECRETS if secret in shown] == []


# What is said of it.


def test_a_page_says_which_rule_hid_what(pages: Pages, redis_client: redis.Redis) -> None:
    put(Stored(redis_client), ["plain"], {"user": "bob", "db_password": "zq"})

    page = pages.browser.get("/b/live/job?id=waiting").get_data(as_text=True)

    assert "Hidden by name: *password*" in page
    assert "hidden by the rule *password*" in page
    assert "&#39;bob&#39;" in page


def test_a_policy_says_that_it_hides(tmp_path: Path, redis_client: redis.Redis, backend: Backend) -> None:
    put(Stored(redis_client), ["plain", 2], {"user": "bob"})
    said = {}
    for policy in ("described", "hidden"):
        place = site(tmp_path / policy, {"live": backend.relabelled(replace(backend.profile, arguments=policy))})
        said[policy] = place.sign_in("viewer").get("/b/live/job?id=waiting").get_data(as_text=True)

    assert "Types and sizes only, by the policy of this connection" in said["described"]
    assert "2 positional and 1 keyword arguments, hidden by the policy of this connection" in said["hidden"]


def test_a_description_without_a_hidden_name_stays_as_it_was_written(stored_rows: Callable[..., str]) -> None:
    assert stored_rows(description="app.tasks.send(7)") == "app.tasks.send(7)"
    assert stored_rows(description="the password mails of today") == "the password mails of today"
    assert stored_rows(description="renew token=zq for bob") == "renew token=<hidden by the rule *token*>"


@pytest.fixture
def stored_rows(redis_client: redis.Redis, backend: Backend) -> Callable[..., str]:
    def description(**fields: object) -> str:
        Stored(redis_client).waiting("job", **fields)
        return job(backend, "job", now=NOW).row.description

    return description


def test_hidden_values_keep_their_type_and_their_neighbours(redis_client: redis.Redis, backend: Backend) -> None:
    put(Stored(redis_client), [{"host": "h", "token": [1, 2]}], {"secret": b"zq"})

    call = job(backend, "waiting", now=NOW).call

    (first,) = call.args
    assert first.text == "{'host': 'h', 'token': <hidden by the rule *token*>}"
    assert [(key, item.type, item.text, item.rule) for key, item in first.items] == [
        ("host", "str", "'h'", ""),
        ("token", "list", "hidden by the rule *token*", "*token*"),
    ]
    assert [(key, item.type, item.rule) for key, item in call.kwargs] == [("secret", "bytes", "*secret*")]
    assert call.rules == ("*secret*", "*token*")


def test_keys_within_keys_take_no_time(redis_client: redis.Redis, backend: Backend) -> None:
    nested: object = "x"
    for _ in range(60):
        nested = frozenset([(nested, "password")])

    put(Stored(redis_client), [{nested: 1}], {})

    assert job(backend, "waiting", now=NOW).call.args
