"""When a server does not do as asked: nothing half done, nothing sent twice, and what is known is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue

from rqdash.access.actor import Actor
from rqdash.access.audit import Audit
from rqdash.actions import cancel, delete, empty, move, requeue
from rqdash.backends.backend import Backend
from rqdash.backends.guard import NoGuard
from rqdash.demo.servers import Server
from rqdash.errors import Invalid, ReadOnly, Refused, Switching, UnknownResult
from rqdash.model.profile import Profile
from rqdash.model.registry import Registry
from rqdash.store import open_store
from tests.actors import Witness, snapshot, verdicts, write_job
from tests.test_actions_empty import fill, now


def impatient(server: Server, **client: object) -> Backend:
    """A backend that waits 0.3 s for an answer."""
    options = {"host": "127.0.0.1", "port": server.port, "socket_timeout": 0.3, "retry": Retry(NoBackoff(), 0), **client}
    profile = Profile(name="live", host="127.0.0.1", port=server.port, id="live", version=1, endpoint_version=1)
    return Backend(profile, reader=redis.Redis(**options), writer=redis.Redis(**options))  # type: ignore[arg-type]


@dataclass(slots=True)
class Freeze(NoGuard):
    """Admits every write, and freezes the server just before one of them is sent."""

    server: Server
    at: int
    seen: int = 0

    def admit(self) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.server.pause()


@dataclass(slots=True)
class Switch(NoGuard):
    """Admits some writes; then the master is being switched."""

    after: int
    seen: int = 0

    def admit(self) -> None:
        self.seen += 1
        if self.seen > self.after:
            raise Switching("live is switching its master.", backend="live", stage="role", retry_after_s=5.0)


@pytest.fixture
def hurried(server: Server) -> Iterator[Backend]:
    live = impatient(server)
    yield live
    server.resume()
    live.close()


def test_a_batch_without_an_answer_is_unknown_and_no_more_are_sent(server: Server, redis_client: redis.Redis, hurried: Backend) -> None:
    ids = fill(redis_client, 450)
    hurried.guard = Freeze(server, at=3)
    witness = Witness()

    outcome = cancel(hurried, witness, queue="mail", registry=Registry.QUEUED, ids=ids)

    # Two calls are under way at once; whether the server had answered the second when it froze is a matter of its scheduling.
    first, second, third = (set(verdicts(outcome)[start : start + 100]) for start in (0, 100, 200))
    assert (first, third) == ({"done"}, {"unknown"})
    assert second in ({"done"}, {"unknown"})
    assert outcome.left == (150 if second == {"unknown"} else 50)
    assert outcome.problem
    assert [row.status for row in witness.rows] == ["unknown_result"]
    server.resume()
    assert redis_client.zcard("rq:canceled:mail") + redis_client.llen("rq:queue:mail") == 450
    assert redis_client.zcard("rq:canceled:mail") >= outcome.done
    assert redis_client.lrange("rq:queue:mail", -outcome.left, -1) == [job_id.encode() for job_id in ids[-outcome.left :]]


def test_emptying_without_an_answer_says_how_much_is_unknown(server: Server, redis_client: redis.Redis, hurried: Backend) -> None:
    fill(redis_client, 450)
    hurried.guard = Freeze(server, at=2)
    witness = Witness()

    outcome = empty(hurried, witness, queue="mail", as_of=now())

    assert {verdict.value: count for verdict, count in outcome.counts().items()} == {"done": 100, "unknown": 100}
    assert outcome.left == 250
    assert [row.status for row in witness.rows] == ["unknown_result"]


def test_emptying_without_any_answer_is_an_unknown_result(server: Server, redis_client: redis.Redis, hurried: Backend) -> None:
    fill(redis_client, 10)
    cancel(hurried, Witness(), queue="other", registry=Registry.QUEUED, ids=["nobody"])  # opens the connection
    hurried.guard = Freeze(server, at=1)

    with pytest.raises(UnknownResult):
        empty(hurried, Witness(), queue="mail", as_of=now())


def test_a_switch_of_the_master_half_way_leaves_the_rest(redis_client: redis.Redis, backend: Backend) -> None:
    ids = fill(redis_client, 450)
    backend.guard = Switch(after=1)
    witness = Witness()

    outcome = delete(backend, witness, queue="mail", registry=Registry.QUEUED, ids=ids)

    assert (outcome.done, outcome.left) == (100, 350)
    assert [(row.status, row.outcomes) for row in witness.rows] == [("switching", {"done": 100})]


def test_a_switch_of_the_master_before_anything_was_done_is_raised(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, 1)
    backend.guard = Switch(after=0)
    witness = Witness()

    with pytest.raises(Switching):
        delete(backend, witness, queue="mail", registry=Registry.QUEUED, ids=["job-0"])

    assert [row.status for row in witness.rows] == ["switching"]


def test_a_read_only_profile_refuses_every_action(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, 1)
    before = snapshot(redis_client)
    closed = Backend(replace(backend.profile, read_only=True), reader=backend.reader, writer=backend.writer)
    witness = Witness()
    ids = ["job-0"]
    attempts = (
        lambda: requeue(closed, witness, queue="mail", registry=Registry.FAILED, ids=ids),
        lambda: cancel(closed, witness, queue="mail", registry=Registry.QUEUED, ids=ids),
        lambda: delete(closed, witness, queue="mail", registry=Registry.QUEUED, ids=ids),
        lambda: move(closed, witness, queue="mail", registry=Registry.QUEUED, ids=ids, to_queue="slow"),
        lambda: empty(closed, witness, queue="mail", as_of=now()),
    )

    for attempt in attempts:
        with pytest.raises(ReadOnly):
            attempt()

    assert [row.status for row in witness.rows] == ["read_only"] * 5
    assert snapshot(redis_client) == before


@pytest.mark.parametrize("key", ["rq:queue:mail", "rq:queues", "rq:queue:slow"])
def test_a_key_of_another_type_is_an_error_before_anything_is_done(redis_client: redis.Redis, backend: Backend, key: str) -> None:
    fill(redis_client, 2)
    redis_client.delete(key)
    redis_client.set(key, "in the way")
    before = snapshot(redis_client)

    with pytest.raises(Refused) as caught:
        move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=["job-0", "job-1"], to_queue="slow")

    assert caught.value.code == "wrong_type"
    assert snapshot(redis_client) == before


@pytest.mark.parametrize("registry", [Registry.SCHEDULED, Registry.DEFERRED, Registry.QUEUED])
def test_registries_of_another_type_are_errors_too(redis_client: redis.Redis, backend: Backend, registry: Registry) -> None:
    redis_client.set("rq:queue:mail" if registry is Registry.QUEUED else f"rq:{registry}:mail", "in the way")

    with pytest.raises(Refused):
        cancel(backend, Witness(), queue="mail", registry=registry, ids=["one"])


@pytest.mark.parametrize("key", ["rq:job:job-1", "rq:executions:job-1", "rq:job:job-1:dependents", "rq:job::job-1:dependencies"])
def test_a_broken_job_is_refused_and_the_others_are_done(redis_client: redis.Redis, backend: Backend, key: str) -> None:
    fill(redis_client, 3)
    redis_client.delete(key)
    redis_client.set(key, "in the way")

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=["job-0", "job-1", "job-2"])

    assert verdicts(outcome) == ["done", "refused", "done"]
    assert redis_client.get(key) == b"in the way"
    assert redis_client.lrange("rq:queue:mail", 0, -1) == [b"job-1"]


def test_broken_keys_around_a_job_do_not_stop_its_end(redis_client: redis.Redis, backend: Backend) -> None:
    write_job(redis_client, "one", status="failed", group_id="letters")
    redis_client.zadd("rq:failed:mail", {"one": 4e9})
    redis_client.sadd("rq:job::one:dependencies", "parent")
    for key in ("rq:job:parent:dependents", "rq:group:letters", "rq:results:one"):
        redis_client.set(key, "in the way")

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.FAILED, ids=["one"])

    assert verdicts(outcome) == ["done"]
    assert not redis_client.exists("rq:job:one", "rq:failed:mail")


@pytest.mark.parametrize("command", ["lrem", "lset", "hset", "zadd", "srem"])
def test_a_command_the_acl_forbids_is_an_error_before_anything_is_done(server: Server, redis_client: redis.Redis, command: str) -> None:
    fill(redis_client, 2)
    before = snapshot(redis_client)
    redis_client.acl_setuser("clerk", enabled=True, nopass=True, keys=["rq:*"], commands=["+@all", f"-{command}"], reset=True)
    clerk = impatient(server, username="clerk", password="any")
    witness = Witness()

    with pytest.raises(Refused) as caught:
        cancel(clerk, witness, queue="mail", registry=Registry.QUEUED, ids=["job-0", "job-1"])

    assert command in caught.value.message
    assert [row.status for row in witness.rows] == ["denied"]
    assert snapshot(redis_client) == before
    clerk.close()
    redis_client.acl_deluser("clerk")


def test_a_user_with_only_the_keys_of_rq_can_do_everything(server: Server, redis_client: redis.Redis) -> None:
    queue = Queue("mail", connection=redis_client)
    ids = [queue.enqueue("tests.tasks.count", "runs").id for _ in range(4)]
    redis_client.acl_setuser(
        "clerk", enabled=True, nopass=True, keys=["rq:*"], commands=["+@all", "-@admin", "-@dangerous", "-keys"], reset=True
    )
    clerk = impatient(server, username="clerk", password="any")

    outcomes = [
        cancel(clerk, Witness(), queue="mail", registry=Registry.QUEUED, ids=ids[:1]),
        requeue(clerk, Witness(), queue="mail", registry=Registry.CANCELED, ids=ids[:1]),
        move(clerk, Witness(), queue="mail", registry=Registry.QUEUED, ids=ids[1:2], to_queue="slow"),
        delete(clerk, Witness(), queue="mail", registry=Registry.QUEUED, ids=ids[2:3]),
        empty(clerk, Witness(), queue="mail", as_of=now()),
    ]

    assert [outcome.done for outcome in outcomes] == [1, 1, 1, 1, 2]
    clerk.close()
    redis_client.acl_deluser("clerk")


def test_a_server_that_lost_its_scripts_gets_them_again(redis_client: redis.Redis, backend: Backend) -> None:
    fill(redis_client, 2)
    cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=["job-0"])
    redis_client.script_flush()

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=["job-1"])

    assert verdicts(outcome) == ["done"]


def test_the_audit_log_holds_one_row_an_action(tmp_path: Path, redis_client: redis.Redis, backend: Backend) -> None:
    store = open_store("", data_dir=tmp_path)
    audit = Audit(store)
    actor = Actor("account", "ada", "192.0.2.7", audit)
    fill(redis_client, 30)
    ids = [f"job-{number}" for number in range(25)]

    move(backend, actor, queue="mail", registry=Registry.QUEUED, ids=ids, to_queue="slow\udcff")
    empty(backend, actor, queue="mail", as_of=now())
    with pytest.raises(Invalid):
        requeue(backend, actor, queue="mail", registry=Registry.QUEUED, ids=ids)

    refused, emptied, moved = audit.entries()
    assert (moved.verb, moved.name, moved.backend, moved.queue, moved.status) == ("move", "ada", "live", "mail", "done")
    assert (moved.values["jobs"], moved.values["ids"], moved.outcomes) == (25, " ".join(ids[:20]), {"done": 25})
    assert (emptied.verb, emptied.outcomes) == ("empty", {"done": 5})
    assert (refused.verb, refused.status, refused.outcomes) == ("requeue", "invalid", {})
    store.close()
