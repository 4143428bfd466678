"""Passwords as argon2id hashes, at most two at a time in a process."""

from __future__ import annotations

from threading import Semaphore

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

MEMORY_KIB = 19456
PASSES = 2
LANES = 1
AT_ONCE = 2
"""Each hash takes MEMORY_KIB; two of them bound what a burst of sign-ins costs a process to 38 MiB."""
NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$gEjUSkArJIOt0U+Yrgw9RA$OoNri2MEahNGqvA2fkh23nhempNJphnXliqsrO8o8Js"
"""The hash of 32 random bytes nobody kept: what a sign-in under an unknown name is compared with, to take as long as any other."""


class Passwords:
    """Hashes and compares passwords; threads may share it."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, type=Type.ID)
        self._slots = Semaphore(AT_ONCE)

    def hashed(self, password: str) -> str:
        with self._slots:
            return self._hasher.hash(_bytes(password))

    def match(self, stored: str | None, password: str) -> bool:
        """Whether it is the password; with nothing stored it takes the same time and is not."""
        with self._slots:
            try:
                self._hasher.verify(stored or NOBODYS, _bytes(password))
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def is_dated(self, stored: str) -> bool:
        """Whether a hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(stored)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
