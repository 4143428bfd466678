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

    def scheduler(self, name: str) -> str:
        """The scheduler that a lock names, RQ 2.10 and later; before, a lock holds a process id."""
        return self.of("scheduler", name)

    @property
    def cron_schedulers(self) -> str:
        return self.of("cron_schedulers")

    def cron_scheduler(self, name: str) -> str:
        return self.of("cron_scheduler", name)

    @property
    def cron_jobs(self) -> str:
        """The names of cron jobs by when each was last enqueued, RQ 2.12 and later."""
        return self.of("cron_jobs")

    def cron_history(self, name: str) -> str:
        """The jobs that a cron job made, by when, RQ 2.12 and later."""
        return self.of("cron_job", name, "jobs")

    @property
    def foreign_schedule(self) -> str:
        """Where the package rq-scheduler, which is not part of RQ, keeps its jobs."""
        return self.of("scheduler", "scheduled_jobs")

    @property
    def foreign_lock(self) -> str:
        return self.of("scheduler_lock")

    @property
    def groups(self) -> str:
        """The names of all groups."""
        return self.of("groups")

    @property
    def rate_limits(self) -> str:
        """The names of all rate limits."""
        return self.of("rl-keys")

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

    def pubsub(self, name: str) -> str:
        """The channel on which a worker hears commands."""
        return self.of("pubsub", name)

    def group(self, name: str) -> str:
        """The ids of a group's jobs."""
        return self.of("group", name)

    def rate_limit(self, name: str) -> str:
        """How many jobs of a rate limit may run at once."""
        return self.of("rl", name)

    def rate_limit_allowed(self, name: str) -> str:
        """The jobs that hold a slot, by when they got it."""
        return self.of("rl", name, "allowed")

    def rate_limit_waiting(self, name: str) -> str:
        """The jobs that wait for a slot, by when they were enqueued."""
        return self.of("rl", name, "rate_limited")

    def own(self, *parts: str) -> str:
        """A key of rqdash's own; everything of ours lives under <prefix>:rqdash:."""
        return self.of("rqdash", *parts)
