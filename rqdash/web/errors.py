"""Errors as pages and as JSON; status codes live here alone. Nothing here reads a backend, so it renders with everything down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rqdash.errors import (
    BackendError,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    NotSignedIn,
    RqdashError,
    Stale,
    StoreError,
    Switching,
    Throttled,
    UnknownResult,
)
from rqdash.web.route import Page
from rqdash.web.to_json import Json, to_json

STATUS: tuple[tuple[type[RqdashError], int], ...] = (
    (Invalid, 400),
    (NotSignedIn, 401),
    (Denied, 403),
    (NotFound, 404),
    (Switching, 409),
    (Conflict, 409),
    (Throttled, 429),
    (UnknownResult, 503),
    (BackendError, 503),
    (StoreError, 503),
)
TITLES = {
    400: "This cannot be used",
    401: "Sign in first",
    403: "You may not do this",
    404: "There is nothing here",
    405: "This address answers to another method",
    409: "It has changed meanwhile",
    413: "Too much at once",
    429: "Too many attempts",
    500: "rqdash failed",
    503: "The backend does not answer",
}


@dataclass(frozen=True, slots=True)
class ErrorPage(Page):
    """What happened, to whom, and what to do. backend is "" where none is meant; retry_after_s is in seconds.

    Of a backend that is down: since when, when it last answered, and the address to try again ("" when trying would not be a read).
    """

    status: int
    title: str
    message: str
    code: str
    hint: str = ""
    backend: str = ""
    retry_after_s: float | None = None
    problems: tuple[tuple[str, str], ...] = ()
    changes: tuple[tuple[str, str, str], ...] = ()
    since: datetime | None = None
    answered_at: datetime | None = None
    again: str = ""


def status(error: RqdashError) -> int:
    return next((code for kind, code in STATUS if isinstance(error, kind)), 500)


def error_page(error: RqdashError, *, backend: str = "") -> ErrorPage:
    """The page of one of our errors."""
    code = status(error)
    title = TITLES[code]
    if isinstance(error, UnknownResult):
        title = "Result unknown"
    elif code == 503:
        title = _title_503(error)
    return ErrorPage(
        status=code,
        title=title,
        message=error.message,
        code=error.code,
        hint=getattr(error, "hint", ""),
        backend=getattr(error, "backend", "") or backend,
        retry_after_s=getattr(error, "retry_after_s", None),
        problems=tuple(error.problems.items()) if isinstance(error, Invalid) else (),
        changes=error.changes if isinstance(error, Stale) else (),
    )


def _title_503(error: RqdashError) -> str:
    if isinstance(error, StoreError):
        return "rqdash cannot use its database"
    if error.code == "denied":
        return "The backend refuses"
    return f"{getattr(error, 'backend', '') or 'The backend'} does not answer"


def plain_page(code: int, message: str) -> ErrorPage:
    """The page of an error that is HTTP's own."""
    return ErrorPage(status=code, title=TITLES.get(code, "This did not work"), message=message, code=f"http_{code}")


def error_json(page: ErrorPage) -> Json:
    """{"code", "message", "backend"}, with "hint", "problems", "changes" and "retry_after_s" where there are any."""
    body: dict[str, Json] = {"code": page.code, "message": page.message, "backend": page.backend or None}
    if page.hint:
        body["hint"] = page.hint
    if page.problems:
        body["problems"] = to_json(dict(page.problems))
    if page.changes:
        body["changes"] = to_json(page.changes)
    if page.retry_after_s is not None:
        body["retry_after_s"] = page.retry_after_s
    return body
