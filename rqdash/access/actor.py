"""Who acts: what every action takes as an argument, and records itself by."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rqdash.access.audit import Audit
from rqdash.errors import RqdashError, StoreError
from rqdash.model.caller import Caller

ACCOUNT = "account"
TOKEN = "token"  # noqa: S105  a kind of actor
COMMAND_LINE = "command line"
RUNNER = "runner"

DONE = "done"
FAILED = "error"
"""The status of an action that ended in a bug of ours; an error of the tree gives its own code."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Recorder:
    """Takes what an action did; what was reported last is what is written, also when the action fails afterwards."""

    outcomes: dict[str, int] = field(default_factory=dict)

    def finish(self, outcomes: Mapping[str, int]) -> None:
        """How many jobs had each outcome."""
        self.outcomes = {str(verdict): count for verdict, count in outcomes.items()}


@dataclass(frozen=True, slots=True)
class Actor:
    """kind is account, token, command line or runner; address is where from, "" on the machine itself."""

    kind: str
    name: str
    address: str
    audit: Audit = field(repr=False, compare=False)

    @contextmanager
    def recording(
        self, verb: str, *, backend: str = "", queue: str = "", values: Mapping[str, str | int] | None = None
    ) -> Iterator[Recorder]:
        """Records the action inside as one row of the audit log and one INFO line; errors go on to the caller.

        values are the action's parameters, never secrets or arguments of jobs. Raises StoreError, with nothing done, when the log
        cannot be written beforehand.
        """
        facts = dict(values or {})
        entry_id = self.audit.begin((self.kind, self.name, self.address), verb, backend=backend, queue=queue, values=facts)
        record, status, began = Recorder(), FAILED, time.monotonic()
        try:
            yield record
            status = DONE
        except RqdashError as error:
            status = error.code
            raise
        finally:
            self._complete(entry_id, record, status)
            extra = {"entry": entry_id, "actor": self.name, "actor_kind": self.kind, "address": self.address, "backend": backend}
            what = {"verb": verb, "queue": queue, "facts": facts, "outcomes": record.outcomes, "status": status}
            log.info("action", extra=extra | what | {"ms": round((time.monotonic() - began) * 1000)})

    def _complete(self, entry_id: int, record: Recorder, status: str) -> None:
        try:
            self.audit.finish(entry_id, outcomes=record.outcomes, status=status)
        except StoreError:
            # The action has happened: what it answers must not be hidden by the log's trouble. The row stays "begun".
            log.exception("audit row not completed", extra={"entry": entry_id})


def of(caller: Caller, audit: Audit) -> Actor:
    """The actor a request's caller is."""
    return Actor(caller.kind, caller.name, caller.address, audit)


def command_line(name: str, audit: Audit) -> Actor:
    """The actor behind a command; name is the user of the operating system."""
    return Actor(COMMAND_LINE, name, "", audit)
