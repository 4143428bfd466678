"""The staged live test of a profile."""

from __future__ import annotations

from rqdash.backends.probe.report import Check, Group, Report, Status, stages
from rqdash.backends.probe.run import probe

__all__ = ["Check", "Group", "Report", "Status", "probe", "stages"]
