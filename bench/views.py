"""Our pages without a web server: what a route's view says of a backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rqdash.backends.backend import Backend
from rqdash.backends.gather import Gatherer
from rqdash.model.caller import Caller, Role
from rqdash.web.forms import Raw
from rqdash.web.many import Many
from rqdash.web.pages import ROUTES
from rqdash.web.route import Page, Route, Scope
from rqdash.web.trends import Trends

CALLER = Caller("account", "bench", Role.OPERATOR, ("*",))


def route(endpoint: str) -> Route:
    """The route that shows this page."""
    return next(found for found in ROUTES if found.endpoint == endpoint and found.method == "GET")


def view(endpoint: str, backend: Backend, query: Mapping[str, str], *, gatherer: Gatherer) -> Callable[[], Page]:
    """Reads a page's value anew at each call; query is what its address says after the question mark."""
    shown = route(endpoint)
    needed = {"trends": Trends(None)} if "trends" in shown.needs else {}
    fields = {name: (value,) for name, value in query.items()}

    def call() -> Page:
        raw = Raw({"backend": backend.name}, fields, now=datetime.now(UTC))
        about = Many((backend,), gatherer) if shown.scope is Scope.MANY else backend
        page = shown.view(about, shown.parse(raw), CALLER, **needed)
        assert isinstance(page, Page)
        return page

    return call
