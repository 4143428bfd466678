"""Whose something is: what a page needs of a profile to mark a row, a card or a flag with its backend."""

from __future__ import annotations

from dataclasses import dataclass

from rqdash.model.profile import Profile


@dataclass(frozen=True, slots=True)
class Mark:
    """A backend's identity as pages show it; the endpoint_version travels in every write form."""

    name: str
    hue: str = "slate"
    environment: str = ""
    is_protected: bool = False
    is_read_only: bool = False
    endpoint_version: int = 0


def mark(profile: Profile) -> Mark:
    return Mark(profile.name, profile.hue, profile.environment, profile.protected, profile.read_only, profile.endpoint_version)
