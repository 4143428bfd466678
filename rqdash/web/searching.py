"""The search box of every list: what was typed, what of it was understood, and what can be typed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from rqdash.model.job import JobRow
from rqdash.model.names import ref
from rqdash.model.search import FIELDS, STATUS_WORDS, Search, SearchMistake, canonical, everything, literal, search, term_end
from rqdash.model.search_terms import written

LONGEST_WORD = 120
MOST_WORDS = 150


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a search as written, and the search without it."""

    text: str
    without: str


@dataclass(frozen=True, slots=True)
class Box:
    """A search box. mistake says what is wrong with q, in it from the character `at` up to `end`; conditions are empty then.

    words are what may be added, from values seen: "queue:mail", "fn:app.tasks.send".
    """

    q: str
    mistake: str = ""
    at: int | None = None
    end: int | None = None
    conditions: tuple[Condition, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether the list beside it is narrowed."""
        return bool(self.conditions)


def understood(text: str, *, fields: Collection[str] = FIELDS) -> tuple[Search, Box]:
    """The search of a GET with its box: a mistake is explained there, and the list stays as it is without a search."""
    try:
        found = search(text, fields=fields)
    except SearchMistake as mistake:
        return everything(), Box(text, mistake.message, mistake.at, term_end(text, mistake.at))
    conditions = tuple(
        Condition(written(term), canonical((*found.terms[:at], *found.terms[at + 1 :]))) for at, term in enumerate(found.terms)
    )
    return found, Box(text.strip(), conditions=conditions)


def words(field: str, names: Iterable[str]) -> tuple[str, ...]:
    """The words that look for these names, each once; names too long, or that no address can carry, are left out."""
    return tuple(f"{field}:{literal(name)}" for name in dict.fromkeys(names) if name and len(name) <= LONGEST_WORD and ref(name) == name)


def job_words(rows: Iterable[JobRow], *, queues: Iterable[str] = (), backends: Iterable[str] = ()) -> tuple[str, ...]:
    """What may be added to a search of jobs, from the rows on the page: at most 150 words, those of every search first."""
    seen = tuple(rows)
    found = (
        *words("status", STATUS_WORDS),
        *words("backend", backends),
        *words("queue", (*queues, *(row.queue for row in seen))),
        *words("fn", (row.function for row in seen)),
        *words("error", (row.error_type for row in seen)),
        *words("worker", (row.worker for row in seen)),
    )
    return tuple(dict.fromkeys(found))[:MOST_WORDS]


def newest_first(row: JobRow) -> float:
    """Sort key: jobs that came to where they are last; those of which that is unknown at the end."""
    at, _ = row.came
    return -at.timestamp() if at is not None else 0.0
