"""How durations, sizes and counts are worded."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rqdash.model.duration import duration, number, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.0, "0 s"),
        (0.0004, "0.4 ms"),
        (0.0014, "1.4 ms"),
        (0.00994, "9.9 ms"),
        (0.00996, "10 ms"),
        (0.05, "50 ms"),
        (0.0994, "99 ms"),
        (0.0996, "0.1 s"),
        (0.4, "0.4 s"),
        (10.0, "10.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 00 s"),
        (30, "30 s"),
        (848, "14 m 08 s"),
        (3599.6, "1 h 00 m"),
        (3720, "1 h 02 m"),
        (86_399.9, "1 d 0 h"),
        (781_200, "9 d 1 h"),
        (31_536_000 * 10, "3,650 d 0 h"),
        (-3.0, "−3.0 s"),
        (10**400, "over 1,000,000 d"),
        (-1e300, "−over 1,000,000 d"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (-math.inf, "–"),
    ],
)
def test_a_duration_has_two_units_at_most_and_a_space_before_each(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@settings(deadline=None, derandomize=True)
@given(st.floats() | st.integers())
def test_every_number_of_seconds_has_words(seconds: float) -> None:
    words = duration(seconds)

    assert words == "–" or len(words.removeprefix("−").removeprefix("over ").split(" ")) in {2, 4}


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [
        (0, "0 B"),
        (1_023, "1,023 B"),
        (1_024, "1 KB"),
        (1_434, "1.4 KB"),
        (10_188, "9.9 KB"),
        (10_189, "10 KB"),
        (198_656, "194 KB"),
        (1_048_063, "1,023 KB"),
        (1_048_065, "1 MB"),
        (200 * 1_048_576, "200 MB"),
        (5 * 2**30, "5 GB"),
        (3_000 * 2**40, "3,000 TB"),
        (None, "–"),
    ],
)
def test_a_size_has_one_decimal_under_ten(n_bytes: int | None, words: str) -> None:
    assert size(n_bytes) == words


def test_a_count_has_commas_and_no_count_is_a_dash() -> None:
    assert [number(n) for n in (0, 999, 194_681, None)] == ["0", "999", "194,681", "–"]
