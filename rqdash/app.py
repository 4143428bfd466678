"""The composition root: the only module that wires settings, database, access, profiles, backends and pages together."""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFProtect, generate_csrf
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from rqdash import __version__, logs
from rqdash.access.access import Access, open_access
from rqdash.access.keeper import Keeper
from rqdash.access.pace import Pace
from rqdash.backends.backend import Backend
from rqdash.backends.backends import Backends
from rqdash.backends.connect import connect
from rqdash.backends.gather import Gatherer
from rqdash.backends.guard import guard
from rqdash.backends.policy import TargetPolicy
from rqdash.backends.probe import probe
from rqdash.errors import Conflict, Refused, Stale
from rqdash.history.archive import Archive
from rqdash.history.reading import Reading
from rqdash.history.recorder import Recorder
from rqdash.model.profile import Profile, Secrets
from rqdash.operations.records import Records
from rqdash.operations.requests import Operations
from rqdash.operations.runner import Planner, Runner
from rqdash.operations.sweeper import Sweeper
from rqdash.profiles.pending import PendingImports
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.profiles.secrets import open_vault
from rqdash.runtime import Part, Runtime
from rqdash.settings import Settings
from rqdash.settings import settings as read_settings
from rqdash.store import open_store
from rqdash.store.keys import session_key
from rqdash.store.leases import Leases
from rqdash.web import assets, filters, templating
from rqdash.web.binding import POLL_HEADER, Binding
from rqdash.web.failing import handle_errors
from rqdash.web.pages import ROUTES
from rqdash.web.security import secured
from rqdash.web.services import Services
from rqdash.web.trends import Trends
from rqdash.web.trials import A_MINUTE, Trials

FORM_BYTES = 1024 * 1024


def create_app(settings: Settings | None = None, *, backends: Mapping[str, Backend] | None = None, access: Access | None = None) -> Flask:
    """The WSGI application. Without arguments it reads the environment and opens the database in RQDASH_DATA_DIR.

    backends and access take the place of what would be made: tests hand in their own. Raises SettingsError or StoreError.
    """
    is_served = settings is None
    if settings is None:
        settings = read_settings(os.environ)
        logs.configure(settings.log_level)
    services = _services(settings, backends, access)
    app = flask_app(settings, services)
    if settings.background == "threads":
        _run_beside(app, background(settings, services))
    if is_served:
        # What is loaded by now stays as long as the process: looking through it for garbage would make some request wait 0.1 s.
        gc.collect()
        gc.freeze()
    return app


def _services(settings: Settings, backends: Mapping[str, Backend] | None, access: Access | None) -> Services:
    store = open_store(settings.database_url, data_dir=settings.data_dir)
    profiles = open_profiles(store, settings)
    profiles.provision(settings.profiles_file)
    policy = TargetPolicy(settings.allowed_targets, settings.unix_socket_dirs)
    live = backends if backends is not None else Backends(profiles, partial(live_backend, profiles, policy))
    entrance = access or open_access(store, settings)
    # Substituted backends are what they are; the registry's are read anew at each request.
    fixed = tuple(backend.profile for backend in live.values()) if backends is not None else ()
    return Services(
        backends=live,
        access=entrance,
        gatherer=Gatherer(deadline_s=settings.read_deadline_s),
        clock=lambda: datetime.now(UTC),
        known=profiles.all if backends is None else lambda: fixed,
        others={
            "profiles": profiles,
            "tester": Trials(partial(probe, policy=policy), Pace(store, "test", most=A_MINUTE)),
            "pending": PendingImports(store, open_vault(store)),
            "operations": Operations(Records(store), live, entrance.audit),
            "archive": (archive := Archive(store)),
            "history": (reading := Reading(archive)),
            "trends": Trends(reading),
        },
    )


def background(settings: Settings, services: Services | None = None) -> Sequence[Part]:
    """What goes on beside the requests, or, without services, in a process of its own."""
    services = services or _services(settings, None, None)
    operations = services.others["operations"]
    leases = Leases(operations.records.store)
    sweeper = Sweeper(services.backends, leases, services.access.audit)
    recorder = Recorder(services.backends, services.gatherer, leases, services.others["archive"])
    keeper = Keeper(services.access.audit, leases)
    return (Planner(operations), Runner(operations), sweeper, recorder, keeper)


def _run_beside(app: Flask, parts: Sequence[Part]) -> None:
    """The first request of each process starts its threads; the process ends with them."""
    runtime = Runtime(parts)
    app.before_request(runtime.ensure_started)
    atexit.register(runtime.stop)


def live_backend(profiles: Profiles, policy: TargetPolicy, profile: Profile) -> Backend:
    """A backend for the current version of a profile; no network I/O. One whose secrets are locked is made, and blocked."""
    blocked, secrets = None, Secrets()
    try:
        secrets = profiles.secrets(profile)
    except Stale:
        raise
    except Conflict as error:
        blocked = Refused(error.message, backend=profile.name, stage="sign-in", code="locked")
    reader = connect(profile, secrets, policy=policy, writes=False)
    writer = connect(profile, secrets, policy=policy, writes=True)
    admission = guard(profile, secrets, policy=policy, clients=(reader, writer))
    return Backend(profile, reader=reader, writer=writer, guard=admission, blocked=blocked)


def flask_app(settings: Settings, services: Services) -> Flask:
    """Flask around the services: templates, security, and every route as a page and as JSON."""
    app = Flask("rqdash", template_folder=str(folder("templates")), static_folder=None)
    app.jinja_environment = templating.FlatEnvironment
    assets.install(app, folder("static"))
    app.config.update(_config(settings))
    app.session_interface = FormCookie(settings)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    filters.install(app)
    templating.install(app)
    binding = Binding(app, services, csrf=CSRFProtect(app), is_cookie_secure=lambda: _is_secure(settings))
    # After CSRFProtect, which sets a token of its own.
    app.jinja_env.globals.update(csrf_token=_form_token, version=__version__)
    for route in ROUTES:
        binding.add(route)
    handle_errors(app, binding)
    app.after_request(_finished)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0, x_prefix=hops)  # type: ignore[method-assign]
    return app


def _form_token() -> str:
    """The token of forms; none to a poll, whose answer others may get too: the browser puts its own in."""
    return "" if POLL_HEADER in request.headers else generate_csrf()


class FormCookie(SecureCookieSessionInterface):
    """Flask's own cookie, which carries the forms' token and notices: secure whenever the session's cookie is."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        return _is_secure(self._settings)


def _config(settings: Settings) -> dict[str, Any]:
    return {
        "SECRET_KEY": session_key(settings.data_dir, makes=not settings.database_url),
        "SESSION_COOKIE_NAME": "rqdash_form",
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_HTTPONLY": True,
        # The seam checks the token itself, after it knows who calls; a token lives as long as its session.
        "WTF_CSRF_CHECK_DEFAULT": False,
        "WTF_CSRF_TIME_LIMIT": None,
        "MAX_CONTENT_LENGTH": FORM_BYTES,
        "MAX_FORM_MEMORY_SIZE": FORM_BYTES,
        "TRUSTED_HOSTS": list(settings.trusted_hosts) or None,
    }


def _is_secure(settings: Settings) -> bool:
    return settings.secure_cookies == "on" or (settings.secure_cookies == "auto" and request.is_secure)


def _finished(response: Response) -> Response:
    return secured(response, is_https=request.is_secure, is_static=request.endpoint == "static")


def folder(name: str) -> Path:
    """Where templates or static files are: in the installed package, or beside it in a checkout."""
    inside = Path(__file__).parent / name
    return inside if inside.is_dir() else Path(__file__).parent.parent / name
