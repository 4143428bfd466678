"""What is at the address: which kind of server, its database, and what RQ keeps there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from rqdash.backends.probe.context import Context, ms_since
from rqdash.backends.probe.problems import reply_problem
from rqdash.backends.probe.report import Problem
from rqdash.backends.probe.text import listed, shown
from rqdash.backends.sentinel import fields
from rqdash.model.keys import Keys

WORKERS_READ = 50
WORKERS_LISTED = 200
DATABASES = range(16)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server says it is; "" where it does not say."""

    mode: str = ""
    role: str = ""
    product: str = "Redis"
    version: str = ""
    master: str = ""


def find_server(context: Context, *, is_sentinel_group: bool) -> bool:
    """Writes the check on kind and role. Whether the test can go on: not with a cluster, a sentinel, or another's replica."""
    started_s = time.monotonic()
    try:
        with closing(context.client(db=0)) as client:
            identity = _identity(client)
    except (RedisError, OSError) as error:
        context.board.failed("server", "no answer", reply_problem(error), ms=ms_since(started_s))
        return False
    found = ", ".join(
        part for part in (f"{identity.product} {identity.version}".strip(), identity.role and f"role {identity.role}") if part
    )
    wrong = _wrong_kind(identity)
    if wrong is not None:
        context.board.failed("server", found, wrong, ms=ms_since(started_s))
        return False
    if identity.role == "replica":
        put = context.board.failed if is_sentinel_group else context.board.warned
        put("server", found, _replica(identity, is_sentinel_group=is_sentinel_group), ms=ms_since(started_s))
        return not is_sentinel_group
    context.board.passed("server", found, ms=ms_since(started_s))
    return True


def find_database(context: Context, client: redis.Redis) -> bool:
    """Writes the check on the database number. client is the profile's own, with its database."""
    started_s = time.monotonic()
    number = str(context.profile.db)
    try:
        client.execute_command("EXISTS", Keys(context.profile.prefix).queues)
    except NoPermissionError as error:
        # The user may not read RQ's keys, which the rights stages tell better; or it may not select.
        if "select" not in str(error).lower():
            context.board.passed("database", number, ms=ms_since(started_s))
            return True
        problem = Problem("database_denied", "The Redis user may not select a database.", "Grant select, or use database 0.")
    except (RedisError, OSError) as error:
        problem = _database_problem(context, error)
    else:
        context.board.passed("database", number, ms=ms_since(started_s))
        return True
    context.board.failed("database", number, problem, ms=ms_since(started_s))
    return False


def find_rq(context: Context, client: redis.Redis) -> None:
    """Writes the check on RQ's own keys: queues, workers and their versions, and the other databases that hold some."""
    started_s = time.monotonic()
    keys = Keys(context.profile.prefix)
    try:
        queues, workers = (int(client.execute_command("SCARD", key)) for key in (keys.queues, keys.workers))
        versions = _versions(client, keys, workers)
    except NoPermissionError:
        problem = Problem("denied", "The Redis user may not read RQ's keys.", "What it lacks is said under Allowed.")
        context.board.failed("rq", "not readable", problem, ms=ms_since(started_s))
        return
    except (RedisError, OSError) as error:
        context.board.failed("rq", "not readable", _keys_problem(context, error), ms=ms_since(started_s))
        return
    others = _other_databases(context, keys)
    found = f"{_count(queues, 'queue')}, {_count(workers, 'worker')}" + (f", RQ {listed(versions)}" if versions else "")
    if queues or workers:
        also = f"; also in database {listed(map(str, others))}" if others else ""
        context.board.passed("rq", found + also, ms=ms_since(started_s))
    else:
        context.board.warned("rq", "none", _nothing_found(context, others), ms=ms_since(started_s))


