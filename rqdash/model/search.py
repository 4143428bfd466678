"""The grammar of every list's search box: queue:mail,high status:failed -fn:app.noise age:>2h "no such customer".

Comma is or, space is and, a leading minus is not; * stands for any characters; what stands in quotes is meant as it is, with
\\" \\\\ \\n \\r \\t and \\xNN (a byte). A bare word is part of a job's id, description or error.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from rqdash.errors import Invalid
from rqdash.model import names
from rqdash.model.registry import STATUSES, Registry
from rqdash.model.search_terms import BARE, FIELDS, PARTS, SPAN, TIMES, Pattern, Span, Term, literal, written

__all__ = [
    "FIELDS",
    "STATUS_WORDS",
    "Search",
    "SearchMistake",
    "canonical",
    "everything",
    "literal",
    "narrowed",
    "search",
    "term_end",
    "within",
]

LONGEST = 20_000
MOST_TERMS = 40
MOST_WORDS = 200
STOPPED = "stopped"
ORDER = (
    Registry.STARTED,
    Registry.FAILED,
    Registry.QUEUED,
    Registry.INTERMEDIATE,
    Registry.SCHEDULED,
    Registry.DEFERRED,
    Registry.READY,
    Registry.CANCELED,
    Registry.FINISHED,
)
"""The registries as a search goes through them: what runs and what went wrong first."""
STATUS_WORDS = tuple(dict.fromkeys((*(registry.value for registry in Registry), *STATUSES)))
"""What status: takes: the registries, and RQ's statuses. Jobs created or rate_limited are in no registry, so these two find none."""

_FIELD = re.compile(r"([A-Za-z_]+):")
_ESCAPE = re.compile(r'\\(?:(["\\nrt])|x([0-9a-fA-F]{2}))')
_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_OWN_WORDS = {registry: {registry.value} for registry in Registry} | {Registry.READY: {"ready", "ready_to_enqueue"}}


class SearchMistake(Invalid):
    """A search that cannot be read: what is wrong and what helps, in a sentence; at is the position of the mistake, from 0."""

    code = "search"

    def __init__(self, message: str, *, at: int) -> None:
        super().__init__(message, problems={"q": message})
        self.at = at


@dataclass(frozen=True, slots=True)
class Search:
    """A search as read; text is as it was written. Every term must hold; without any, everything matches."""

    text: str
    terms: tuple[Term, ...]

    @property
    def is_empty(self) -> bool:
        return not self.terms

    def of(self, *fields: str) -> tuple[Term, ...]:
        """Its terms of these fields, "" being the bare words."""
        return tuple(term for term in self.terms if term.field in fields)

    def on_backend(self, name: str) -> bool:
        return all(term.is_negated != term.is_all_of(name) for term in self.of("backend"))

    def on_queue(self, name: str) -> bool:
        return all(term.is_negated != term.is_all_of(name) for term in self.of("queue"))

    @property
    def queues(self) -> tuple[str, ...] | None:
        """The queues it names one by one; None when they must be looked for, since it names none or has a glob."""
        named = self._exact("queue")
        return None if named is None else tuple(name for name in named if self.on_queue(name))

    @property
    def whole_ids(self) -> tuple[str, ...] | None:
        """The ids it names one by one, None when it names none or has a glob."""
        return self._exact("id")

    @property
    def registries(self) -> tuple[Registry, ...]:
        """Where jobs of its statuses are, in the order of a search."""
        return tuple(registry for registry in ORDER if self.takes(registry) or self.takes(registry, is_stopped=True))

    def takes(self, registry: Registry, *, is_stopped: bool = False) -> bool:
        """Whether jobs of a registry have a status it wants. RQ keeps stopped jobs among the failed ones."""
        words = _OWN_WORDS[registry] | ({STOPPED} if is_stopped and registry is Registry.FAILED else set())
        return all(term.is_negated != any(map(term.is_all_of, words)) for term in self.of("status"))

    def _exact(self, field: str) -> tuple[str, ...] | None:
        for term in self.of(field):
            if not term.is_negated and all(pattern.is_exact for pattern in term.patterns):
                return tuple(dict.fromkeys(pattern.parts[0] for pattern in term.patterns))
        return None


def everything() -> Search:
    """The search that every job matches."""
    return Search("", ())


def search(text: str, *, fields: Collection[str] = FIELDS) -> Search:
    """The search that a text says. Raises SearchMistake; also for a field that is not among fields."""
    if len(text) > LONGEST:
        raise SearchMistake(f"This search is longer than {LONGEST:,} characters.", at=LONGEST)
    terms: list[Term] = []
    at = _skipped(text, 0)
    while at < len(text):
        if len(terms) == MOST_TERMS:
            raise SearchMistake(f"A search may have {MOST_TERMS} conditions. Join words of one field with commas.", at=at)
        term, at = _term(text, at, fields)
        terms.append(term)
        if sum(len(found.patterns) for found in terms) > MOST_WORDS:
            raise SearchMistake(f"A search may have {MOST_WORDS} words.", at=term.at)
        at = _skipped(text, at)
    return Search(text, tuple(terms))


