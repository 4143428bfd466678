"""Secrets that a provisioned profile only refers to: in the environment, or in a file of one directory. Read when they are used."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from rqdash.errors import Conflict
from rqdash.model.profile import Profile, Secrets

MOST_BYTES = 4096
SHAPE = "is no reference. Write env:NAME or file:NAME; a secret itself does not belong in this file."


@dataclass(frozen=True, slots=True)
class References:
    """Where references lead: the environment, whose names must match a pattern of allowed, and a directory, None when there is none."""

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed: tuple[str, ...] = ()
    directory: Path | None = None

    def problem(self, reference: str) -> str:
        """Why a reference may not be used, "" when it may; whether there is something at its end is seen when it is read."""
        kind, _, name = reference.partition(":")
        if kind == "env" and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            is_allowed = any(fnmatchcase(name, pattern) for pattern in self.allowed)
            return "" if is_allowed else "names a variable that RQDASH_SECRET_ENV does not allow."
        if kind == "file" and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", name):
            return "" if self.directory is not None else "names a file, but RQDASH_SECRETS_DIR is not set."
        return SHAPE

    def secrets(self, profile: Profile) -> Secrets:
        """The secrets a profile refers to. Raises Conflict, naming the reference but no place, when one cannot be read."""
        return Secrets(**{slot: self._read(profile.name, slot, reference) for slot, reference in profile.secret_refs})

    def _read(self, profile: str, slot: str, reference: str) -> str:
        problem = self.problem(reference)
        value = ""
        if not problem:
            kind, _, name = reference.partition(":")
            value, problem = self._variable(name) if kind == "env" else self._file(name)
        if problem:
            raise Conflict(f"The {slot} of {profile} is {reference}, which {problem}", code="secret_missing")
        return value

    def _variable(self, name: str) -> tuple[str, str]:
        value = self.environ.get(name, "")
        if len(value.encode("utf-8", "surrogateescape")) > MOST_BYTES:
            return "", "is over 4 KiB."
        return value, "" if value else "is not set in the environment of rqdash."

    def _file(self, name: str) -> tuple[str, str]:
        """The text of a file without the newline at its end. Links are followed, but only to places inside the directory."""
        try:
            inside = Path(os.path.realpath(self.directory or ""))
            place = Path(os.path.realpath(inside / name))
            if inside not in place.parents:
                return "", "leads out of RQDASH_SECRETS_DIR."
            raw = _content(place)
        except OSError:
            return "", "cannot be read from RQDASH_SECRETS_DIR."
        if raw is None or len(raw) > MOST_BYTES:
            return "", "is no plain file of at most 4 KiB."
        try:
            text = raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            return "", "is no text in UTF-8."
        return text, "" if text else "is empty."


def _content(place: Path) -> bytes | None:
    """One byte more than allowed at most, None of what is no plain file. The resolved path itself is opened: it is no link any more."""
    file = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.read(file, MOST_BYTES + 1) if stat.S_ISREG(os.fstat(file).st_mode) else None
    finally:
        os.close(file)
