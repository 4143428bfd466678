"""python -m bench: prints what every page costs, and fails when one costs more than it may."""

from __future__ import annotations

import sys

from bench import round_trips
from bench.seed import Size


def main() -> int:
    size = Size()
    print(f"{size.queues} queues, {size.queued:,} queued, {size.failed:,} failed and {size.finished:,} finished jobs, {size.workers} workers")
    rows = round_trips.measured(size)
    print(round_trips.table(rows))
    return 0 if all(row.is_fine for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
