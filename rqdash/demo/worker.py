"""A worker process: python -m rqdash.demo.worker LAYOUT BACKEND NUMBER. Number 1 listens to every queue and schedules."""

from __future__ import annotations

import sys
from pathlib import Path

from rq import Worker

from rqdash.demo.layout import QUEUES, connection, read_layout


def main(layout: Path, name: str, *, number: int) -> None:
    """Works until it is ended. A worker is RQ's own, with RQ's defaults."""
    backend = read_layout(layout)[name]
    worker = Worker(list(listens_to(name, number)), name=f"{name}-{number}", connection=connection(backend))
    worker.work(with_scheduler=number == 1, logging_level="WARNING")


def listens_to(name: str, number: int) -> tuple[str, ...]:
    """The queues of one worker: all, in an order turned by one for each further worker, so each queue has someone who starts with it."""
    queues = QUEUES[name]
    turn = (number - 1) % len(queues)
    return queues[turn:] + queues[:turn]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], number=int(sys.argv[3]))
