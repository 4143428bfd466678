"""What needs attention, as the overview, its cards and the chips of every page show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rqdash.backends.line import Good
from rqdash.model import attention
from rqdash.model.attention import Pace
from rqdash.model.profile import Profile
from rqdash.model.queue import BackendSummary
from rqdash.model.reply import Coverage, Reply, coverage
from rqdash.model.trouble import Item, Kind
from rqdash.web.filters import middle, shown_name
from rqdash.web.marks import Mark, mark

Paces = Mapping[str, Sequence[Pace]]

SHOWN = 8
MOST_SHOWN = 200
KEPT = timedelta(seconds=60)
"""For how long what was read of a backend still speaks for it on other pages."""
OF_A_SERVER = frozenset({Kind.REPLICA, Kind.MEMORY, Kind.LOST, Kind.CRON_DOUBLED, Kind.CRON_DEAD, Kind.CLOCK, Kind.EVICTION})
"""What is wrong with no single queue, and said beside its connection."""
OF_INFO = ("maxmemory_policy", "eviction, memory and clock")
"""A fact of INFO that is unknown only when all of INFO is, and what cannot be judged then."""


@dataclass(frozen=True, slots=True)
class Need:
    """One item with its backend's mark."""

    mark: Mark
    item: Item


@dataclass(frozen=True, slots=True)
class Attention:
    """The worst of total items; coverage says on how many backends they were looked for, unknown what could not be, a sentence each."""

    needs: tuple[Need, ...]
    total: int
    coverage: Coverage
    unknown: tuple[str, ...] = ()
    is_all: bool = False


def found(replies: Sequence[Reply[BackendSummary]], *, paces: Paces | None = None, is_all: bool = False) -> Attention:
    """The items of all backends, worst first: eight of them, or up to 200. paces: how fast jobs fail, by backend."""
    marks = {reply.name: mark(reply.profile) for reply in replies}
    items = attention.needs(replies, paces=paces)
    needs = tuple(Need(marks[item.backend], item) for item in items[: MOST_SHOWN if is_all else SHOWN])
    unknown = tuple(sentence for reply in replies if reply.is_ok for sentence in _unknown(reply))
    return Attention(needs, len(items), coverage(replies), unknown, is_all)


def warnings(reply: Reply[BackendSummary], *, paces: Paces | None = None) -> tuple[str, ...]:
    """A sentence for each item of a backend that answers; its suspension is shown as a state of its own."""
    items = attention.needs([reply], paces=paces) if reply.is_ok else ()
    return tuple(_sentence(item) for item in items if item.kind is not Kind.SUSPENDED)


def server_warnings(summary: BackendSummary) -> tuple[str, ...]:
    """A sentence for each item that is about no queue, but for its suspension, which is shown as a state of its own."""
    return tuple(_sentence(item) for item in summary.attention if item.kind in OF_A_SERVER)


def ailment(good: Good | None, *, profile: Profile, now: datetime, paces: Paces | None = None) -> str:
    """What a chip says of a backend without a problem, by the last overview of it: "suspended", "warning", "" when well or not known."""
    summary = good.value if good is not None and now - good.as_of <= KEPT else None
    if not isinstance(summary, BackendSummary):
        return ""
    return "suspended" if summary.is_suspended else "warning" if attention.needs([Reply(profile, summary)], paces=paces) else ""


def _sentence(item: Item) -> str:
    if item.queue is None and not item.subject:
        return item.text
    return f"{middle(shown_name(item.subject), 24)}{' ' if item.queue is None else ': '}{item.text}"


def _unknown(reply: Reply[BackendSummary]) -> tuple[str, ...]:
    fact, judged = OF_INFO
    reason = reply.value.server.why_unknown(fact) if reply.value else ""
    return (f"{reply.name}: {judged} unknown. {reason}",) if reason else ()
