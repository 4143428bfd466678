"""Why a job failed, from the text RQ stored of its exception: the error's name, its message, and where in whose code it happened.

The text is data of any content; it is searched for fixed strings and with expressions that never look back, so the time it takes
grows with its length alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice

TEXT_CHARS = 262_144
MESSAGE_CHARS = 500
MAX_FRAMES = 200
_CODE_CHARS = 500
_NAME_CHARS = 300
_CODE_LINES = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """One call of a traceback; code is as the source has it, "" when it was not at hand.

    is_app: neither an installed package nor the standard library nor code without a file (file "<frozen …>").
    """

    file: str
    line: int
    function: str
    code: str
    is_app: bool


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive frames that are not the application's: how many, and in which packages, in order of first appearance."""

    count: int
    packages: tuple[str, ...]
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as it was written down; of a chain the last one, which ended the job.

    type: the class's own name ("ConnectTimeout"), "" when the text names none; module: where it is defined, "" for a built-in.
    message: its first line, at most 500 characters. frames: outermost first; of more than 200 the innermost 200.
    text: the whole, at most 262,144 characters; is_truncated: something is cut from its end.
    """

    type: str
    module: str
    message: str
    frames: tuple[Frame, ...]
    text: str
    is_truncated: bool


def failure(text: str, *, is_truncated: bool = False) -> Failure:
    """The failure that a text tells of; is_truncated says that the text was cut before."""
    whole = _encodable(text[:TEXT_CHARS])
    block = _last_block(whole)
    path, message = _error(block)
    module, _, name = path.rpartition(".")
    frames = tuple(_frames(block.frames))[-MAX_FRAMES:]
    return Failure(name, module, message, frames, whole, is_truncated or len(text) > TEXT_CHARS)


def summary(text: str) -> tuple[str, str]:
    """Type and message of failure(text) for a row of a list, without reading frames: some 10 µs."""
    path, message = _error(_last_block(_encodable(text[:TEXT_CHARS])))
    return path.rpartition(".")[2], message


def ending(text: str) -> Failure:
    """The failure that the end of a text tells of: all frames in it count, though the line that they begin after is lost."""
    start = -1 if _HEADER in text else text.find(f"\n{_FRAME}")
    return failure(text if start < 0 else _HEADER + text[start + 1 :])


def folded(failure: Failure) -> tuple[Frame | Run, ...]:
    """The frames, outermost first, those of the application one by one and those between them as runs ("9 frames in requests, urllib3")."""
    parts: list[Frame | Run] = []
    for is_app, group in groupby(failure.frames, key=lambda frame: frame.is_app):
        frames = tuple(group)
        parts += frames if is_app else [Run(len(frames), tuple(dict.fromkeys(package(frame.file) for frame in frames)), frames)]
    return tuple(parts)


def package(file: str) -> str:
    """The package or module that an installed file belongs to: "requests", "json"; of "<frozen importlib._bootstrap>" "importlib"."""
    if file.startswith("<"):
        return file.strip("<>").removeprefix("frozen ").partition(".")[0]
    match = _INSTALLED.search(file) or _STANDARD.search(file)
    inside = file[match.end() :] if match else file
    return re.split(r"[/\\]", inside, maxsplit=1)[0].removesuffix(".py")


def _encodable(text: str) -> str:
    """The text without lone surrogates, which no page could be sent with."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


# Finding the last exception. Every shape is that of the standard library's traceback module (Python 3.8 to 3.14).

_HEADER = "Traceback (most recent call last):\n"
_GROUP_HEADER = "  + Exception Group Traceback (most recent call last):\n"
_CHAINED = (
    "\nDuring handling of the above exception, another exception occurred:\n\n",
    "\nThe above exception was the direct cause of the following exception:\n\n",
)
# The end of a line before one that is not indented; told by a fixed string, it is found ten times as fast as by the line's beginning.
_UNINDENTED = re.compile(r"\n(?=[^ \n])")
_FRAME = '  File "'


@dataclass(frozen=True, slots=True)
class _Block:
    """The lines of the frames of an exception, and what follows them; has_frames tells a traceback from any other text."""

    frames: str
    rest: str
    has_frames: bool


