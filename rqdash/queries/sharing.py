"""What jobs of a backend share: its groups and rate limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.model.sharing import Sharing
from rqdash.queries.groups import groups
from rqdash.queries.rate_limits import rate_limits
from rqdash.queries.reading import read_lenient
from rqdash.queries.sets import commands, listed

MOST = 100
"""Groups, and rate limits, of a backend that are read."""


def sharing(backend: Backend, *, now: datetime, takes: Callable[[str], bool] = lambda _: True) -> Sharing:
    """The first 100 groups and the first 100 rate limits by name, of those whose names takes likes.

    Reads <prefix>:groups and :rl-keys, of each up to about 10,000 names, and what groups() and rate_limits() do. One round trip for the
    names, one per 40 groups and one per 40 limits; one more of each of the latter where scripts are denied.
    """
    size, scan, limits_size, limits_scan = read_lenient(backend, *commands(backend.keys.groups), *commands(backend.keys.rate_limits))
    known, limits = listed(size, scan, prefix=""), listed(limits_size, limits_scan, prefix="")
    names = [name for name in known.names if takes(name)]
    keys = [key for key in limits.names if takes(key)]
    return Sharing(
        backend.name,
        groups(backend, names[:MOST]),
        groups_read=min(len(names), MOST),
        groups_total=len(names) if known.is_whole else known.total,
        limits=rate_limits(backend, keys[:MOST], now=now),
        limits_read=min(len(keys), MOST),
        limits_total=len(keys) if limits.is_whole else limits.total,
    )
