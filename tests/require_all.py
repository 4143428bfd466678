"""With RQDASH_REQUIRE_ALL set a skipped test fails: a green run then means that everything ran."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

VARIABLE = "RQDASH_REQUIRE_ALL"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report, collector.nodeid)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport, name: str) -> None:
    """Turns a skip into a failure that gives its reason; an expected failure is not a skip."""
    if not os.environ.get(VARIABLE) or report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{VARIABLE} is set and {name} was skipped: {reason}"
