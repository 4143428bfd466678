"""Sentences about what a worker was told, and what came of it."""

from __future__ import annotations

from rqdash.model.outcome import Outcome, Verdict
from rqdash.web.filters import middle, shown_name
from rqdash.web.route import Notice

LONGEST_NAME = 40
DONE = {
    "shutdown": "{worker} on {backend} has ended.",
    "kill-horse": "Killed the work horse of {worker} on {backend}.",
    "stop-job": "{worker} on {backend} stopped its job.",
    "stop-execution": "{worker} on {backend} stopped this execution.",
}
AFTERWARDS = {
    "shutdown": "What started it may start another.",
    "kill-horse": "The job failed, or is tried again where it has retries. The worker goes on.",
    "stop-job": "It counts as stopped, in the failed registry, and is not tried again by itself.",
    "stop-execution": "It counts as stopped, in the failed registry, and is not tried again by itself.",
}
OTHERWISE = {
    Verdict.UNHEARD: (
        "Nobody was listening: {worker} on {backend} did not get it.",
        "It may have lost its connection, or be about to begin or to end. Nothing was changed.",
        "failed",
    ),
    Verdict.GONE: ("{worker} on {backend} is gone.", "It has ended, or its key has lapsed. Nothing was sent.", "warning"),
    Verdict.RACED: (
        "{worker} on {backend} does not run this job any more.",
        "The job has left it meanwhile. Nothing was stopped.",
        "warning",
    ),
    Verdict.REFUSED: (
        "{worker} on {backend} would ignore it.",
        "Its RQ is older than 3.0, which brought stop execution. Stop the job instead. Nothing was sent.",
        "warning",
    ),
}


def command_notice(outcome: Outcome) -> Notice:
    """What came of a command: the outcome's verb is RQ's word for it, its target the worker."""
    verdict = next(iter(outcome.counts()))
    worker = middle(shown_name(outcome.target), LONGEST_NAME // 2)
    if verdict is Verdict.DONE:
        title, text, tone = DONE[outcome.verb], AFTERWARDS[outcome.verb], "plain"
    elif verdict is Verdict.TOLD and outcome.verb == "shutdown":
        title, text, tone = "{worker} on {backend} was asked to shut down.", "It heard, and finishes the job it runs first.", "plain"
    elif verdict is Verdict.TOLD:
        title, text, tone = (
            "{worker} on {backend} heard it, and the job still runs.",
            "SimpleWorker ignores this; others take a moment.",
            "warning",
        )
    else:
        title, text, tone = OTHERWISE.get(verdict, ("Result unknown for {worker} on {backend}.", "Look before you repeat it.", "failed"))
    return Notice(title.replace("{backend}", outcome.backend).replace("{worker}", worker), text, tone)
