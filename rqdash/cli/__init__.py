"""The rqdash command."""

from __future__ import annotations

from rqdash.cli.commands import main

__all__ = ["main"]
