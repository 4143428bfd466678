"""The texts of settings as values; one that cannot be used raises Mistake, which says what it should have been."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path


class Mistake(Exception):
    """What a variable should have been; holds no part of what it was."""


def path(text: str) -> Path:
    """An absolute path; ~ is the user's own directory."""
    found = Path(text).expanduser()
    if not found.is_absolute():
        raise Mistake("it is not an absolute path; give one that begins with /.")
    return found


def path_or_none(text: str) -> Path | None:
    """An absolute path, None for an empty text."""
    return path(text) if text else None


def patterns(text: str) -> tuple[str, ...]:
    """Names of variables separated by commas, each with * at its end if wanted."""
    items = _items(text)
    if not all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*\*?", item) for item in items):
        raise Mistake("one of the names is none of a variable; give names separated by commas, each with * at its end if wanted.")
    return tuple(items)


def database(text: str) -> str:
    """A database URL, "" for none."""
    if not text or re.match(r"sqlite:///.|postgres(ql)?(\+psycopg)?://", text):
        return text
    raise Mistake("it is no database rqdash can use; give postgresql://user@host/database, sqlite:////absolute/path, or leave it unset.")


def word(text: str) -> str:
    """A text without white space."""
    if re.search(r"\s", text):
        raise Mistake("it holds white space; give one host name or address.")
    return text


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number within two limits."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise Mistake(f"it is not a whole number from {low} to {high}; give one.")
        return int(text)

    return parse


def seconds(low: float, high: float) -> Callable[[str], float]:
    """A number of seconds within two limits."""

    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or not low <= float(text) <= high:
            raise Mistake(f"it is not a number of seconds from {low:g} to {high:g}; give one.")
        return float(text)

    return parse


def lifetime(text: str) -> int:
    """A length of time such as 8h, in seconds."""
    units = {"m": 60, "h": 3600, "d": 86400}
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    length_s = int(found[1]) * units[found[2]] if found else 0
    if not 60 <= length_s <= 366 * 86400:
        raise Mistake("it is not a length of time from 1m to 366d; give a whole number followed by m, h or d, such as 8h.")
    return length_s


def keeping(text: str) -> int:
    """A number of days such as 400d, in seconds."""
    found = re.fullmatch(r"([0-9]{1,4})d", text)
    days = int(found[1]) if found else 0
    if not 1 <= days <= 3650:
        raise Mistake("it is not a number of days from 1d to 3650d, such as 400d.")
    return days * 86400


def one_of(*choices: str) -> Callable[[str], str]:
    """One of some words, as they are written there."""

    def parse(text: str) -> str:
        matching = [choice for choice in choices if choice.lower() == text.lower()]
        if not matching:
            raise Mistake(f"it is none of {', '.join(choices)}; give one of them.")
        return matching[0]

    return parse


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def directories(text: str) -> tuple[str, ...]:
    """Absolute paths separated by commas."""
    items = _items(text)
    if any(not item.startswith("/") or ".." in item.split("/") for item in items):
        raise Mistake("one of the directories is not absolute or holds '..'; give absolute paths separated by commas.")
    return tuple(items)


def hosts(text: str) -> tuple[str, ...]:
    """Host names separated by commas."""
    items = _items(text)
    if not all(re.fullmatch(r"\.?[A-Za-z0-9_.\-\[\]:]+", item) for item in items):
        raise Mistake("one of the hosts has a character no host name has; give names separated by commas, .example.org for all below it.")
    return tuple(items)


def targets(text: str) -> tuple[str, ...]:
    """Targets separated by commas: see is_target."""
    items = _items(text)
    for position, item in enumerate(items, start=1):
        if not is_target(item):
            raise Mistake(f"entry {position} is no target; give a host glob, an address or a CIDR, each with :port or :low-high if wanted.")
    return tuple(items)


def is_target(item: str) -> bool:
    """Whether text is a target: address, CIDR or host glob, then optionally :port or :low-high; IPv6 with ports in brackets."""
    if _is_network(item):
        return True
    found = re.fullmatch(r"(\[[^\]]+\]|[^:\[\]]+)(?::([0-9]{1,5})(?:-([0-9]{1,5}))?)?", item)
    if found is None:
        return False
    host, low, high = found[1], int(found[2] or 1), int(found[3] or found[2] or 65535)
    is_host = _is_network(host[1:-1]) if host.startswith("[") else _is_network(host) or bool(re.fullmatch(r"[A-Za-z0-9_.*?-]+", host))
    return is_host and 1 <= low <= high <= 65535


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
