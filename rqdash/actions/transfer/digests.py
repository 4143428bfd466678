"""What a job was when it was read, in a few characters: it leaves only if it is still that.

The script that takes it out computes the same: see is_unchanged in lua/transfer_source.lua.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

LONG, WINDOW, WINDOWS = 65_536, 4_096, 15
"""Of a longer value, its length and windows spread over it stand for it: the server would hash 1 MB in 3 ms."""


def digest(values: Sequence[bytes], results: Sequence[tuple[bytes, Sequence[bytes]]]) -> str:
    """The digest of the values of a hash, in a fixed order of its fields, and of its results."""
    # What moves from one value to the next weighs differently there.
    weight = sum(number * len(value) for number, value in enumerate(values, start=1))
    latest = results[-1][0] if results else b""
    gists = values if weight <= LONG else [value if len(value) <= LONG else gist(value) for value in values]
    text = b"%d;%d;%s;%s" % (weight, len(results), latest, b",".join(gists))
    return hashlib.sha1(text).hexdigest()  # noqa: S324  what Redis's scripts have; nobody gains by a collision


def gist(value: bytes) -> bytes:
    stride = (len(value) - WINDOW) // WINDOWS
    parts = [value[index * stride : index * stride + WINDOW] for index in range(WINDOWS)]
    return b"".join((*parts, value[-WINDOW:]))
