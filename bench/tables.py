"""What was measured, as tables for people and programs, and whether it is within what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One figure held against what is allowed, in words that need no table: "overview: 3.1x of the floor"."""

    what: str
    figure: str
    allowed: str
    is_fine: bool

    @property
    def line(self) -> str:
        return f"{'pass' if self.is_fine else 'FAIL'}  {self.what}: {self.figure} (allowed: {self.allowed})"


@dataclass(frozen=True, slots=True)
class Table:
    """One table; note says how to read it, verdicts what follows from it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    verdicts: Sequence[Verdict] = field(default=())

    @property
    def is_fine(self) -> bool:
        return all(verdict.is_fine for verdict in self.verdicts)

    def as_text(self) -> str:
        """Columns under each other, for a terminal."""
        lines = [list(self.columns), *([_text(cell) for cell in row] for row in self.rows)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(self.columns))]
        drawn = ["  ".join(_placed(cell, widths[at], at) for at, cell in enumerate(line)).rstrip() for line in lines]
        return "\n".join((f"== {self.title}", *_some(self.note), *drawn, *(verdict.line for verdict in self.verdicts)))

    def as_markdown(self) -> str:
        head = [f"### {self.title}", "", *((self.note, "") if self.note else ())]
        rule = "|" + "|".join("---" if at == 0 else "---:" for at in range(len(self.columns))) + "|"
        rows = [_row(row) for row in self.rows]
        verdicts = [
            f"* {'pass' if verdict.is_fine else '**FAIL**'} · {verdict.what}: {verdict.figure}, allowed {verdict.allowed}"
            for verdict in self.verdicts
        ]
        return "\n".join((*head, _row(self.columns), rule, *rows, "", *verdicts)).rstrip() + "\n"

    def as_json(self) -> dict[str, object]:
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "note": self.note, "rows": rows, "verdicts": [asdict(verdict) for verdict in self.verdicts]}


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.2f}" if isinstance(cell, float) else cell


def _placed(cell: str, width: int, at: int) -> str:
    return cell.ljust(width) if at == 0 else cell.rjust(width)


def _row(cells: Sequence[Cell]) -> str:
    return "| " + " | ".join(_text(cell).replace("|", "\\|") for cell in cells) + " |"


def _some(note: str) -> tuple[str, ...]:
    return (note,) if note else ()
