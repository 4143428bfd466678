"""What Prometheus asks for: the newest samples of the history, as text. It asks no backend, whoever scrapes it how often."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from rqdash.history.latest import REGISTRIES, STATES, LatestQueue
from rqdash.history.reading import RATES, Latest, Reading
from rqdash.model.caller import Caller, Permission
from rqdash.model.names import ref
from rqdash.web.forms import Raw
from rqdash.web.many import Many
from rqdash.web.route import Plain, Route, Scope

FRESH_S = 60.0
"""What is older is no longer told: Prometheus then shows a gap, and the age says how long it is."""

Families = dict[str, GaugeMetricFamily]


@dataclass(frozen=True, slots=True)
class Samples(Collector):
    """The newest samples of some backends, as prometheus-client collects them."""

    latest: Sequence[Latest]
    now_s: float

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = _families()
        for one in self.latest:
            _tell(families, one, self.now_s)
        if self.latest:
            families["rqdash_recorder_age_seconds"].add_metric([], self.now_s - max(one.asked_s for one in self.latest))
        return iter(families.values())


def view(backends: Many, params: Raw, caller: Caller, *, history: Reading) -> Plain:  # noqa: ARG001
    assert params.now is not None  # noqa: S101  the seam always sets it
    return text(history.latest([backend.name for backend in backends.backends]), now=params.now)


def text(latest: Sequence[Latest], *, now: datetime) -> Plain:
    """The samples in Prometheus' format. A queue whose name is no text, or over 1 KB, is named ~<sha256>, as in addresses."""
    return Plain(CONTENT_TYPE_PLAIN_0_0_4, generate_latest(Samples(latest, now.timestamp())))


def _families() -> Families:
    rows = (
        ("rqdash_recorder_age_seconds", "Time since the recorder sampled last.", ()),
        ("rqdash_up", "Whether the backend answered when it was sampled last.", ("backend",)),
        ("rqdash_scrape_age_seconds", "Time since the backend answered last.", ("backend",)),
        ("rqdash_scrape_duration_seconds", "How long the backend took to answer.", ("backend",)),
        ("rqdash_suspended", "Whether all workers of the backend are suspended.", ("backend",)),
        ("rqdash_workers", "Workers by state; lost ones are listed and their key has lapsed.", ("backend", "state")),
        ("rqdash_finished_per_minute", "Jobs that the workers say they finished.", ("backend",)),
        ("rqdash_failed_per_minute", "Attempts that the workers say failed.", ("backend",)),
        ("rqdash_jobs", "Jobs of a queue in each registry, expired ones left out.", ("backend", "queue", "registry")),
        ("rqdash_oldest_job_age_seconds", "Age of the oldest waiting job, 0 when none waits.", ("backend", "queue")),
        ("rqdash_queue_workers", "Workers that listen to the queue, and those of them that are busy.", ("backend", "queue", "state")),
    )
    return {name: GaugeMetricFamily(name, meaning, labels=labels) for name, meaning, labels in rows}


def _tell(families: Families, one: Latest, now_s: float) -> None:
    of = [one.backend]
    if one.answered_s is not None:
        families["rqdash_scrape_age_seconds"].add_metric(of, now_s - one.answered_s)
    if now_s - one.asked_s > FRESH_S:
        return
    families["rqdash_up"].add_metric(of, 0 if one.problem else 1)
    if one.problem:
        return
    if one.elapsed_ms is not None:
        families["rqdash_scrape_duration_seconds"].add_metric(of, one.elapsed_ms / 1000)
    families["rqdash_suspended"].add_metric(of, int(one.is_suspended))
    for state in sorted({*STATES, *one.workers}):
        families["rqdash_workers"].add_metric([one.backend, state], one.workers.get(state, 0))
    for rate in RATES:
        value = one.rates.get(rate)
        if value is not None:
            families[f"rqdash_{rate.removesuffix('_per_min')}_per_minute"].add_metric(of, value)
    for queue in one.queues:
        _tell_queue(families, one.backend, queue)


def _tell_queue(families: Families, backend: str, queue: LatestQueue) -> None:
    name = ref(queue.name)
    for registry, count in zip(REGISTRIES, queue.counts, strict=True):
        families["rqdash_jobs"].add_metric([backend, name, registry], count)
    if queue.oldest_s is not None:
        families["rqdash_oldest_job_age_seconds"].add_metric([backend, name], queue.oldest_s)
    families["rqdash_queue_workers"].add_metric([backend, name, "listening"], queue.workers)
    families["rqdash_queue_workers"].add_metric([backend, name, "busy"], queue.workers_busy)


ROUTES = (
    Route(
        "metrics",
        "GET",
        "/metrics",
        Permission.VIEW,
        view,
        scope=Scope.MANY,
        needs=("history",),
        in_api=False,
        is_for_programs=True,
    ),
)
