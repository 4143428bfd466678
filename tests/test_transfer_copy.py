"""Copying jobs to another backend, what is asked before any go, and the part that looks after those on their way."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rqdash.access.audit import Audit
from rqdash.actions.transfer import Transfer, carried_over, preflight, steps
from rqdash.actions.transfer.preflight import serializer
from rqdash.actions.transfer.steps import Parcel, Sent
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.outcome import Outcome
from rqdash.model.registry import Registry
from rqdash.operations.sweeper import Sweeper
from rqdash.store import open_store
from rqdash.store.leases import Leases
from tests.actors import snapshot, verdicts
from tests.pages import Document
from tests.site import site
from tests.stored import Stored, packed
from tests.transfers import Pair, backend_at, enqueued, failed, journal
from tests.workers import work

ORDER = Transfer("mail", Registry.QUEUED, "slow", copy=True)


def copied(pair: Pair, ids: list[str], *, journal: str = "", order: Transfer = ORDER) -> Outcome:
    outcome, failure = carried_over(pair.source, pair.destination, order, ids=ids, journal=journal)
    assert failure is None
    return outcome


def test_copies_run_there_under_new_ids_and_the_source_is_as_it_was(pair: Pair) -> None:
    ids = enqueued(pair.here, 3)
    before = snapshot(pair.here)

    outcome = copied(pair, [*ids, "nobody"])

    assert verdicts(outcome) == ["done", "done", "done", "gone"]
    assert snapshot(pair.here) == before
    new = [job.new_id for job in outcome.jobs]
    assert [str(uuid.UUID(one)) for one in new[:3]] == new[:3]
    assert (new[3], set(new) & set(ids)) == ("", set())
    work(pair.there_server, "slow", prefix="app")
    assert pair.there.lrange("ran", 0, -1) == [one.encode() for one in new[:3]]


def test_a_failed_job_is_copied_with_its_results_and_stays_failed(pair: Pair) -> None:
    job_id = failed(pair.here_server, pair.here)

    outcome = copied(pair, [job_id], order=replace(ORDER, registry=Registry.FAILED))

    new = outcome.jobs[0].new_id
    assert pair.there.xlen(f"app:results:{new}") == 1
    assert pair.there.lrange("app:queue:slow", 0, -1) == [new.encode()]
    assert pair.here.zscore("rq:failed:mail", job_id) is not None


def test_asked_again_for_the_same_operation_no_second_copy_is_made(pair: Pair) -> None:
    ids = enqueued(pair.here, 3)
    first = copied(pair, ids[:2], journal="op:1")
    work(pair.there_server, "slow", prefix="app")

    again = copied(pair, ids, journal="op:1")

    assert again.jobs[:2] == first.jobs
    assert pair.there.lrange("app:queue:slow", 0, -1) == [again.jobs[2].new_id.encode()]


def test_a_copy_whose_mover_died_before_it_arrived_arrives_when_asked_again(pair: Pair) -> None:
    ids = enqueued(pair.here, 2)
    write, parked = pair.destination.write, []

    def die_after_one(one, **options):  # type: ignore[no-untyped-def]
        parked.append(write(one, **options))
        raise KeyboardInterrupt

    pair.destination.write = die_after_one  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        copied(pair, ids, journal="op:1")
    pair.destination.write = write  # type: ignore[method-assign]

    outcome = copied(pair, ids, journal="op:1")

    assert parked == [[b"prepared", b"prepared"]]
    assert verdicts(outcome) == ["done", "done"]
    assert pair.there.llen("app:queue:slow") == 2


def test_jobs_can_be_copied_within_a_backend_and_from_a_read_only_one(pair: Pair) -> None:
    ids = enqueued(pair.here, 1)
    closed = Backend(replace(pair.source.profile, read_only=True), reader=pair.source.reader, writer=pair.source.writer)

    within, _ = carried_over(pair.source, pair.source, ORDER, ids=ids)
    outside, _ = carried_over(closed, pair.destination, ORDER, ids=ids)

    assert verdicts(within) == verdicts(outside) == ["done"]
    assert pair.here.lrange("rq:queue:slow", 0, -1) == [within.jobs[0].new_id.encode()]


def test_copies_of_jobs_with_odd_ids_and_dependents_have_plain_ids(pair: Pair) -> None:
    Stored(pair.here).waiting("a.b:c")
    Stored(pair.here).job("child", status="deferred")
    pair.here.sadd("rq:job:a.b:c:dependents", "child")

    assert verdicts(copied(pair, ["a.b:c"])) == ["done"]


def test_a_rate_limited_job_is_not_copied_past_its_limit(pair: Pair) -> None:
    Stored(pair.here).waiting("one", rate_limit_key="api")

    assert verdicts(copied(pair, ["one"])) == ["rate_limited"]


def test_a_preflight_says_what_to_know_first(pair: Pair) -> None:
    Stored(pair.here).worker("w1", version="3.0.0")
    Stored(pair.there, pair.destination.keys).worker("w2", version="2.6.1", queues="other")
    pair.there.config_set("maxmemory-policy", "allkeys-lru")

    found = preflight(pair.source, pair.destination, to_queue="slow")
    other = preflight(pair.source, pair.destination, to_queue="other")

    pair.there.config_set("maxmemory-policy", "noeviction")
    assert (found.refusal, found.is_same) == ("", False)
    said = " ".join(found.warnings)
    assert all(word in said for word in ("RQ 3.0.0", "2.6.1", "allkeys-lru", "No worker of there listens"))
    assert "No worker" not in " ".join(other.warnings)


def test_a_preflight_between_alike_backends_has_nothing_to_say(pair: Pair) -> None:
    for stored in (Stored(pair.here), Stored(pair.there, pair.destination.keys)):
        stored.worker("w", version="3.0.0", queues="slow")

    assert preflight(pair.source, pair.destination, to_queue="slow").warnings == ()


def test_replicas_are_warned_of_and_written_to_never(pair: Pair, start: Callable[..., Server]) -> None:
    pair.there.config_set("repl-diskless-sync-delay", 0)
    replica = start("--replicaof", "127.0.0.1", str(pair.there_server.port))
    on_replica = backend_at(replica.port, name="replica", prefix="app")
    from tests.processes import wait_until

    assert wait_until(lambda: pair.there.info("replication")["connected_slaves"] == 1, within_s=10)

    found = preflight(pair.source, pair.destination)
    refused = preflight(pair.source, on_replica)

    assert "there has replicas" in " ".join(found.warnings)
    assert "read-only replica" in refused.refusal
    on_replica.close()


def test_a_server_that_hides_its_facts_is_unknown_not_fine(pair: Pair) -> None:
    pair.there.acl_setuser("clerk", enabled=True, nopass=True, keys=["app:*"], commands=["+@all", "-info"], reset=True)
    clerk = backend_at(pair.there_server.port, name="there", prefix="app", username="clerk", password="any")

    found = preflight(pair.source, clerk)

    assert "does not say whether it drops keys" in " ".join(found.warnings)
    clerk.close()
    pair.there.acl_deluser("clerk")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (packed(), "pickle"),
        (b"\x80\x05raw", "pickle"),
        (b"(lp0\n.", "pickle"),
        (b'["f", null, [], {}]', "json"),
        (b"", ""),
        (b"\x93msgpack", "other"),
    ],
)
def test_serializers_are_told_from_the_first_byte(data: bytes, expected: str) -> None:
    assert serializer(data) == expected


def left_behind(pair: Pair, ids: list[str]) -> None:
    """What a mover that dies after it committed leaves, long enough ago."""
    order = Transfer("mail", Registry.QUEUED, "slow")
    parcels = steps.snapshot(pair.source, order, ids)
    sent = [Sent(job_id, job_id, str(uuid.uuid4()), parcel) for job_id, parcel in parcels.items() if isinstance(parcel, Parcel)]
    steps.prepare(pair.destination, order, sent)
    steps.detach(pair.source, order, sent, destination=pair.destination, hints={}, is_last=True, journal="", replicated=False)
    for token in journal(pair.here):
        pair.here.zincrby("rq:rqdash:mv:out", -60_000_000, token)


def sweeper(pair: Pair, data_dir: Path) -> Sweeper:
    store = open_store("", data_dir=data_dir)
    return Sweeper({"here": pair.source, "there": pair.destination}, Leases(store), Audit(store))


def test_the_background_part_finishes_what_was_left_in_one_row_of_the_audit_log(pair: Pair, tmp_path: Path) -> None:
    left_behind(pair, enqueued(pair.here, 2))
    part = sweeper(pair, tmp_path)

    part.turn(threading.Event())
    part.turn(threading.Event())

    assert pair.there.llen("app:queue:slow") == 2
    (entry,) = part.audit.entries()
    assert (entry.kind, entry.name, entry.verb, entry.backend, entry.outcomes) == ("runner", "sweeper", "finish moves", "here", {"done": 2})


def test_only_one_process_looks_after_a_backend(pair: Pair, tmp_path: Path) -> None:
    left_behind(pair, enqueued(pair.here, 1))
    part = sweeper(pair, tmp_path)
    part.leases.take("sweep:id of here", "another", for_s=60)

    part.turn(threading.Event())

    assert (len(journal(pair.here)), part.audit.entries()) == (1, ())


def test_the_background_part_waits_for_a_destination_and_says_nothing_meanwhile(pair: Pair, tmp_path: Path) -> None:
    left_behind(pair, enqueued(pair.here, 1))
    part = sweeper(pair, tmp_path)
    part.backends = {"here": pair.source, "there": backend_at(1, name="there", prefix="app"), "down": backend_at(1, name="down")}

    part.turn(threading.Event())

    assert (len(journal(pair.here)), part.audit.entries()) == (1, ())


def test_a_destination_that_was_renamed_is_found_by_its_id(pair: Pair, tmp_path: Path) -> None:
    left_behind(pair, enqueued(pair.here, 1))
    part = sweeper(pair, tmp_path)
    renamed = pair.destination.relabelled(replace(pair.destination.profile, name="renamed", version=2))
    part.backends = {"here": pair.source, "renamed": renamed}

    part.turn(threading.Event())

    assert journal(pair.here) == []


def test_the_page_of_a_queue_shows_what_is_on_its_way(pair: Pair, tmp_path: Path) -> None:
    left_behind(pair, enqueued(pair.here, 2))
    enqueued(pair.here, 1)
    browser = site(tmp_path, {"here": pair.source, "there": pair.destination}).sign_in("viewer")

    text = Document(browser.get("/b/here/queue?name=mail").get_data(as_text=True)).text

    assert "On the way 2" in text
    assert "On the way to another backend" in text
