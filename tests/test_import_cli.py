"""rqdash import: what it prints, what it saves, and its exit codes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rqdash.access.access import open_access
from rqdash.cli import main
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.settings import Settings
from rqdash.store import open_store

FIXTURES = Path(__file__).parent / "fixtures" / "sentinel-configs"
Run = Callable[..., Result]
KEYS = ["name", "kind", "host", "port", "sentinels", "master_name", "db", "username", "has_password", "tls", "needs"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(data_dir: Path) -> Run:
    """run("file", "--json", stdin=…) runs rqdash import on a data directory of its own."""

    def _run(*arguments: str, stdin: str = "") -> Result:
        kept = {name: None for name in os.environ if name.startswith("RQDASH_")}
        return CliRunner().invoke(main, ("import", *arguments), input=stdin, env={**kept, "RQDASH_DATA_DIR": str(data_dir)})

    return _run


@pytest.fixture
def profiles(data_dir: Path) -> Iterator[Profiles]:
    store = open_store("", data_dir=data_dir)
    yield open_profiles(store, Settings(data_dir=data_dir))
    store.close()


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.py"
    path.write_text("REDIS_HOST = 'jobs.example.test'\nREDIS_PASSWORD = 'fixture-pw'\n")
    return path


def fixture(name: str) -> str:
    return str(FIXTURES / name)


def test_json_is_one_object_a_file_on_a_line_of_the_agreed_shape(run: Run) -> None:
    result = run(fixture("28_instance_shapes.py"), fixture("33_bom_crlf.py"), "--json", "--dry-run")

    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert [list(found) for found in objects] == [["file", "format", "outcome", "profiles", "findings"]] * 2
    assert [found["outcome"] for found in objects] == ["partial", "accept"]
    assert list(objects[0]["profiles"][0]) == KEYS
    assert objects[0]["profiles"][0]["sentinels"][1] == ["s2.example.test", 26380]
    assert list(objects[0]["findings"][0]) == ["line", "column", "severity", "code", "message"]
    assert objects[1]["profiles"] == [
        {
            "name": "33-bom-crlf",
            "kind": "standalone",
            "host": "localhost",
            "port": 6379,
            "sentinels": [],
            "master_name": None,
            "db": 0,
            "username": None,
            "has_password": False,
            "tls": False,
            "needs": [],
        }
    ]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (("33_bom_crlf.py",), 0),
        (("25_celery_sentinel_urls.py", "05_env_required_subscript.py"), 0),
        (("28_instance_shapes.py",), 1),
        (("33_bom_crlf.py", "29_missing_comma_pair.py"), 1),
        (("no_such_file.py", "29_missing_comma_pair.py"), 2),
        (("",), 2),
    ],
)
def test_the_exit_code_says_whether_all_was_accepted(run: Run, files: tuple[str, ...], code: int) -> None:
    assert run(*[fixture(name) for name in files], "--json", "--dry-run").exit_code == code
    assert run(*[fixture(name) for name in files], "--dry-run").exit_code == code


def test_a_dry_run_needs_no_database_and_no_settings(run: Run, data_dir: Path, settings: Path) -> None:
    result = CliRunner().invoke(
        main, ("import", str(settings), "--dry-run", "--all"), env={"RQDASH_PORT": "nonsense", "RQDASH_DATA_DIR": "no"}
    )

    assert result.exit_code == 0
    assert not data_dir.exists()


def test_findings_are_printed_with_file_line_and_column_after_the_table(run: Run) -> None:
    result = run(fixture("11_undefined_bareword.py"), "--dry-run")

    lines = result.stdout.splitlines()
    assert lines[1].split()[:3] == ["NAME", "STATE", "KIND"]
    assert any(re.match(r".*11_undefined_bareword\.py:3:14: error: REDIS_PORT: ", line) for line in lines)


def test_standard_input_is_a_file_called_dash(run: Run) -> None:
    result = run("-", "--json", "--dry-run", stdin="REDIS_URL = 'redis://h.example.test/2'\n")

    found = json.loads(result.stdout)
    assert (found["file"], found["profiles"][0]["host"], found["profiles"][0]["db"]) == ("-", "h.example.test", 2)


def test_all_saves_what_is_new_disabled_and_audited(run: Run, profiles: Profiles, settings: Path, data_dir: Path) -> None:
    result = run(str(settings), "--all")

    stored = profiles.get("jobs")
    store = open_store("", data_dir=data_dir)
    entry = open_access(store, Settings(data_dir=data_dir)).audit.entries()[0]
    store.close()
    assert result.exit_code == 0
    assert (stored.host, stored.enabled, profiles.secrets(stored).password) == ("jobs.example.test", False, "fixture-pw")
    assert (entry.verb, entry.backend, entry.status) == ("import connection", "jobs", "done")
    assert "fixture-" not in result.output + repr(entry)


def test_what_is_the_same_is_skipped_and_what_differs_is_refused_with_the_difference(run: Run, profiles: Profiles, settings: Path) -> None:
    run(str(settings), "--all")
    same = run(str(settings), "--all")
    settings.write_text("REDIS_HOST = 'jobs.example.test'\nREDIS_DB = 3\nREDIS_PASSWORD = 'fixture-pw'\n")

    differing = run(str(settings), "--all")

    assert (same.exit_code, "skipped" in same.stderr) == (0, True)
    assert differing.exit_code == 1
    assert "db 0 -> 3" in differing.stderr
    assert profiles.get("jobs").db == 0


def test_a_named_one_is_saved_over_the_stored_one(run: Run, profiles: Profiles, settings: Path) -> None:
    run(str(settings), "--all")
    settings.write_text("REDIS_HOST = 'jobs.example.test'\nREDIS_DB = 3\nREDIS_PASSWORD = 'fixture-pw'\n")

    result = run(str(settings), "--save", "jobs")

    assert result.exit_code == 0
    assert profiles.get("jobs").db == 3


def test_a_named_one_that_would_take_a_password_elsewhere_is_refused(run: Run, profiles: Profiles, settings: Path) -> None:
    run(str(settings), "--all")
    settings.write_text("REDIS_HOST = 'jobs.evil.test'\n")

    result = run(str(settings), "--save", "jobs")

    assert result.exit_code == 1
    assert "Type it again" in result.stderr
    assert profiles.get("jobs").host == "jobs.example.test"


def test_a_name_that_is_not_in_the_file_and_one_that_needs_values_are_refused(run: Run, profiles: Profiles) -> None:
    missing = run(fixture("33_bom_crlf.py"), "--save", "nobody")
    needing = run(fixture("05_env_required_subscript.py"), "--all")

    assert (missing.exit_code, needing.exit_code) == (1, 1)
    assert "REDIS_HOST" in needing.stderr
    assert profiles.all() == ()


def test_the_same_connection_twice_in_a_file_is_saved_once(run: Run, profiles: Profiles) -> None:
    result = run(fixture("16_django_rq_readme_shape.py"), "--all")

    assert result.exit_code == 0
    assert profiles.names == ("default", "with-sentinel", "high")


def test_a_preview_says_what_is_new_and_what_is_the_same(run: Run, settings: Path) -> None:
    before = run(str(settings))
    run(str(settings), "--all")
    after = run(str(settings))

    assert [result.stdout.splitlines()[2].split()[1] for result in (before, after)] == ["new", "same"]


def test_all_and_a_name_together_are_a_mistake_in_the_command(run: Run, settings: Path) -> None:
    assert run(str(settings), "--all", "--save", "jobs").exit_code == 2
