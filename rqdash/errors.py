"""Every error rqdash raises, in one tree.

RqdashError
├── SettingsError            the environment or the data directory is wrong; says every mistake at once
├── StoreError               the dashboard's own database cannot be used
├── Invalid                  input names a field and a remedy (400)
├── Denied                   the caller may not (403)
│   └── NotSignedIn          nobody is signed in (401)
├── Throttled                too many attempts, with when to try again (429)
├── NotFound                 no such backend, queue, job, worker, profile or account (404)
├── Conflict                 what was read has changed, or the state forbids it (409)
│   ├── Stale                a stale version was submitted; carries what changed
│   └── ReadOnly             the profile is read-only
└── BackendError             one backend could not be used (503)
    ├── Unreachable          no connection: refused, timed out, DNS, TLS
    ├── Slow                 no answer within the budget, or already two calls in flight
    ├── Refused              the server answered no: sign-in, ACL, wrong kind of server
    ├── Switching            Sentinel is switching the master; writes wait (409)
    └── UnknownResult        a write timed out: it may have been done

Texts are ours and safe to show: no exception text of redis, ssl or cryptography ever enters one, for those hold passwords.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class RqdashError(Exception):
    """A failure with a code for programs and a sentence for people; both safe to show."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class SettingsError(RqdashError):
    code = "settings"


class StoreError(RqdashError):
    code = "store"


class Invalid(RqdashError):
    """Input that cannot be used; problems maps a field's name to what is wrong and what to do."""

    code = "invalid"

    def __init__(self, message: str, *, problems: Mapping[str, str] | None = None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.problems: Mapping[str, str] = dict(problems or {})


class Denied(RqdashError):
    code = "denied"


class NotSignedIn(Denied):
    code = "not_signed_in"


class Throttled(RqdashError):
    """Too many attempts; retry_after_s is in seconds."""

    code = "throttled"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotFound(RqdashError):
    code = "not_found"


class Conflict(RqdashError):
    code = "conflict"


class Stale(Conflict):
    """A stale version; changes lists (field, what was read, what is stored now), secrets never among them."""

    code = "stale"

    def __init__(self, message: str, *, changes: Sequence[tuple[str, str, str]] = ()) -> None:
        super().__init__(message)
        self.changes = tuple(changes)


class ReadOnly(Conflict):
    code = "read_only"


class BackendError(RqdashError):
    """One backend could not be used; backend is its profile's name, stage where it went wrong."""

    code = "backend"

    def __init__(
        self, message: str, *, backend: str, stage: str = "", code: str | None = None, hint: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.backend = backend
        self.stage = stage
        self.hint = hint
        self.retry_after_s = retry_after_s


class Unreachable(BackendError):
    code = "unreachable"


class Slow(BackendError):
    code = "slow"


class Refused(BackendError):
    code = "denied"


class Switching(BackendError):
    code = "switching"


class UnknownResult(BackendError):
    code = "unknown_result"
