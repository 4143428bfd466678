"""What a live test shows: one check a stage, all of them there from the start."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from enum import StrEnum

from rqdash.model.profile import Kind, Node, Profile


class Group(StrEnum):
    REACH = "Reach"
    FIND = "Find"
    ALLOWED = "Allowed"
    FIT = "Fit"


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Check:
    """One stage. found is what was seen, in a few words; ms how long it took, None when nothing was timed.

    A warning or failure has a code for programs, a cause, a remedy, and command: what to copy, "" when no command helps.
    """

    stage: str
    group: Group
    name: str
    status: Status = Status.SKIPPED
    found: str = NOT_TRIED
    ms: float | None = None
    code: str = ""
    cause: str = ""
    remedy: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a stage did not pass, in our words, and what to do about it."""

    code: str
    cause: str
    remedy: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A whole test: every stage in the order shown, how long it took, and the worst status among them."""

    checks: tuple[Check, ...]
    took_ms: float
    verdict: Status

    def count(self, status: Status) -> int:
        return sum(check.status is status for check in self.checks)

    @property
    def summary(self) -> str:
        """For the head of the list: "10 passed, 1 warning, 1 failed"."""
        warnings, failures = self.count(Status.WARNING), self.count(Status.FAILED)
        said = [f"{self.count(Status.OK)} passed"]
        if warnings:
            said.append(f"{warnings} warning{'s' if warnings > 1 else ''}")
        if failures:
            said.append(f"{failures} failed")
        return ", ".join(said)


def stages(profile: Profile) -> tuple[Check, ...]:
    """Every stage of a profile's test in the order shown, none tried yet."""
    if profile.kind is Kind.SENTINEL:
        return (*_reach(profile), *_sentinel(profile), *_find(profile), *_allowed(), *_fit(), Check("replicas", Group.FIT, "Replicas"))
    return (*_reach(profile), *_find(profile), *_allowed(), *_fit())


def sentinel_stage(node: Node) -> str:
    return f"sentinel:{node}"


def _reach(profile: Profile) -> tuple[Check, ...]:
    socket_name = "Socket" if profile.kind is Kind.UNIX else "TCP"
    return (
        Check("target", Group.REACH, "Target policy"),
        Check("dns", Group.REACH, "DNS"),
        Check("tcp", Group.REACH, socket_name),
        Check("tls", Group.REACH, "TLS"),
        Check("sign_in", Group.REACH, "Sign in"),
    )


def _sentinel(profile: Profile) -> tuple[Check, ...]:
    return (
        *(Check(sentinel_stage(node), Group.FIND, f"Sentinel {node}") for node in profile.sentinels),
        Check("agreement", Group.FIND, "Sentinel agreement"),
        Check("quorum", Group.FIND, "Sentinel quorum"),
        Check("peers", Group.FIND, "Other Sentinels"),
    )


def _find(profile: Profile) -> tuple[Check, ...]:
    return (
        Check("server", Group.FIND, "Master" if profile.kind is Kind.SENTINEL else "Server"),
        Check("database", Group.FIND, "Database"),
        Check("rq", Group.FIND, "RQ keys"),
    )


def _allowed() -> tuple[Check, ...]:
    return (Check("read", Group.ALLOWED, "Read"), Check("change", Group.ALLOWED, "Change"))


def _fit() -> tuple[Check, ...]:
    return (Check("clock", Group.FIT, "Clock"), Check("eviction", Group.FIT, "Eviction"))


class Board:
    """The checks as they are filled in. Thread-safe; once closed it keeps what it has, whatever a late stage finds."""

    def __init__(self, checks: tuple[Check, ...]) -> None:
        self._lock = threading.Lock()
        self._checks = {check.stage: check for check in checks}
        self._is_open = True

    def passed(self, stage: str, found: str, *, ms: float | None = None) -> None:
        self._put(stage, Status.OK, found, ms, None)

    def warned(self, stage: str, found: str, problem: Problem, *, ms: float | None = None) -> None:
        self._put(stage, Status.WARNING, found, ms, problem)

    def failed(self, stage: str, found: str, problem: Problem, *, ms: float | None = None) -> None:
        self._put(stage, Status.FAILED, found, ms, problem)

    def skipped(self, stage: str, found: str, problem: Problem | None = None) -> None:
        """Not a failure: not needed here, or not to be known, with the reason."""
        self._put(stage, Status.SKIPPED, found, None, problem)

    def close(self, *, took_ms: float, is_late: bool) -> Report:
        """The report. is_late says that time ran out: the first stage not tried says so."""
        with self._lock:
            self._is_open = False
            checks = tuple(self._checks.values())
        if is_late:
            checks = _with_late(checks)
        worst = max((check.status for check in checks if check.status is not Status.SKIPPED), key=_RANK.__getitem__, default=Status.FAILED)
        return Report(checks, took_ms, worst)

    def _put(self, stage: str, status: Status, found: str, ms: float | None, problem: Problem | None) -> None:
        said = problem or Problem("", "")
        with self._lock:
            if self._is_open:
                self._checks[stage] = replace(
                    self._checks[stage],
                    status=status,
                    found=found,
                    ms=ms,
                    code=said.code,
                    cause=said.cause,
                    remedy=said.remedy,
                    command=said.command,
                )


_RANK = {Status.OK: 0, Status.WARNING: 1, Status.FAILED: 2}


def _with_late(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    place = next((place for place, check in enumerate(checks) if check.found == NOT_TRIED), None)
    if place is None:
        return checks
    late = replace(
        checks[place],
        status=Status.FAILED,
        found="out of time",
        code="out_of_time",
        cause="The test as a whole may take 8 s, and they were over before this stage had ended.",
        remedy="The server or the network is slow. Run the test again; if it stays so, look at the latency between the two.",
    )
    return (*checks[:place], late, *checks[place + 1 :])
