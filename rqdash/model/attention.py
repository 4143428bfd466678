"""What needs a person's attention, from what was read: each item judged, explained and ranked. What is unknown is no alarm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rqdash.model.duration import duration, number
from rqdash.model.profile import Profile
from rqdash.model.queue import BackendSummary, QueueSummary, ServerFacts
from rqdash.model.registry import Registry
from rqdash.model.reply import Problem, Reply
from rqdash.model.trouble import CronFacts, Item, Kind, QueueTrouble, Troubles

FULL = 0.9
"""Of maxmemory: beyond it there is little time left."""
CRON_KNOWN = timedelta(days=7)
"""A cron job that was not enqueued for so long was given up rather than lost."""
RISING = 3
FEWEST_RISING = 5
GUARDED = frozenset({"switching", "settling", "no_master", "blind", "replica", "read_only"})
"""Codes of problems, and of cautions, of a backend that has no master that may be written to."""
ORDER = {kind: place for place, kind in enumerate(Kind)}
LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast jobs of a queue fail, from history: in the last hour, and usually in an hour."""

    queue: str
    failed_1h: int
    usual_1h: float


def needs(replies: Iterable[Reply[BackendSummary]], *, paces: Mapping[str, Sequence[Pace]] | None = None) -> tuple[Item, ...]:
    """What needs attention on the backends asked, worst first.

    A backend that gave no answer is one item; what was last known of it gives none. paces are those of the backends with a history,
    by name: they say more than a reading does of whether failures rise.
    """
    found: list[Item] = []
    for reply in replies:
        if reply.problem is not None:
            found.append(_unanswered(reply.profile, reply.problem))
            continue
        found += [_cautioned(reply.name, reply.caution)] if reply.caution else []
        known = reply.value.attention if reply.value else ()
        told = (paces or {}).get(reply.name)
        if told is None:
            found += known
        else:
            found += [item for item in known if item.kind is not Kind.FAILING]
            found += [item for pace in told if (item := failing(reply.profile, pace)) is not None]
    return ranked(found)


def ranked(items: Iterable[Item]) -> tuple[Item, ...]:
    """Worst first: by kind, then the longest lasting, then the most jobs or workers, then by name."""
    return tuple(sorted(items, key=_rank))


def items(profile: Profile, summary: BackendSummary, *, troubles: Troubles) -> tuple[Item, ...]:
    """What is wrong with a backend that answered, worst first; queues of whose workers some were not read are not called unattended."""
    facts = {trouble.queue: trouble for trouble in troubles.queues}
    is_whole = summary.workers + summary.workers_lost >= summary.workers_total
    found = [*_of_server(profile, summary.server), *_of_workers(summary, troubles), *_of_cron(profile.name, troubles.cron, summary.as_of)]
    for queue in summary.queues:
        found += _of_queue(profile, summary, queue, facts.get(queue.name, QueueTrouble(queue.name)), is_whole=is_whole)
    return ranked(found)


def failing(profile: Profile, pace: Pace) -> Item | None:
    """The item of a queue whose failures rise by its history: over the profile's limit, else three times what is usual, and five."""
    limit = profile.failures_warn_per_hour
    if pace.failed_1h <= limit if limit else pace.failed_1h < max(FEWEST_RISING, RISING * pace.usual_1h):
        return None
    text = f"{_jobs(pace.failed_1h)} failed in 1 h, usually {number(round(pace.usual_1h))}."
    return Item(profile.name, Kind.FAILING, pace.queue, text, count=pace.failed_1h, queue=pace.queue)


def _rank(item: Item) -> tuple[int, datetime, int, str, str, str]:
    return (ORDER[item.kind], item.since or LATEST, -item.count, item.backend, item.queue or "", item.subject)


def _unanswered(profile: Profile, problem: Problem) -> Item:
    kind = Kind.SWITCHING if problem.code in GUARDED else Kind.DOWN
    cause = problem.hint or ("" if kind is Kind.SWITCHING else "What it holds is unknown until it answers.")
    return Item(profile.name, kind, "", problem.message, cause, since=problem.since, until=problem.retry_at, code=problem.code)


