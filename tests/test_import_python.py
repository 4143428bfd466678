"""Python settings files: what is followed, what is refused with a reason, and what RQ would make of it."""

from __future__ import annotations

import pytest

from rqdash.model.profile import Kind, Node, Tls
from rqdash.profiles.readers.read import read_file
from rqdash.profiles.readers.values import Candidate, FileReading, Outcome, Severity

THREE = "[('a', 1), ('b', 2), ('c', 3)]"


def read(text: str, name: str = "settings.py") -> FileReading:
    return read_file(name, text.encode())


def offered(text: str) -> Candidate:
    found = read(text)
    assert len(found.candidates) == 1, found.findings
    return found.candidates[0]


def codes(found: FileReading) -> set[str]:
    return {finding.code for finding in found.findings}


def errors(found: FileReading) -> list[tuple[int, int, str]]:
    return [(each.line, each.column, each.code) for each in found.findings if each.severity is Severity.ERROR]


@pytest.mark.parametrize(
    "expression",
    [
        "'h.example.test'",
        "'h.' + 'example.test'",
        "'%s.%s' % ('h', 'example.test')",
        "'%(a)s.example.test' % {'a': 'h'}",
        "f'{HOST}.example.test'",
        "'{}.{}'.format(HOST, 'example.test')",
        "'{0}.{b}'.format(HOST, b='example.test')",
        "' H.EXAMPLE.TEST '.strip().lower()",
        "'h.example.test,x'.split(',')[0]",
        "'.'.join([HOST, 'example', 'test'])",
        "str('h.example.test')",
        "dict(a='h.example.test')['a']",
        "{**{'a': 'x'}, 'a': 'h.example.test'}.get('a')",
        "None or 'h.example.test'",
    ],
)
def test_texts_are_followed_through_what_people_do_to_them(expression: str) -> None:
    found = offered(f"HOST = 'h'\nREDIS_HOST = {expression}\nREDIS_PORT = int('6380')\nREDIS_DB = -(-3)\n")

    assert (found.profile.host, found.profile.port, found.profile.db) == ("h.example.test", 6380, 3)


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("[h for h in X]", "comprehension"),
        ("'a' if X else 'b'", "conditional"),
        ("(lambda: 'h')()", "call"),
        ("socket.gethostname()", "call"),
        ("open('/etc/hostname').read()", "call"),
        ("undefined", "undefined"),
        ("'a' * 3", "operator"),
        ("2 ** 3", "operator"),
        ("'h' < 'i'", "conditional"),
        ("b'h'", "literal"),
        ("...", "literal"),
        ("f'{X!r}'", "format"),
        ("'{0.x}'.format(X)", "format"),
    ],
)
def test_what_would_have_to_run_is_refused_at_its_place_with_what_to_do(expression: str, code: str) -> None:
    found = read(f"import socket\nX = 'x'\nREDIS_HOST = {expression}\n")

    assert found.outcome is Outcome.REFUSE
    assert errors(found) == [(3, 14, code)]
    assert "write" in found.findings[0].message or "read" in found.findings[0].message


@pytest.mark.parametrize(
    "look_up",
    [
        "os.environ['PW']",
        "os.environ.get('PW')",
        "os.getenv('PW')",
        "environ['PW']",
        "getenv('PW')",
        "o.environ['PW']",
        "config('PW')",
        "env('PW')",
        "env.str('PW')",
        "os.environ['PW'].strip()",
        "str(os.environ['PW'])",
    ],
)
def test_environment_look_ups_become_blanks(look_up: str) -> None:
    found = offered(
        "import os, os as o, environ as environs\nfrom os import environ, getenv\nfrom decouple import config\nfrom environs import Env\n"
        f"env = Env()\nREDIS_HOST = 'h'\nREDIS_PASSWORD = {look_up}\n"
    )

    assert [(need.name, need.fields, need.default, need.is_secret) for need in found.needs] == [("PW", ("password",), None, True)]
    assert found.missing == ()


@pytest.mark.parametrize(
    "look_up",
    ["os.environ.get('P', 6380)", "int(os.getenv('P', '6380'))", "os.environ.get('P') or 6380", "int(os.environ.get('P', default='6380'))"],
)
def test_the_default_of_a_look_up_is_used_and_offered(look_up: str) -> None:
    found = offered(f"import os\nREDIS_HOST = 'h'\nREDIS_PORT = {look_up}\n")

    assert found.profile.port == 6380
    assert [(need.name, need.default) for need in found.needs] == [("P", "6380")]


