"""The live mapping from a backend's name to its connection: always that of the current version of its profile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from rqdash.backends.backend import Backend
from rqdash.errors import NotFound, Stale
from rqdash.model.profile import Profile

TRIES = 5


class ProfileSource(Protocol):
    """Where profiles are read: the registry, whose edits in any process are seen by the next read."""

    def all(self) -> tuple[Profile, ...]: ...

    def get(self, name: str) -> Profile: ...


class Backends(Mapping[str, Backend]):
    """Enabled profiles by name, in the registry's order. Looking one up does no network I/O.

    A profile edited since the last look-up gives a new client when its endpoint_version changed, else the same client under the new
    labels. The old client closes when the last call that holds it has ended.
    """

    def __init__(self, profiles: ProfileSource, connect: Callable[[Profile], Backend]) -> None:
        self._profiles = profiles
        self._connect = connect
        self._lock = threading.Lock()
        self._live: dict[str, Backend] = {}

    def __getitem__(self, name: str) -> Backend:
        for _ in range(TRIES):
            try:
                profile = self._profiles.get(name)
                if profile.enabled:
                    return self._current(profile)
            except NotFound:
                break
            except Stale:
                # Edited between the reading of the profile and of its secrets: the next reading is of the new one.
                continue
            break
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        enabled = [profile for profile in self._profiles.all() if profile.enabled]
        self._forget_all_but({profile.id for profile in enabled})
        return iter([profile.name for profile in enabled])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _current(self, profile: Profile) -> Backend:
        with self._lock:
            live = self._live.get(profile.id)
            if live is None or live.profile.endpoint_version != profile.endpoint_version:
                live = self._live[profile.id] = self._connect(profile)
            elif live.profile.version < profile.version:
                live = self._live[profile.id] = live.relabelled(profile)
            return live

    def _forget_all_but(self, ids: set[str]) -> None:
        """Lets go of the connections, and secrets, of profiles that were deleted or disabled."""
        with self._lock:
            if not self._live.keys() <= ids:
                self._live = {profile_id: live for profile_id, live in self._live.items() if profile_id in ids}
