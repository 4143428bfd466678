"""The filters and globals that templates use; they format and decide nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from rqdash.model import duration as durations
from rqdash.model import names
from rqdash.model.failure import Frame, ending, folded
from rqdash.model.job import JobRow
from rqdash.model.search import literal

if TYPE_CHECKING:
    from flask import Flask

MIDDLE_KEEPS = 9
LONGEST_TERM = 300
FRAMES_SHOWN = 3


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M:%S")


def stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC).day} {at.astimezone(UTC).strftime('%b, %H:%M:%S')}"


def shown_name(name: str) -> str:
    """A name as text: empty, invisible characters and outer spaces made visible, bytes that are not UTF-8 as \\xNN."""
    if not name:
        return "(empty)"
    readable = names.encoded(name).decode("utf-8", "backslashreplace")
    inner = readable.strip(" ")
    visible = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in inner)
    before = len(readable) - len(readable.lstrip(" "))
    return "␣" * before + visible + "␣" * (len(readable) - len(inner) - before)


def middle(name: str, keep: int = MIDDLE_KEEPS) -> str:
    """A long name without its middle: webhooks-…-x2kqp."""
    return name if len(name) <= 2 * keep + 4 else f"{name[:keep]}…{name[-keep + 1 :]}"


def dom_id(*words: str) -> str:
    """An element's id for what these words name, whatever they hold: by it a poll knows a row again."""
    return "r" + blake2b("\x1f".join(words).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def term(name: str, field: str) -> str:
    """The condition of a search for this name in a field; "" when it is too long for an address."""
    return f"{field}:{literal(name)}" if name and len(name) <= LONGEST_TERM else ""


def word(name: str) -> str:
    """The search for this name as a bare word; "" when it is too long for an address."""
    return literal(name) if name and len(name) <= LONGEST_TERM else ""


def also(search: str, condition: str) -> str:
    """A search with one condition more; one that has it already stays as it is."""
    return search if f" {condition} " in f" {search} " else f"{search} {condition}".strip()


def pick(row: JobRow) -> str:
    """What the box of a job's row says where rows are of many backends: backend, queue, registry and id, with dots between."""
    return ".".join((row.backend, names.to_form(row.queue), row.registry.value if row.registry else "", names.to_form(row.id)))


def frames(error_end: str) -> tuple[Frame, ...]:
    """The last frames of the application in an error's text, else the last ones; none where its end holds none.

    Few, for a page has them for each of its rows: the page of the job has all.
    """
    found = ending(error_end).frames
    return (tuple(frame for frame in found if frame.is_app) or found)[-FRAMES_SHOWN:]


def install(app: Flask) -> None:
    """Gives every template the filters of this module and of model.duration."""
    app.jinja_env.filters.update(
        number=durations.number,
        duration=durations.duration,
        size=durations.size,
        iso=iso,
        clock=clock,
        stamp=stamp,
        shown_name=shown_name,
        middle=middle,
        ref=names.ref,
        form=names.to_form,
        term=term,
        word=word,
        frames=frames,
        folded=folded,
        also=also,
        pick=pick,
    )
    app.jinja_env.globals.update(dom_id=dom_id)
