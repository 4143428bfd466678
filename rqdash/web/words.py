"""Sentences about what was done, counted: what happened, and what did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rqdash.model.outcome import WORDS, Outcome, Verdict
from rqdash.web.filters import middle, shown_name
from rqdash.web.route import Notice

PAST = {
    "requeue": "Requeued",
    "enqueue": "Enqueued",
    "rescue": "Put back",
    "cancel": "Canceled",
    "delete": "Deleted",
    "move": "Moved",
    "copy": "Copied",
    "reschedule": "Rescheduled",
    "edit": "Changed the limits of",
    "stop": "Stopped",
    "empty": "Deleted",
    "delete_queue": "Deleted",
}
VERB_OF = {"front": "requeue"}
LONGEST_NAME = 80
REASONS = {
    Verdict.REFUSED: "refused, for a key of theirs is of another type than RQ's",
    Verdict.STALE: "changed meanwhile",
    Verdict.RATE_LIMITED: "left to RQ, which alone counts the slots of their rate limit",
    Verdict.BAD_ID: "refused, for workers since RQ 2.8 end at an id like theirs",
    Verdict.TOLD: "told to stop and still running: SimpleWorker ignores it, others take a moment",
}
"""Where the page says more than the word that programs get."""


def outcome_notice(outcome: Outcome, *, goes_elsewhere: bool = False) -> Notice:
    """Requeued 47 jobs of webhooks on orders. 2 gone · 1 already running. goes_elsewhere: the outcome's target names a backend too."""
    if outcome.verb in ("suspend", "resume"):
        return _of_workers(outcome)
    counts = outcome.counts()
    rest = [f"{number:,} {REASONS.get(verdict, WORDS[verdict])}" for verdict, number in counts.items() if verdict is not Verdict.DONE]
    if outcome.left:
        rest.append(_left(outcome))
    text = " · ".join(rest) + ("." if rest else "")
    if outcome.problem:
        text = f"{text} {outcome.problem}".strip()
    return Notice(_title(outcome, counts, goes_elsewhere=goes_elsewhere), text, _tone(outcome, counts))


def together_notice(verb: str, outcomes: Sequence[Outcome], problems: Sequence[str]) -> Notice:
    """Requeued 5 jobs: 3 on orders, 2 on staging. 2 gone. What several actions of one verb did, and what kept others from it."""
    counts: Counter[Verdict] = Counter()
    done: Counter[str] = Counter()
    for outcome in outcomes:
        counts.update(outcome.counts())
        done[outcome.backend] += outcome.done
    where = ", ".join(f"{number:,} on {name}" for name, number in done.items() if number)
    total = sum(done.values())
    said = f"{PAST[VERB_OF.get(verb, verb)]} {jobs_of(total)}" + (
        f": {where}." if len(done) > 1 and total else f" on {next(iter(done))}." if done else "."
    )
    rest = [f"{number:,} {REASONS.get(verdict, WORDS[verdict])}" for verdict, number in counts.items() if verdict is not Verdict.DONE]
    texts = [*([" · ".join(rest) + "."] if rest else []), *(outcome.problem for outcome in outcomes if outcome.problem), *problems]
    is_unsure = Verdict.UNKNOWN in counts or any(outcome.problem for outcome in outcomes)
    return Notice(said, " ".join(texts), "failed" if is_unsure else "warning" if texts or not total else "plain")


def _title(outcome: Outcome, counts: dict[Verdict, int], *, goes_elsewhere: bool) -> str:
    where = f"{_named(outcome.queue)} on {outcome.backend}"
    if Verdict.UNKNOWN in counts and not outcome.done:
        return f"Result unknown: it may have been done to jobs of {where}. Look before you repeat it."
    if outcome.verb == "delete_queue" and not outcome.left and not outcome.problem:
        return f"Deleted the queue {where}" + (f", and {jobs_of(outcome.done)} with it." if outcome.done else ".")
    target = f" to {_named(outcome.target)}" if outcome.target not in ("", outcome.queue) else ""
    done = f"{PAST[outcome.verb]} {jobs_of(outcome.done)} of"
    return f"{done} {where}{target}." if goes_elsewhere else f"{done} {_named(outcome.queue)}{target} on {outcome.backend}."


def jobs_of(number: int) -> str:
    """1 job, 3,412 jobs."""
    return "1 job" if number == 1 else f"{number:,} jobs"


def _left(outcome: Outcome) -> str:
    if outcome.verb == "delete_queue":
        return f"the queue stays: {outcome.left:,} entries are still in it or come back to it"
    return f"{outcome.left:,} left" + ("" if outcome.problem else ": press again to go on")


def _of_workers(outcome: Outcome) -> Notice:
    if outcome.verb == "suspend":
        return Notice(
            f"Suspended the workers of {outcome.backend}.",
            "Each idle worker takes one more job before it notices; running jobs go on to their end, and burst workers quit.",
        )
    if outcome.done:
        return Notice(f"Resumed the workers of {outcome.backend}.", "They take jobs again within a second.")
    return Notice(f"The workers of {outcome.backend} were not suspended.", "Nothing was changed.", "warning")


def _named(queue: str) -> str:
    """The queue's name, cut: the notice travels in a cookie, and browsers drop one of more than 4 KB."""
    return middle(shown_name(queue), LONGEST_NAME // 2)


def _tone(outcome: Outcome, counts: dict[Verdict, int]) -> str:
    if Verdict.UNKNOWN in counts or outcome.problem:
        return "failed"
    is_queue = outcome.verb == "delete_queue"
    if is_queue:
        return "warning" if outcome.left else "plain"
    return "warning" if len(counts) > 1 or not outcome.done else "plain"
