"""The rivals, each in an environment of its own under .venv/rivals, made when it is first needed."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".venv" / "rivals"
STAMP = "requirements.txt"


@dataclass(frozen=True, slots=True)
class Rival:
    """What is installed for one of them; the first requirement is the rival itself."""

    name: str
    requirements: tuple[str, ...]
    kept: Path = KEPT

    @property
    def home(self) -> Path:
        return self.kept / self.name

    @property
    def bin(self) -> Path:
        return self.home / "bin"


# six is what rq-dashboard 0.9.0 imports and does not ask for.
RQ_DASHBOARD = Rival("rq-dashboard", ("rq-dashboard==0.9.0", "six", "gunicorn", "rq==3.0.0", "redis[hiredis]>=8.1,<9"))
RQ_DASHBOARD_FAST = Rival("rq-dashboard-fast", ("rq-dashboard-fast==0.9.2", "rq==3.0.0", "redis[hiredis]>=8.1,<9"))
RQ = Rival("rq", ("rq==3.0.0", "redis[hiredis]>=8.1,<9"))
RIVALS = (RQ_DASHBOARD, RQ_DASHBOARD_FAST, RQ)


def installed(rival: Rival) -> bool:
    stamp = rival.home / STAMP
    return stamp.exists() and stamp.read_text().split() == list(rival.requirements)


def install(rivals: Sequence[Rival] = RIVALS) -> None:
    """Makes the environments that are missing or were made for other versions; needs a package index then."""
    for rival in rivals:
        if installed(rival):
            continue
        print(f"installing {rival.requirements[0]}", flush=True)
        venv.create(rival.home, with_pip=True, clear=True)
        subprocess.run([rival.bin / "python", "-m", "pip", "install", "--quiet", *rival.requirements], check=True, stdout=sys.stderr)
        (rival.home / STAMP).write_text("\n".join(rival.requirements))


def versions(rival: Rival) -> dict[str, str]:
    """The packages of its environment that matter, as they were installed."""
    listed = subprocess.run([rival.bin / "python", "-m", "pip", "list", "--format=json"], check=True, capture_output=True, text=True)
    found = {package["name"]: package["version"] for package in json.loads(listed.stdout)}
    wanted = {requirement.split("=")[0].split(">")[0].split("[")[0] for requirement in rival.requirements} | {"hiredis", "uvicorn", "flask"}
    return {name: version for name, version in found.items() if name.lower() in wanted}
