"""What the pages cost: ours and the rivals', the same rows, with the server at hand and with a delay before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from bench import api, data, memory, sites
from bench.cases import Case
from bench.delay import Delayed, delayed
from bench.harm import Harm, Watch, watch
from bench.sites import PageFailed, Site
from bench.timing import SLOW_S, Timing, in_turns, timed, timing, together
from rqdash.demo.servers import Server

CLIENTS = 8
DELAY_MS = 2.5
FLOOR, READ, VALUES, RQ_API = "floor", "rqdash, replies", "rqdash, values", "RQ's own API"
"""Readers without a web server: the floor, what our queries wait for, our queries with the values they give, RQ's classes."""


Client = Callable[[], AbstractContextManager[Callable[[], object]]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long each figure is measured: at most so many calls within so many seconds, and by how many clients beside one alone."""

    most: int = 40
    within_s: float = 0.5
    clients: int = CLIENTS
    rivals: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """One page of one reader. None and "" where a figure was not taken; problem says why the page was not had."""

    reader: str
    case: Case
    one: Timing | None = None
    many: Timing | None = None
    delayed_one: Timing | None = None
    delayed_many: Timing | None = None
    rows: int | None = None
    body_bytes: int | None = None
    commands: int | None = None
    turns: int | None = None
    harm: Harm | None = None
    problem: str = ""


@dataclass(slots=True)
class Run:
    """One run over all pages; measured is by (reader, page), serving what each process of ours takes after it."""

    server: Server
    cases: Sequence[Case]
    pace: Pace
    measured: dict[tuple[str, str], Measured] = field(default_factory=dict)
    serving: list[memory.Taken] = field(default_factory=list)
    delay_ms: float = 0.0
    """What a PING took through the delaying proxy, in the middle."""

    def note(self, reader: str, case: Case, **figures: Any) -> None:
        key = reader, case.name
        self.measured[key] = replace(self.measured.get(key) or Measured(reader, case), **figures)


def run(server: Server, cases: Sequence[Case], pace: Pace) -> Run:
    """Measures every page of every site: first with the server at hand, then through the proxy.

    All sites run side by side and take turns: what else the machine does meanwhile is felt by both sides of every ratio.
    """
    whole = Run(server, cases, pace)
    with watch(server) as watcher, _sites(whole, server.port) as found:
        for case in cases:
            _at_hand(whole, found, case, watcher)
        whole.serving = memory.taken(found[0].pids)
    with delayed(server.port, delay_ms=DELAY_MS) as proxy, _sites(whole, proxy.port) as found:
        with data.floor_of(proxy.port) as floor:
            whole.delay_ms = timed(floor.ping, most=50, within_s=1).median_ms
        for case in cases:
            _from_afar(whole, found, case, proxy)
        if pace.rivals:
            _of_rq(whole, server.port, field="one")
            _of_rq(whole, proxy.port, field="delayed_one")
    return whole


@contextmanager
def _sites(whole: Run, port: int) -> Iterator[list[Site]]:
    """The web servers while they run, ours first; port is where they reach the data."""
    with ExitStack() as stack:
        found = [*stack.enter_context(sites.ours(whole.server, port=port))]
        if whole.pace.rivals:
            found += [*stack.enter_context(sites.rq_dashboard(port=port)), *stack.enter_context(sites.rq_dashboard_fast(port=port))]
        yield found


def _at_hand(whole: Run, found: Sequence[Site], case: Case, watcher: Watch) -> None:
    pages = [site for site in found if _is_read(whole, site, case)]
    alone = _alone(whole, pages, case, port=whole.server.port, field="one")
    for name, client in _bare(whole.server.port, case).items():
        whole.note(name, case, many=_crowd(whole, client))
    for site in pages:
        if _is_worth_many(alone.get(site.name)):
            with watcher.felt() as harm:
                _many(whole, site, case, field="many")
            whole.note(site.name, case, harm=harm)


def _from_afar(whole: Run, found: Sequence[Site], case: Case, proxy: Delayed) -> None:
    known = [whole.measured[site.name, case.name] for site in found]
    pages = [site for site, page in zip(found, known, strict=True) if page.one is not None and page.one.median_ms <= SLOW_S * 1000]
    for site in pages:
        with site.reader(case) as read:
            read()
            proxy.count()
            read()
            passed = proxy.told()
        whole.note(site.name, case, commands=passed.commands, turns=passed.turns)
    alone = _alone(whole, pages, case, port=proxy.port, field="delayed_one")
    for name, client in _bare(proxy.port, case).items():
        whole.note(name, case, delayed_many=_crowd(whole, client))
    for site in pages:
        if _is_worth_many(alone.get(site.name)):
            _many(whole, site, case, field="delayed_many")


def _is_read(whole: Run, site: Site, case: Case) -> bool:
    """Whether a site answers with this page, of which the rows and the size are noted."""
    if site.path(case) is None:
        whole.note(site.name, case, problem="it has no such page")
        return False
    try:
        with site.reader(case) as read:
            body = read()
    except PageFailed as error:
        whole.note(site.name, case, problem=f"answered {error}")
        return False
    whole.note(site.name, case, rows=site.rows(case, body), body_bytes=len(body))
    return True


def _alone(whole: Run, pages: Sequence[Site], case: Case, *, port: int, field: str) -> dict[str, Timing]:
    """One client of each reader, which take turns. Raises what a reader without a web server raised."""
    with ExitStack() as stack:
        ours = stack.enter_context(data.querying(port, case))
        calls: dict[str, Callable[[], object]] = {FLOOR: stack.enter_context(data.barely(port, case)), VALUES: ours}
        calls |= {site.name: stack.enter_context(site.reader(case)) for site in pages}
        found = in_turns(calls, most=whole.pace.most, within_s=whole.pace.within_s)
    timings = {READ: timing(ours.waited_s[1:] or ours.waited_s)}
    for name, outcome in found.items():
        if isinstance(outcome, Timing):
            timings[name] = outcome
        elif isinstance(outcome, PageFailed):
            whole.note(name, case, problem=f"answered {outcome}")
        else:
            raise outcome
    for name, one in timings.items():
        whole.note(name, case, **{field: one})
    return timings


def _bare(port: int, case: Case) -> dict[str, Client]:
    """The readers without a web server. Threads of one process share the interpreter, so several of RQ's API are not measured."""
    return {FLOOR: partial(data.barely, port, case), VALUES: partial(data.querying, port, case)}


def _crowd(whole: Run, client: Client) -> Timing:
    return together(client, whole.pace.clients, most=whole.pace.most * 2, within_s=whole.pace.within_s)


def _many(whole: Run, site: Site, case: Case, *, field: str) -> None:
    try:
        whole.note(site.name, case, **{field: _crowd(whole, partial(site.reader, case))})
    except PageFailed as error:
        whole.note(site.name, case, problem=f"answered {error} to {whole.pace.clients} clients")


def _of_rq(whole: Run, port: int, *, field: str) -> None:
    pace = whole.pace
    for case, one in zip(whole.cases, api.timed(port, whole.cases, most=pace.most, within_s=pace.within_s), strict=True):
        whole.note(RQ_API, case, **{field: one})


def _is_worth_many(one: Timing | None) -> bool:
    """Clients at once take their number of times as long where requests wait for each other."""
    return one is not None and one.median_ms < SLOW_S * 200
