"""Sentences about what was done, counted: what happened, and what did not."""

from __future__ import annotations

from rqdash.model.outcome import WORDS, Outcome, Verdict
from rqdash.web.filters import middle, shown_name
from rqdash.web.route import Notice

PAST = {"requeue": "Requeued", "cancel": "Canceled", "delete": "Deleted", "move": "Moved", "empty": "Deleted"}
LONGEST_NAME = 80


def outcome_notice(outcome: Outcome) -> Notice:
    """Requeued 47 jobs of webhooks on orders. 2 gone · 1 already running."""
    counts = outcome.counts()
    rest = [f"{number:,} {WORDS[verdict]}" for verdict, number in counts.items() if verdict is not Verdict.DONE]
    if outcome.left:
        rest.append(f"{outcome.left:,} left: press again to go on")
    jobs = "1 job" if outcome.done == 1 else f"{outcome.done:,} jobs"
    target = f" to {_named(outcome.target)}" if outcome.target not in ("", outcome.queue) else ""
    title = f"{PAST[outcome.verb]} {jobs} of {_named(outcome.queue)}{target} on {outcome.backend}."
    return Notice(title, " · ".join(rest) + ("." if rest else ""), _tone(outcome, counts))


def _named(queue: str) -> str:
    """The queue's name, cut: the notice travels in a cookie, and browsers drop one of more than 4 KB."""
    return middle(shown_name(queue), LONGEST_NAME // 2)


def _tone(outcome: Outcome, counts: dict[Verdict, int]) -> str:
    if Verdict.UNKNOWN in counts:
        return "failed"
    return "warning" if len(counts) > 1 or not outcome.done else "plain"