def _last_block(text: str) -> _Block:
    starts = [(text.rfind(separator), len(separator)) for separator in _CHAINED]
    position, length = max(starts)
    tail = text[position + length :] if position >= 0 else text
    if tail.startswith((_GROUP_HEADER, "  | ")):
        tail = _without_margin(tail)
    start = 0 if tail.startswith(_HEADER) else tail.find(f"\n{_HEADER}") + 1
    if tail.startswith(_HEADER, start):
        return _split(tail, start + len(_HEADER))
    # Perhaps the end of a traceback whose beginning is lost.
    start = tail.rfind(f"\n{_FRAME}") + 1
    return _split(tail, start) if tail.startswith(_FRAME, start) else _Block("", tail, position >= 0)


def _split(text: str, start: int) -> _Block:
    """Frames are indented; the first line that is not begins the exception's name and message. start is the beginning of a line."""
    end = _UNINDENTED.search(text, max(start - 1, 0))
    return _Block(text[start : end.end()], text[end.end() :], True) if end else _Block(text[start:], "", True)


def _without_margin(text: str) -> str:
    """An exception group as other tracebacks are written: without its frame of "  + " and "  | ", up to its first sub-exception."""
    lines = text.partition("\n  +-+-")[0].split("\n")
    return "\n".join(line[4:] if line.startswith(("  | ", "  + ")) else line for line in lines).removeprefix("Exception Group ")


# Its name and message.

_PATH = re.compile(r"[^\W\d][\w.<>]{0,299}")
_ERROR_NAME = re.compile(r"(?:Error|Exception|Warning|Timeout|Interrupt|Exit|Group|Terminated)\Z")
_RQ_TEXTS = (
    # Written by RQ without a traceback: worker/worker_classes.py, registry.py, intermediate_queue.py (3.0.0); registry.py (2.0 to 2.7).
    ("Work-horse terminated unexpectedly", "Work-horse terminated"),
    ("Job stopped by user", "Stopped"),
    ("Moved to FailedJobRegistry, due to AbandonedJobError", "AbandonedJobError"),
    ("Job was stuck in intermediate queue", "Stuck"),
    ("Expired in DeferredJobRegistry", "Expired"),
)


def _error(block: _Block) -> tuple[str, str]:
    """The import path of the exception's class and the first line of its message, "" for what the text does not tell."""
    rest = block.rest.lstrip() if not block.has_frames else block.rest
    first = _first_line(rest)
    for start, name in _RQ_TEXTS:
        if first.startswith(start):
            return name, first[:MESSAGE_CHARS].rstrip("; ")
    path, message = _named(rest, first)
    if path and (block.has_frames or _looks_like_error(path)):
        return path, message
    return "", first[:MESSAGE_CHARS].strip()


def _first_line(text: str) -> str:
    end = text.find("\n")
    return text[: min(end, 4_000) if end >= 0 else 4_000]


def _named(rest: str, first: str) -> tuple[str, str]:
    match = _PATH.match(first)
    if match is None:
        return "", ""
    after = first[match.end() :]
    if after and not after.startswith(":"):
        return "", ""
    # A message may begin with an empty line.
    message = after[1:].strip() or _first_line(rest[len(first) :].lstrip()) if after else ""
    return match[0], message[:MESSAGE_CHARS]


def _looks_like_error(path: str) -> bool:
    name = path.rpartition(".")[2]
    return name[:1].isupper() and ("." in path or _ERROR_NAME.search(name) is not None)


# Its frames.


def _frames(lines: str) -> Iterator[Frame]:
    """One for each "  File" line with the code lines below it; what is neither (a count of repetitions, carets) is left out."""
    for part in f"\n{lines}".split(f"\n{_FRAME}")[1:][-MAX_FRAMES:]:
        where, _, code = part.partition("\n")
        file, _, place = where[:4_000].rpartition('", line ')
        digits, _, function = place.partition(", in ")
        if file and digits.isascii() and digits.isdigit():
            yield Frame(file[:1_000], int(digits[:9]), function[:_NAME_CHARS], _code(code), _is_app(file))


def _code(lines: str) -> str:
    kept = [line[4:] for line in islice(lines[: 4 * _CODE_CHARS].split("\n"), _CODE_LINES) if line.startswith("    ") and line.strip(" ~^")]
    return "\n".join(kept)[:_CODE_CHARS]


_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
_STANDARD = re.compile(r"[/\\]lib(?:64)?[/\\](?:python|pypy)\d[\d.]{0,5}t?[/\\]|[/\\]python\d{1,4}(?:\.zip|[/\\]lib)[/\\]", re.IGNORECASE)


def _is_app(file: str) -> bool:
    return not (file.startswith("<") or _INSTALLED.search(file) or _STANDARD.search(file))
