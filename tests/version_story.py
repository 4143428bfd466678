"""What happened to the jobs of one version of RQ on one server, from the first worker to the last: the version matrix looks at it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rqdash.actions.transfer import count_in_transit
from rqdash.demo.servers import Server
from tests.conftest import backend_of
from tests.site import site
from tests.version_pages import NO_SCRIPTS, PLAIN, Seen, seen
from tests.version_scenarios import Scenario
from tests.version_stage import HERE, QUEUES, THERE, Ended, Stage, acted, stage

SETS = ("started", "scheduled", "deferred", "failed", "finished", "canceled", "ready")
LOOKED_AT_AGAIN = ("queued-edited", "failed-edited", "failed-left", "held", "lost", "deferred-left")
Counts = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Story:
    """before: what the pages showed before anything was done; counted: what RQ itself counted then, by queue; the same after it all.

    places: the backends, registries and queues that hold a job in the end; leftovers: keys under the name of a job that is gone. queues,
    group and slots are the queues RQ lists in the end, the jobs of the group, and how many hold slots of rate limits or wait for them.
    """

    version: str
    scenarios: tuple[Scenario, ...]
    before: Seen
    counted: Counts
    ended: Ended
    after: Seen
    counted_after: Counts
    places: dict[str, set[tuple[str, str, str]]]
    leftovers: dict[str, list[str]]
    in_transit: int
    queues: frozenset[str]
    group: frozenset[str]
    slots: int

    def said(self, scenario: Scenario) -> str:
        """The verdicts on a job, in order."""
        return " ".join(verdict for outcome in self.ended.said.get(scenario.id, ()) for verdict in outcome.counts())


def story(version: str, server: Server, other: Server, directory: Path) -> Story:
    """Sets the stage, looks, acts, lets that version's workers go on, and looks again."""
    with stage(version, server, other, directory / "rq") as on:
        on.client.execute_command("ACL", "SETUSER", PLAIN, "reset", "on", "nopass", *NO_SCRIPTS.split())
        plain = backend_of(server, name=PLAIN, username=PLAIN)
        place = site(directory / "data", {HERE: on.sides.here, THERE: on.sides.there, PLAIN: plain})
        # RQ's counting is its maintenance, which would fail the abandoned job.
        counted = _counted(on, [queue for queue in QUEUES if queue != "abandoned"])
        before = seen(on, place, [scenario.id for scenario in on.scenarios])
        ended = acted(on)
        after = seen(on, place, LOOKED_AT_AGAIN)
        plain.close()
        return Story(
            version,
            on.scenarios,
            before,
            counted,
            ended,
            after,
            _counted(on, QUEUES),
            {scenario.id: _places(on, scenario.id) for scenario in on.scenarios},
            {scenario.id: _leftovers(on, scenario) for scenario in on.scenarios},
            count_in_transit(on.sides.here),
            _members(on, "rq:queues"),
            _members(on, "rq:group:pair"),
            sum(on.client.zcard(key) for key in on.client.scan_iter("rq:rl:*", _type="zset")),
        )


def _counted(on: Stage, queues: Iterable[str]) -> Counts:
    found = {queue: on.rq.driver("counts", queue=queue, json=queue.startswith("json")) for queue in queues}
    return {queue: counts for queue, counts in found.items() if isinstance(counts, dict)}


def _places(on: Stage, job_id: str) -> set[tuple[str, str, str]]:
    """Every list and registry of every queue of both backends that holds the job, read without RQ and without us."""
    found = set()
    for side, client in ((HERE, on.client), (THERE, on.there)):
        for queue in QUEUES:
            lists = {"queued": f"rq:queue:{queue}", "intermediate": f"rq:queue:{queue}:intermediate"}
            held = {name: client.lrange(key, 0, -1) for name, key in lists.items()}
            held |= {name: client.zrange(on.sides.here.keys.registry(name, queue), 0, -1) for name in SETS}
            found |= {(side, name, queue) for name, members in held.items() if _holds(members, job_id)}
    return found


def _holds(members: Sequence[bytes], job_id: str) -> bool:
    """The started registry of RQ 2.0 and later names executions, by 32 digits after the job's id."""
    return any(member.decode() in (job_id, f"{job_id}:{member[-32:].decode()}") for member in members)


def _members(on: Stage, key: str) -> frozenset[str]:
    return frozenset(member.decode() for member in on.client.smembers(key))


def _leftovers(on: Stage, scenario: Scenario) -> list[str]:
    """The keys of a job that is gone from here."""
    if scenario.ends and not scenario.is_there:
        return []
    kinds = (b"job", b"results", b"executions", b"execution")
    return sorted(key.decode() for key in on.client.scan_iter(f"rq:*{scenario.id}*", count=1000) if key.split(b":")[1] in kinds)
