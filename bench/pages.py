"""What the pages cost: ours and the rivals', the same rows, with the server at hand and with a delay before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from bench import api, data, memory, sites
from bench.cases import Case
from bench.delay import Delayed, delayed
from bench.harm import Harm, Watch, watch
from bench.sites import PageFailed, Site
from bench.timing import SLOW_S, Timing, timed, together
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
    """Measures every page of every site: first with the server at hand, then through the proxy."""
    whole = Run(server, cases, pace)
    _bare(whole, server.port, one="one", many="many")
    with watch(server) as watcher:
        for site in _sites(whole, server.port):
            for case in cases:
                _at_hand(whole, site, case, watcher)
            if site.pids:
                whole.serving = memory.taken(site.pids)
    with delayed(server.port, delay_ms=DELAY_MS) as proxy:
        with data.floor_of(proxy.port) as floor:
            whole.delay_ms = timed(floor.ping, most=50, within_s=1).median_ms
        _bare(whole, proxy.port, one="delayed_one", many="delayed_many")
        for site in _sites(whole, proxy.port):
            for case in cases:
                _from_afar(whole, site, case, proxy)
    return whole


def _sites(whole: Run, port: int) -> Iterator[Site]:
    """Each web server while it runs, one after the other; port is where they reach the data."""
    yield from _while_open(lambda: sites.ours(whole.server, port=port))
    if whole.pace.rivals:
        yield from _while_open(lambda: sites.rq_dashboard(port=port))
        yield from _while_open(lambda: sites.rq_dashboard_fast(port=port))


def _while_open(start: Callable[[], Any]) -> Iterator[Site]:
    with ExitStack() as stack:
        yield from stack.enter_context(start())


def _bare(whole: Run, port: int, *, one: str, many: str) -> None:
    """The readers without a web server. Threads of one process share the interpreter, so several of RQ's API are not measured."""
    pace = whole.pace
    for case in whole.cases:
        whole.note(FLOOR, case, **_both(partial(data.barely, port, case), pace, one=one, many=many))
        whole.note(VALUES, case, **_both(partial(data.querying, port, case), pace, one=one, many=many))
        with data.clocked(port) as backend:
            waited = data.waiting(backend, data.query(backend, case), most=pace.most, within_s=pace.within_s)
        whole.note(READ, case, **{one: waited})
    if pace.rivals:
        for case, timing in zip(whole.cases, api.timed(port, whole.cases, most=pace.most, within_s=pace.within_s), strict=True):
            whole.note(RQ_API, case, **{one: timing})


def _both(client: Client, pace: Pace, *, one: str, many: str) -> dict[str, Timing]:
    with client() as call:
        alone = timed(call, most=pace.most, within_s=pace.within_s)
    return {one: alone, many: together(client, pace.clients, most=pace.most * 2, within_s=pace.within_s)}


def _at_hand(whole: Run, site: Site, case: Case, watcher: Watch) -> None:
    if site.path(case) is None:
        whole.note(site.name, case, problem="it has no such page")
        return
    pace = whole.pace
    try:
        with site.reader(case) as read:
            body = read()
            whole.note(site.name, case, rows=site.rows(case, body), body_bytes=len(body))
            one = timed(read, most=pace.most, within_s=pace.within_s)
        whole.note(site.name, case, one=one)
        if _is_worth_many(one):
            with watcher.felt() as harm:
                many = together(partial(site.reader, case), pace.clients, most=pace.most * 2, within_s=pace.within_s)
            whole.note(site.name, case, many=many, harm=harm)
    except PageFailed as error:
        whole.note(site.name, case, problem=f"answered {error}")


def _from_afar(whole: Run, site: Site, case: Case, proxy: Delayed) -> None:
    known, pace = whole.measured[site.name, case.name], whole.pace
    if known.one is None or known.one.median_ms > SLOW_S * 1000:
        return
    try:
        with site.reader(case) as read:
            read()
            proxy.count()
            read()
            passed = proxy.told()
            whole.note(site.name, case, commands=passed.commands, turns=passed.turns)
            one = timed(read, most=pace.most, within_s=pace.within_s)
        whole.note(site.name, case, delayed_one=one)
        if _is_worth_many(one):
            many = together(partial(site.reader, case), pace.clients, most=pace.most * 2, within_s=pace.within_s)
            whole.note(site.name, case, delayed_many=many)
    except PageFailed as error:
        whole.note(site.name, case, problem=f"with the delay it answered {error}")


def _is_worth_many(one: Timing) -> bool:
    """Clients at once take their number of times as long where requests wait for each other."""
    return one.median_ms < SLOW_S * 200
