"""What a search reads of each job in one registry, which jobs the server may drop, and which of the others match.

The server drops what surely does not match; whatever it leaves is judged here, so both ways of reading give the same jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rqdash.backends.scripts import Argument
from rqdash.model import redaction, unseen
from rqdash.model.profile import Profile
from rqdash.model.redaction import Redaction
from rqdash.model.registry import Registry
from rqdash.model.search import Search
from rqdash.model.search_terms import Pattern, Term
from rqdash.queries import decode, pages, rows
from rqdash.queries.rows import SMALL_DATA_BYTES, Called, RawRow
from rqdash.queries.scan_texts import error_test, function_test

TEXT_BYTES = 8192
"""Of a description: what stands further on is not searched."""
LARGEST_DATA, HEAD_BYTES = 1_048_576, 2_048
"""Of data that is read for its function: how large it may be, and how much of it is returned."""
INDEX, MEMBER, SCORE, FIRST_FIELD = 0, 1, 2, 3
MOMENTS: dict[Registry, tuple[str, ...]] = {
    Registry.QUEUED: ("enqueued_at",),
    Registry.INTERMEDIATE: ("enqueued_at",),
    Registry.STARTED: ("started_at",),
    # RQ empties ended_at of a job that it found abandoned: then it failed when its newest result was written.
    Registry.FAILED: ("ended_at", "created_at"),
    Registry.FINISHED: ("ended_at",),
    # A job that waits to be tried again came here when its attempt ended.
    Registry.SCHEDULED: ("ended_at", "created_at"),
    Registry.DEFERRED: ("created_at",),
    Registry.READY: ("created_at",),
    Registry.CANCELED: ("created_at",),
}
"""When a job came to its registry: the first of these fields that is set; of a canceled one its score, when it was canceled."""

Row = Sequence[object]
"""Place among the entries looked at, member, score (b"" in a list), fields; then, each when asked for: size and beginning of data, size
and text of the error, the id of the newest result of a job without ended_at.
"""
Test = Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read of a job and of its newest result; conditions are words for scan.lua; takes() judges a row.

    Data is read when it is no larger than data_most (0: none is), and data_head bytes of it are returned. is_undated: whether a row is
    left out for no other reason than that nobody knows when it came to its registry.
    """

    registry: Registry
    fields: tuple[str, ...]
    data_most: int
    data_head: int
    has_errors: bool
    has_ends: bool
    conditions: tuple[Argument, ...]
    takes: Test
    is_undated: Test

    @property
    def has_data(self) -> bool:
        return self.data_most > 0

    @property
    def data_column(self) -> int:
        """Where the beginning of data is in a row, its size before it."""
        return FIRST_FIELD + len(self.fields) + 1


def plan(search: Search, registry: Registry, *, now: datetime, as_of: datetime | None, profile: Profile) -> Plan:
    """The plan of a search for one registry; as_of leaves out jobs that came to it later, or at an unknown moment.

    Entries whose job is gone are left out by no as_of: nothing of them can change any more.
    """
    hides = redaction.of(profile)
    fields = tuple(dict.fromkeys(_fields(search, registry, as_of=as_of, hides=hides)))
    most, head = _data(search, hides)
    has_errors = bool(search.of("", "error", "msg", "group"))
    has_ends = registry is Registry.FAILED and (as_of is not None or bool(search.of("age")))
    reading = _Reading(registry, {field: FIRST_FIELD + at for at, field in enumerate(fields)}, hides)
    takes = _every([*_tests(search, reading, now=now), *_packed_tests(search, reading, has_data=most > 0)])
    if unseen.takes_nothing(search, profile):
        takes = _never
    conditions = tuple(word for condition in _conditions(search, registry, hides) for word in condition)
    parts = (registry, fields, most, head, has_errors, has_ends, conditions)
    if as_of is None:
        return Plan(*parts, takes, _never)
    return Plan(*parts, _every([reading.as_of_test(as_of), takes]), _every([reading.is_undated, takes]))


