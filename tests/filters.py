"""Jobs and searches made at random, and which jobs a search means: told from what they are made of, not by reading the search."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import redis
from hypothesis import strategies as st

from rqdash.model.registry import Registry
from tests.stored import EXECUTION, iso, packed

NOW = datetime.now(UTC).replace(microsecond=0)
AS_OF = NOW - timedelta(hours=1)
QUEUES = ("mail", "high", "a b", "ma-il")
FUNCTIONS = ("app.tasks.send", "app.noise", "lib.Send")
DESCRIPTIONS = ("send(4711)", "Nightly report, user-42", "noise: mail")
ERRORS = (("TimeoutError", "connection refused by db"), ("ValueError", "no such customer"), ("app.Broken", "Refused: 100%"))
WORKERS = ("w-1", "w-2", "")
REGISTRIES = (
    Registry.QUEUED,
    Registry.STARTED,
    Registry.SCHEDULED,
    Registry.DEFERRED,
    Registry.FAILED,
    Registry.FINISHED,
    Registry.CANCELED,
)
RAN = (Registry.FAILED, Registry.FINISHED)
AGES_S = (5, 3_000, 7_200, 20_000)


@dataclass(frozen=True, slots=True)
class Job:
    """One job. age_s is how long before AS_OF it came to its registry (negative: later); change is what happens to it after a preview."""

    id: str
    queue: str
    registry: Registry
    function: str
    description: str
    error: tuple[str, str]
    worker: str
    age_s: int
    ran_s: int
    is_stopped: bool
    change: str

    @property
    def status(self) -> str:
        return "stopped" if self.registry is Registry.FAILED and self.is_stopped else self.registry.value

    @property
    def at(self) -> datetime:
        return AS_OF - timedelta(seconds=self.age_s)

    @property
    def run_s(self) -> float | None:
        if self.registry is Registry.STARTED:
            return float(self.age_s)
        return float(self.ran_s) if self.registry in RAN else None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a search: any of its words, or none of them; a time has an operator before each of its seconds."""

    field: str
    words: tuple[str, ...]
    is_negated: bool

    @property
    def text(self) -> str:
        words = self.words if self.field in ("age", "run") else map(quoted, self.words)
        return f"{'-' if self.is_negated else ''}{f'{self.field}:' if self.field else ''}{','.join(words)}"

    def holds(self, job: Job) -> bool:
        return any(means(self.field, word, job) for word in self.words) != self.is_negated


def means(field: str, word: str, job: Job) -> bool:
    """Whether one word of one field means the job; * stands for anything, brackets and ? for themselves."""
    if field in ("age", "run"):
        value = float(job.age_s) if field == "age" else job.run_s
        return value is not None and (value > float(word[1:-1]) if word[0] == ">" else value < float(word[1:-1]))
    texts = {
        "queue": [job.queue],
        "backend": ["live"],
        "status": [job.registry.value, job.status],
        "fn": [job.function],
        "id": [job.id],
        "worker": [job.worker] if job.worker else [],
        "desc": [job.description],
        "error": [job.error[0]] if job.registry is Registry.FAILED else [],
        "msg": [job.error[1]] if job.registry is Registry.FAILED else [],
        "": [job.id, job.description, *(job.error if job.registry is Registry.FAILED else ())],
    }[field]
    if field in ("desc", "error", "msg", ""):
        return any(fnmatchcase(text.lower(), f"*{word.lower()}*") for text in texts)
    return any(fnmatchcase(text, word) for text in texts)


def quoted(word: str) -> str:
    """The word as it is typed: in quotes where a space, a comma or a colon would end it; globs stay outside them."""
    return "*".join(f'"{part}"' if any(char in part for char in " ,:") or (not part and word == "") else part for part in word.split("*"))


def jobs() -> st.SearchStrategy[list[Job]]:
    one = st.builds(
        Job,
        id=st.just(""),
        queue=st.sampled_from(QUEUES),
        registry=st.sampled_from(REGISTRIES),
        function=st.sampled_from(FUNCTIONS),
        description=st.sampled_from(DESCRIPTIONS),
        error=st.sampled_from(ERRORS),
        worker=st.sampled_from(WORKERS),
        age_s=st.sampled_from((-600, -1, *(age - 1 for age in AGES_S), *(age + 1 for age in AGES_S))),
        ran_s=st.sampled_from((0, 4, 6, 4_000)),
        is_stopped=st.booleans(),
        change=st.sampled_from(("", "", "", "deleted", "taken", "restated", "started", "renewed")),
    )
    return st.lists(one, max_size=12).map(lambda made: [_named(job, number) for number, job in enumerate(made)])


