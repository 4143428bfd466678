"""The steps taken towards one server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rqdash.backends.probe.report import Problem
from rqdash.backends.sockets import Address
from rqdash.model.profile import ClientKey, Node, Tls


@dataclass(frozen=True, slots=True)
class Step:
    """One stage at one server. problem is None when it passed; is_warning when it passed all the same."""

    stage: str
    found: str
    ms: float | None = None
    problem: Problem | None = None
    is_warning: bool = False


@dataclass(slots=True)
class Walk:
    """The steps taken towards one server, the last of which may have failed. what names the server among several.

    key is that of the client's certificate in tls. noted, if given, is called after each step, so that a test that runs out of time
    shows how far it came.
    """

    node: Node
    what: str
    tls: Tls
    key: ClientKey | None = None
    addresses: tuple[Address, ...] = ()
    steps: list[Step] = field(default_factory=list)
    noted: Callable[[Walk], None] | None = None

    @property
    def problem(self) -> Problem | None:
        """Why the walk ended early; None when the server was reached and signed us in."""
        return next((step.problem for step in self.steps if step.problem is not None and not step.is_warning), None)

    def add(self, step: Step) -> bool:
        """Notes a step, in the place of an earlier one of its stage; whether the walk goes on."""
        self.steps = [*(taken for taken in self.steps if taken.stage != step.stage), step]
        if self.noted is not None:
            self.noted(self)
        return step.problem is None or step.is_warning
