"""Lists of URLs, one a line, each with a name before it or without."""

from __future__ import annotations

import re

from rqdash.profiles.readers.draft import Draft, entry_of
from rqdash.profiles.readers.finish import finished
from rqdash.profiles.readers.notes import Notes
from rqdash.profiles.readers.tree import At, Leaf
from rqdash.profiles.readers.url_field import A_URL, is_url, url
from rqdash.profiles.readers.values import Candidate

NAMED = re.compile(r"\s*(?:[-*]\s+)?(?:([A-Za-z0-9][A-Za-z0-9_.-]{0,63})(?:\s*[=:,]\s*|\s+))?([\"']?)(?=[A-Za-z][A-Za-z0-9+_-]*://)")


def looks_like_urls(text: str) -> bool:
    """Whether every line is a URL, most of them of Redis; a line NAME=URL is a .env file's."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "//"))]
    found = [NAMED.match(line) for line in lines]
    if not lines or any(match is None for match in found):
        return False
    rests = [line[match.end() :] for line, match in zip(lines, found, strict=True) if match]
    is_dotenv = all(re.match(r"\s*(export\s+)?[A-Z_][A-Z0-9_]*=", line) for line in lines)
    is_python = any(re.match(r"\s*\w+\s*[=:]\s*[\"']", line) for line in lines)
    return not is_dotenv and not is_python and any(is_url(rest) for rest in rests)


def urls(lines: list[tuple[str, At]], notes: Notes) -> list[Candidate]:
    """One candidate for each URL; a line that is none is an error of its own."""
    offered: list[Candidate | None] = []
    for line, start in lines:
        if not line.strip() or line.lstrip().startswith(("#", "//")):
            continue
        found = NAMED.match(line)
        at = At(start.line, start.column + (found.end() if found else 0))
        if found is None or not A_URL.match(line[found.end() :]):
            notes.error(At(start.line, start.column), "not-a-url", message="This line is no URL. Write one a line: redis://host:6379/0.")
            continue
        rest = line[found.end() :].strip()
        text = rest.removesuffix(found[2]) if found[2] else re.split(r"\s+#\s|\s*,\s*\Z", rest, maxsplit=1)[0]
        draft = Draft(notes, f"line {start.line}", at, name=found[1] or "")
        url(draft, entry_of("URL", Leaf(text, at)))
        offered.append(finished(draft, is_rq=False))
    return [candidate for candidate in offered if candidate is not None]
