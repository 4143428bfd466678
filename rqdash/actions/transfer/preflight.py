"""What is asked before jobs go to another backend: whether they can, what to know first, and which of them cannot."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from rqdash.actions.scripted import Order
from rqdash.actions.transfer.wire import Step, read
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Switching
from rqdash.model.outcome import Verdict
from rqdash.model.registry import Registry

SAMPLE = 5
"""Jobs looked at of each place of the queue to go to."""

HEAD_BYTES = 1024
"""Of a job's data: what the first byte of its serialization can be told from."""

MODERN_ID = re.compile(r"[A-Za-z0-9_-]+")
VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")
NO_EVICTION = "noeviction"


@dataclass(frozen=True, slots=True)
class Preflight:
    """Whether jobs of a backend can go to another. refusal: why none can, a sentence; warnings: what to know before.

    is_same: both names are the same server, database and prefix; the move is then one within it.
    """

    refusal: str = ""
    warnings: tuple[str, ...] = ()
    is_same: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """What INFO says of one side; "" and None where it does not."""

    run_id: str = ""
    eviction: str = ""
    replicas: int | None = None
    is_replica: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What a preflight found: the facts behind its sentences, and by what single jobs are refused."""

    source: Server = field(default_factory=Server)
    destination: Server = field(default_factory=Server)
    versions_here: tuple[str, ...] = ()
    versions_there: tuple[str, ...] = ()
    listeners: int = 0
    serializers: frozenset[str] = frozenset()

    def refuses(self, job_id: str, data: bytes, *, keeps_id: bool) -> Verdict | None:
        """Why the destination cannot take a job, as far as the job itself says."""
        if keeps_id and not _is_readable(job_id, self.versions_there):
            return Verdict.BAD_ID
        if self.serializers and serializer(data) not in self.serializers:
            return Verdict.SERIALIZER
        return None


def preflight(source: Backend, destination: Backend, *, to_queue: str | None = None, copy: bool = False) -> Preflight:
    """Whether jobs can go from one backend to another, and what to know first. Two reads, one round trip each; never raises."""
    return examined(source, destination, to_queue=to_queue, copy=copy)[0]


def examined(
    source: Backend, destination: Backend, *, to_queue: str | None = None, copy: bool = False
) -> tuple[Preflight, Terms, BackendError | None]:
    """The preflight with the facts behind it, and the failure that kept a backend from being asked, if one did."""
    if source.profile.read_only and not copy:
        return Preflight(f"{source.name} is read-only here: its profile says so. Jobs can only be copied from it."), Terms(), None
    if destination.profile.read_only:
        return Preflight(f"{destination.name} is read-only here: its profile says so."), Terms(), None
    try:
        terms = _terms(source, destination, to_queue or "")
    except BackendError as error:
        return Preflight(error.message), Terms(), error
    if terms.destination.is_replica:
        return Preflight(f"{destination.name} answers as a read-only replica."), terms, _replica(destination)
    is_same = _is_same(source, destination, terms)
    warnings = () if is_same else tuple(_warnings(source, destination, terms, to_queue))
    return Preflight(warnings=warnings, is_same=is_same), terms, None


def unattended(destination: Backend, queues: Iterable[str]) -> tuple[str, ...]:
    """Those of the queues that no worker of the destination listens to. One round trip a queue; raises BackendError."""
    return tuple(queue for queue in queues if not _told(destination, queue, sample=1)[1])


def _replica(backend: Backend) -> Switching:
    return Switching(
        f"{backend.name} answers as a read-only replica.", backend=backend.name, stage="role", code="replica", retry_after_s=5.0
    )


def _terms(source: Backend, destination: Backend, to_queue: str) -> Terms:
    here, versions_here, _, _ = _side(source, to_queue)
    there, versions_there, listeners, heads = _side(destination, to_queue)
    return Terms(here, there, versions_here, versions_there, listeners, frozenset(map(serializer, heads)) - {""})


def _side(backend: Backend, to_queue: str) -> tuple[Server, tuple[str, ...], int, list[bytes]]:
    versions, listeners, heads = _told(backend, to_queue, sample=SAMPLE)
    # Sections by name are only understood since Redis 7; a refused INFO leaves its facts unknown.
    (info,) = backend.read(("INFO",), strict=False)
    texts = tuple(sorted({version.decode("utf-8", "replace")[:40] for version in versions}))
    return _server(info if isinstance(info, dict) else {}), texts, listeners, heads


def _told(backend: Backend, to_queue: str, *, sample: int) -> tuple[list[bytes], int, list[bytes]]:
    order = Order("terms", "", Registry.QUEUED, to_queue=to_queue)
    # What transfer_terms.lua answers.
    return cast("tuple[list[bytes], int, list[bytes]]", read(backend, Step("terms", (), order, {"sample": sample, "head": HEAD_BYTES})))


def _server(info: Mapping[object, object]) -> Server:
    replicas = info.get("connected_slaves")
    return Server(
        run_id=str(info.get("run_id", ""))[:80],
        eviction=str(info.get("maxmemory_policy", ""))[:80],
        replicas=replicas if isinstance(replicas, int) else None,
        is_replica=info.get("role") == "slave",
    )


def _is_same(source: Backend, destination: Backend, terms: Terms) -> bool:
    one, other = source.profile, destination.profile
    if (one.db, one.prefix) != (other.db, other.prefix):
        return False
    return (bool(one.id) and one.id == other.id) or (bool(terms.source.run_id) and terms.source.run_id == terms.destination.run_id)


def _warnings(source: Backend, destination: Backend, terms: Terms, to_queue: str | None) -> list[str]:
    here, there = _spoken(terms.versions_here), _spoken(terms.versions_there)
    found = []
    if here and there and here != there:
        found.append(f"Workers of {source.name} run RQ {here}, those of {destination.name} {there}.")
    if terms.destination.eviction not in (NO_EVICTION, ""):
        policy = terms.destination.eviction
        found.append(f"{destination.name} drops keys when its memory is full ({policy}): a job on its way could be lost or run twice.")
    if not terms.destination.eviction:
        found.append(f"{destination.name} does not say whether it drops keys when its memory is full.")
    found += [
        f"{backend.name} has replicas, which are a moment behind: a failover during the move could lose jobs or run them twice."
        for backend, server in ((source, terms.source), (destination, terms.destination))
        if server.replicas
    ]
    if to_queue is not None and not terms.listeners:
        found.append(f"No worker of {destination.name} listens to this queue there: the jobs will wait.")
    return found


def _spoken(versions: tuple[str, ...]) -> str:
    return " and ".join(version for version in versions if version)


def _is_readable(job_id: str, versions: tuple[str, ...]) -> bool:
    """Whether every worker there survives an id: since RQ 2.8 any but the modern ones end the worker that pops it."""
    if MODERN_ID.fullmatch(job_id):
        return True
    found = [VERSION.match(version) for version in versions]
    numbers = [(int(match[1]), int(match[2])) for match in found if match]
    if not numbers or len(numbers) < len(found) or max(numbers) >= (2, 8):
        return False
    # From 2.0 on an id is cut at the first colon.
    return ":" not in job_id or max(numbers) < (2, 0)


def serializer(data: bytes) -> str:
    """What a job's data was serialized by, as its first byte says: pickle, json, other, or "" when there is none."""
    try:
        first = zlib.decompressobj().decompress(data[:HEAD_BYTES], 1)
    except zlib.error:
        first = b""
    return {b"": "", b"\x80": "pickle", b"(": "pickle", b"[": "json", b"{": "json"}.get(first or data[:1], "other")