def test_the_unknown_parts_of_a_url_are_asked_for_one_by_one() -> None:
    found = offered(
        "import os\nfrom urllib.parse import quote\n"
        "REDIS_URL = f\"rediss://app:{quote(os.environ['PW'], safe='')}@{os.environ['H']}:{os.getenv('P', 6380)}/{os.environ['DB']}\"\n"
    )

    assert {need.name: need.fields for need in found.needs} == {"PW": ("password",), "H": ("host",), "DB": ("db",), "P": ("url",)}
    assert (found.profile.username, found.profile.host, found.profile.port, found.profile.tls.enabled) == ("app", "", 6380, True)
    assert set(found.missing) == {"H", "DB"}


def test_a_list_of_sentinels_is_built_by_append_and_extend() -> None:
    found = offered("S = []\nS.append(('a', 1))\nS.extend([('b', 2)])\nS += [('c', 3)]\nSENTINEL = dict(INSTANCES=S, MASTER_NAME='m')\n")

    assert found.profile.sentinels == (Node("a", 1), Node("b", 2), Node("c", 3))


def test_sentinels_from_the_environment_are_one_blank() -> None:
    found = offered("import os\nSENTINEL = {'INSTANCES': os.getenv('S', 'a:1,b:2,c').split(','), 'MASTER_NAME': 'm'}\n")

    assert found.profile.sentinels == (Node("a", 1), Node("b", 2), Node("c", 26379))
    assert [need.name for need in found.needs] == ["S"]


def test_a_value_set_inside_an_if_is_unknown_and_one_that_is_changed_there_is_unsure() -> None:
    unknown = read("import os\nif os.environ.get('X'):\n    REDIS_HOST = 'a'\n")
    unsure = read("import os\nREDIS_HOST = 'a'\nif os.environ.get('X'):\n    REDIS_HOST = 'b'\n")

    assert errors(unknown) == [(3, 5, "conditional")]
    assert unsure.outcome is Outcome.ACCEPT
    assert [(each.line, each.column, each.code) for each in unsure.findings] == [(4, 5, "conditional")]


def test_settings_inside_a_class_are_refused_with_why() -> None:
    found = read("class Config:\n    REDIS_URL = 'redis://h'\n")

    assert errors(found) == [(2, 5, "in-class")]


def test_columns_count_characters_and_not_bytes() -> None:
    found = read("REDIS_HOST = 'ä€🦊' + undefined\n")

    assert errors(found) == [(1, 22, "undefined")]


def test_rq_takes_the_url_before_the_host_and_the_sentinels_before_the_host() -> None:
    url = read("REDIS_URL = 'redis://u'\nREDIS_HOST = 'h'\n")
    sentinels = read(f"SENTINEL = {{'INSTANCES': {THREE}, 'MASTER_NAME': 'm'}}\nREDIS_HOST = 'h'\n")

    assert [candidate.profile.host for candidate in url.candidates] == ["u"]
    assert [candidate.profile.kind for candidate in sentinels.candidates] == [Kind.SENTINEL]
    assert "precedence" in codes(url) & codes(sentinels)


def test_an_empty_sentinel_means_all_defaults_as_for_rq() -> None:
    found = read("SENTINEL = {}\n")

    assert found.candidates[0].profile.sentinels == (Node("localhost", 26379),)
    assert found.candidates[0].profile.master_name == "mymaster"
    assert {"no-instances", "no-master-name", "one-sentinel"} <= codes(found)


def test_keys_in_small_letters_are_read_as_meant_and_said_to_be_nothing_to_rq() -> None:
    found = read(f"sentinel = {{'instances': {THREE}, 'master_name': 'm', 'password': 'fixture-pw'}}\n")

    assert found.candidates[0].profile.master_name == "m"
    assert found.candidates[0].secrets.password == "fixture-pw"
    assert {"not-rq-name", "wrong-case"} <= codes(found)


def test_an_unknown_key_gets_a_suggestion() -> None:
    found = read(f"SENTINEL = {{'INSTANCES': {THREE}, 'MASTER_NAME': 'm', 'PASWORD': 'fixture-pw'}}\n")

    assert next(each.message for each in found.findings if each.code == "unknown-key").endswith("did you mean PASSWORD?")


@pytest.mark.parametrize(
    "text",
    [
        f"SENTINEL = {{'INSTANCES': {THREE}, 'MASTER_NAME': 'm', 'CONNECTION_KWARGS': {{'decode_responses': True}}}}\n",
        "REDIS_URL = 'redis://h?decode_responses=True'\n",
        "RQ_QUEUES = {'default': {'HOST': 'h', 'REDIS_CLIENT_KWARGS': {'decode_responses': True}}}\n",
    ],
)
def test_decode_responses_is_refused_with_why(text: str) -> None:
    found = read(text)

    assert found.outcome is Outcome.REFUSE
    assert any("RQ stores bytes" in each.message for each in found.findings if each.severity is Severity.ERROR)


def sentinel(**settings: str) -> FileReading:
    more = "".join(f", '{key}': {value}" for key, value in settings.items())
    return read(f"import ssl\nSENTINEL = {{'INSTANCES': {THREE}, 'MASTER_NAME': 'm'{more}}}\n")


