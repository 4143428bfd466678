"""Where a scan goes on: a text that fits into an address, tells nothing to those who carry it, and is checked when it comes back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from rqdash.errors import Invalid
from rqdash.model import names
from rqdash.model.registry import Registry
from rqdash.model.search import Search, canonical
from rqdash.queries import decode, pages

LONGEST = 8_000
LONG_BYTES, KEPT_CHARS = 300, 100
MOST_ANCHORS = 3


@dataclass(frozen=True, slots=True)
class Cursor:
    """The source that a scan stopped in, where in it (as scan.lua says it), and how many entries it had looked at by then.

    Of a queue's name that is too long for an address, queue is the beginning, and digest is of the whole.
    """

    registry: Registry
    queue: str
    place: tuple[bytes, ...]
    scanned: int
    digest: str = ""

    def is_at(self, registry: Registry, queue: str) -> bool:
        return registry is self.registry and (names.digest(queue) == self.digest if self.digest else queue == self.queue)


def written(cursor: Cursor, search: Search) -> str:
    place = [names.decoded(word) for word in cursor.place]
    digest = names.digest(cursor.queue) if len(names.encoded(cursor.queue)) > LONG_BYTES else ""
    queue = cursor.queue[:KEPT_CHARS] if digest else cursor.queue
    values = [_digest(search), cursor.registry.value, queue, digest, cursor.scanned, *place]
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def read(text: str, search: Search) -> Cursor:
    """The cursor that written() wrote for the same search. Raises Invalid."""
    try:
        packed = base64.b64decode(text[:LONGEST].encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        of_search, registry, queue, digest, scanned, *place = json.loads(packed)
        names.encoded(queue)
        cursor = Cursor(Registry(registry), queue, tuple(map(names.encoded, place)), scanned, digest)
    except (binascii.Error, ValueError, TypeError, AttributeError, RecursionError):
        raise _misfit() from None
    is_count = isinstance(scanned, int) and not isinstance(scanned, bool) and 0 <= scanned < 10**12
    if of_search != _digest(search) or not isinstance(digest, str) or not is_count or not _is_place(cursor):
        raise _misfit()
    return cursor


def _is_place(cursor: Cursor) -> bool:
    place = cursor.place
    if not place:
        return True
    if pages.ORDERS[cursor.registry] != "list":
        return len(place) == 2 and decode.decimal(place[0]) is not None
    counts = [decode.integer(word) for word in place[:2]]
    return 2 <= len(place) <= 2 + MOST_ANCHORS and all(count is not None and count >= 0 for count in counts)


def _digest(search: Search) -> str:
    return hashlib.sha256(canonical(search.terms).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _misfit() -> Invalid:
    return Invalid("This place to go on does not fit the search. Search again from the start.", problems={"cursor": "does not fit"})
