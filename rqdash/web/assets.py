"""Static files under addresses that hold the content's hash: browsers and nginx may keep them for ever."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path
from typing import Any

from flask import Flask, Response, send_from_directory

HASH = re.compile(r"([0-9a-f]{12})/(.+)", re.DOTALL)
FOR_EVER_S = 31_536_000
SHORTLY_S = 3600


def fingerprint(folder: Path) -> str:
    """12 hex digits of everything in the folder. One for all files: a module names the modules beside it by relative addresses."""
    found = blake2b(digest_size=6)
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        content = path.read_bytes()
        found.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()


def install(app: Flask, folder: Path) -> None:
    """Serves the folder at /static/<fingerprint>/; url_for("static", filename=...) gives such addresses.

    Other fingerprints, which pages drawn before an upgrade name, and none at all give the same files, to be kept for an hour.
    """
    current = fingerprint(folder)

    def static(filename: str) -> Response:
        found = HASH.fullmatch(filename)
        name = found.group(2) if found else filename
        is_current = found is not None and found.group(1) == current
        response = send_from_directory(folder, name, max_age=FOR_EVER_S if is_current else SHORTLY_S)
        response.cache_control.immutable = is_current
        return response

    def name_by_content(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static":
            values["filename"] = f"{current}/{values['filename']}"

    app.add_url_rule("/static/<path:filename>", "static", static)
    app.url_defaults(name_by_content)
