"""What names, passwords, roles and grants may be; every problem is named with its field and remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rqdash.errors import Invalid
from rqdash.model.caller import Role

NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
GRANT = re.compile(r"(viewer:|operator:|admin:)?([a-z0-9*?-]{1,64}|env:[a-z0-9*?_.-]{1,64})")
MOST_GRANTS = 50
LEAST_PASSWORD = 12
LONGEST_PASSWORD = 1024
ADDRESS_LENGTH = 64
EVERYTHING = ("*",)


@dataclass(frozen=True, slots=True)
class Rights:
    """A role, and what it is granted on; grants that name a role of their own have that one."""

    role: Role
    grants: tuple[str, ...]

    def facts(self) -> dict[str, str]:
        """For the audit log; what is granted on everything goes without saying."""
        return {"role": self.role.value} | ({} if self.grants == EVERYTHING else {"grants": ", ".join(self.grants)})


def is_name(name: str) -> bool:
    return NAME.fullmatch(name) is not None


def key(name: str) -> str:
    """What names are compared by: Mira and mira are one account."""
    return name.lower()


def name_problems(name: str) -> dict[str, str]:
    if is_name(name):
        return {}
    return {"name": "Use 1 to 64 letters, digits, dots, dashes, underscores or @."}


def password_problems(password: str | None) -> dict[str, str]:
    if password is None or LEAST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        return {}
    return {"password": f"Use {LEAST_PASSWORD} to {LONGEST_PASSWORD} characters; several unrelated words make a good one."}


def grant_problems(grants: Sequence[str]) -> dict[str, str]:
    """What is wrong with grants: each is a name or a glob of backends or env: and an environment, after the role there if it is another."""
    if 0 < len(grants) <= MOST_GRANTS and all(GRANT.fullmatch(grant) for grant in grants):
        return {}
    return {
        "grants": f"Give 1 to {MOST_GRANTS} names of backends, globs such as staging-* or *, or environments such as env:prod, in small "
        "letters; with a role before it, such as viewer:env:prod, one gives that role there."
    }


def rights(role: str, grants: Sequence[str]) -> Rights:
    """What a role and grants, as people write them, give; no grants are everything. Raises Invalid by field.

    Without a role every grant must name its own: then the account's is the least there is.
    """
    given = tuple(dict.fromkeys(text for part in grants for text in part.replace(",", " ").split())) or EVERYTHING
    problems = grant_problems(given)
    if role not in set(Role) and (role or any(text.partition(":")[0] not in set(Role) for text in given)):
        problems["role"] = f"Choose a role, one of {', '.join(Role)}, unless every grant names one."
    refuse("This", problems)
    return Rights(Role(role) if role else Role.VIEWER, given)


def refuse(what: str, problems: Mapping[str, str]) -> None:
    """Raises Invalid when there are problems, saying what cannot be saved."""
    if problems:
        raise Invalid(f"{what} cannot be saved: {' '.join(problems.values())}", problems=problems)
