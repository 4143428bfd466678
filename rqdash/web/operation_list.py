"""The jobs of an operation with what became of each, as a file: JSON for programs, CSV for spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice

from rqdash.operations.items import Line
from rqdash.web import spreadsheets
from rqdash.web.route import Download

HEAD = ("backend", "queue", "registry", "id", "outcome")
LEFT = "left"
"""What stands for jobs that nothing is known of yet."""

CHUNK = 500


def download(lines: Callable[[], Iterator[Line]], *, name: str, kind: str, only: str = "") -> Download:
    """The file; kind is json or csv, only keeps the jobs of one outcome."""

    def wanted() -> Iterator[Line]:
        return (line for line in lines() if not only or _outcome(line) == only)

    if kind == "csv":
        return Download(f"{name}.csv", "text/csv; charset=utf-8", lambda: spreadsheets.lines(HEAD, map(_cells, wanted())))
    return Download(f"{name}.json", "application/json", lambda: _json(wanted()))


def _json(lines: Iterator[Line]) -> Iterator[str]:
    """A list of objects, one a line; names of bytes that are not UTF-8 hold lone surrogates (\\udcXX)."""
    before = "[\n"
    while some := list(islice(lines, CHUNK)):
        yield before + ",\n".join(json.dumps(dict(zip(HEAD, _cells(line), strict=True))) for line in some)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _cells(line: Line) -> tuple[str, ...]:
    return line.backend, line.queue, line.registry, line.id, _outcome(line)


def _outcome(line: Line) -> str:
    return line.verdict.value if line.verdict else LEFT
