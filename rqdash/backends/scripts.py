"""Lua scripts from the package, and how each is sent: EVALSHA_RO where the server has it, else EVALSHA."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

Argument = str | bytes | int | float


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua source with its SHA-1, the name Redis knows it by."""

    name: str
    source: str = field(repr=False)
    sha: str


@cache
def load(package: str, name: str, *, includes: tuple[str, ...] = ()) -> Script:
    """The script lua/<name>.lua of a package, preceded by lua/<include>.lua of the same package; read once a process."""
    folder = files(package).joinpath("lua")
    source = "\n".join(folder.joinpath(f"{part}.lua").read_text("utf-8") for part in (*includes, name))
    return Script(name, source, hashlib.sha1(source.encode()).hexdigest())  # noqa: S324  Redis names scripts by SHA-1


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a script: the keys it declares and its arguments."""

    script: Script
    keys: tuple[Argument, ...] = ()
    arguments: tuple[Argument, ...] = ()

    def command(self, verb: str) -> tuple[Argument, ...]:
        return (verb, self.script.sha, len(self.keys), *self.keys, *self.arguments)
