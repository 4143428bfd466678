"""Which names are typed before jobs are taken from backends or sent to one: one rule for pages, operations and the command line."""

from __future__ import annotations

from collections.abc import Iterable

from rqdash.model.profile import Profile


def names_to_type(sources: Iterable[Profile], destination: Profile | None = None, *, copy: bool = False) -> tuple[str, ...]:
    """The names of protected profiles, where jobs go first; a copy leaves what it is made from as it is."""
    asked = [*([destination] if destination is not None else []), *(() if copy else sources)]
    return tuple(dict.fromkeys(profile.name for profile in asked if profile.protected))


def asks_for(names: Iterable[str]) -> str:
    """The sentence that asks for names not typed."""
    missing = list(names)
    return f"Type {' and '.join(missing)} to go on: {'it is' if len(missing) == 1 else 'they are'} protected."
