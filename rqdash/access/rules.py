"""What names, passwords, roles and grants may be; every problem is named with its field and remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rqdash.errors import Invalid
from rqdash.model.caller import Role

NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
GRANT = re.compile(r"[a-z0-9*?-]{1,64}")
LEAST_PASSWORD = 12
LONGEST_PASSWORD = 1024
ADDRESS_LENGTH = 64
EVERYTHING = ("*",)


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
    if grants and all(GRANT.fullmatch(grant) for grant in grants):
        return {}
    return {"grants": "Give at least one name of a backend, or a glob such as staging-* or *, in small letters."}


def role(text: str) -> Role:
    """The role of that name. Raises Invalid."""
    try:
        return Role(text)
    except ValueError:
        raise Invalid("There is no such role.", problems={"role": f"Choose one of {', '.join(Role)}."}) from None


def refuse(what: str, problems: Mapping[str, str]) -> None:
    """Raises Invalid when there are problems, saying what cannot be saved."""
    if problems:
        raise Invalid(f"{what} cannot be saved: {' '.join(problems.values())}", problems=problems)
