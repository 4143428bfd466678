"""Who calls: a value that views and actions take as an argument, never a global."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from fnmatch import fnmatchcase


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Permission(IntEnum):
    """What a route asks. PUBLIC answers strangers; ACCOUNT is anyone signed in, about themselves; the rest grow."""

    PUBLIC = 0
    ACCOUNT = 1
    VIEW = 2
    OPERATE = 3
    ADMIN = 4


ALLOWED = {Role.VIEWER: Permission.VIEW, Role.OPERATOR: Permission.OPERATE, Role.ADMIN: Permission.ADMIN}


@dataclass(frozen=True, slots=True)
class Caller:
    """kind: account, token, command line or stranger. grants: globs of backend names it may see; address: where from."""

    kind: str
    name: str = ""
    role: Role | None = None
    grants: tuple[str, ...] = ()
    address: str = ""
    account_id: str = ""
    session_id: str = ""

    @property
    def is_stranger(self) -> bool:
        return self.kind == "stranger"

    def has(self, permission: Permission) -> bool:
        """Whether its role reaches a permission, backends aside."""
        if permission is Permission.PUBLIC:
            return True
        return self.role is not None and ALLOWED[self.role] >= permission

    def may_see(self, backend: str) -> bool:
        """Whether a grant covers a backend's name."""
        return self.role is not None and any(fnmatchcase(backend, grant) for grant in self.grants)

    def may(self, permission: Permission, backend: str) -> bool:
        return self.has(permission) and self.may_see(backend)


STRANGER = Caller("stranger")
