"""Files that are sent as they are made, so that a long one needs no memory."""

from __future__ import annotations

from flask import Response

from rqdash.web.route import Download, Plain


def sent(download: Download | Plain) -> Response:
    """The response that streams a file; names of bytes that are not UTF-8, which no encoder takes, are written out."""
    if isinstance(download, Plain):
        return Response(download.text, content_type=download.content_type)
    chunks = (chunk.encode("utf-8", "backslashreplace") for chunk in download.chunks())
    headers = {"Content-Disposition": f'attachment; filename="{download.name}"'}
    return Response(chunks, content_type=download.content_type, headers=headers)