def test_a_good_timeout_is_kept_and_nothing_is_said_of_it() -> None:
    found = sentinel(SOCKET_TIMEOUT="430", SENTINEL_KWARGS="{'socket_timeout': 1}")

    assert found.candidates[0].profile.worker_socket_timeout_s == 430
    assert codes(found) == set()


@pytest.mark.parametrize(("value", "code"), [("None", "no-timeout"), ("0.5", "short-timeout"), ("414", "short-timeout")])
def test_a_timeout_that_is_missing_or_short_is_explained(value: str, code: str) -> None:
    found = sentinel(SOCKET_TIMEOUT=value)

    message = next(each.message for each in found.findings if each.code == code)
    assert "415 s" in message
    assert "420" in message
    assert found.candidates[0].profile.worker_socket_timeout_s is None


def test_what_the_sentinels_do_not_inherit_is_said() -> None:
    found = sentinel(PASSWORD="'fixture-pw'", SSL="True", SOCKET_TIMEOUT="430", SENTINEL_KWARGS="{}")

    assert {"sentinels-no-password", "tls-one-side", "sentinels-no-timeout"} <= codes(found)


@pytest.mark.parametrize("value", ["ssl.CERT_NONE", "'none'", "None", "'CERT_NONE'"])
def test_each_spelling_of_no_check_is_understood_and_warned_of(value: str) -> None:
    found = sentinel(SSL="True", CONNECTION_KWARGS=f"{{'ssl_cert_reqs': {value}}}")

    assert found.candidates[0].profile.tls == Tls(enabled=True, verify=False, check_hostname=False)
    assert "unverified-tls" in codes(found)


def test_connection_kwargs_win_over_the_keys_beside_them() -> None:
    found = sentinel(DB="1", CONNECTION_KWARGS="{'db': 2, 'username': 'app'}")

    assert (found.candidates[0].profile.db, found.candidates[0].profile.username) == (2, "app")


def test_tables_under_other_names_are_offered_beside_it() -> None:
    found = read(
        f"SENTINEL_MAIL = {{'INSTANCES': {THREE}, 'MASTER_NAME': 'mail'}}\nSENTINEL_CART: {{'INSTANCES': {THREE}, 'MASTER_NAME': 'cart'}}\n"
    )

    assert [candidate.profile.name for candidate in found.candidates] == ["mail", "cart"]
    assert {"not-rq-name", "annotation"} <= codes(found)


def test_a_queue_that_borrows_a_cache_is_refused_and_the_others_are_offered() -> None:
    found = read("RQ_QUEUES = {'a': {'USE_REDIS_CACHE': 'default'}, 'b': {'UNIX_SOCKET_PATH': '/run/redis.sock', 'DB': 2}}\n")

    assert found.outcome is Outcome.PARTIAL
    assert [(candidate.profile.name, candidate.profile.unix_path) for candidate in found.candidates] == [("b", "/run/redis.sock")]


def test_redbeats_own_sentinels_are_read_and_a_broker_that_is_no_redis_is_not() -> None:
    found = read(
        "CELERY_BROKER_URL = 'amqp://guest@h//'\nREDBEAT_REDIS_URL = 'redis-sentinel://x:26379/0'\n"
        f"REDBEAT_REDIS_OPTIONS = {{'sentinels': {THREE}, 'service_name': 'm', 'password': 'fixture-pw', 'retry_period': 60}}\n"
    )

    assert [candidate.profile.sentinels for candidate in found.candidates] == [(Node("a", 1), Node("b", 2), Node("c", 3))]
    assert {"other-tool", "not-redis"} <= codes(found)


def test_a_literal_password_is_worth_a_warning_that_does_not_repeat_it() -> None:
    found = read("REDIS_URL = 'redis://:fixture-pw@h'\n")

    assert codes(found) == {"literal-password"}
    assert "fixture-" not in repr(found)


@pytest.mark.parametrize(
    ("text", "code"), [("print 'x'\n", "syntax"), ("X = (\n", "syntax"), ("x = 1\n", "nothing-found"), ("", "nothing-found")]
)
def test_what_holds_no_settings_is_refused_with_a_sentence(text: str, code: str) -> None:
    found = read(text)

    assert found.outcome is Outcome.REFUSE
    assert [each.code for each in found.findings] == [code]


def test_utf_16_and_latin_1_are_read() -> None:
    wide = read_file("x.py", "REDIS_HOST = 'h'\n".encode("utf-16"))
    latin = read_file("x.py", "# ü\nREDIS_HOST = 'h'\n".encode("latin-1"))

    assert [found.candidates[0].profile.host for found in (wide, latin)] == ["h", "h"]
    assert codes(latin) == {"not-utf-8"}
