"""The headers every answer carries, and where a sign-in may lead."""

from __future__ import annotations

from flask import Response

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # CSRF protection under HTTPS compares the Referer of our own pages, so they must send it to us, and to nobody else.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def secured(response: Response, *, is_https: bool, is_static: bool) -> Response:
    """The response with all security headers; pages are never stored by caches."""
    response.headers.update(HEADERS)
    if is_https:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    if not is_static:
        response.headers["Cache-Control"] = "no-store"
    return response


def safe_path(path: str) -> str:
    """A path of ours to go to after sign-in, or "" for one that could lead elsewhere."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and len(path) <= 2000
    return path if is_ours and all(char.isprintable() and char != "\\" for char in path) else ""
