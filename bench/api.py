"""Runs bench.rq_api in RQ's own environment: what the pages cost with RQ's classes and no web server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.cases import Case
from bench.rivals import RQ
from bench.timing import Timing, timing

SCRIPT = Path(__file__).parent / "rq_api.py"


def timed(port: int, cases: Sequence[Case], *, most: int, within_s: float) -> list[Timing]:
    """One timing a page, each from one client."""
    plan = {"port": port, "most": most, "within_s": within_s, "cases": [asdict(case) for case in cases]}
    # -I: the modules of this folder must not stand before the environment's own.
    command = [str(RQ.bin / "python"), "-I", str(SCRIPT)]
    done = subprocess.run(command, input=json.dumps(plan), capture_output=True, text=True, check=True)
    return [timing([took / 1000 for took in page]) for page in json.loads(done.stdout)]
