"""Data made once and had again in half a second: a server's dump, from which others start."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis

from rqdash.demo.servers import Server, start_server

DUMP = "dump.rdb"


def kept(folder: Path, name: str, *, make: Callable[[redis.Redis], None]) -> Path:
    """The dump of what make puts into an empty server; name is its file's."""
    found = folder / f"{name}.rdb"
    with _server() as server, server.client() as client:
        make(client)
        client.save()
        shutil.copy(server.directory / DUMP, found)
    return found


@contextmanager
def restored(dump: Path) -> Iterator[Server]:
    """A server that holds what was kept, until the block ends."""
    with _server(dump) as server:
        yield server


@contextmanager
def _server(dump: Path | None = None) -> Iterator[Server]:
    with TemporaryDirectory() as directory:
        if dump is not None:
            shutil.copy(dump, Path(directory) / DUMP)
        server = start_server(Path(directory))
        try:
            yield server
        finally:
            server.stop()