def _identity(client: redis.Redis) -> Identity:
    """HELLO tells mode and role where an ACL hides INFO; Redis 5 knows only INFO. Raises RedisError when there is no answer at all."""
    pipeline = client.pipeline(transaction=False)
    pipeline.execute_command("HELLO", "2")
    pipeline.execute_command("INFO")
    hello, info = pipeline.execute(raise_on_error=False)
    said = {} if isinstance(hello, RedisError) else fields(hello[: len(hello) // 2 * 2] if isinstance(hello, list) else [])
    told = info if isinstance(info, dict) else {}
    role = said.get("role") or str(told.get("role", ""))
    version = str(told.get("valkey_version") or told.get("redis_version") or said.get("version", ""))
    return Identity(
        mode=said.get("mode") or str(told.get("redis_mode") or told.get("server_mode") or ""),
        role="replica" if role in ("slave", "replica") else shown(role),
        product="Valkey" if "valkey_version" in told or said.get("server") == "valkey" else "Redis",
        version=shown(version),
        master=shown(f"{told['master_host']}:{told['master_port']}") if "master_host" in told and "master_port" in told else "",
    )


def _wrong_kind(identity: Identity) -> Problem | None:
    if identity.mode == "sentinel":
        remedy = "Set the kind of this profile to Sentinel, with this address among its Sentinels."
        return Problem("is_sentinel", "This is a Sentinel: it holds no jobs, it knows where they are.", remedy)
    if identity.mode == "cluster":
        remedy = "Use a single Redis or a Sentinel group for RQ's jobs."
        return Problem("cluster", "This is a Redis Cluster, which RQ and rqdash do not support.", remedy)
    return None


def _replica(identity: Identity, *, is_sentinel_group: bool) -> Problem:
    if is_sentinel_group:
        remedy = "A failover may be under way: test again in some seconds. If it stays, run SENTINEL RESET for this master."
        return Problem("not_master", "The Sentinels name this server as master, but it is a replica.", remedy)
    named = f" Its master is {identity.master}." if identity.master else ""
    remedy = f"Use the master's address, or the Sentinels' if there are some.{named}"
    return Problem("replica", "This server is a replica: pages may lag behind, and every change is refused.", remedy)


def _database_problem(context: Context, error: Exception) -> Problem:
    text = str(error).lower()
    if "out of range" in text:
        remedy = "Use a smaller number; the server's databases setting says how many there are (16 by default)."
        return Problem("db_out_of_range", f"The server has no database {context.profile.db}.", remedy)
    return reply_problem(error)


def _keys_problem(context: Context, error: Exception) -> Problem:
    if isinstance(error, ResponseError) and "WRONGTYPE" in str(error):
        cause = f"The keys under {shown(context.profile.prefix)}: are not RQ's: one has another type than RQ gives it."
        return Problem("wrong_type", cause, "Check the key prefix and the database.")
    return reply_problem(error)


def _versions(client: redis.Redis, keys: Keys, workers: int) -> list[str]:
    """RQ's versions among at most 50 workers; [] when there are so many workers that their set is not read whole."""
    if not 0 < workers <= WORKERS_LISTED:
        return []
    names = sorted(client.execute_command("SMEMBERS", keys.workers))[:WORKERS_READ]
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.execute_command("HGET", name, "version")
    found = {reply.decode("utf-8", "replace") for reply in pipeline.execute(raise_on_error=False) if isinstance(reply, bytes)}
    return [shown(version) for version in sorted(found)][:5]


def _other_databases(context: Context, keys: Keys) -> list[int]:
    """The other databases that have a set of queues under this prefix; [] where they may not be selected. Two round trips."""
    with closing(context.client(db=0)) as client:
        try:
            candidates = [number for number in _used_databases(client) if number != context.profile.db]
            pipeline = client.pipeline(transaction=False)
            for number in candidates:
                pipeline.execute_command("SELECT", number)
                pipeline.execute_command("EXISTS", keys.queues)
            replies = pipeline.execute(raise_on_error=False)
        except (RedisError, OSError):
            return []
    pairs = zip(candidates, replies[::2], replies[1::2], strict=True)
    return [number for number, selected, exists in pairs if not isinstance(selected, RedisError) and exists == 1]


def _used_databases(client: redis.Redis) -> Sequence[int]:
    try:
        keyspace = client.execute_command("INFO", "keyspace")
    except NoPermissionError:
        return DATABASES
    numbers = (name.removeprefix("db") for name in keyspace)
    return sorted(int(number) for number in numbers if number.isdigit())[: len(DATABASES)]


def _nothing_found(context: Context, others: Sequence[int]) -> Problem:
    if others:
        remedy = f"Database {listed(map(str, others))} has some: set the database of this profile to that."
    else:
        remedy = "Enqueue a job or start a worker. If there are some, check the database and the key prefix (RQ_KEY_PREFIX of the workers)."
    cause = f"Database {context.profile.db} has no queues and no workers of RQ under the prefix {shown(context.profile.prefix)}."
    return Problem("rq_not_found", cause, remedy)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
