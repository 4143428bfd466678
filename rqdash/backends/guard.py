"""Admits writes to a Sentinel backend only while its master is surely the master.

When an operator runs SENTINEL FAILOVER, the old master stays up and accepts writes for ten more seconds, all of which are lost. The
sentinel that leads the failover shows it in its flags at once and the others do not, so all of them are asked, shortly before a write.

They are asked again after it. A master that hangs while it is replaced answers when it wakes up, as if it were still the master: what it
then acknowledges is lost, however well the write was admitted seconds ago.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import redis

from rqdash.backends.connect import sentinel_clients
from rqdash.backends.policy import TargetPolicy
from rqdash.backends.sentinel import MasterPool
from rqdash.backends.watch import Answer, Watch
from rqdash.errors import Switching, UnknownResult
from rqdash.model.profile import Kind, Node, Profile, Secrets

# The limit by design is 250 ms. A sentinel promotes the replica two or three of its ticks (50 to 100 ms each) after it shows the flag:
# an answer younger than that leaves no time for a write to be accepted by a master that is already left behind.
FRESH_S = 0.1
SETTLE_S = 2.0
# Beyond down-after-milliseconds plus this, a master that is down is not being replaced any more.
GIVEN_UP_MS = 10_000


class Health(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    SWITCHING = "switching"
    SETTLING = "settling"
    BLIND = "blind"
    NO_MASTER = "no_master"


WRITABLE = frozenset({Health.OK, Health.DEGRADED})


@dataclass(frozen=True, slots=True)
class Watcher:
    """One sentinel, as it answered last: master is whom it names, None when nobody; has_quorum None when it did not say."""

    node: Node
    is_reachable: bool
    master: Node | None = None
    has_quorum: bool | None = None


@dataclass(frozen=True, slots=True)
class GuardState:
    """What the sentinels said last. text is a sentence; reachable of sentinels answered; retry_after_s is set when writes wait.

    quorum is how many have to find the master down, after down_after_ms; both are 0 while nobody said. replicas counts dead ones too.
    """

    health: Health = Health.OK
    text: str = ""
    master: Node | None = None
    reachable: int = 0
    sentinels: int = 0
    replicas: int = 0
    retry_after_s: float | None = None
    quorum: int = 0
    down_after_ms: int = 0
    watchers: tuple[Watcher, ...] = ()


class NoGuard:
    """The guard of a backend without Sentinel: there is nobody to ask."""

    state = GuardState()

    def admit(self) -> None:
        return None

    def confirm(self, node: Node | None) -> None:  # noqa: ARG002 - the same signature as FailoverGuard
        return None

    def look(self, *, max_age_s: float = 0.0) -> GuardState:  # noqa: ARG002 - the same signature as FailoverGuard
        return self.state

    def close(self) -> None:
        return None


class FailoverGuard:
    """One backend's guard. Thread-safe; it starts its threads and connections at the first question, and points pools at the master."""

    def __init__(self, backend: str, watch: Watch, *, pools: Sequence[MasterPool], clock: Callable[[], float] = time.monotonic) -> None:
        self._backend = backend
        self._watch = watch
        self._pools = tuple(pools)
        self._clock = clock
        self._lock = threading.Lock()
        self._state = GuardState(Health.BLIND, "The Sentinels were not asked yet.")
        self._asked_s = float("-inf")
        self._master: Node | None = None
        self._settled_s = float("-inf")

    @property
    def state(self) -> GuardState:
        """What was found when last asked; no I/O."""
        return self._state

    def admit(self) -> None:
        """Returns when a write may be sent now. Raises Switching, with retry_after_s in seconds, when it must wait.

        Costs nothing within 100 ms of the last question, one round trip to all sentinels side by side (at most 0.5 s) otherwise.
        """
        state = self.look(max_age_s=FRESH_S)
        if state.health not in WRITABLE:
            raise Switching(
                f"Writes to {self._backend} wait. {state.text}",
                backend=self._backend,
                stage="sentinel",
                code=state.health.value,
                hint="Nothing was changed. Try again in a moment.",
                retry_after_s=state.retry_after_s or SETTLE_S,
            )

    def confirm(self, node: Node | None) -> None:
        """Returns when a write that node has just acknowledged went to the master: no sentinel had begun to replace it even afterwards.

        Raises UnknownResult otherwise. One round trip to all sentinels side by side; the next write's admission is then free.
        """
        answered_s = self._clock()
        with self._lock:
            if self._asked_s < answered_s:
                self._ask()
            state = self._state
        if state.health in WRITABLE and state.master == node:
            return
        raise UnknownResult(
            f"{self._backend} was switching its master while this was written. Result unknown: it was done, and may be lost with the old "
            "master. Look at the state again before you repeat it.",
            backend=self._backend,
            stage="sentinel",
        )

    def look(self, *, max_age_s: float = 3.0) -> GuardState:
        """The state, not older than max_age_s. It follows the master: pools that point elsewhere are moved."""
        with self._lock:
            if self._clock() - self._asked_s > max_age_s:
                self._ask()
            if self._clock() - self._asked_s > max_age_s:
                # Somebody fell silent and took half a second; the others' answers are as old. Now it is not waited for.
                self._ask()
            return self._state

    def close(self) -> None:
        self._watch.close()

    def _ask(self) -> None:
        # Counted from before the question: the answers are never older than this says.
        self._asked_s = self._clock()
        answers = self._watch.ask()
        state = judge(answers)
        if state.health in WRITABLE and state.master is not None:
            self._follow(state.master)
            if self._clock() < self._settled_s:
                state = _settling(state, wait_s=self._settled_s - self._clock())
        self._state = state

    def _follow(self, node: Node) -> None:
        known = {self._master, *(pool.master.address for pool in self._pools)} - {None}
        if known - {node}:
            self._settled_s = self._clock() + SETTLE_S
        self._master = node
        for pool in self._pools:
            if pool.master.address not in (None, node):
                pool.follow(node)


