"""What is read from the text of an exception, on tracebacks that Python wrote and on texts that nobody should have."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rqdash.model.failure import MAX_FRAMES, MESSAGE_CHARS, TEXT_CHARS, Frame, Run, failure, folded, summary

REQUESTS = "/srv/venv/lib/python3.12/site-packages/requests"
WEBHOOK = f"""Traceback (most recent call last):
  File "/srv/venv/lib/python3.12/site-packages/rq/worker/base.py", line 1512, in perform_job
    return_value = job.perform()
                   ^^^^^^^^^^^^^
  File "/srv/app/webhooks.py", line 88, in deliver
    response = client.post(url, json=body, timeout=CONNECT_S)
               ~~~~~~~~~~~^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "{REQUESTS}/sessions.py", line 637, in post
    return self.request("POST", url, data=data, json=json, **kwargs)
  File "/usr/lib/python3.12/json/__init__.py", line 359, in loads
  File "<frozen importlib._bootstrap>", line 1360, in _find_and_load
  File "{REQUESTS}/adapters.py", line 688, in send
    raise ConnectTimeout(e, request=request)
requests.exceptions.ConnectTimeout: HTTPSConnectionPool(host='hooks.acme.example', port=443): timed out
and a second line
"""
ONE_FRAME = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n'


class OrderError(Exception):
    """An error of an application."""


def written(act: Callable[[], object]) -> str:
    """The traceback of what act raises, as RQ stores it."""
    try:
        act()
    except (ValueError, OrderError, ExceptionGroup, SyntaxError, StopIteration) as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError


def chained(*, explicitly: bool) -> None:
    try:
        int("x")
    except ValueError as error:
        if explicitly:
            raise OrderError("second") from error
        raise OrderError("second")  # noqa: B904


def group() -> None:
    raise ExceptionGroup("many", [ValueError("one"), TypeError("two")])


def group_after_another() -> None:
    try:
        int("x")
    except ValueError as error:
        raise ExceptionGroup("many", [OrderError("one")]) from error


def test_type_module_message_and_frames_of_a_traceback() -> None:
    read = failure(WEBHOOK)

    assert (read.type, read.module) == ("ConnectTimeout", "requests.exceptions")
    assert read.message == "HTTPSConnectionPool(host='hooks.acme.example', port=443): timed out"
    assert [frame.line for frame in read.frames] == [1512, 88, 637, 359, 1360, 688]
    code = "response = client.post(url, json=body, timeout=CONNECT_S)"
    assert read.frames[1] == Frame("/srv/app/webhooks.py", 88, "deliver", code, is_app=True)
    assert read.text == WEBHOOK
    assert not read.is_truncated


def test_frames_that_are_not_the_applications_fold_into_runs_with_their_packages() -> None:
    read = folded(failure(WEBHOOK))

    names = [part.packages if isinstance(part, Run) else part.function for part in read]
    assert names == [("rq",), "deliver", ("requests", "json", "importlib")]
    assert [part.count for part in read if isinstance(part, Run)] == [1, 4]


def test_a_failure_without_frames_folds_into_nothing() -> None:
    assert folded(failure("Job stopped by user, work-horse terminated.")) == ()


@pytest.mark.parametrize(
    ("file", "is_app"),
    [
        ("app/webhooks.py", True),
        ("/srv/python/lib/app.py", True),
        ("/usr/local/lib/python3.13/asyncio/base_events.py", False),
        ("/home/a/.pyenv/versions/3.11.7/lib/python3.11/json/decoder.py", False),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", False),
        (r"C:\Python311\Lib\json\decoder.py", False),
        (r"C:\venv\Lib\site-packages\redis\client.py", False),
        ("/usr/lib/python311.zip/json/decoder.py", False),
        ("<string>", False),
        ("<frozen runpy>", False),
    ],
)
def test_installed_standard_and_frozen_code_is_not_the_applications(file: str, is_app: bool) -> None:
    read = failure(f'Traceback (most recent call last):\n  File "{file}", line 3, in f\n    x()\nValueError: x\n')

    assert [(frame.file, frame.is_app) for frame in read.frames] == [(file, is_app)]


@pytest.mark.parametrize("explicitly", [True, False])
def test_of_chained_exceptions_the_last_one_counts(explicitly: bool) -> None:
    text = written(lambda: chained(explicitly=explicitly))

    read = failure(text)

    assert (read.type, read.message) == ("OrderError", "second")
    assert [frame.function for frame in read.frames] == ["written", "<lambda>", "chained"]


@pytest.mark.parametrize("act", [group, group_after_another])
def test_an_exception_group_is_read_up_to_its_first_member(act: Callable[[], None]) -> None:
    read = failure(written(act))

    assert read.type == "ExceptionGroup"
    assert read.message.startswith("many")
    assert [frame.function for frame in read.frames] == ["written", act.__name__]
    assert read.frames[1].code.startswith("raise ExceptionGroup(")


def test_a_syntax_error_has_the_line_that_is_wrong_as_its_last_frame() -> None:
    read = failure(written(lambda: compile("x = = 1\n", "/srv/app/broken.py", "exec")))

    assert (read.type, read.message) == ("SyntaxError", "invalid syntax")
    assert read.frames[-1] == Frame("/srv/app/broken.py", 1, "", "x = = 1", is_app=True)


def test_an_error_without_a_message_has_none() -> None:
    read = failure(written(lambda: next(iter(()))))

    assert (read.type, read.message) == ("StopIteration", "")


def test_a_message_may_have_colons_lines_and_begin_with_an_empty_one() -> None:
    text = f"{ONE_FRAME}app.f.<locals>.Bad: \n\n  first: 1\nsecond: 2\nKeyError: 'x'\n"

    read = failure(text)

    assert (read.module, read.type, read.message) == ("app.f.<locals>", "Bad", "first: 1")


def test_a_traceback_quoted_in_a_message_is_not_the_failure() -> None:
    text = f'{ONE_FRAME}RemoteError: said\nTraceback (most recent call last):\n  File "b.py", line 2, in g\nKeyError: 1\n'

    read = failure(text)

    assert (read.type, read.message, [frame.file for frame in read.frames]) == ("RemoteError", "said", ["a.py"])


def test_repeated_frames_are_read_once_and_at_most_the_innermost_200() -> None:
    frames = "".join(f'  File "a.py", line {n}, in f\n    f()\n  [Previous line repeated 9 more times]\n' for n in range(1, 1_001))

    read = failure(f"Traceback (most recent call last):\n{frames}RecursionError: too deep\n")

    assert read.type == "RecursionError"
    assert [frame.line for frame in read.frames] == list(range(1_001 - MAX_FRAMES, 1_001))
    assert {frame.code for frame in read.frames} == {"f()"}


@pytest.mark.parametrize(
    ("text", "type_", "message"),
    [
        ("", "", ""),
        ("ValueError: no traceback", "ValueError", "no traceback"),
        ("app.errors.Gone: no traceback", "Gone", "no traceback"),
        ("Note: not an error", "", "Note: not an error"),
        ("\n\n  something went\nwrong", "", "something went"),
        ("Job stopped by user, work-horse terminated.", "Stopped", "Job stopped by user, work-horse terminated."),
        (
            "Work-horse terminated unexpectedly; waitpid returned 9 (signal 9); ",
            "Work-horse terminated",
            "Work-horse terminated unexpectedly; waitpid returned 9 (signal 9)",
        ),
        (
            "Moved to FailedJobRegistry, due to AbandonedJobError, at 2026-11-23 17:30:08",
            "AbandonedJobError",
            "Moved to FailedJobRegistry, due to AbandonedJobError, at 2026-11-23 17:30:08",
        ),
        ("Job was stuck in intermediate queue.", "Stuck", "Job was stuck in intermediate queue."),
        ('    f()\n  File "a.py", line 1, in f\n    g()\nKeyError: 1\n', "KeyError", "1"),
    ],
)
def test_texts_that_are_no_whole_traceback(text: str, type_: str, message: str) -> None:
    read = failure(text)

    assert (read.type, read.message) == (type_, message)


def test_a_text_that_was_cut_says_so_and_has_the_frames_that_are_left() -> None:
    read = failure(WEBHOOK[:500], is_truncated=True)

    assert read.is_truncated
    assert (read.type, read.message) == ("", "")
    assert read.frames[0].function == "perform_job"


SHAPES = (
    "Traceback (most recent call last):\n",
    "  + Exception Group Traceback (most recent call last):\n",
    "\nDuring handling of the above exception, another exception occurred:\n\n",
    *('  File "', '", line ', "9", ", in ", "\n", "    ", "  | ", "  +-+-", ": ", "ValueError", ".", "~^", "\ud800", "\x00", "é"),
)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(SHAPES) | st.text(max_size=5), max_size=60).map("".join))
def test_any_text_is_read_within_bounds_and_the_summary_agrees(text: str) -> None:
    read = failure(text)

    assert summary(text) == (read.type, read.message)
    assert len(read.message) <= MESSAGE_CHARS
    assert len(read.frames) <= MAX_FRAMES
    assert sum(part.count if isinstance(part, Run) else 1 for part in folded(read)) == len(read.frames)
    assert repr(read).encode()


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000_000,
        "a." * 500_000,
        " " * 1_000_000,
        "\n" * 1_000_000,
        "  | " * 250_000,
        '  File "' * 125_000,
        '\n  File "' * 110_000,
        '\n  File "", line 1, in ' * 40_000,
        f'Traceback (most recent call last):\n  File "{"/lib/python3" * 80_000}", line {"9" * 9_000}, in f\n',
        "/site-packages" * 70_000,
        "\ud800" * 1_000_000,
        "\nDuring handling of the above exception, another exception occurred:\n\n" * 14_000,
        "  + Exception Group Traceback (most recent call last):\n" + "  | \n" * 200_000,
    ],
)
def test_a_megabyte_of_anything_is_cut_and_read(text: str) -> None:
    read = failure(text)

    assert read.is_truncated
    assert len(read.text) == TEXT_CHARS
    assert len(read.message) <= MESSAGE_CHARS
    assert all(len(frame.file) <= 1_000 and len(frame.code) <= 500 for frame in read.frames)