def term_end(text: str, at: int) -> int:
    """Where the term ends that stands at a position of a text, also of one that cannot be read: at a space outside quotes."""
    is_quoted, here = False, 0
    while here < len(text) and (here < at or is_quoted or not text[here].isspace()):
        is_quoted ^= text[here] == '"'
        here += 2 if is_quoted and text[here] == "\\" else 1
    return min(here, len(text))


def narrowed(found: Search, *, queue: str, registry: Registry) -> Search:
    """The search for what another finds in one registry of one queue."""
    here = (Term("queue", (Pattern((queue,)),)), Term("status", (Pattern((registry.value,)),)))
    return Search(found.text, (*here, *found.terms))


def within(text: str, *, queue: str, registry: Registry) -> str:
    """The text of a search for what text finds in one registry of one queue."""
    return f"queue:{literal(queue)} status:{registry.value} {text}".rstrip()


def canonical(terms: Iterable[Term]) -> str:
    """The text that search() reads as these terms."""
    return " ".join(map(written, terms))


def _skipped(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _term(text: str, start: int, fields: Collection[str]) -> tuple[Term, int]:
    is_negated = text[start] == "-"
    at = start + is_negated
    if is_negated and (at == len(text) or text[at].isspace() or text[at] == "-"):
        raise SearchMistake("A minus excludes what follows it at once: -fn:app.noise. To look for a minus, quote it.", at=start)
    found = _FIELD.match(text, at)
    name = _known(found[1], at, fields) if found else BARE
    words, end = _words(text, found.end() if found else at)
    if name in TIMES:
        return Term(name, spans=tuple(_span(word, place, name) for word, place in words), is_negated=is_negated, at=start), end
    for pattern, place in words:
        _check(pattern, place, name)
    return Term(name, tuple(pattern for pattern, _ in words), is_negated=is_negated, at=start), end


def _known(name: str, at: int, fields: Collection[str]) -> str:
    if name.lower() in fields:
        return name.lower()
    there_are = "Fields here: " + ", ".join(field for field in FIELDS if field in fields) + "."
    if name.lower() in FIELDS:
        raise SearchMistake(f"{name.lower()}: cannot be looked for in this list. {there_are}", at=at)
    close = get_close_matches(name.lower(), fields, 1)
    meant = f" Did you mean {close[0]}?" if close else ""
    raise SearchMistake(f'There is no field {name[:40]}.{meant} {there_are} To look for the text itself, quote it: "{name[:40]}:".', at=at)


def _words(text: str, at: int) -> tuple[list[tuple[Pattern, int]], int]:
    """The words with commas between that begin here, each with its place, and where they end."""
    words = []
    while True:
        pattern, end = _pattern(text, at)
        if end == at:
            raise SearchMistake('A word is missing here. An empty name is written "".', at=at)
        words.append((pattern, at))
        if end == len(text) or text[end] != ",":
            return words, end
        at = end + 1


def _pattern(text: str, at: int) -> tuple[Pattern, int]:
    parts = [""]
    while at < len(text) and text[at] != "," and not text[at].isspace():
        if text[at] == '"':
            quoted, at = _quoted(text, at)
            parts[-1] += quoted
            continue
        if text[at] == "*":
            parts.append("")
        else:
            parts[-1] += text[at]
        at += 1
    return Pattern(tuple(parts)), at


def _quoted(text: str, start: int) -> tuple[str, int]:
    """What stands in the quotes that open here, and where it goes on after them."""
    at = start + 1
    found: list[str | int] = []
    while at < len(text) and text[at] != '"':
        escape = _ESCAPE.match(text, at)
        if text[at] == "\\" and escape is None:
            raise SearchMistake('After a backslash in quotes comes ", another backslash, n, r, t or xNN.', at=at)
        found.append(text[at] if escape is None else _ESCAPES[escape[1]] if escape[1] else int(escape[2], 16))
        at = at + 1 if escape is None else escape.end()
    if at == len(text):
        raise SearchMistake("These quotes are not closed.", at=start)
    return "".join(_decoded(found)), at + 1


def _decoded(found: Iterable[str | int]) -> Iterator[str]:
    """Characters as they are; bytes that were escaped one after the other as the name they are together."""
    raw = bytearray()
    for item in found:
        if isinstance(item, int):
            raw.append(item)
            continue
        yield names.decoded(bytes(raw))
        raw.clear()
        yield item
    yield names.decoded(bytes(raw))


def _span(word: Pattern, at: int, name: str) -> Span:
    found = SPAN.fullmatch(word.parts[0]) if word.is_exact else None
    if found is None:
        raise SearchMistake(f"{name}: takes < or > and a length of time: {name}:>2h, {name}:<=1h30m, {name}:>500ms.", at=at)
    return Span(found[1], found[2])


def _check(pattern: Pattern, at: int, name: str) -> None:
    if name in (*PARTS, BARE) and not any(pattern.parts) and pattern.is_exact:
        raise SearchMistake("Empty quotes would match everything.", at=at)
    if name == "status" and not any(map(pattern.is_all_of, STATUS_WORDS)):
        close = get_close_matches("".join(pattern.parts), STATUS_WORDS, 1)
        meant = f" Did you mean {close[0]}?" if close else ""
        raise SearchMistake(f"There is no such status.{meant} There are: {', '.join(STATUS_WORDS)}.", at=at)
