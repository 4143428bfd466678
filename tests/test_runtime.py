"""The threads beside the requests: when they start, how they end, what a failure does."""

from __future__ import annotations

import os
import threading

import pytest

from rqdash import runtime
from rqdash.runtime import Runtime

WAIT_S = 10


class Counted:
    """A part that says when it runs and when it has ended; the first fails times fail."""

    def __init__(self, *, fails: int = 0) -> None:
        self.name = "counted"
        self.fails = fails
        self.starts = 0
        self.started, self.ended = threading.Event(), threading.Event()

    def run(self, stop: threading.Event) -> None:
        self.starts += 1
        if self.starts <= self.fails:
            raise RuntimeError("as a bug would")
        self.started.set()
        stop.wait()
        self.ended.set()


def test_nothing_runs_before_the_first_request_and_then_each_part_once() -> None:
    part = Counted()
    owner = Runtime([part])
    assert part.starts == 0

    owner.ensure_started()
    owner.ensure_started()
    assert part.started.wait(WAIT_S)
    owner.stop()

    assert part.ended.is_set()
    assert part.starts == 1


def test_a_part_that_fails_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "AGAIN_S", 0.01)
    part = Counted(fails=2)
    owner = Runtime([part])

    owner.ensure_started()

    assert part.started.wait(WAIT_S)
    owner.stop()
    assert part.starts == 3


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_starts_its_own() -> None:
    part = Counted()
    owner = Runtime([part])
    owner.ensure_started()
    assert part.started.wait(WAIT_S)
    part.started.clear()

    child = os.fork()
    if child == 0:
        owner.ensure_started()
        os._exit(0 if part.started.wait(WAIT_S) else 1)
    _, status = os.waitpid(child, 0)
    owner.stop()

    assert os.waitstatus_to_exitcode(status) == 0
