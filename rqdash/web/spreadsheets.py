"""Rows as CSV that a spreadsheet reads as text and runs nothing of."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

CHUNK = 500
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The text of a CSV file, 500 rows at a time, its head first."""
    yield ",".join(head) + "\r\n"
    left = iter(rows)
    while some := list(islice(left, CHUNK)):
        text = io.StringIO()
        csv.writer(text).writerows([inert(cell) for cell in row] for row in some)
        yield text.getvalue()


def inert(cell: str) -> str:
    """A spreadsheet runs what begins like a formula, also after spaces; an apostrophe before it keeps it text."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA) else cell
