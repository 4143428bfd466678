"""Runs a test from the first stage to the last, within its budget."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import redis

from rqdash.backends.policy import TargetPolicy
from rqdash.backends.probe.context import Clock, Context
from rqdash.backends.probe.find import find_database, find_rq, find_server
from rqdash.backends.probe.fit import check_clock, check_eviction, check_replicas
from rqdash.backends.probe.reach import signed_in, walk, walk_unix
from rqdash.backends.probe.report import Board, Report, stages
from rqdash.backends.probe.rights import check_rights
from rqdash.backends.probe.sentinels import agree, inquire
from rqdash.backends.probe.show import show
from rqdash.backends.probe.walk import Walk
from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls

BUDGET_S = 8.0


def utc_now() -> datetime:
    return datetime.now(UTC)


def probe(
    profile: Profile, secrets: Secrets, *, policy: TargetPolicy, now: Callable[[], datetime] = utc_now, budget_s: float = BUDGET_S
) -> Report:
    """Tests a profile stage by stage and says what was found; never raises for what a server does, and writes nothing to it.

    After the first failure that ends the way, later stages are there as "not tried". It takes at most budget_s seconds: what is
    not done by then counts as out of time. Texts are ours; none holds a password.
    """
    clock = Clock(budget_s)
    context = Context(profile, secrets, policy, Board(stages(profile)), clock, now)
    test = _Test(context)
    test.start()
    test.join(budget_s)
    if test.bug is not None:
        raise test.bug
    return context.board.close(took_ms=clock.took_ms, is_late=test.is_alive())


class _Test(threading.Thread):
    """The stages, on a thread of their own: a server that trickles bytes defeats every socket timeout, but not join()."""

    def __init__(self, context: Context) -> None:
        super().__init__(name="probe", daemon=True)
        self._context = context
        self.bug: Exception | None = None

    def run(self) -> None:
        try:
            _run(self._context)
        except Exception as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
            self.bug = error


def _run(context: Context) -> None:
    if context.profile.kind is Kind.SENTINEL:
        _run_sentinel(context)
    elif context.profile.kind is Kind.UNIX:
        context.board.skipped("dns", "not needed")
        context.board.skipped("tls", "not needed")
        way = Walk(Node(context.profile.unix_path, 0), "socket", Tls(), noted=lambda way: show(context, (way,)))
        walk_unix(context, way, sign_in=lambda: signed_in(context))
        _look_inside(context, way, is_sentinel_group=False)
    else:
        way = _to_data(context, "server", noted=lambda way: show(context, (way,)))
        _look_inside(context, way, is_sentinel_group=False)


def _run_sentinel(context: Context) -> None:
    inquiries = inquire(context)
    ways = [inquiry.way for inquiry in inquiries]
    show(context, ways)
    master = agree(context, inquiries)
    if master is not None:
        at_master = context.at(master)
        way = _to_data(at_master, "master", noted=lambda way: show(context, [*ways, way]))
        _look_inside(at_master, way, is_sentinel_group=True)


def _to_data(context: Context, what: str, *, noted: Callable[[Walk], None]) -> Walk:
    way = Walk(Node(context.profile.host, context.profile.port), what, context.profile.tls, context.secrets.data_key, noted=noted)
    return walk(context, way, sign_in=lambda: signed_in(context))


def _look_inside(context: Context, way: Walk, *, is_sentinel_group: bool) -> None:
    if way.problem is not None or not find_server(context, is_sentinel_group=is_sentinel_group):
        return
    with closing(context.client()) as client:
        if not find_database(context, client):
            return
        stages_left: list[Callable[[Context, redis.Redis], None]] = [find_rq, check_rights, check_clock, check_eviction]
        if is_sentinel_group:
            stages_left.append(check_replicas)
        for stage in stages_left:
            if context.clock.is_over:
                return
            stage(context, client)
