"""The version matrix on Redis 7. Jobs carried over to another backend go to Valkey."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_version_valkey import TestBeforeStreams, TestEachJob, TestPages, TestWorkers, stories
from tests.tls import debian_redis

__all__ = ["TestBeforeStreams", "TestEachJob", "TestPages", "TestWorkers", "executable", "stories"]


@pytest.fixture(scope="module")
def executable() -> Path:
    return debian_redis()
