"""Who calls: a value that views and actions take as an argument, never a global."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache

ENVIRONMENT = "env:"
EVERYTHING = "*"


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Permission(IntEnum):
    """What a route asks. PUBLIC answers strangers; ACCOUNT is anyone signed in, about themselves; the rest grow.

    ADMIN is about the backends that are named; OWN about rqdash itself: people, tokens, the audit log. It takes an admin of everything.
    """

    PUBLIC = 0
    ACCOUNT = 1
    VIEW = 2
    OPERATE = 3
    ADMIN = 4
    OWN = 5


ALLOWED = {Role.VIEWER: Permission.VIEW, Role.OPERATOR: Permission.OPERATE, Role.ADMIN: Permission.ADMIN}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role on some backends: over is a glob of their names, or env: and a glob of their environments, whatever their case."""

    role: Role
    over: str

    def covers(self, backend: str, environment: str) -> bool:
        if self.over.startswith(ENVIRONMENT):
            return fnmatchcase(environment.lower(), self.over.removeprefix(ENVIRONMENT))
        return fnmatchcase(backend, self.over)

    @property
    def where(self) -> str:
        """Over what, in words."""
        label = self.over.removeprefix(ENVIRONMENT)
        return "every backend" if self.over == EVERYTHING else f"every backend of {label}" if label != self.over else self.over


@lru_cache(maxsize=1024)
def grant(text: str, role: Role) -> Grant:
    """What a grant's text says: staging-*, viewer:env:prod. One that names no role gives the one in role."""
    before, colon, over = text.partition(":")
    return Grant(Role(before), over) if colon and before in ROLES else Grant(role, text)


ROLES = frozenset(role.value for role in Role)


@dataclass(frozen=True, slots=True)
class Caller:
    """kind: account, token, command line or stranger. grants: texts as grant reads them, role: that of those naming none.

    environments: the label of each backend by its name, by which grants on environments go; address: where from.
    """

    kind: str
    name: str = ""
    role: Role | None = None
    grants: tuple[str, ...] = ()
    address: str = ""
    account_id: str = ""
    session_id: str = ""
    environments: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_stranger(self) -> bool:
        return self.kind == "stranger"

    @property
    def granted(self) -> tuple[Grant, ...]:
        return () if self.role is None else tuple(grant(text, self.role) for text in self.grants)

    @property
    def highest(self) -> Role | None:
        """The highest role that it has anywhere."""
        return highest(each.role for each in self.granted)

    def has(self, permission: Permission) -> bool:
        """Whether it has a permission somewhere; OWN is had everywhere or not at all."""
        if permission <= Permission.ACCOUNT:
            return permission is Permission.PUBLIC or self.role is not None
        if permission is Permission.OWN:
            return Grant(Role.ADMIN, EVERYTHING) in self.granted
        return any(ALLOWED[each.role] >= permission for each in self.granted)

    def role_on(self, backend: str) -> Role | None:
        """The highest role that its grants give on a backend, None when no grant covers it."""
        return self._role_at(backend, self.environments.get(backend, ""))

    def may_see(self, backend: str) -> bool:
        """Whether a grant covers a backend."""
        return self.role_on(backend) is not None

    def may(self, permission: Permission, backend: str) -> bool:
        """Whether it has a permission on a backend, given by its name."""
        return self.may_at(permission, backend, self.environments.get(backend, ""))

    def may_at(self, permission: Permission, backend: str, environment: str) -> bool:
        """Whether it would have a permission on a backend of that name and environment, such as one that is being made."""
        if permission is Permission.OWN:
            return self.has(permission)
        role = self._role_at(backend, environment)
        return role is not None and ALLOWED[role] >= permission

    def _role_at(self, backend: str, environment: str) -> Role | None:
        return highest(each.role for each in self.granted if each.covers(backend, environment))


def highest(roles: Iterable[Role]) -> Role | None:
    return max(roles, key=ALLOWED.__getitem__, default=None)


STRANGER = Caller("stranger")
