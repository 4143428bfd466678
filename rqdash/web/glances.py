"""What live pages show at this moment, kept for as long as their readings may be shared: a poll that finds it there reads nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rqdash.model.caller import Caller
from rqdash.web.route import Page
from rqdash.web.seam import POLL_MAX_AGE_S
from rqdash.web.shell import Shell

MOST = 64
MAX_AGE = timedelta(seconds=POLL_MAX_AGE_S)


@dataclass(frozen=True, slots=True)
class Glance:
    """A page with what is around it; around.digest tells what both show. read_at is when the oldest of its readings was made."""

    page: Page
    around: Shell
    read_at: datetime


class Glances:
    """The newest 64 under a key that names the address and the caller's rights; threads share them."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Glance] = OrderedDict()

    def get(self, key: Hashable, *, now: datetime) -> Glance | None:
        """The glance under the key, if none of its readings is older than a second."""
        with self._lock:
            found = self._kept.get(key)
        return found if found is not None and timedelta(0) <= now - found.read_at <= MAX_AGE else None

    def put(self, key: Hashable, glance: Glance) -> None:
        with self._lock:
            self._kept[key] = glance
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


def rights(caller: Caller) -> Caller:
    """The caller without who it is: those for whom this is equal are shown the same."""
    return replace(caller, name="", address="", account_id="", session_id="")
