"""Long lists: ids far from both ends are found in windows, taken out in one pass, and nothing else changes its place."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
import redis

from rqdash.actions import cancel, delete, move
from rqdash.actions.positions import positions
from rqdash.actions.scripted import Order, ask
from rqdash.backends.backend import Backend
from rqdash.backends.guard import NoGuard
from rqdash.model.registry import Registry
from tests.actors import Witness, verdicts

LENGTH = 20_000
KEY = "rq:queue:mail"


@pytest.fixture
def ids(redis_client: redis.Redis) -> list[str]:
    """The ids of 20,000 jobs that wait, in their order."""
    names = [f"job-{number:05}" for number in range(LENGTH)]
    pipeline = redis_client.pipeline(transaction=False)
    for name in names:
        pipeline.hset(f"rq:job:{name}", mapping={"status": "queued", "origin": "mail", "data": "x"})
    pipeline.rpush(KEY, *names)
    pipeline.execute()
    return names


@dataclass(slots=True)
class Commotion(NoGuard):
    """Admits every write; before each, workers pop a few jobs, and every third time more than a script looks around for."""

    client: redis.Redis
    seen: int = 0

    def admit(self) -> None:
        self.seen += 1
        self.client.lpop(KEY, 150 if self.seen % 3 == 0 else 7)


def order(redis_client: redis.Redis, key: str = KEY) -> list[str]:
    return [raw.decode() for raw in redis_client.lrange(key, 0, -1)]


def test_scattered_jobs_are_moved_and_every_order_is_kept(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    chosen = random.Random(1).sample(ids, 700)

    outcome = move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=sorted(chosen), to_queue="slow")

    assert outcome.done == 700
    assert order(redis_client, "rq:queue:slow") == sorted(chosen)
    assert order(redis_client) == [name for name in ids if name not in set(chosen)]


def test_scattered_jobs_come_to_the_front_in_their_order(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    chosen = sorted(random.Random(2).sample(ids, 500))

    move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=chosen, to_queue="mail", at_front=True)

    assert order(redis_client) == chosen + [name for name in ids if name not in set(chosen)]


def test_jobs_popped_and_pushed_in_front_between_batches_are_still_followed(
    redis_client: redis.Redis, backend: Backend, ids: list[str]
) -> None:
    chosen = sorted(random.Random(4).sample(ids[3_000:18_000], 400))
    backend.guard = Commotion(redis_client)

    outcome = move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=chosen, to_queue="slow")

    assert outcome.done == 400
    assert order(redis_client, "rq:queue:slow") == chosen
    rest = [name for name in ids if name not in set(chosen)]
    assert order(redis_client)[-10_000:] == rest[-10_000:]


def test_a_list_is_looked_through_once_for_many_batches(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    chosen = random.Random(5).sample(ids[3_000:18_000], 400)
    redis_client.config_resetstat()

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=chosen)

    assert outcome.done == 400
    used = redis_client.info("commandstats")
    assert used["cmdstat_evalsha"]["calls"] <= 10
    assert used["cmdstat_lrem"]["calls"] == 4
    assert used["cmdstat_lrange"]["calls"] <= 12


def test_a_repeat_on_a_long_list_changes_nothing(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    chosen = random.Random(3).sample(ids, 300)
    cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=chosen)
    before = order(redis_client)

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=chosen)

    assert verdicts(outcome) == ["raced"] * 300
    assert order(redis_client) == before


def test_a_job_in_no_list_is_no_longer_there_and_the_rest_is_done(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    redis_client.lrem(KEY, 1, ids[10_000])

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[ids[9_000], ids[10_000], ids[11_000]])

    assert verdicts(outcome) == ["done", "raced", "done"]
    assert redis_client.exists(f"rq:job:{ids[10_000]}")
    assert redis_client.llen(KEY) == LENGTH - 3


def test_a_dead_entry_in_the_middle_is_removed(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    redis_client.delete(f"rq:job:{ids[10_000]}")

    outcome = delete(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[ids[10_000]])

    assert verdicts(outcome) == ["gone"]
    assert ids[10_000] not in order(redis_client)


def test_every_place_of_an_id_in_the_middle_is_cleared(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    redis_client.linsert(KEY, "AFTER", ids[12_000], ids[5_000])

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[ids[5_000]])

    assert verdicts(outcome) == ["done"]
    assert order(redis_client) == ids[:5_000] + ids[5_001:]


def test_jobs_whose_hash_says_otherwise_cost_no_look_through_the_list(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    for name in ids[8_000:8_100]:
        redis_client.hset(f"rq:job:{name}", "status", "finished")
    redis_client.config_resetstat()

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=ids[8_000:8_100])

    assert verdicts(outcome) == ["raced"] * 100
    used = redis_client.info("commandstats")
    assert "cmdstat_lrange" not in used
    assert "cmdstat_lrem" not in used


def test_jobs_near_the_ends_cost_one_call_and_one_pass(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=[ids[0]])  # loads the script
    redis_client.config_resetstat()

    outcome = cancel(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=ids[1:50] + ids[-50:])

    assert outcome.done == 99
    used = redis_client.info("commandstats")
    assert used["cmdstat_evalsha"]["calls"] == 1
    assert used["cmdstat_lrem"]["calls"] == 1


@pytest.mark.parametrize("popped", [1, 37, 100, 5_000])
def test_hints_are_followed_when_workers_popped_meanwhile(redis_client: redis.Redis, backend: Backend, ids: list[str], popped: int) -> None:
    chosen = ids[6_000:14_000:80]
    found = positions(backend, KEY.encode(), ids={name.encode() for name in chosen})
    hints = {job_id.decode(): places for job_id, places in found.items()}
    redis_client.lpop(KEY, popped)

    replies = ask(backend, Order("cancel", "mail", Registry.QUEUED), chosen, hints=hints, is_last=False)

    assert replies == ({} if popped <= 100 else dict.fromkeys(chosen, "unplaced"))
    left = ids[popped:] if popped > 100 else [name for name in ids[popped:] if name not in set(chosen)]
    assert order(redis_client) == left


def test_wrong_hints_do_no_harm(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    hints = {ids[10_000]: [0, 4_000, LENGTH - 1, LENGTH + 5_000]}

    replies = ask(backend, Order("delete", "mail", Registry.QUEUED), [ids[10_000]], hints=hints, is_last=True)

    assert replies == {ids[10_000]: "raced"}
    assert order(redis_client) == ids


def test_positions_at_the_ends_of_windows_are_found(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    found = positions(backend, KEY.encode(), ids={ids[0].encode(), ids[4_999].encode(), ids[5_000].encode(), ids[-1].encode()})

    assert found == {ids[place].encode(): [place] for place in (0, 4_999, 5_000, LENGTH - 1)}


def test_jobs_that_stand_in_a_list_many_times_go_few_at_a_time(redis_client: redis.Redis, backend: Backend, ids: list[str]) -> None:
    chosen, rest = ids[3_000:3_100], ids[:3_000] + ids[3_100:]
    stay = set(rest)
    entries = rest + chosen * 30
    random.Random(7).shuffle(entries)
    redis_client.delete(KEY)
    redis_client.rpush(KEY, *entries)
    redis_client.config_resetstat()

    outcome = move(backend, Witness(), queue="mail", registry=Registry.QUEUED, ids=chosen, to_queue="slow")

    assert outcome.done == 100
    assert sorted(order(redis_client, "rq:queue:slow")) == chosen
    assert order(redis_client) == [name for name in entries if name in stay]
    used = redis_client.info("commandstats")
    assert used["cmdstat_lset"]["calls"] == 3_000
    assert used["cmdstat_evalsha"]["calls"] >= 3_000 / 200
