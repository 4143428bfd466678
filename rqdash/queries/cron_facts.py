"""Whether the cron schedulers of a backend are alive, and whether two of them enqueue the same jobs; read beside the overview."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from rqdash.backends.backend import Backend, Command
from rqdash.backends.scripts import Call, load
from rqdash.model import redaction
from rqdash.model.cron import is_live
from rqdash.model.keys import Keys
from rqdash.model.trouble import CronFacts
from rqdash.queries import decode
from rqdash.queries.counts import PACKAGE
from rqdash.queries.cron import ALL_BYTES, LARGEST_BYTES
from rqdash.queries.cron_entries import entries
from rqdash.queries.reading import read_lenient

MOST_SCHEDULERS = 20
MOST_NAMED = 20
BEAT_S = 70
"""A scheduler beats once a minute. One that was killed and started anew is listed twice for a while: the old one does not beat."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The schedulers with their last heartbeats, the newest first, and when a cron job was last enqueued."""

    beats: tuple[tuple[bytes, datetime | None], ...]
    last_enqueued_at: datetime | None

    def beating(self, now: datetime) -> list[bytes]:
        return [name for name, at in self.beats if at is not None and now - at <= timedelta(seconds=BEAT_S)]


def commands(keys: Keys) -> tuple[Command, Command]:
    """What to send for listed()."""
    schedulers, known = decode.wire(keys.cron_schedulers), decode.wire(keys.cron_jobs)
    return ("ZREVRANGE", schedulers, 0, MOST_SCHEDULERS - 1, "WITHSCORES"), ("ZREVRANGE", known, 0, 0, "WITHSCORES")


def listed(schedulers: object, known: object) -> Listed:
    enqueued = decode.scored(known)
    beats = tuple((name, decode.at(score)) for name, score in decode.scored(schedulers))
    return Listed(beats, decode.at(enqueued[0][1]) if enqueued else None)


def by_script(backend: Backend, found: Listed, *, now: datetime) -> list[Call]:
    """The call whose reply lists() reads; none unless two schedulers beat."""
    if len(found.beating(now)) < 2:
        return []
    limits = (MOST_SCHEDULERS, 1, LARGEST_BYTES, ALL_BYTES)
    return [Call(load(PACKAGE, "cron", includes=("common",)), arguments=(decode.wire(backend.keys.prefix), *limits))]


def lists(replies: list[object]) -> dict[bytes, object]:
    """The JSON of each scheduler's jobs, of those that say it."""
    rows = [decode.many(row) for reply in replies for row in decode.many(decode.many(reply)[1])]
    return {row[0]: row[4] for row in rows if len(row) == 5 and isinstance(row[0], bytes)}


def by_pipeline(backend: Backend, found: Listed, *, now: datetime) -> dict[bytes, object]:
    """As lists(), in two round trips; none unless two schedulers beat."""
    beating = found.beating(now) if len(found.beating(now)) > 1 else []
    hashes = {name: decode.wire(backend.keys.cron_scheduler("")) + name for name in beating}
    sizes = read_lenient(backend, *(("HSTRLEN", key, "cron_jobs") for key in hashes.values()))
    small = [name for name, size in zip(hashes, sizes, strict=True) if 0 < (decode.integer(size) or 0) <= LARGEST_BYTES]
    return dict(zip(small, read_lenient(backend, *(("HGET", hashes[name], "cron_jobs") for name in small)), strict=True))


def facts(backend: Backend, found: Listed, *, jobs: dict[bytes, object], now: datetime) -> CronFacts:
    """The facts; jobs are what lists() or by_pipeline() gave. Lists that cannot be read name nothing."""
    live = sum(is_live(at, now=now) for _, at in found.beats)
    beating = set(found.beating(now))
    hides = redaction.of(backend.profile)
    seen = Counter(
        identity
        for name, raw in jobs.items()
        if name in beating and isinstance(raw, bytes)
        for identity in {(entry.name, *entry.identity) for entry in entries(raw, hides) or ()}
    )
    doubled = sorted({str(identity[0]) for identity, holders in seen.items() if holders > 1})
    newest = found.beats[0][1] if found.beats and not live else None
    return CronFacts(live, tuple(doubled[:MOST_NAMED]), newest, None if live else found.last_enqueued_at)
