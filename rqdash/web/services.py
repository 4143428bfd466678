"""What create_app puts together and the seam hands to views that ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rqdash.access.access import Access
from rqdash.backends.backend import Backend
from rqdash.backends.gather import Gatherer
from rqdash.model.profile import Profile


@dataclass(frozen=True, slots=True)
class Services:
    """others: what views name in needs beside access and actor ("profiles", "tester"); clock gives the time, aware UTC."""

    backends: Mapping[str, Backend]
    access: Access
    gatherer: Gatherer
    clock: Callable[[], datetime]
    known: Callable[[], tuple[Profile, ...]]
    others: Mapping[str, Any]
