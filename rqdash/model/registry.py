"""The states of jobs, and the registries of a queue in the order a job passes through them."""

from __future__ import annotations

from enum import StrEnum


class Registry(StrEnum):
    """Where a queue keeps jobs of one state; QUEUED is its list, the others its sorted sets."""

    QUEUED = "queued"
    STARTED = "started"
    SCHEDULED = "scheduled"
    DEFERRED = "deferred"
    FAILED = "failed"
    FINISHED = "finished"
    CANCELED = "canceled"
    READY = "ready"
    INTERMEDIATE = "intermediate"


TABS = (
    Registry.QUEUED,
    Registry.STARTED,
    Registry.SCHEDULED,
    Registry.DEFERRED,
    Registry.FAILED,
    Registry.FINISHED,
    Registry.CANCELED,
)
"""Always shown, in life order; the others only when not empty."""

EXPIRING = (Registry.STARTED, Registry.FAILED, Registry.FINISHED)
"""Registries whose scores are deadlines: a score between 0 and now is an expired entry that a worker's maintenance will remove."""

STATUSES = (
    "created",
    "queued",
    "started",
    "finished",
    "failed",
    "deferred",
    "scheduled",
    "stopped",
    "canceled",
    "rate_limited",
    "ready_to_enqueue",
)