def guard(profile: Profile, secrets: Secrets, *, policy: TargetPolicy, clients: Sequence[redis.Redis]) -> FailoverGuard | NoGuard:
    """The guard of a profile's backend, without any I/O. clients are those of connect(), whose pools it keeps on the master."""
    if profile.kind is not Kind.SENTINEL:
        return NoGuard()
    watch = Watch(sentinel_clients(profile, secrets, policy=policy), master_name=profile.master_name)
    pools = [client.connection_pool for client in clients if isinstance(client.connection_pool, MasterPool)]
    return FailoverGuard(profile.name, watch, pools=pools)


def judge(answers: Sequence[Answer]) -> GuardState:
    """What the answers of all sentinels together mean."""
    watchers = tuple(_watcher(answer) for answer in answers)
    said = GuardState(reachable=sum(answer.is_reachable for answer in answers), sentinels=len(answers), watchers=watchers)
    facts = [answer.facts for answer in answers if answer.facts is not None]
    if not facts:
        return _unheard(said)
    said = replace(
        said,
        master=facts[0].node,
        replicas=min(fact.replicas for fact in facts),
        quorum=max(fact.quorum for fact in facts),
        down_after_ms=max(fact.down_after_ms for fact in facts),
    )
    if all(fact.trouble and fact.down_ms > fact.down_after_ms + GIVEN_UP_MS for fact in facts):
        text = f"The master {said.master} is down and no replica has taken over."
        return replace(said, health=Health.NO_MASTER, text=text, retry_after_s=5.0)
    if any(fact.trouble for fact in facts):
        wait_s = min(max(fact.down_after_ms for fact in facts) / 1000 + SETTLE_S, 10.0)
        return replace(said, health=Health.SWITCHING, text="Sentinel is switching the master, or finds it down.", retry_after_s=wait_s)
    if any(fact.node != said.master for fact in facts):
        text = "The Sentinels do not name the same master yet."
        return replace(said, health=Health.SWITCHING, text=text, master=None, retry_after_s=SETTLE_S)
    return _agreed(said, heard=len(facts), has_quorum=all(answer.has_quorum is not False for answer in answers))


def _watcher(answer: Answer) -> Watcher:
    return Watcher(answer.node, answer.is_reachable, answer.facts.node if answer.facts else None, answer.has_quorum)


def _agreed(said: GuardState, *, heard: int, has_quorum: bool) -> GuardState:
    text = f"{heard} of {said.sentinels} Sentinels agree on {said.master}"
    if not has_quorum:
        return replace(said, health=Health.DEGRADED, text=f"{text}; too few are up for a failover.")
    if heard < said.sentinels:
        return replace(said, health=Health.DEGRADED, text=f"{text}; the others give no answer.")
    if said.replicas == 0:
        return replace(said, health=Health.DEGRADED, text=f"{text}; it has no replica, so no failover is possible.")
    return replace(said, health=Health.OK, text=f"{text}.")


def _unheard(said: GuardState) -> GuardState:
    if said.reachable:
        return replace(said, health=Health.NO_MASTER, text="The Sentinels know no master of that name.", retry_after_s=5.0)
    text = "No Sentinel answers, so nobody can say which server is the master."
    return replace(said, health=Health.BLIND, text=text, retry_after_s=SETTLE_S)


def _settling(state: GuardState, *, wait_s: float) -> GuardState:
    text = f"The master has just become {state.master}; writes wait until that has settled."
    return replace(state, health=Health.SETTLING, text=text, retry_after_s=round(wait_s, 1))