def identity(member: object, registry: Registry) -> str:
    """The id of the job that a registry's member means."""
    return pages.job_id(member, registry=registry)[0] if isinstance(member, bytes) else ""


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the values of a row are found; columns are those of fields."""

    registry: Registry
    columns: dict[str, int]
    hides: Redaction

    def raw(self, row: Row, field: str) -> object:
        return row[self.columns[field]] if field in self.columns else None

    def id_test(self, term: Term) -> Test:
        return lambda row: term.is_all_of(identity(row[MEMBER], self.registry))

    def worker_test(self, term: Term) -> Test:
        def test(row: Row) -> bool:
            name = decode.name(self.raw(row, "worker_name"))
            return name != "" and term.is_all_of(name)

        return test

    def description_test(self, term: Term) -> Test:
        """Whether a description has the term's words, judged by what rows show of it alone: else a search would tell what rules hide.

        One that no rule touches but that rows write anew, for its data holds a name, has none: scan.lua judges it as it is stored.
        """
        is_in = term.finder()

        def test(row: Row) -> bool:
            text = decode.text(self.raw(row, "description"), limit=TEXT_BYTES)
            if text and self.hides.touches(text):
                return is_in(self.shown(row, text))
            return is_in(text) and self.shown(row, text) == text

        return test

    def shown(self, row: Row, text: str) -> str:
        """The description as rows show it."""
        if not self.hides.globs:
            return text
        at = FIRST_FIELD + len(self.columns)
        size, data = row[at : at + 2]
        n_bytes = size if isinstance(size, int) else 0
        small = data if isinstance(data, bytes) and n_bytes <= SMALL_DATA_BYTES else None
        _, _, description = rows.told(Called(RawRow(n_bytes, small, {}), text), self.hides)
        return description

    def bare_test(self, term: Term) -> Test:
        """Whether the id or the description has the term's words."""
        is_in, is_described = term.finder(), self.description_test(term)
        return lambda row: is_in(identity(row[MEMBER], self.registry)) or is_described(row)

    def moment(self, row: Row) -> datetime | None:
        """When a job came to its registry."""
        if self.registry is Registry.CANCELED and (canceled_at := decode.at(row[SCORE])):
            return canceled_at
        first, *others = (decode.when(self.raw(row, field)) for field in MOMENTS[self.registry])
        noticed_at = decode.result_at(row[-1]) if self.registry is Registry.FAILED else None
        return next((moment for moment in (first, noticed_at, *others) if moment is not None), None)

    def is_gone(self, row: Row) -> bool:
        """Whether nothing is left of a job but its entry; what as_of reads tells it."""
        return all(self.raw(row, field) is None for field in ("status", "created_at", *MOMENTS[self.registry]))

    def is_undated(self, row: Row) -> bool:
        return self.moment(row) is None and not self.is_gone(row)

    def as_of_test(self, as_of: datetime) -> Test:
        def test(row: Row) -> bool:
            moment = self.moment(row)
            return moment <= as_of if moment is not None else self.is_gone(row)

        return test

    def age_test(self, term: Term, now: datetime) -> Test:
        return lambda row: term.takes(_seconds(self.moment(row), now))

    def run_test(self, term: Term, now: datetime) -> Test:
        """Whether the attempt took so long, or takes so long by now."""

        def test(row: Row) -> bool:
            ended_at = now if self.registry is Registry.STARTED else decode.when(self.raw(row, "ended_at"))
            return term.takes(_seconds(decode.when(self.raw(row, "started_at")), ended_at))

        return test


def _seconds(began_at: datetime | None, ended_at: datetime | None) -> float | None:
    return (ended_at - began_at).total_seconds() if began_at is not None and ended_at is not None else None


def _fields(search: Search, registry: Registry, *, as_of: datetime | None, hides: Redaction) -> Iterator[str]:
    if search.of("", "desc") and hides.is_shown:
        yield "description"
    if search.of("worker"):
        yield "worker_name"
    if _asks_if_stopped(search, registry):
        yield "status"
    if search.of("age") or as_of is not None:
        yield from MOMENTS[registry]
    if as_of is not None:
        yield from ("status", "created_at")
    if search.of("run"):
        yield from ("started_at", "ended_at")


