"""What a newcomer installs: from a clean copy of the project in a directory with spaces in its name, into an empty environment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rqdash.demo.servers import free_port

ROOT = Path(__file__).parents[1]
NOT_IN_A_CLONE = shutil.ignore_patterns(
    ".git", ".venv", ".rqdash", "__pycache__", ".*_cache", ".hypothesis", "node_modules", "vendor", "dist", "build", "*.egg-info"
)
INSTALL_S = 600
RENDER = """
from rqdash.app import create_app
client = create_app().test_client()
page = client.get("/sign-in")
asset = client.get("/static/vendor/htmx.min.js")
print(page.status_code, "<form" in page.text, asset.status_code, len(asset.data) > 10_000)
"""


def newcomers_environ() -> dict[str, str]:
    """This environment without what pytest, make or an active environment put into it."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("RQDASH_", "PYTHON", "VIRTUAL_ENV", "MAKE", "MFLAGS"))
    }


def run(*command: object, environ: dict[str, str] | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    arguments = [str(part) for part in command]
    return subprocess.run(
        arguments,
        env=newcomers_environ() | (environ or {}),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=INSTALL_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as a fresh clone has it. Skips where the package index does not answer: there is nothing to install from."""
    directory = tmp_path_factory.mktemp("packaging")
    asked = run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory / "probe", "hatchling")
    if asked.returncode:
        pytest.skip("the package index does not answer, and this installs packages")
    return Path(shutil.copytree(ROOT, directory / "a path with spaces", ignore=NOT_IN_A_CLONE))


@pytest.fixture(scope="module")
def wheel(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", directory, clone)
    assert built.returncode == 0, built.stderr
    return next(directory.glob("rqdash-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds rqdash and what it asks for, nothing else."""
    environment = tmp_path_factory.mktemp("an empty environment") / "env"
    venv.create(environment, with_pip=True)
    added = run(environment / "bin" / "python", "-m", "pip", "install", "--quiet", wheel)
    assert added.returncode == 0, added.stderr
    return environment / "bin"


def test_the_wheel_holds_templates_assets_scripts_and_migrations(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    of = {
        suffix: [name for name in names if name.startswith("rqdash/") and name.endswith(suffix)]
        for suffix in (".html", ".css", ".js", ".lua")
    }
    assert all(of.values()), {suffix: len(found) for suffix, found in of.items()}
    assert {"rqdash/static/vendor/htmx.min.js", "rqdash/static/vendor/uplot.min.js", "rqdash/static/vendor/htmx.LICENSE.txt"} <= set(names)
    assert [name for name in names if name.startswith("rqdash/store/migrations/versions/") and name.endswith(".py")]
    assert [name for name in names if name.startswith(("tests/", "bench/")) or "__pycache__" in name] == []


def test_an_installed_rqdash_shows_its_commands_without_the_demo_extra(installed: Path) -> None:
    shown = run(installed / "rqdash", "--help")

    assert shown.returncode == 0, shown.stderr
    assert all(command in shown.stdout for command in ("demo", "serve", "user", "token", "db"))


def test_an_installed_rqdash_renders_a_page_and_serves_its_assets(installed: Path, tmp_path: Path) -> None:
    answered = run(installed / "python", "-c", RENDER, environ={"RQDASH_DATA_DIR": str(tmp_path / "data")}, cwd=tmp_path)

    assert answered.stdout.split() == ["200", "True", "200", "True"], answered.stderr


def test_the_demo_without_its_extra_says_what_to_install(installed: Path, tmp_path: Path) -> None:
    refused = run(installed / "rqdash", "demo", "--data-dir", tmp_path / "demo", "--port", free_port())

    assert refused.returncode == 1
    assert "pip install 'rqdash[demo]'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_build_that_cannot_fetch_the_assets_says_what_to_do(clone: Path, tmp_path: Path) -> None:
    project = shutil.copytree(clone, tmp_path / "project", ignore=NOT_IN_A_CLONE)
    nowhere = {"NPM_CONFIG_REGISTRY": "http://127.0.0.1:9/", "NPM_CONFIG_FETCH_RETRIES": "0", "NPM_CONFIG_CACHE": str(tmp_path / "cache")}

    refused = run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", tmp_path, project, environ=nowhere)

    assert refused.returncode != 0
    assert "could not fetch htmx and uPlot" in refused.stdout + refused.stderr


@pytest.fixture
def made(clone: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """make run in the clone, on a free port; ended afterwards whatever happens."""
    options = f"ARGS=--json --port {free_port()} --workers 1 --data-dir '{tmp_path / 'demo data'}'"
    process = subprocess.Popen(
        ["make", "run", f"PYTHON={sys.executable}", options], cwd=clone, env=newcomers_environ(), stdout=subprocess.PIPE, text=True
    )
    yield process
    process.terminate()
    process.wait(60)
    if process.stdout:
        process.stdout.close()


def test_make_run_serves_from_a_clean_clone_in_a_path_with_spaces(made: subprocess.Popen[str]) -> None:
    assert made.stdout

    line = next((line for line in made.stdout if line.startswith("{")), "{}")

    demo = json.loads(line)
    assert [backend["name"] for backend in demo["backends"]] == ["orders", "mail", "media", "legacy"]
    os.kill(demo["pid"], signal.SIGTERM)
    assert made.wait(60) == 0
