"""Files as people write them: what is offered of each, what is refused, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from rqdash.model.profile import Kind, Node
from rqdash.profiles.readers.read import read_file
from rqdash.profiles.readers.values import Candidate, FileReading, Severity

DIRECTORY = Path(__file__).parent / "fixtures" / "sentinel-configs"


@dataclass(frozen=True, slots=True)
class Expected:
    """errors, warnings and notes are places that must have a finding of that severity, as line:column; errors are all there may be."""

    outcome: str
    profiles: int
    errors: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


EXPECTED = {
    "01_rq_docs_annotation_not_assignment.py": Expected("accept", 1, findings=("2:1 warning annotation",)),
    "02_rq_full_dict.py": Expected("accept", 1, findings=("8:27 warning tls-off", "7:5 warning no-timeout")),
    "03_rq_minimal_defaults.py": Expected("accept", 1, findings=("1:13 warning one-sentinel", "1:1 info no-master-name")),
    "05_env_required_subscript.py": Expected("accept", 1, needs=("REDIS_HOST", "REDIS_PORT", "REDIS_JOBS_DB")),
    "06_from_os_import_getenv_default.py": Expected("accept", 1, findings=("3:13 info environment",), needs=("REDIS_URL",)),
    "07_str_format_env.py": Expected("accept", 1, findings=("3:13 info environment",), needs=("REDIS_URL",)),
    "09_import_project_settings.py": Expected("refuse", 0, errors=("3:14", "4:14", "5:18")),
    "11_undefined_bareword.py": Expected("partial", 1, errors=("3:14", "5:18"), needs=("port", "password")),
    "15_url_and_sentinel_both.py": Expected("accept", 2, findings=("2:1 warning precedence",)),
    "16_django_rq_readme_shape.py": Expected("accept", 4, findings=("15:1 info same-connection",), needs=("REDISTOGO_URL",)),
    "20_netbox_redis.py": Expected("accept", 1, findings=("9:5 info not-queues",)),
    "23_list_comprehension_env.py": Expected("refuse", 0, errors=("4:18",)),
    "25_celery_sentinel_urls.py": Expected("accept", 1, findings=("1:1 info other-tool",)),
    "28_instance_shapes.py": Expected(
        "partial",
        1,
        errors=("9:9", "10:9", "11:9"),
        findings=(
            "4:9 warning port-as-text",
            "5:9 warning text-not-pair",
            "7:9 warning bracketed",
            "8:9 warning duplicate",
            "14:5 warning unknown-key",
        ),
    ),
    "29_missing_comma_pair.py": Expected("refuse", 0, errors=("1:26",)),
    "31_tls_only_on_data.py": Expected("accept", 1, findings=("4:5 warning tls-one-side", "3:85 warning cert-spelling"), needs=("ca_pem",)),
    "33_bom_crlf.py": Expected("accept", 1),
    "35_must_never_run.py": Expected("refuse", 0, errors=("3:28", "4:28", "5:25")),
    "37_reassigned_and_update.py": Expected("accept", 1, findings=("4:25 warning short-timeout",)),
    "50_sentinel_minimal.conf": Expected("accept", 1, findings=("1:1 warning needs-sentinels",), needs=("sentinels",)),
    "52_sentinel_acl.conf": Expected(
        "accept",
        1,
        findings=("2:1 warning whose-password", "5:1 warning whose-password", "6:1 warning whose-password"),
        needs=("sentinels",),
    ),
    "53_sentinel_rewritten.conf": Expected("accept", 1, findings=("9:1 warning own-address",)),
    "55_sentinel_template.tpl": Expected("refuse", 0, errors=("1:6", "2:18", "3:20")),
    "60_redisinsight_export.json": Expected("accept", 1, needs=("ca_pem", "sentinel_ca_pem")),
}


def read(name: str) -> FileReading:
    return read_file(name, (DIRECTORY / name).read_bytes())


def only(name: str) -> Candidate:
    candidates = read(name).candidates
    assert len(candidates) == 1
    return candidates[0]


def test_every_fixture_has_its_expectation() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_fixture_is_read_as_expected(name: str) -> None:
    expected = EXPECTED[name]

    found = read(name)

    errors = tuple(f"{each.line}:{each.column}" for each in found.findings if each.severity is Severity.ERROR)
    all_found = {f"{each.line}:{each.column} {each.severity.value} {each.code}" for each in found.findings}
    assert (found.outcome.value, len(found.candidates)) == (expected.outcome, expected.profiles), found.findings
    assert errors == expected.errors
    assert set(expected.findings) <= all_found
    assert tuple(need.name for candidate in found.candidates for need in candidate.needs) == expected.needs


@pytest.mark.parametrize("name", EXPECTED)
def test_no_finding_and_no_representation_holds_a_password_of_the_file(name: str) -> None:
    found = read(name)

    assert "fixture-" not in repr(found)


def test_the_documentations_own_sample_is_read_as_meant() -> None:
    found = only("01_rq_docs_annotation_not_assignment.py")

    profile = found.profile
    assert [node.host for node in profile.sentinels] == ["s1.example.test", "s2.example.test", "s3.example.test"]
    assert (profile.master_name, profile.db, profile.username, profile.sentinel_username) == ("master", 2, "app", "sent")
    assert (found.secrets.password, found.secrets.sentinel_password) == ("fixture-pw", "fixture-spw")
    assert not profile.tls.enabled


def test_look_ups_become_blanks_with_their_defaults() -> None:
    found = only("06_from_os_import_getenv_default.py")

    assert (found.profile.host, found.profile.port) == ("127.0.0.1", 6379)
    assert [(need.name, need.fields, need.default) for need in found.needs] == [("REDIS_URL", ("url",), "redis://127.0.0.1:6379")]
    assert found.missing == ()


def test_django_queues_keep_their_names_and_their_separate_sides() -> None:
    found = read("16_django_rq_readme_shape.py")

    profiles = {candidate.profile.name: candidate.profile for candidate in found.candidates}
    assert list(profiles) == ["default", "with-sentinel", "high", "low"]
    assert profiles["with-sentinel"].tls.enabled
    assert not profiles["with-sentinel"].sentinel_tls.enabled
    assert profiles["with-sentinel"].sentinel_username == "su"


def test_celerys_password_is_redis_and_its_sentinel_kwargs_are_the_sentinels() -> None:
    found = only("25_celery_sentinel_urls.py")

    assert found.profile.sentinels == (Node("s1", 26379), Node("s2", 26379), Node("s3", 26379))
    assert (found.profile.master_name, found.secrets.password, found.secrets.sentinel_password) == ("cluster1", "fixture-pw", "fixture-spw")


def test_what_can_be_read_of_a_list_of_sentinels_is_kept() -> None:
    found = only("28_instance_shapes.py")

    assert [str(node) for node in found.profile.sentinels] == [
        "s1.example.test:26379",
        "s2.example.test:26380",
        "s3.example.test:26381",
        "[2001:db8::7]:26379",
        "[2001:db8::8]:26379",
    ]


def test_changes_after_the_assignment_are_followed() -> None:
    found = only("37_reassigned_and_update.py")

    assert (found.profile.db, found.secrets.password) == (3, "fixture-pw")


def test_a_sentinel_conf_tells_the_passwords_apart_and_takes_no_data_server_for_a_sentinel() -> None:
    acl, rewritten = only("52_sentinel_acl.conf"), only("53_sentinel_rewritten.conf")

    assert (acl.secrets.password, acl.secrets.sentinel_password, acl.profile.username) == ("fixture-pw", "fixture-spw", "app")
    assert acl.profile.sentinels == ()
    assert rewritten.profile.sentinels == (Node("192.0.2.21", 26379), Node("192.0.2.22", 26379))


def test_redisinsights_host_and_password_are_the_sentinels() -> None:
    found = only("60_redisinsight_export.json")

    assert (found.profile.kind, found.profile.name, found.profile.username) == (Kind.SENTINEL, "jobs-prod", "app")
    assert found.profile.sentinels == (Node("s1.example.test", 26379),)
    assert (found.secrets.password, found.secrets.sentinel_password) == ("fixture-pw", "fixture-spw")
    assert (found.profile.tls.enabled, found.profile.sentinel_tls.enabled) == (True, True)
