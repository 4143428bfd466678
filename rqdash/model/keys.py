"""RQ's key names for one prefix: the only place that spells them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names as RQ 1.16 to 3.0 build them, for one prefix (RQ_KEY_PREFIX, "rq" before 3.0)."""

    prefix: str = "rq"

    def of(self, *parts: str) -> str:
        return ":".join((self.prefix, *parts))

    @property
    def queues(self) -> str:
        return self.of("queues")

    @property
    def workers(self) -> str:
        return self.of("workers")

    @property
    def suspended(self) -> str:
        return self.of("suspended")

    def queue(self, name: str) -> str:
        return self.of("queue", name)

    def intermediate(self, name: str) -> str:
        return self.of("queue", name, "intermediate")

    def queue_workers(self, name: str) -> str:
        return self.of("workers", name)

    def registry(self, registry: str, queue: str) -> str:
        """The sorted set of one registry of a queue; the started registry is called wip."""
        return self.of("wip" if registry == "started" else registry, queue)

    def scheduler_lock(self, queue: str) -> str:
        return self.of("scheduler-lock", queue)

    def job(self, job_id: str) -> str:
        return self.of("job", job_id)

    def dependents(self, job_id: str) -> str:
        return self.of("job", job_id, "dependents")

    def dependencies(self, job_id: str) -> str:
        """RQ writes a double colon here, in every version (job.py)."""
        return f"{self.prefix}:job::{job_id}:dependencies"

    def results(self, job_id: str) -> str:
        return self.of("results", job_id)

    def executions(self, job_id: str) -> str:
        return self.of("executions", job_id)

    def execution(self, composite: str) -> str:
        """One execution; composite is <job id>:<execution id>."""
        return self.of("execution", composite)

    def worker(self, name: str) -> str:
        return self.of("worker", name)

    def worker_executions(self, name: str) -> str:
        return self.of("worker", name, "executions")

    def own(self, *parts: str) -> str:
        """A key of rqdash's own; everything of ours lives under <prefix>:rqdash:."""
        return self.of("rqdash", *parts)
