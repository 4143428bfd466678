"""Whether this process serves, for load balancers; answers strangers and tells them nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from rqdash.access.access import Access
from rqdash.model.caller import Caller, Permission
from rqdash.web.forms import Raw
from rqdash.web.route import Page, Route


@dataclass(frozen=True, slots=True)
class HealthPage(Page):
    status: str


def live(params: Raw, caller: Caller) -> HealthPage:  # noqa: ARG001
    """This process answers; it reads nothing."""
    return HealthPage("live")


def ready(params: Raw, caller: Caller, *, access: Access) -> HealthPage:  # noqa: ARG001
    """The dashboard's own database answers too. Backends do not count: a dashboard with all of them down is of use."""
    access.audit.entries(1)
    return HealthPage("ready")


ROUTES = (
    Route("live", "GET", "/health/live", Permission.PUBLIC, live, "health.html", in_api=False),
    Route("ready", "GET", "/health/ready", Permission.PUBLIC, ready, "health.html", needs=("access",), in_api=False),
)
