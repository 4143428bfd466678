"""Log lines carry their facts, on one line each."""

from __future__ import annotations

import logging

from rqdash.logs import LINE, Facts


def test_a_line_says_its_facts_and_stays_one_line() -> None:
    record = logging.makeLogRecord({"name": "rqdash.x", "levelname": "INFO", "msg": "action", "backend": "orders", "queue": "a\nb"})

    line = Facts(LINE).format(record)

    assert line.endswith("INFO rqdash.x: action backend='orders' queue='a\\nb'")
    assert "\n" not in line


def test_a_traceback_follows_the_line() -> None:
    try:
        raise ValueError("boom")
    except ValueError as error:
        record = logging.makeLogRecord({"name": "rqdash.x", "levelname": "ERROR", "msg": "a bug", "exc_info": (ValueError, error, None)})

    first, *rest = Facts(LINE).format(record).split("\n")

    assert first.endswith("ERROR rqdash.x: a bug")
    assert rest[-1] == "ValueError: boom"
