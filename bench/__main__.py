"""python -m bench: prints what every page and every action costs; fails when a page costs more than it may."""

from __future__ import annotations

import sys

from bench import actions, rendering, round_trips
from bench.seed import Size


def main() -> int:
    size = Size()
    jobs = f"{size.queued:,} queued, {size.failed:,} failed and {size.finished:,} finished jobs"
    print(f"{size.queues} queues, {jobs}, {size.workers} workers")
    rows = round_trips.measured(size)
    print(round_trips.table(rows), end="\n\n")
    pages = rendering.measured()
    print(rendering.table(pages), end="\n\n")
    actions.run()
    return 0 if all(row.is_fine for row in (*rows, *pages)) else 1


if __name__ == "__main__":
    sys.exit(main())
