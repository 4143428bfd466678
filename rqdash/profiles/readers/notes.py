"""The findings of one file while it is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rqdash.profiles.readers.tree import At, Unread
from rqdash.profiles.readers.values import Finding, Severity

MOST = 200


class Unreadable(Exception):
    """The file cannot be read any further; carries the finding that says why."""

    def __init__(self, code: str, message: str, at: At | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.at = at or At()


@dataclass(slots=True)
class Notes:
    """Collects findings, each place and code once, and the first 200 of them."""

    findings: list[Finding] = field(default_factory=list)

    def error(self, at: At, code: str, *, message: str) -> None:
        self._add(at, Severity.ERROR, code, message)

    def warning(self, at: At, code: str, *, message: str) -> None:
        self._add(at, Severity.WARNING, code, message)

    def info(self, at: At, code: str, *, message: str) -> None:
        self._add(at, Severity.INFO, code, message)

    def unread(self, value: Unread, *, of: str) -> None:
        """An unread value that matters, of a key or a name."""
        self.error(value.at, value.code, message=f"{of}: {value.message}")

    def _add(self, at: At, severity: Severity, code: str, message: str) -> None:
        known = any((found.line, found.column, found.code) == (at.line, at.column, code) for found in self.findings)
        if not known and len(self.findings) < MOST:
            self.findings.append(Finding(at.line, at.column, severity, code, message))


def shown(name: str) -> str:
    """A key or a variable's name as it may stand in a finding: only what looks like one, for it may be a slipped value."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", name) else "a name that cannot be shown"