def _cautioned(backend: str, caution: Problem) -> Item:
    kind = Kind.SWITCHING if caution.code in GUARDED else Kind.SENTINEL
    return Item(backend, kind, "", caution.message, caution.hint, since=caution.since, code=caution.code)


def _of_server(profile: Profile, server: ServerFacts) -> Iterator[Item]:
    used, most, policy = server.used_memory_bytes, server.maxmemory_bytes, server.maxmemory_policy
    share = used / most if used is not None and most else None
    if server.role not in ("", "master"):
        text = "The server is a read-only replica: RQ cannot work with it."
        yield Item(profile.name, Kind.REPLICA, "", text, "Give the connection the master's address.", code="replica")
    if share is not None and share >= FULL and policy in ("", "noeviction"):
        cause = "Raise maxmemory, or let results live for less long."
        yield Item(profile.name, Kind.MEMORY, "Memory", f"is {share:.0%} full: at maxmemory Redis refuses new jobs.", cause)
    skew, limit = server.clock_skew_s, profile.clock_skew_warn_s
    if skew is not None and limit and abs(skew) >= limit:
        text = f"of the server is {duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} rqdash’s."
        yield Item(profile.name, Kind.CLOCK, "The clock", text, "Ages and deadlines may be wrong by as much. Let both hosts keep time.")
    if policy not in ("", "noeviction"):
        full = "No maxmemory is set yet." if most == 0 else f"Memory is {share:.0%} full." if share is not None else ""
        cause = f"{full} RQ needs noeviction.".strip()
        yield Item(profile.name, Kind.EVICTION, "maxmemory-policy", f"is {policy}: Redis may drop jobs.", cause)


def _of_workers(summary: BackendSummary, troubles: Troubles) -> Iterator[Item]:
    if summary.workers_lost and troubles.lost:
        others = summary.workers_lost - 1
        text = f"and {number(others)} more stopped answering." if others else "stopped answering."
        cause = "RQ lists it until the next maintenance of a worker; what it ran is abandoned."
        yield Item(summary.backend, Kind.LOST, troubles.lost[0], text, cause, count=summary.workers_lost, worker=troubles.lost[0])
    if summary.is_suspended:
        waiting, workers = summary.total(Registry.QUEUED), summary.workers
        subject = "All workers" if workers == 0 else "The only worker" if workers == 1 else f"All {number(workers)} workers"
        verb = "is" if workers == 1 else "are"
        text = f"{verb} suspended, {_jobs(waiting)} wait{'s' if waiting == 1 else ''}."
        cause = "" if summary.suspended_until else "It has no end."
        yield Item(summary.backend, Kind.SUSPENDED, subject, text, cause, count=waiting, until=summary.suspended_until)


def _of_cron(backend: str, cron: CronFacts, now: datetime) -> Iterator[Item]:
    if cron.doubled:
        others = len(cron.doubled) - 1
        text = f"{f'and {number(others)} more cron jobs are' if others else 'is'} enqueued by two cron schedulers, so each run is doubled."
        yield Item(backend, Kind.CRON_DOUBLED, cron.doubled[0], text, "Stop one of the two.", count=len(cron.doubled))
    known = cron.last_enqueued_at
    if not cron.live and (cron.last_beat_at or (known and now - known <= CRON_KNOWN)):
        text = "is alive, and there are cron jobs: none is enqueued until rq cron runs again."
        yield Item(backend, Kind.CRON_DEAD, "No cron scheduler", text, since=cron.last_beat_at or known)


def _of_queue(profile: Profile, summary: BackendSummary, queue: QueueSummary, facts: QueueTrouble, *, is_whole: bool) -> Iterator[Item]:
    waits = _waiting(profile, summary, queue, is_whole=is_whole)
    found = (waits, _rising(profile, queue, facts), *_unfinished(queue, facts, is_whole=is_whole), _unscheduled(queue, facts))
    return (item for item in found if item is not None)


