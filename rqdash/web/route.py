"""Routes are data: what a page module exports, and what create_app binds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rqdash.model.caller import Permission
from rqdash.model.outcome import Outcome
from rqdash.web.forms import Raw


class Scope(StrEnum):
    """How many backends a view is handed: one named in the path, many chosen by ?backend=, or none."""

    NONE = "none"
    ONE = "one"
    MANY = "many"


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence to a person; tone is plain, warning or failed."""

    title: str
    text: str = ""
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Page:
    """What one URL shows: the base of every page value. Times in it are absolute; ages are drawn in the browser."""


@dataclass(frozen=True, slots=True)
class Rejected(Page):
    """A page that answers a form with what is wrong: the same template, another status."""

    page: Page
    status: int = 400


@dataclass(frozen=True, slots=True)
class To:
    """A redirect to an endpoint of ours. session: a new session's token, "" ends the session, None leaves it."""

    endpoint: str
    values: Mapping[str, Any] = field(default_factory=dict)
    notice: Notice | None = None
    session: str | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Acted:
    """What an action did, and where the browser goes next. Under /api/v1 the outcome itself is the answer."""

    outcome: Outcome
    to: To


@dataclass(frozen=True, slots=True)
class Made:
    """What a write made or changed, and where the browser goes next. Under /api/v1 the page is the answer."""

    page: Page
    to: To


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is sent as it is made; chunks gives its text, and reads nothing before it is asked."""

    name: str
    content_type: str
    chunks: Callable[[], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Plain:
    """A text that is for programs, whole as it is."""

    content_type: str
    text: bytes


Result = Page | To | Acted | Made | Download | Plain


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one rule. needs names the services that the view takes as keyword arguments; a live page keeps itself current.

    One for programs takes a token at its own address, as the API does, and says in JSON why it refuses.
    """

    endpoint: str
    method: str
    rule: str
    permission: Permission
    view: Callable[..., Result]
    template: str = ""
    parse: Callable[[Raw], Any] = lambda raw: raw
    scope: Scope = Scope.NONE
    needs: tuple[str, ...] = ()
    nav: str = ""
    in_api: bool = True
    audit: str = ""
    is_live: bool = False
    is_for_programs: bool = False
