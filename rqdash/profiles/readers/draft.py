"""One connection while it is put together from what a file says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rqdash.profiles.readers.notes import Notes, shown
from rqdash.profiles.readers.tree import At, Entry, Leaf, Open, Plain, Unread, Value
from rqdash.profiles.readers.values import Need, Template
from rqdash.profiles.rebind import SLOTS

LITERAL = "The password stands in the file itself. It is taken and kept encrypted; if others can read the file, change it on the server."
LONGEST_SECRET = 4096
LONGEST_KEY = 64 * 1024
YES = ("1", "true", "yes", "t", "y", "on")
NO = ("", "0", "false", "no", "f", "n", "off", "none")


@dataclass(slots=True)
class Side:
    """TLS of one kind of server as the file has it; enabled is None where it says nothing."""

    enabled: bool | None = None
    verify: bool = True
    check_hostname: bool = True
    ca_pem: str = ""
    server_name: str = ""
    client_cert_pem: str = ""
    option_at: At | None = None
    option: str = ""


@dataclass(slots=True)
class Draft:
    """What is known so far. label is the file's word for the connection; values are fields of Profile by name."""

    notes: Notes
    label: str
    at: At
    name: str = ""
    is_code: bool = False
    is_refused: bool = False
    values: dict[str, object] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    needs: dict[str, Need] = field(default_factory=dict, repr=False)
    templates: list[Template] = field(default_factory=list, repr=False)
    sides: dict[str, Side] = field(default_factory=lambda: {"tls": Side(), "sentinel_tls": Side()}, repr=False)
    seen: dict[str, At] = field(default_factory=dict)
    timeout_s: float | None = None

    def need(self, name: str, field_name: str, *, at: At, default: str | None = None) -> None:
        """Remembers a value that the file does not hold; one name may be needed for several fields."""
        old = self.needs.get(name)
        fields = tuple(dict.fromkeys((*(old.fields if old else ()), field_name)))
        first = (old.line, old.column) if old else (at.line, at.column)
        known = default if default is not None else (old.default if old else None)
        self.needs[name] = Need(name, fields, known, bool(set(SLOTS) & set(fields)), *first)

    def refuse(self, at: At, code: str, *, message: str) -> None:
        """An error without whose cure there is nothing to offer."""
        self.notes.error(at, code, message=message)
        self.is_refused = True


Handler = Callable[[Draft, Entry], None]


def known(draft: Draft, field_name: str, *, entry: Entry) -> Plain:
    """The plain value of an entry, a default of the environment among them; None, with a need or a finding, when there is none."""
    value, key = entry.value, shown(entry.key)
    if isinstance(value, Leaf):
        return value.value
    if isinstance(value, Open):
        leave_open(draft, field_name, value=value, key=key)
        return value.known
    if isinstance(value, Unread):
        draft.notes.unread(value, of=key)
    else:
        draft.notes.error(value.at, "not-plain", message=f"{key}: a list or a dictionary stands where one value belongs; write the value.")
    draft.need(field_name, field_name, at=value.at)
    return None


def leave_open(draft: Draft, field_name: str, *, value: Open, key: str) -> None:
    """Keeps a text with holes for whoever can fill them."""
    for hole in value.holes:
        draft.need(hole.name, field_name, at=value.at, default=hole.default)
    draft.templates.append(Template(field_name, value.pieces))
    names = ", ".join(dict.fromkeys(shown(hole.name) for hole in value.holes))
    has_defaults = all(hole.default is not None for hole in value.holes)
    then = "Its default is used unless another value is filled in." if has_defaults else "Fill in its value."
    draft.notes.info(value.at, "environment", message=f"{key} comes from the environment ({names}), which is not read. {then}")


def text(field_name: str) -> Handler:
    """A handler that sets a text of the profile."""

    def handle(draft: Draft, entry: Entry) -> None:
        value = known(draft, field_name, entry=entry)
        if isinstance(value, bool | float):
            draft.notes.error(entry.value.at, "not-text", message=f"{shown(entry.key)}: a text belongs here; write it in quotes.")
        elif value is not None and str(value).strip():
            draft.values[field_name] = str(value).strip()
            draft.seen[field_name] = entry.value.at

    return handle


def secret(slot: str) -> Handler:
    """A handler that puts a secret into its slot; an empty one is none."""

    def handle(draft: Draft, entry: Entry) -> None:
        value = known(draft, slot, entry=entry)
        if value is None or value is False or value == "":
            return
        longest = LONGEST_KEY if slot.endswith("_key") else LONGEST_SECRET
        if len(str(value)) > longest:
            draft.notes.error(entry.value.at, "too-large", message=f"{shown(entry.key)}: this has at most {longest} characters.")
            draft.need(slot, slot, at=entry.value.at)
            return
        draft.secrets[slot] = str(value)
        if draft.is_code and isinstance(entry.value, Leaf):
            draft.notes.warning(entry.value.at, "literal-password", message=f"{shown(entry.key)}: {LITERAL}")

    return handle


def whole(field_name: str, *, low: int, high: int) -> Handler:
    """A handler that sets a whole number; a text that is one is taken, with a warning."""

    def handle(draft: Draft, entry: Entry) -> None:
        value, key = known(draft, field_name, entry=entry), shown(entry.key)
        if value is None or value == "":
            return
        is_text = isinstance(value, str)
        number = as_whole(value)
        if number is None or not low <= number <= high:
            draft.notes.error(entry.value.at, "not-a-number", message=f"{key}: a whole number from {low} to {high} belongs here.")
            draft.need(field_name, field_name, at=entry.value.at)
            return
        if is_text and draft.is_code and isinstance(entry.value, Leaf):
            draft.notes.warning(entry.value.at, "number-as-text", message=f"{key}: the number is written as text; take the quotes away.")
        draft.values[field_name] = number
        draft.seen[field_name] = entry.value.at

    return handle


def as_whole(value: Plain) -> int | None:
    """A whole number out of a number or a text of digits; None when it is neither."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
    return int(value) if value == value and abs(value) < 2**40 and value == int(value) else None  # noqa: PLR0124  NaN differs from itself


def truth(draft: Draft, field_name: str, *, entry: Entry) -> bool | None:
    """A yes or no, also as a word; None when the file does not say."""
    value, key = known(draft, field_name, entry=entry), shown(entry.key)
    if value is None:
        return False if isinstance(entry.value, Leaf) else None
    word = str(value).strip().lower()
    if word not in YES + NO:
        draft.notes.error(entry.value.at, "not-a-flag", message=f"{key}: True or False belongs here.")
        return None
    if isinstance(entry.value, Leaf) and isinstance(value, str) and draft.is_code and word in NO and word:
        message = f"{key}: a text is true for Python whatever it says; read as False. Write False without quotes."
        draft.notes.warning(entry.value.at, "flag-as-text", message=message)
    return word in YES


def seconds(value: Plain) -> float | None:
    """A number of seconds; None when it is none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 < number < 10**7 else None


def ignored(draft: Draft, entry: Entry) -> None:
    """What is known and has no place in a profile."""


def entry_of(key: str, value: Value, at: At | None = None) -> Entry:
    return Entry(key, value, at or value.at)