def _waiting(profile: Profile, summary: BackendSummary, queue: QueueSummary, *, is_whole: bool) -> Item | None:
    """Its jobs wait for nobody, or for too long; that of suspended workers has its own item."""
    since, limit = queue.oldest_enqueued_at, profile.oldest_warn_s
    if queue.is_unattended and is_whole:
        text = f"{_jobs(queue.queued)} {'waits' if queue.queued == 1 else 'wait'} and no worker listens."
        return Item(queue.backend, Kind.UNATTENDED, queue.name, text, count=queue.queued, queue=queue.name, since=since)
    if summary.is_suspended or not limit or since is None or summary.as_of - since <= timedelta(seconds=limit):
        return None
    text = f"its oldest job waits longer than {duration(limit)}."
    cause = f"{number(queue.queued)} in the queue, {number(queue.workers_busy)} of {number(queue.workers)} workers busy."
    return Item(queue.backend, Kind.LATE, queue.name, text, cause, count=queue.queued, queue=queue.name, since=since)


def _rising(profile: Profile, queue: QueueSummary, facts: QueueTrouble) -> Item | None:
    """Failures of the last ten minutes against those of the 50 before, or against the profile's limit an hour."""
    recent, in_hour, limit = facts.failed_10min, facts.failed_1h, profile.failures_warn_per_hour
    if recent is None or in_hour is None:
        return None
    before = in_hour - recent
    if limit and in_hour > limit:
        text = f"{_jobs(in_hour)} failed in 1 h, more than {number(limit)}."
    elif not limit and recent >= max(FEWEST_RISING, RISING * before / 5):
        text = f"{_jobs(recent)} failed in 10 min, {number(before) if before else 'none'} in the 50 min before."
    else:
        return None
    return Item(queue.backend, Kind.FAILING, queue.name, text, count=in_hour, queue=queue.name)


def _unfinished(queue: QueueSummary, facts: QueueTrouble, *, is_whole: bool) -> Iterator[Item]:
    """Started jobs that nobody runs, and those that a worker took and never started."""
    if facts.gone:
        text = f"{_jobs(facts.gone)} started, and the worker is gone."
        cause = "Nobody runs it; RQ fails or retries it at its deadline." if facts.gone == 1 else ""
        yield Item(queue.backend, Kind.GONE, queue.name, text, cause, count=facts.gone, queue=queue.name, worker=facts.gone_worker)
    if queue.expired_started:
        text = f"{_jobs(queue.expired_started)} started and abandoned: past the deadline without a sign of the worker."
        cause = "A worker of this queue fails or retries them at its next maintenance, within about ten minutes."
        count, since = queue.expired_started, facts.abandoned_at
        yield Item(queue.backend, Kind.ABANDONED, queue.name, text, cause, count=count, queue=queue.name, since=since)
    # Between the list and a worker is an instant; where no worker is alive, nobody can be at it.
    stuck = queue.intermediate if is_whole and not queue.workers else min(facts.stuck, queue.intermediate)
    if stuck:
        text = f"{_jobs(stuck)} taken from the queue and never started."
        yield Item(queue.backend, Kind.STUCK, queue.name, text, "The worker died in between.", count=stuck, queue=queue.name)


def _unscheduled(queue: QueueSummary, facts: QueueTrouble) -> Item | None:
    if queue.has_scheduler or not queue.scheduled:
        return None
    overdue = queue.overdue
    text = f"{number(overdue)} of {_jobs(queue.scheduled)} scheduled {'is' if overdue == 1 else 'are'} overdue, and no scheduler runs."
    if not overdue:
        text = f"{_jobs(queue.scheduled)} scheduled, and no scheduler runs to enqueue {'it' if queue.scheduled == 1 else 'them'}."
    cause = "Start a worker of this queue with --with-scheduler."
    since = facts.due_at if overdue else None
    return Item(queue.backend, Kind.UNSCHEDULED, queue.name, text, cause, count=overdue or queue.scheduled, queue=queue.name, since=since)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{number(count)} jobs"
