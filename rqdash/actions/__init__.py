"""Writes: a backend and an actor in, an outcome per job out."""

from __future__ import annotations

from rqdash.actions.batches import carried_out
from rqdash.actions.changes import edit, reschedule
from rqdash.actions.commands import Target, kill_horse, shut_down, stop_execution, stop_job
from rqdash.actions.jobs import cancel, delete, enqueue, move, requeue, rescue
from rqdash.actions.queue_removal import delete_queue
from rqdash.actions.queues import empty
from rqdash.actions.scripted import Order
from rqdash.actions.stopping import stop
from rqdash.actions.workers import resume, suspend

__all__ = [
    "Order",
    "Target",
    "cancel",
    "carried_out",
    "delete",
    "delete_queue",
    "edit",
    "empty",
    "enqueue",
    "kill_horse",
    "move",
    "requeue",
    "reschedule",
    "rescue",
    "resume",
    "shut_down",
    "stop",
    "stop_execution",
    "stop_job",
    "suspend",
]
