"""Which failures are alike: what differs each time is masked, and the place in the application is named without its installation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rqdash.model.failure import MESSAGE_CHARS, failure
from rqdash.model.fingerprint import fingerprint, masked, module
from tests.test_failure import WEBHOOK


def of(message: str, *, file: str = "/srv/app/mail.py", line: int = 7, function: str = "send", error: str = "ValueError") -> str:
    """The key of a failure."""
    text = f'Traceback (most recent call last):\n  File "{file}", line {line}, in {function}\n    x()\n{error}: {message}\n'
    return fingerprint(failure(text)).key


def test_a_fingerprint_says_what_failures_have_in_common() -> None:
    found = fingerprint(failure(WEBHOOK))

    assert (found.type, found.message) == ("ConnectTimeout", "HTTPSConnectionPool(host=<value>, port=<n>): timed out")
    assert found.frame == "app.webhooks.deliver"
    assert len(found.key) == 12
    assert int(found.key, 16) >= 0


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("no user 42", "no user <n>"),
        ("read 1,024 of 2.5e6 bytes, -3 left", "read <n> of <n> bytes, <n> left"),
        ("order ORD-2024-0001 of user42", "order ORD-<n>-<n> of user<n>"),
        ("job 3f2504e0-4f89-11d3-9a0c-0305e82c3301 is gone", "job <id> is gone"),
        ("commit b1946ac92492 and token V1StGXR8Z5jdHi6BmyT", "commit <id> and token <id>"),
        ("cafebabe is a word, and so is utf8", "cafebabe is a word, and so is utf<n>"),
        ("KeyError 'customer_id' in \"it's\" or `x`", "KeyError <value> in <value> or <value>"),
        ("it's not the users' own b'bytes'", "it's not the users' own <value>"),
        ("<Order object at 0x7f3ca0b1> failed", "<Order object at <address>> failed"),
        ("refused by 10.0.0.1:6379, 2001:db8::1 and 00:1b:44:11:3a:b7", "refused by <address>, <address> and <address>"),
        ("no mailbox mira.x+news@mail.example here", "no mailbox <address> here"),
        ("https://a.example:8443/x?y=1#z answered 503", "<url> answered <n>"),
        ("postgresql+psycopg://u@db/x is down", "<url> is down"),
        ("cannot open /tmp/abc/x.csv: denied", "cannot open <path>: denied"),
        (r"C:\Users\mira\y.txt, ~/z and data/in.csv are missing", "<path>, <path> and <path> are missing"),
        ("and/or, N/A and application/json stay", "and/or, N/A and application/json stay"),
        ("AbandonedJobError, at 2026-11-23 17:30:08.5+00:00", "AbandonedJobError, at <time>"),
        ("since 2026-11-23T17:30:08Z, 2026-11-23 or 17:30:08", "since <time>, <time> or <time>"),
        ("expired on Mon, 23 Nov 2026 17:30:08 GMT", "expired on <time>"),
        ("", ""),
        ("nothing differs", "nothing differs"),
    ],
)
def test_what_differs_each_time_is_masked(message: str, expected: str) -> None:
    assert masked(message) == expected


def test_failures_that_differ_in_ids_lines_and_hosts_are_one_group() -> None:
    first = of("no user 42 in 'eu'", file="/srv/releases/20261123/shop/tasks/mail.py", line=7)
    second = of("no user 777 in 'us'", file="/home/deploy/releases/3f1c9ab/shop/tasks/mail.py", line=190)

    assert first == second


@pytest.mark.parametrize(
    "other",
    [
        of("no user 1", error="KeyError"),
        of("no customer 1"),
        of("no user 1", function="resend"),
        of("no user 1", file="/srv/app/letters.py"),
    ],
)
def test_failures_of_another_type_message_or_place_are_another_group(other: str) -> None:
    assert other != of("no user 1")


def test_the_place_is_the_last_frame_of_the_application_or_of_all() -> None:
    library = 'Traceback (most recent call last):\n  File "/venv/lib/python3.12/site-packages/rq/utils.py", line 1, in load\nKeyError: 1\n'

    assert fingerprint(failure(library)).frame == "rq.utils.load"
    assert fingerprint(failure("Job stopped by user, work-horse terminated.")).frame == ""


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/srv/app/webhooks.py", "app.webhooks"),
        ("/app/tasks/mail.py", "tasks.mail"),
        ("/home/mira/shop/tasks/mail.py", "shop.tasks.mail"),
        ("/srv/releases/20261123T173008/shop/tasks/mail.py", "shop.tasks.mail"),
        ("/usr/src/app/a/b/c/d.py", "b.c.d"),
        (r"C:\projects\shop\mail.py", "shop.mail"),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", "yaml"),
        ("mail.py", "mail"),
        ("__init__.py", "__init__"),
        ("<string>", "<string>"),
        ("/", ""),
        ("", ""),
    ],
)
def test_a_module_is_named_without_where_it_is_installed(file: str, expected: str) -> None:
    assert module(file) == expected


def test_a_value_that_was_cut_with_its_message_is_masked_too() -> None:
    keys = {of(f"KeyError: '{char * 2 * MESSAGE_CHARS}'") for char in "abc"}

    assert len(keys) == 1


PIECES = (
    *("'", '"', "`", "“", "”", "1", "23", "a", "f", "/", ".", ":", "@", "-", " ", "<n>", "<value>", "<", ">", "://", "http", "0x", "Z"),
    *("T", "2026-11-23", "17:30:08", "\\", "x.py", "b", "\n", "é", "٣", "_", "+", ",", "e", "(", "\ud800", "\x00"),
)


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40).map("".join))
def test_masking_what_is_masked_changes_nothing(message: str) -> None:
    once = masked(message)

    assert masked(once) == once


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_any_text_has_a_fingerprint_and_numbers_are_not_in_it(message: str, file: str, function: str) -> None:
    text = f'Traceback (most recent call last):\n  File "{file}", line 1, in {function}\nValueError: {message} '

    keys = {fingerprint(failure(f"{text}{number}")).key for number in (7, 12, 1999)}

    assert len(keys) == 1 or len(failure(text).message) < len(message.strip())


@pytest.mark.parametrize(
    "text",
    [
        *("'", "1'", "a/", "a.b@", "1:", "a1", "f", "0", "://", "http://", "/", "'a\n", "\\", "1.1.1.1", "20-", "<n", "a:", ":", "1e"),
        *("x@", "<n>", "' ", "+", "f1", "1.a/", '"', "b'", "“", "«", "1,", "-1", "é1", "0x", "_1"),
    ],
)
def test_a_long_hostile_message_is_masked_in_one_pass_or_two(text: str) -> None:
    long = text * (40_000 // len(text)) + "_"

    once = masked(long)

    assert masked(once) == once
