"""The page that asks before an action: what will happen to what, in a form that repeats the request with what is still to be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rqdash.model.registry import Registry
from rqdash.web.marks import Mark
from rqdash.web.route import Page


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another backend that jobs go to: its mark, what is known against it ("" = nothing) and what to know before."""

    mark: Mark
    refusal: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where jobs can go: queues of the backend they go to, and the connections there are, their own first.

    is_unnamed: the queue whose name is empty was chosen, and not none.
    """

    queues: tuple[str, ...]
    to_queue: str = ""
    is_unnamed: bool = False
    at_front: bool = False
    connections: tuple[Mark, ...] = ()
    elsewhere: Elsewhere | None = None
    copies: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """A field of a job that can be edited, by RQ's name: what the form shows, in seconds ("" is RQ's default, "-1" no end), and what
    it showed at first; only what differs is changed.
    """

    name: str
    value: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a queue that is to be deleted: entries a registry, and how many workers listen to it."""

    counts: tuple[tuple[Registry, int], ...]
    workers: int

    @property
    def total(self) -> int:
        return sum(count for _, count in self.counts)


@dataclass(frozen=True, slots=True)
class ConfirmPage(Page):
    """What will happen to what, before it happens. typed_names: the names to type; problem: why it was not done.

    fields are the hidden fields that repeat the request; at is a new time as the form's text (UTC); the rest is for one action each.
    """

    mark: Mark
    verb: str
    fields: tuple[tuple[str, str], ...]
    queue: str = ""
    registry: Registry = Registry.QUEUED
    count: int = 0
    sample: tuple[str, ...] = ()
    typed_names: tuple[str, ...] = ()
    problem: str = ""
    back: str = ""
    kept: Mapping[str, Sequence[str]] = field(default_factory=dict)
    destination: Destination | None = None
    at: str = ""
    limits: tuple[Limit, ...] = ()
    contents: Contents | None = None
