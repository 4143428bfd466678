"""The rules of the house that no other tool holds: sizes, docstrings, what templates may hold, what files must not name."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("rqdash", "templates", "static", "tests", "bench", "deploy", "docs", ".ci")
TEXTS = {".py", ".md", ".html", ".css", ".js", ".json", ".toml", ".lua", ".sql", ".txt", ".yml", ".conf", ".mako", ".svg", ""}
MODULES = sorted([*(ROOT / "rqdash").rglob("*.py"), ROOT / "wsgi.py", ROOT / "hatch_build.py"])
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
FUNCTION_LINES = 30
MODULE_LINES = 300
TEMPLATE_LINES = 80
DECISIONS = {"no-rq-at-run-time", "polling", "store", "injection", "no-flask-login", "no-rq-for-operations", "dependencies"}
NOT_IN_A_TEMPLATE = re.compile(
    r"""\sstyle\s*= | <style\b | <script\b(?![^>]*\bsrc=)[^>]*> | \s(?:on\w+|hx-on[\w:-]*)=["'{]
    | \|\s*safe\b | \bautoescape\s+false\b | \bjavascript:""",
    re.IGNORECASE | re.VERBOSE,
)
REGISTRY = re.compile(r"https?://[^\s/\"'<>)]*(registry|pypi|npmjs|pythonhosted|debian)[^\s\"'<>)]*", re.IGNORECASE)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def own_files() -> Iterator[Path]:
    """Every text of the project's own: nothing that was fetched, built or run."""
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix in TEXTS)
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in TEXTS and not {"vendor", "__pycache__"} & set(path.parts):
                yield path


def functions(module: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Those of a module; a migration's are lists of columns, as long as the tables are."""
    if "versions" in module.parts:
        return
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_every_module_says_what_it_is_for() -> None:
    silent = [named(module) for module in MODULES if not ast.get_docstring(ast.parse(module.read_text()))]

    assert silent == []


def test_modules_and_functions_stay_small() -> None:
    modules = {named(module): len(module.read_text().splitlines()) for module in MODULES}
    lengths = {(named(module), found.name): length(found) for module in MODULES for found in functions(module)}

    assert {name: lines for name, lines in modules.items() if lines > MODULE_LINES} == {}
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES} == {}


def test_no_template_holds_a_style_a_script_a_handler_or_trusted_text() -> None:
    found = {named(template): [match[0] for match in NOT_IN_A_TEMPLATE.finditer(template.read_text())] for template in TEMPLATES}

    assert {name: matches for name, matches in found.items() if matches} == {}


def test_templates_stay_small() -> None:
    lengths = {named(template): len(template.read_text().splitlines()) for template in TEMPLATES}

    assert {name: lines for name, lines in lengths.items() if lines > TEMPLATE_LINES} == {}


def test_every_closed_door_has_its_record() -> None:
    records = {path.stem: path.read_text() for path in (ROOT / "docs" / "decisions").glob("*.md")}

    assert records.keys() >= DECISIONS
    for text in records.values():
        assert re.search(r"\*\*Context\.\*\*.*\*\*Choice\.\*\*.*\*\*What we gave up\.\*\*", text, re.DOTALL)


def test_no_file_names_a_package_registry_or_a_place_on_the_machine_it_was_written_on() -> None:
    places = [f"{place}/" for place in (ROOT, Path.home()) if place != Path("/")]

    found = []
    for path in own_files():
        text = path.read_text()
        found += [f"{named(path)}: {match[0]}" for match in REGISTRY.finditer(text)]
        found += [f"{named(path)}: {place}" for place in places if f" {place}" in text or f'"{place}' in text]

    assert found == []


def test_what_the_pages_load_from_npm_is_pinned_by_hash_and_without_an_address() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())

    packages = {name: package for name, package in lock["packages"].items() if name}

    assert {name.removeprefix("node_modules/") for name in packages} == {"htmx.org", "uplot"}
    for package in packages.values():
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package


def test_nothing_fetched_is_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text().split()

    assert {"static/vendor/", "node_modules/", ".venv/"} <= set(ignored)
