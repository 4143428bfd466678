"""How the demo is asked to end: SIGINT, SIGTERM and SIGHUP are noted, and obeyed between two steps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(Exception):
    """The demo was asked to end."""


@dataclass(slots=True)
class Ending:
    """Whether the demo was asked to end.

    Not an exception from the handler: raised inside Popen, after its fork, it would leave a process that nobody knows of.
    """

    is_asked: bool = False

    def ask(self, *_: object) -> None:
        self.is_asked = True

    def check(self) -> None:
        """Raises Ended when it was."""
        if self.is_asked:
            raise Ended


@contextmanager
def until_asked() -> Iterator[Ending]:
    """Ends without an error when what is inside raises Ended; asked again meanwhile, it goes on ending."""
    ending = Ending()
    before = {number: signal.signal(number, ending.ask) for number in SIGNALS}
    try:
        yield ending
    except Ended:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
