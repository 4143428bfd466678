"""Sentences about what was done, counted: what happened, and what did not."""

from __future__ import annotations

from rqdash.model.outcome import WORDS, Outcome, Verdict
from rqdash.web.filters import shown_name
from rqdash.web.route import Notice

PAST = {"requeue": "Requeued", "cancel": "Canceled", "delete": "Deleted", "move": "Moved", "empty": "Deleted"}


def outcome_notice(outcome: Outcome) -> Notice:
    """Requeued 47 jobs of webhooks on orders. 2 gone · 1 already running."""
    counts = outcome.counts()
    rest = [f"{number:,} {WORDS[verdict]}" for verdict, number in counts.items() if verdict is not Verdict.DONE]
    if outcome.left:
        rest.append(f"{outcome.left:,} left: press again to go on")
    jobs = "1 job" if outcome.done == 1 else f"{outcome.done:,} jobs"
    target = f" to {shown_name(outcome.target)}" if outcome.target else ""
    title = f"{PAST[outcome.verb]} {jobs} of {shown_name(outcome.queue)}{target} on {outcome.backend}."
    return Notice(title, " · ".join(rest) + ("." if rest else ""), _tone(outcome, counts))


def _tone(outcome: Outcome, counts: dict[Verdict, int]) -> str:
    if Verdict.UNKNOWN in counts:
        return "failed"
    return "warning" if len(counts) > 1 or not outcome.done else "plain"
