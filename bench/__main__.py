"""python -m bench: measures, prints tables, writes bench/results; answers 1 when a ratio is beyond what is allowed.

--small takes seconds: little data, no rivals, nothing written. Parts named on the command line are run alone; each has a
file of results of its own, so that the others' stay.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from bench import parts, results
from bench.parts import FULL, PARTS, SMALL, Scale
from bench.tables import Table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of: {', '.join(PARTS)} (all of them when none is named)")
    parser.add_argument("--small", action="store_true", help="little data, no rivals, nothing written: seconds")
    parser.add_argument("--no-write", action="store_true", help="print only")
    chosen = parser.parse_args(arguments)
    scale = SMALL if chosen.small else FULL
    began_s, is_kept = time.monotonic(), not (chosen.small or chosen.no_write)
    tables = [table for name in chosen.parts or PARTS for table in _measured(name, scale, is_kept=is_kept)]
    took_s = time.monotonic() - began_s
    verdicts = [verdict for table in tables for verdict in table.verdicts]
    failed = [verdict for verdict in verdicts if not verdict.is_fine]
    print(f"\n{len(verdicts) - len(failed)} of {len(verdicts)} ratios are within what is allowed; {took_s / 60:.1f} minutes.")
    print("\n".join(verdict.line for verdict in failed))
    return 1 if failed else 0


def _measured(name: str, scale: Scale, *, is_kept: bool) -> list[Table]:
    began_at, began_s, load = datetime.now(UTC), time.monotonic(), results.load()
    tables = run(scale, [name], say=_say)
    if is_kept:
        took_s = time.monotonic() - began_s
        results.write(name, tables, results.facts(began_at=began_at, took_s=took_s, data=scale.described, load=load))
    return tables


def run(scale: Scale, names: Sequence[str], *, say: Callable[[Table], None]) -> list[Table]:
    """The tables of these parts, each told to say as it comes. Raises KeyError for a part there is not."""
    found: list[Table] = []
    for name in names:
        for table in parts.tables(name, scale):
            say(table)
            found.append(table)
    return found


def _say(table: Table) -> None:
    print(f"\n{table.as_text()}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