def _data(search: Search, hides: Redaction) -> tuple[int, int]:
    """(how large data may be to be read, how much of it is returned): for functions, and for descriptions as rows write them."""
    for_words = SMALL_DATA_BYTES if search.of("", "desc") and hides.is_shown and hides.globs else 0
    return (LARGEST_DATA, max(HEAD_BYTES, for_words)) if search.of("fn") else (for_words, for_words)


def _asks_if_stopped(search: Search, registry: Registry) -> bool:
    return search.takes(registry) != search.takes(registry, is_stopped=True)


def _tests(search: Search, reading: _Reading, *, now: datetime) -> Iterator[Test]:
    registry = reading.registry
    if _asks_if_stopped(search, registry):
        wanted = search.takes(registry, is_stopped=True)
        yield lambda row: (reading.raw(row, "status") == b"stopped") == wanted
    for term in search.of("id"):
        yield _signed(term, reading.id_test(term))
    for term in search.of("worker"):
        yield _signed(term, reading.worker_test(term))
    for term in search.of("desc"):
        yield _signed(term, reading.description_test(term))
    for term in search.of("age"):
        yield _signed(term, reading.age_test(term, now))
    for term in search.of("run"):
        yield _signed(term, reading.run_test(term, now))


def _packed_tests(search: Search, reading: _Reading, *, has_data: bool) -> Iterator[Test]:
    """What takes longest to judge."""
    after_fields = FIRST_FIELD + len(reading.columns)
    if search.of("fn"):
        yield function_test(search.of("fn"), column=after_fields + 1)
    if terms := search.of("", "error", "msg", "group"):
        yield error_test(terms, column=after_fields + 2 * has_data + 1, found=reading.bare_test)


def _never(_row: Row) -> bool:
    return False


def _every(tests: Sequence[Test]) -> Test:
    if not tests:
        return lambda _row: True
    return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)


def _signed(term: Term, test: Test) -> Test:
    return (lambda row: not test(row)) if term.is_negated else test


def _conditions(search: Search, registry: Registry, hides: Redaction) -> Iterator[tuple[Argument, ...]]:
    """What scan.lua drops by: only what it judges as this module does, or drops less of."""
    if _asks_if_stopped(search, registry):
        yield ("stopped", int(not search.takes(registry, is_stopped=True)), 0)
    for term in search.of("id", "worker"):
        # Bytes that are not UTF-8 may be a part of a character there.
        if all(part.isprintable() for pattern in term.patterns for part in pattern.parts):
            yield _condition(term.field, term.patterns, is_negated=term.is_negated)
    yield from _described(search.of("", "desc"), hides)
    if any(not term.is_negated for term in search.of("error", "msg", "group")):
        yield ("error", 0, 0)


def _described(terms: Sequence[Term], hides: Redaction) -> Iterator[tuple[Argument, ...]]:
    """Lua knows no case beyond ASCII, and not what rules hide: it leaves every description that one may touch to be judged here."""
    judged = [term for term in terms if not term.is_negated and all(pattern.is_ascii for pattern in term.patterns)]
    if not judged or not all(piece.isascii() for piece in hides.pieces):
        return
    if hides.pieces:
        yield _condition("touched", [Pattern((piece,)) for piece in hides.pieces])
    for term in judged:
        lowered = [Pattern(tuple(part.lower() for part in pattern.parts)) for pattern in term.patterns]
        yield _condition(term.field or "bare", lowered)


def _condition(kind: str, patterns: Sequence[Pattern], *, is_negated: bool = False) -> tuple[Argument, ...]:
    words: list[Argument] = []
    for pattern in patterns:
        words += [len(pattern.parts), *map(decode.wire, pattern.parts)]
    return (kind, int(is_negated), len(patterns), *words)
