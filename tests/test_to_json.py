"""Page values as JSON: one meaning, whichever way the text is made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import pytest

from rqdash.model.caller import Permission
from rqdash.model.registry import Registry
from rqdash.web.to_json import to_json, written

NOW = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Inner:
    name: str

    SAYS = ("length",)

    @property
    def length(self) -> int:
        return len(self.name)


@dataclass(frozen=True, slots=True)
class Outer:
    inner: tuple[Inner, ...]
    at: datetime | None
    registry: Registry
    permission: Permission
    chosen: frozenset[str]
    counts: MappingProxyType[str, int]
    share: float
    is_fine: bool


VALUE = Outer(
    (Inner("a\udcff"), Inner("")), NOW, Registry.FAILED, Permission.VIEW, frozenset({"x"}), MappingProxyType({"done": 1}), 0.5, is_fine=True
)


def test_a_value_is_written_field_by_field_with_times_in_utc_and_what_it_says_beside() -> None:
    said = json.loads(written(VALUE))

    assert said["inner"] == [{"name": "a\udcff", "length": 2}, {"name": "", "length": 0}]
    assert (said["at"], said["registry"], said["counts"]) == ("2026-11-23T12:00:00.000005Z", "failed", {"done": 1})


@pytest.mark.parametrize(
    "value", [VALUE, None, (), {"a": (1, None)}, [float("inf"), float("nan"), 1.5], {("a", 1): 2}, {Registry.FAILED: {1: float("-inf")}}]
)
def test_the_text_says_what_the_plain_value_says(value: object) -> None:
    assert json.loads(written(value)) == to_json(value)


def test_a_value_of_another_kind_has_no_json_form() -> None:
    with pytest.raises(TypeError, match="no JSON form for bytes"):
        written({"raw": b"x"})
