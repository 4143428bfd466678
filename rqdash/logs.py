"""How rqdash's own log lines look: one line each on standard error, with their facts."""

from __future__ import annotations

import logging

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Facts(logging.Formatter):
    """The message, then what was given as extra=, as name=value; line breaks in values are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {name: value for name, value in vars(record).items() if name not in STANDARD}
        said = " ".join(f"{name}={value!r}" for name, value in facts.items())
        line, _, trace = super().format(record).partition("\n")
        return "\n".join(part for part in (f"{line} {said}".rstrip(), trace) if part)


def configure(level: str) -> None:
    """Lets rqdash's loggers write from a level up; called once by a process that serves. Other libraries' loggers stay as they are."""
    handler = logging.StreamHandler()
    handler.setFormatter(Facts(LINE))
    own = logging.getLogger("rqdash")
    own.handlers = [handler]
    own.setLevel(level.upper())
    own.propagate = False
