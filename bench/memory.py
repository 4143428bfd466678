"""What a serving process takes, from /proc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.tables import Table, Verdict

MOST_MB = 150.0


@dataclass(frozen=True, slots=True)
class Taken:
    """Of one process, in megabytes: resident (shared pages counted whole) and proportional (shared with those who share them)."""

    pid: int
    rss_mb: float
    pss_mb: float


def taken(pids: Sequence[int]) -> list[Taken]:
    """Of those that still run; empty where there is no /proc."""
    return [_of(pid, Path(f"/proc/{pid}/smaps_rollup")) for pid in pids if Path(f"/proc/{pid}/smaps_rollup").exists()]


def _of(pid: int, rollup: Path) -> Taken:
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in rollup.read_text().splitlines()[1:]}
    return Taken(pid, sizes["Rss"] / 1024, sizes["Pss"] / 1024)


def table(serving: Sequence[Taken]) -> Table:
    """Every process of ours after all pages were read by eight clients."""
    rows = [(f"process {number}", round(process.rss_mb, 1), round(process.pss_mb, 1)) for number, process in enumerate(serving, start=1)]
    most = max((process.rss_mb for process in serving), default=0.0)
    verdict = Verdict("a serving process, resident", f"{most:.0f} MB", f"{MOST_MB:.0f} MB", 0 < most < MOST_MB)
    note = "After every page was read by one and by eight clients. PSS counts shared pages by share."
    return Table("Memory of serving processes", ("process", "RSS, MB", "PSS, MB"), rows, note, (verdict,))
