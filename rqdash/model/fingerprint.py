"""Failures that are alike: the same error, with the same message but for what differs each time, in the same place of the application."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from rqdash.model.failure import MESSAGE_CHARS, Failure, Frame

KEY_DIGITS = 12
KEPT_PARTS = 3
"""Of a file's path: the module and the packages it is in."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What failures of one group have in common; key is 12 hex digits of the rest.

    message is masked ("no user <n>"); frame is the module and function of the application where it happened ("shop.mail.send"), or of
    what else was innermost, "" where the text names none.
    """

    key: str
    type: str
    message: str
    frame: str


def fingerprint(failure: Failure) -> Fingerprint:
    """The group that a failure belongs to; equal for failures that differ in ids, numbers, values, times, paths and lines of code."""
    message = masked(_closed(failure.message))
    frame = place(failure.frames)
    whole = "\0".join((failure.type, message, frame)).encode("utf-8", "backslashreplace")
    return Fingerprint(hashlib.sha256(whole).hexdigest()[:KEY_DIGITS], failure.type, message, frame)


def masked(message: str) -> str:
    """A message with what differs each time replaced: <value>, <url>, <address>, <time>, <id>, <path>, <n>.

    Masking it again changes nothing. The time it takes grows with the length alone, for every replacement uses up characters of the
    message and none looks back.
    """
    while (shorter := _DIFFERS.sub(_placeholder, message)) != message:
        message = shorter
    return message


def place(frames: tuple[Frame, ...]) -> str:
    """Module and function of the application's last frame, or of the last of all; without lines, which every edit moves."""
    innermost = next((frame for frame in reversed(frames) if frame.is_app), frames[-1] if frames else None)
    if innermost is None:
        return ""
    return ".".join(part for part in (module(innermost.file), innermost.function) if part)


def module(file: str) -> str:
    """A file as a module, without where it is installed: of /srv/releases/20261123/shop/tasks/mail.py "shop.tasks.mail".

    At most two packages deep, for how much stands before them is a matter of the host.
    """
    if file.startswith("<"):
        return file
    *folders, last = [part for part in re.split(r"[/\\]", _without_root(file)) if part not in ("", ".", "..")] or [""]
    stem = re.sub(r"\.pyw?\Z", "", last)
    inside = folders[_installed(folders) :]
    parts = inside if stem == "__init__" and inside else [*inside, stem]
    return ".".join(parts[-KEPT_PARTS:])


# What differs in a message. The order matters: what may hold another kind comes before it.

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_KINDS = {
    "done": "<(?:value|url|address|time|id|path|n)>",
    "value": r"""(?<!\w)[bBrRuU]{0,2}(?:'[^'\n]*'|"[^"\n]*"|`[^`\n]*`)(?!\w)|“[^“”\n]*”|«[^«»\n]*»""",
    "url": r"""(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s'"`<>,;()\[\]{}|]*""",
    "time": (
        r"(?<!\d)\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?)?(?!\d)"
        rf"|\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?\d\d?[ -](?:{_MONTHS})[ -]\d{{4}}(?: \d\d:\d\d:\d\d(?: (?:GMT|UTC|[+-]\d{{4}}))?)?\b"
        r"|(?<![\d:])\d\d?:\d\d:\d\d(?:[.,]\d+)?(?![\d:])"
    ),
    "address": (
        r"(?<![\w.+-])[\w.+-]{1,80}@[\w.-]+"
        r"|(?<![\w.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d{1,5})?(?![\w.]*\w)"
        r"|\b0[xX][0-9a-fA-F]+\b"
        # Groups of hexadecimal digits: IPv6, hardware.
        r"|(?<![\w:])(?=:*[0-9a-fA-F])[0-9a-fA-F]{0,4}:(?:[0-9a-fA-F]{0,4}:){1,7}[0-9a-fA-F]{0,4}(?![\w:])"
    ),
    "id": (
        r"(?<![0-9a-fA-F])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9a-fA-F])"
        r"|(?<![^\W_])(?=\d*[a-fA-F])(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}+(?![^\W_])"
        r"|(?<![^\W_])(?=[A-Za-z0-9]{8})[A-Za-z]*+\d++[A-Za-z]++\d[A-Za-z0-9]*+(?![^\W_])"
    ),
    "path": (
        r"""(?<![\w>/\\])(?:[A-Za-z]:[\\/]|\\\\|(?:~|\.\.?)?/)[^\s'"`<>|,;:()\[\]{}]+"""
        r"|(?<![\w./-])(?:[\w.-]+/)+[\w-]+\.[A-Za-z]\w{0,4}(?![\w/])"
    ),
    "n": r"(?<![\w.)>])[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?|\d+(?:[.,]\d+)*",
}
_DIFFERS = re.compile("|".join(f"(?P<{kind}>{shape})" for kind, shape in _KINDS.items()))
_OPEN = re.compile(r"""(?<!\w)['"`][^'"`\n]*\Z""")


def _placeholder(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "done" else f"<{match.lastgroup}>"


def _closed(message: str) -> str:
    """Of a message cut at its 500th character, a quoted value that lost its end is taken for a whole one."""
    return _OPEN.sub("<value>", message) if len(message) >= MESSAGE_CHARS else message


# Where code is installed.

_ROOT = re.compile(r"(?:[A-Za-z]:)?[/\\]+(?:(?:home|Users|users)[/\\]+)?[^/\\]+[/\\]+")
_HOLDERS = frozenset(("site-packages", "dist-packages", "src", "current", "bundle"))
_STAMP = re.compile(r"(?:[vV]?\d[\d.T_-]{3,}Z?|(?=[a-f]*\d)[0-9a-f]{7,64})\Z")


def _without_root(file: str) -> str:
    """Without the first folder of an absolute path ("/srv", "/home/mira"): it is never a package."""
    match = _ROOT.match(file)
    return file[match.end() :] if match else file


def _installed(folders: list[str]) -> int:
    """How many of the folders lead to the code; a release's folder is named by its time or its commit."""
    holders = (at + 1 for at, folder in enumerate(folders) if folder in _HOLDERS or _STAMP.match(folder))
    return max(holders, default=0)
