"""Brings the ways to several servers together: one check a stage."""

from __future__ import annotations

from collections.abc import Sequence

from rqdash.backends.probe.context import Context
from rqdash.backends.probe.report import Problem
from rqdash.backends.probe.walk import Step, Walk


def show(context: Context, walks: Sequence[Walk]) -> None:
    """Writes the steps of all walks on the board, one check a stage."""
    for stage in ("target", "dns", "tcp", "tls", "sign_in"):
        _show_stage(context, stage, walks)


def _show_stage(context: Context, stage: str, walks: Sequence[Walk]) -> None:
    taken = [(way, step) for way in walks for step in way.steps if step.stage == stage]
    if not taken:
        if stage == "tls" and walks and not any(way.tls.enabled for way in walks):
            context.board.skipped("tls", "off")
        return
    faults = [(way, step) for way, step in taken if step.problem is not None]
    ms = max((step.ms for _, step in taken if step.ms is not None), default=None)
    found = taken[0][1].found if len(taken) == 1 else _counted(taken)
    if not faults:
        context.board.passed(stage, found, ms=ms)
        return
    problem = _named(faults[0], is_one_of_many=len(walks) > 1)
    put = context.board.failed if _is_fatal(walks, faults) else context.board.warned
    put(stage, found, problem, ms=ms)


def _is_fatal(walks: Sequence[Walk], faults: Sequence[tuple[Walk, Step]]) -> bool:
    """A sentinel that fails is one of several; a data server that fails, or the last of the sentinels, ends the test."""
    fatal = [way for way, step in faults if not step.is_warning]
    return bool(fatal) and (any(way.what != "Sentinel" for way in fatal) or all(way.problem is not None for way in walks))


def _counted(taken: Sequence[tuple[Walk, Step]]) -> str:
    said = []
    for what, many in (("Sentinel", "Sentinels"), ("master", "masters")):
        of_kind = [step for way, step in taken if way.what == what]
        good = sum(step.problem is None or step.is_warning for step in of_kind)
        if of_kind:
            said.append(
                f"{good} of {len(of_kind)} {many if len(of_kind) > 1 else what}" if len(of_kind) > 1 or not good else f"{good} {what}"
            )
    return ", ".join(said)


def _named(fault: tuple[Walk, Step], *, is_one_of_many: bool) -> Problem:
    way, step = fault
    problem = step.problem or Problem("", "")
    if not is_one_of_many:
        return problem
    return Problem(problem.code, f"{way.what[0].upper()}{way.what[1:]} {way.node}: {problem.cause}", problem.remedy, problem.command)
