"""What a request carries, and the parsers that turn it into values at the edge."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TypeVar
from urllib.parse import parse_qs

from rqdash.errors import Invalid
from rqdash.model import names

PAGE_SIZES = (50, 100, 200)
UNNAMED = "~"
LONGEST_ADDRESS, MOST_ARGUMENTS = 8_000, 100
E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came with a form; its name is what the browser called it."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Raw:
    """The texts of a request: path variables, query and form fields, and files; session is the browser's token.

    In JSON bodies names are themselves, in forms base64url.
    """

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    form: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    is_json: bool = False
    address: str = ""
    session: str = field(default="", repr=False)
    now: datetime | None = None
    files: tuple[Upload, ...] = field(default=(), repr=False)

    def arg(self, field_name: str, *, default: str = "") -> str:
        values = self.query.get(field_name)
        return values[0] if values else default

    def text(self, field_name: str, *, default: str = "") -> str:
        values = self.form.get(field_name)
        return values[0] if values else default

    def ticked(self, field_name: str) -> bool:
        return self.text(field_name).lower() in ("1", "on", "true", "yes")

    def name(self, field_name: str) -> str:
        """A name in the form. Raises Invalid when the field is missing or garbled; an empty name is a name."""
        values = self.form.get(field_name)
        if not values:
            raise Invalid(f"The field {field_name} is missing.", problems={field_name: "missing"})
        return _own(values[0], field_name) if self.is_json else names.from_form(values[0])

    def all_names(self, field_name: str) -> tuple[str, ...]:
        """All names of a field, in order, each once."""
        values = self.form.get(field_name, ())
        return tuple(dict.fromkeys(_own(value, field_name) if self.is_json else names.from_form(value) for value in values))


def _own(name: str, field_name: str) -> str:
    """A name of a JSON body. Raises Invalid for half a surrogate pair, which no bytes stand for."""
    try:
        names.encoded(name)
    except UnicodeEncodeError:
        raise Invalid(f"The field {field_name} holds half a surrogate pair.", problems={field_name: "not text"}) from None
    return name


def kept(text: str, wanted: Collection[str]) -> Mapping[str, Sequence[str]]:
    """Of a list's address, as a query string in a form, the arguments wanted; what cannot be read is left out."""
    if len(text) > LONGEST_ADDRESS:
        return {}
    try:
        found = parse_qs(text, max_num_fields=MOST_ARGUMENTS)
    except ValueError:
        return {}
    return {name: values for name, values in found.items() if name in wanted}


def queue_choice(raw: Raw) -> str | None:
    """The queue to go to, None when none was chosen: one typed by hand wins over the one picked from the list.

    In a form the queue whose name is empty is "~", which no encoded name is; it can be picked where there is one, not typed.
    """
    typed = raw.text("to_queue_new").strip()
    if typed:
        return typed
    if raw.is_json:
        return raw.name("to_queue") if "to_queue" in raw.form else None
    picked = raw.text("to_queue")
    return "" if picked == UNNAMED else (raw.name("to_queue") if picked else None)


def page_number(raw: Raw) -> int:
    """From 1; anything else is page 1."""
    text = raw.arg("page")
    return int(text) if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 10_000_000 else 1


def page_size(raw: Raw) -> int:
    """50 rows, or 100 or 200 on request; anything else is 50."""
    text = raw.arg("size")
    return int(text) if text in {str(size) for size in PAGE_SIZES} else PAGE_SIZES[0]


def choice(text: str, kind: type[E], *, default: E) -> E:
    """A word of an enumeration, or the default: for GET, where a bad word is not an error."""
    try:
        return kind(text)
    except ValueError:
        return default


def required(text: str, kind: type[E], *, field_name: str) -> E:
    """A word of an enumeration, for POST. Raises Invalid naming the words there are."""
    try:
        return kind(text)
    except ValueError:
        words = ", ".join(str(member.value) for member in kind)
        raise Invalid(f"The field {field_name} must be one of: {words}.", problems={field_name: f"one of: {words}"}) from None


def whole(text: str, *, field_name: str, default: int | None = None) -> int:
    """A whole number of a form. Raises Invalid; empty gives the default where there is one."""
    text = text.strip()
    if not text and default is not None:
        return default
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 12):
        raise Invalid(f"{field_name} must be a whole number.", problems={field_name: "must be a whole number"})
    return int(text)


def seconds(text: str, *, field_name: str) -> float | None:
    """Seconds of a form, None when empty. Raises Invalid."""
    text = text.strip()
    if not text:
        return None
    try:
        value = float(text) if len(text) <= 12 else float("nan")
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1e9:
        raise Invalid(f"{field_name} must be a number of seconds.", problems={field_name: "must be a number of seconds"})
    return value


def texts(value: object, key: str) -> tuple[str, ...]:
    """A field of a JSON object as those of a form are given. Raises Invalid for what no field holds."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | int | float | bool) for item in values):
        raise Invalid(f"{key} must be text, a number, or a list of those.", problems={key: "text, a number, or a list of those"})
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in values)
