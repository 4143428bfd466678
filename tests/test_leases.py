"""Only one owner at a time holds a lease, by the database's clock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import update

from rqdash.store import Store
from rqdash.store.leases import Leases, epoch_now
from rqdash.store.tables import LeaseRow


def test_a_lease_that_somebody_holds_is_not_given_to_another(store: Store) -> None:
    leases = Leases(store)

    assert leases.take("recorder", "one", for_s=60)
    assert not leases.take("recorder", "two", for_s=60)
    assert leases.take("recorder", "one", for_s=60)
    assert leases.take("runner", "two", for_s=60)


def test_a_lease_that_ran_out_or_was_given_back_is_free(store: Store) -> None:
    leases = Leases(store)
    leases.take("recorder", "one", for_s=60)
    with store.write() as session:
        session.execute(update(LeaseRow).values(until_s=epoch_now() - 1))

    assert leases.take("recorder", "two", for_s=60)
    leases.release("recorder", "one")
    assert not leases.take("recorder", "three", for_s=60)
    leases.release("recorder", "two")
    assert leases.take("recorder", "three", for_s=60)


def test_of_many_who_ask_at_once_one_gets_it(store: Store) -> None:
    leases, barrier = Leases(store), Barrier(8)

    def ask(number: int) -> bool:
        barrier.wait()
        return leases.take("recorder", f"owner-{number}", for_s=60)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))

    assert sum(answers) == 1
