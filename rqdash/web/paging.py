"""Pages of a list by number."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pager:
    """Page number from 1, of pages; first and last count the rows shown, from 1 (0 when there are none)."""

    page: int
    pages: int
    size: int
    total: int
    offset: int
    first: int
    last: int
    previous: int | None
    next: int | None


def pager(*, page: int, size: int, total: int) -> Pager:
    """The pager of a list; a page past the end is the last one."""
    pages = max(1, -(-total // size))
    page = min(page, pages)
    offset = (page - 1) * size
    return Pager(
        page=page,
        pages=pages,
        size=size,
        total=total,
        offset=offset,
        first=offset + 1 if total else 0,
        last=min(offset + size, total),
        previous=page - 1 if page > 1 else None,
        next=page + 1 if page < pages else None,
    )
