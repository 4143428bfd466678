"""Writes: a backend and an actor in, an outcome per job out."""

from __future__ import annotations

from rqdash.actions.jobs import cancel, delete, move, requeue
from rqdash.actions.queues import empty

__all__ = ["cancel", "delete", "empty", "move", "requeue"]