def conditions() -> st.SearchStrategy[list[Condition]]:
    """One to three conditions, whose words are values there are, cut and with globs."""
    words = {
        "queue": (*QUEUES, "ma*", "*i*", "nobody"),
        "status": (*(registry.value for registry in REGISTRIES), "stopped", "fail*", "*"),
        "backend": ("live", "li*", "other"),
        "fn": (*FUNCTIONS, "app.*", "*send", "app"),
        "id": ("job-0", "job-1*", "*-2", "job"),
        "worker": ("w-1", "w-*", "*"),
        "desc": ("send", "REPORT", "user-42", "no*mail", "(4711)"),
        "error": ("timeout", "Error", "app.*"),
        "msg": ("refused", "no such customer", "100%"),
        "": ("4711", "REFUSED", "job-1", "n*t", "user-42"),
        "age": tuple(f"{sign}{age}s" for sign in "<>" for age in AGES_S),
        "run": (">5s", "<5s", ">3600s"),
    }

    def of(field: str) -> st.SearchStrategy[Condition]:
        some = st.lists(st.sampled_from(words[field]), min_size=1, max_size=2, unique=True).map(tuple)
        return st.builds(Condition, st.just(field), some, st.sampled_from((False, False, True)))

    return st.lists(st.sampled_from(sorted(words)).flatmap(of), min_size=1, max_size=3)


def store(client: redis.Redis, made: list[Job]) -> None:
    """Writes the jobs into an empty database, in one round trip."""
    with client.pipeline(transaction=False) as pipe:
        pipe.flushall()
        pipe.sadd("rq:queues", *(f"rq:queue:{queue}" for queue in QUEUES))
        for job in made:
            pipe.hset(f"rq:job:{job.id}", mapping=_fields(job))
            if job.registry is Registry.FAILED:
                trace = f'Traceback (most recent call last):\n  File "a.py", line 1, in f\n{job.error[0]}: {job.error[1]}\n'
                pipe.xadd(f"rq:results:{job.id}", {"type": 2, "exc_string": base64.b64encode(zlib.compress(trace.encode()))})
            if job.registry is Registry.QUEUED:
                pipe.rpush(f"rq:queue:{job.queue}", job.id)
            else:
                name = "wip" if job.registry is Registry.STARTED else job.registry.value
                pipe.zadd(f"rq:{name}:{job.queue}", {f"{job.id}:{EXECUTION}" if name == "wip" else job.id: _score(job)})
        pipe.execute()


def change(client: redis.Redis, made: list[Job]) -> None:
    """What happens to some jobs between the preview and the start."""
    with client.pipeline(transaction=False) as pipe:
        for job in made:
            key = f"rq:queue:{job.queue}" if job.registry is Registry.QUEUED else f"rq:{job.registry.value}:{job.queue}"
            if job.change == "deleted":
                pipe.delete(f"rq:job:{job.id}")
            elif job.change == "taken":
                pipe.execute_command(*(("LREM", key, 0, job.id) if job.registry is Registry.QUEUED else ("ZREM", key, job.id)))
            elif job.change == "restated":
                pipe.hset(f"rq:job:{job.id}", "status", "created")
            elif job.change == "started":
                pipe.zadd(f"rq:executions:{job.id}", {EXECUTION: NOW.timestamp() + 1e6})
            elif job.change == "renewed":
                # It went on, and came back to where it was after the moment.
                later = iso(AS_OF + timedelta(seconds=1))
                pipe.hset(f"rq:job:{job.id}", mapping=dict.fromkeys(("created_at", "enqueued_at", "ended_at"), later))
                if job.registry is Registry.CANCELED:
                    pipe.zadd(key, {job.id: AS_OF.timestamp() + 1})
        pipe.execute()


def state(client: redis.Redis, made: list[Job]) -> dict[str, object]:
    """Of each job that there is: its fields, and where its id stands."""
    keys = [(registry, queue) for registry in REGISTRIES[2:] for queue in (*QUEUES, "elsewhere")]
    lists = (*QUEUES, "elsewhere")
    with client.pipeline(transaction=False) as pipe:
        for job in made:
            pipe.hgetall(f"rq:job:{job.id}")
        for queue in lists:
            pipe.lrange(f"rq:queue:{queue}", 0, -1)
        for registry, queue in keys:
            pipe.zrange(f"rq:{registry.value}:{queue}", 0, -1)
        replies = pipe.execute()
    places = dict(zip([*(("list", queue) for queue in lists), *keys], replies[len(made) :], strict=True))
    return {
        job.id: (fields, tuple(place for place, members in places.items() if job.id.encode() in members))
        for job, fields in zip(made, replies, strict=False)
        if fields
    }


def _named(job: Job, number: int) -> Job:
    from dataclasses import replace

    return replace(job, id=f"job-{number}")


def _fields(job: Job) -> dict[str, str | bytes]:
    moment = iso(job.at)
    return {
        "data": packed(job.function, 1),
        "status": job.status,
        "origin": job.queue,
        "description": job.description,
        "created_at": moment,
        "enqueued_at": moment,
        "started_at": iso(job.at - timedelta(seconds=job.ran_s)) if job.registry in RAN else moment if job.run_s is not None else "",
        "ended_at": moment if job.registry in RAN else "",
        "timeout": "180",
        "worker_name": job.worker,
    }


def _score(job: Job) -> float:
    if job.registry is Registry.CANCELED:
        return job.at.timestamp()
    return NOW.timestamp() + 1e6
