"""Moving and copying jobs to another backend, losing none and running none twice."""

from __future__ import annotations

from rqdash.actions.transfer.carry import carried_over, transfer
from rqdash.actions.transfer.journal import count_in_transit, in_transit
from rqdash.actions.transfer.order import Transfer
from rqdash.actions.transfer.preflight import Preflight, preflight, unattended
from rqdash.actions.transfer.sweep import is_due, sweep

__all__ = [
    "Preflight",
    "Transfer",
    "carried_over",
    "count_in_transit",
    "in_transit",
    "is_due",
    "preflight",
    "sweep",
    "transfer",
    "unattended",
]
