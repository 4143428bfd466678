"""Whether the server suits RQ: its clock, what it does when memory is full, and its replicas."""

from __future__ import annotations

import time
from datetime import timedelta

import redis
from redis.exceptions import NoPermissionError, RedisError

from rqdash.backends.probe.context import Context, ms_since
from rqdash.backends.probe.problems import reply_problem
from rqdash.backends.probe.report import Problem
from rqdash.backends.probe.text import acl_grant, shown

CLOCK_TOLERANCE_S = 2.0


def check_clock(context: Context, client: redis.Redis) -> None:
    """Writes the check on the difference between the server's clock and ours, at the middle of the round trip."""
    started_s, sent_at = time.monotonic(), context.now()
    try:
        seconds, microseconds = client.execute_command("TIME")
    except (RedisError, OSError) as error:
        _unknown(context, "clock", error, command="time")
        return
    ms = ms_since(started_s)
    ours = sent_at + timedelta(milliseconds=ms / 2)
    ahead_s = int(seconds) + int(microseconds) / 1e6 - ours.timestamp()
    found = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} rqdash"
    if abs(ahead_s) < CLOCK_TOLERANCE_S:
        context.board.passed("clock", "the same as rqdash's" if abs(ahead_s) < 0.05 else found, ms=ms)
        return
    cause = "RQ compares times written by workers, schedulers and the server; with clocks apart, jobs start early or seem lost."
    problem = Problem("clock_skew", cause, "Synchronise the clocks of both hosts (NTP, chrony).")
    context.board.warned("clock", found, problem, ms=ms)


def check_eviction(context: Context, client: redis.Redis) -> None:
    """Writes the check on maxmemory-policy. RQ's jobs are not a cache: anything but noeviction loses some."""
    started_s = time.monotonic()
    try:
        memory = client.execute_command("INFO", "memory")
    except (RedisError, OSError) as error:
        _unknown(context, "eviction", error, command="info")
        return
    policy, ms = shown(str(memory.get("maxmemory_policy", ""))), ms_since(started_s)
    if not policy:
        context.board.skipped("eviction", "unknown", Problem("no_fact", "The server does not say what it does when memory is full."))
    elif policy == "noeviction":
        context.board.passed("eviction", policy, ms=ms)
    elif not memory.get("maxmemory"):
        context.board.passed("eviction", f"{policy}, but memory has no limit", ms=ms)
    else:
        which = "jobs that have a TTL" if policy.startswith("volatile") else "any job or queue"
        cause = f"Redis may drop {which} when memory is full. RQ needs noeviction:"
        context.board.warned("eviction", policy, Problem("eviction", cause, "", "CONFIG SET maxmemory-policy noeviction"), ms=ms)


def check_replicas(context: Context, client: redis.Redis) -> None:
    """Writes the check on who could take over, and on min-replicas-to-write, which bounds what a failover loses."""
    started_s = time.monotonic()
    try:
        replication = client.execute_command("INFO", "replication")
    except (RedisError, OSError) as error:
        _unknown(context, "replicas", error, command="info")
        return
    count = int(replication.get("connected_slaves", 0))
    needed = _min_replicas(client, replication)
    ms = ms_since(started_s)
    if count == 0:
        problem = Problem(
            "no_replicas", "The master has no replica, so no failover is possible.", "Start one, or check that it is in reach."
        )
        context.board.warned("replicas", "none", problem, ms=ms)
    elif needed == 0 and count > 1:
        # With a single replica the setting would stop all writes when that one is lost, so it is not advised there.
        cause = "min-replicas-to-write is 0: after a failover the old master accepts jobs for some seconds, and they are lost."
        remedy = "Let it refuse writes that no replica copies. Run on every data server:"
        problem = Problem("min_replicas", cause, remedy, "CONFIG SET min-replicas-to-write 1")
        context.board.warned("replicas", f"{count} connected", problem, ms=ms)
    else:
        said = "unknown" if needed is None else str(needed)
        context.board.passed("replicas", f"{count} connected, min-replicas-to-write {said}", ms=ms)


def _min_replicas(client: redis.Redis, replication: dict[str, object]) -> int | None:
    """None when it may not be known. INFO shows how many replicas are good only where the setting is not 0."""
    try:
        reply = client.execute_command("CONFIG", "GET", "min-replicas-to-write")
        return int(reply[1])
    except (RedisError, IndexError, ValueError, KeyError):
        return 1 if "min_slaves_good_slaves" in replication else None


def _unknown(context: Context, stage: str, error: Exception, *, command: str) -> None:
    if isinstance(error, NoPermissionError):
        cause = f"The Redis user may not run {command.upper()}."
        problem = Problem("denied", cause, "To see it here, run on Redis:", acl_grant(context.user, commands=(command,)))
        context.board.skipped(stage, "unknown", problem)
    else:
        context.board.failed(stage, "no answer", reply_problem(error))
