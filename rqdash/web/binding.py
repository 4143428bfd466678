"""Binds routes to Flask: reads the request, calls the seam, renders what it says. The only module that touches request and session."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from flask import Flask, Response, flash, get_flashed_messages, redirect, render_template, request, session, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect

from rqdash.backends.backend import Backend
from rqdash.errors import Invalid, NotSignedIn
from rqdash.model.caller import STRANGER, Caller, Permission
from rqdash.model.profile import Profile
from rqdash.web import attention, seam, shell
from rqdash.web.digest import digest
from rqdash.web.errors import ErrorPage, error_json
from rqdash.web.files import sent
from rqdash.web.forms import Raw, Upload, texts
from rqdash.web.fragments import Fragments
from rqdash.web.glances import Glance, Glances, rights
from rqdash.web.queues import KEY
from rqdash.web.route import Acted, Download, Made, Notice, Page, Plain, Rejected, Result, Route, Scope, To
from rqdash.web.security import safe_path
from rqdash.web.services import Services
from rqdash.web.to_json import fields, written

COOKIE = "rqdash_session"
API = "/api/v1"
HTML = "text/html; charset=utf-8"
POLL_HEADER = "Rqdash-Poll"
"""A poll says in it which digest it shows."""
DIGEST_HEADER = "Rqdash-Digest"
UNANSWERED = "unanswered"
"""The digest of a page that could not be read, which no page has."""


class Binding:
    """One app's services, and the Flask views made of its routes."""

    def __init__(self, app: Flask, services: Services, *, csrf: CSRFProtect, is_cookie_secure: Callable[[], bool]) -> None:
        self.app = app
        self.services = services
        self.csrf = csrf
        self.is_cookie_secure = is_cookie_secure
        self.fragments = Fragments()
        self.programs: set[str] = set()
        self.glances = Glances()

    def add(self, route: Route) -> None:
        """Serves a route as a page, and under /api/v1 as JSON."""
        view = self._program_view(route) if route.is_for_programs else self._page_view(route)
        self.app.add_url_rule(route.rule, route.endpoint, view, methods=[route.method])
        if route.in_api:
            self.app.add_url_rule(API + route.rule, f"api.{route.endpoint}", self._api_view(route), methods=[route.method])

    def error(self, page: ErrorPage) -> Response:
        """An error as whoever asked reads it."""
        if request.path.startswith(f"{API}/") or request.endpoint in self.programs:
            return self._json(error_json(page), page.status)
        caller = STRANGER if page.code == "store" else self._signed_in()
        path = request.view_args or {}
        named = page.backend or path.get("backend") or path.get("profile") or ""
        raw = Raw({"backend": named} if caller.may_see(named) else {})
        around = self._shell(page.title, caller, route=None, raw=raw)
        if page.status == 503:
            # It asks again by itself, and shows the page as soon as there is one.
            page, around = self._last_heard(page, named), replace(around, digest=UNANSWERED if request.method == "GET" else "")
        return self._html("error.html", page, around, status=page.status)

    def _last_heard(self, page: ErrorPage, name: str) -> ErrorPage:
        """With since when the backend does not answer and when it last did, as far as this process knows; asks nothing."""
        again = f"{request.script_root}{request.full_path.rstrip('?')}" if request.method == "GET" else ""
        backend = self.services.backends.get(name)
        problem = self.services.gatherer.problem(backend) if backend else None
        good = self.services.gatherer.last(backend, KEY) if backend else None
        return replace(page, again=again, since=problem.since if problem else None, answered_at=good.as_of if good else None)

    def _page_view(self, route: Route) -> Callable[..., Response]:
        def view(**path: str) -> Response:
            caller = self._signed_in()
            try:
                seam.admit(self.services, route, self._named(path), caller)
                if route.method == "POST":
                    self._check_csrf()
                if (known := self._glance(route, caller)) is not None:
                    return self._polled(route, known.page, known.around)
                raw = self._raw(path)
                answered = seam.answer(self.services, route, raw, caller, is_poll=POLL_HEADER in request.headers)
            except NotSignedIn:
                return self._to_sign_in(route)
            return self._rendered(route, raw, caller, answered)

        return view

    def _api_view(self, route: Route) -> Callable[..., Response]:
        def view(**path: str) -> Response:
            caller = self._bearer()
            seam.admit(self.services, route, self._named(path), caller)
            raw = self._raw_json(path) if route.method == "POST" else self._raw(path)
            answered = seam.answer(self.services, route, raw, caller, is_poll=POLL_HEADER in request.headers)
            return self._said(raw, answered.result)

        return view

    def _program_view(self, route: Route) -> Callable[..., Response]:
        self.programs.add(route.endpoint)

        def view(**path: str) -> Response:
            # Whoever is signed in may look at it as well.
            caller = self._signed_in() if "Authorization" not in request.headers else self._bearer()
            raw = self._raw(path)
            return self._rendered(route, raw, caller, seam.answer(self.services, route, raw, caller, is_poll=False))

        return view

    def _signed_in(self) -> Caller:
        token = request.cookies.get(COOKIE, "")
        address = request.remote_addr or ""
        found = self.services.access.sessions.caller(token, self.services.clock(), address=address) if token else None
        return seam.placed(self.services, found) if found else Caller("stranger", address=address)

    def _bearer(self) -> Caller:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        address = request.remote_addr or ""
        is_bearer = scheme.lower() == "bearer"
        found = self.services.access.tokens.caller(token.strip(), self.services.clock(), address=address) if is_bearer else None
        return seam.placed(self.services, found) if found else Caller("stranger", address=address)

    def _check_csrf(self) -> None:
        try:
            self.csrf.protect()
        except CSRFError:
            raise Invalid("This form is too old, or does not come from here. Reload the page and try again.", code="csrf") from None

    def _named(self, path: Mapping[str, str]) -> Raw:
        """What access is decided on: the names in the address. The body is not read before that."""
        return Raw(path, {key: tuple(request.args.getlist(key)) for key in request.args})

    def _raw(self, path: Mapping[str, str]) -> Raw:
        query = {key: tuple(request.args.getlist(key)) for key in request.args}
        form = {key: tuple(request.form.getlist(key)) for key in request.form}
        token = request.cookies.get(COOKIE, "")
        files = tuple(Upload(file.filename or "", file.read()) for _, file in request.files.items(multi=True) if file.filename)
        return Raw(path, query, form, address=request.remote_addr or "", session=token, now=self.services.clock(), files=files)

    def _raw_json(self, path: Mapping[str, str]) -> Raw:
        """The fields of a JSON object as those of a form: a list is a repeated field, "ids" is "id"."""
        try:
            body = request.get_json(silent=True) if request.data else {}
        except RecursionError:
            body = None
        if not isinstance(body, dict):
            raise Invalid("The body must be a JSON object.", problems={"body": "a JSON object"})
        form = {("id" if key == "ids" else str(key)): texts(value, str(key)) for key, value in body.items()}
        query = {key: tuple(request.args.getlist(key)) for key in request.args}
        return Raw(path, query, form, is_json=True, address=request.remote_addr or "", now=self.services.clock())

    def _rendered(self, route: Route, raw: Raw, caller: Caller, answered: seam.Answered) -> Response:
        result = answered.result
        if isinstance(result, Acted | Made):
            result = result.to
        if isinstance(result, To):
            return self._redirected(result)
        if isinstance(result, Download | Plain):
            return sent(result)
        status = result.status if isinstance(result, Rejected) else 200
        page = result.page if isinstance(result, Rejected) else result
        around = self._shell("", caller, route=route, raw=raw, answered=answered.profile)
        if route.is_live and status == 200 and getattr(page, "is_polled", True):
            return self._live(route, page, around, read_at=answered.read_at)
        return self._html(route.template, page, around, status=status)

    def _glance(self, route: Route, caller: Caller) -> Glance | None:
        """What a poll of a live page would find, if another's of the same rights found it within the last second."""
        if not route.is_live or POLL_HEADER not in request.headers:
            return None
        return self.glances.get(self._glance_key(route, caller), now=self.services.clock())

    def _glance_key(self, route: Route, caller: Caller) -> Hashable:
        profiles = tuple((profile.id, profile.version) for profile in self.services.known())
        return (route.endpoint, request.script_root, request.full_path, rights(caller), profiles)

    def _live(self, route: Route, page: Page, around: shell.Shell, *, read_at: datetime | None) -> Response:
        """A live page, with the digest of what it shows."""
        is_poll = POLL_HEADER in request.headers
        around = replace(around, digest=digest(page, shell.shared(around)), is_fragment=is_poll)
        if not is_poll:
            return self._html(route.template, page, around, status=200)
        if read_at is not None and around.caller is not None:
            self.glances.put(self._glance_key(route, around.caller), Glance(page, around, read_at))
        return self._polled(route, page, around)

    def _polled(self, route: Route, page: Page, around: shell.Shell) -> Response:
        """To a poll only what changed, rendered once for all whose page is the same, or 204."""
        shows = around.digest
        if request.headers.get(POLL_HEADER) == shows:
            return Response(status=204, headers={DIGEST_HEADER: shows})
        key = (route.endpoint, request.script_root, request.full_path, shows)
        text = self.fragments.get(key, lambda: self._text(route.template, page, around))
        return Response(text, content_type=HTML, headers={DIGEST_HEADER: shows})

    def _redirected(self, to: To) -> Response:
        if to.session is not None:
            # A new session starts with a new CSRF token, and nothing of the old one.
            session.clear()
        if to.notice is not None:
            flash(json.dumps([to.notice.title, to.notice.text, to.notice.tone]))
        target = (request.script_root + to.path) if to.path else url_for(to.endpoint, **to.values)
        response = redirect(target, 303)
        if to.session is not None:
            secure = self.is_cookie_secure()
            if to.session:
                response.set_cookie(COOKIE, to.session, httponly=True, samesite="Lax", secure=secure, path=request.script_root or "/")
            else:
                response.delete_cookie(COOKIE, path=request.script_root or "/", httponly=True, samesite="Lax", secure=secure)
        return Response(response.response, response.status, response.headers)

    def _to_sign_in(self, route: Route) -> Response:
        if route.method != "GET":
            raise NotSignedIn("Sign in first, then do it again.")
        # A path that is too long to come back to would make an address that servers refuse.
        path = safe_path(request.full_path.rstrip("?"))
        return Response(status=303, headers={"Location": url_for("sign_in", next=path if path not in ("", "/") else None)})

    def _said(self, raw: Raw, result: Result) -> Response:
        if isinstance(result, Acted):
            outcome = result.outcome
            body = {**fields(outcome), "counts": {verdict.value: n for verdict, n in outcome.counts().items()}}
            return self._json(self._marked(body, raw), 200)
        if isinstance(result, Download | Plain):
            return sent(result)
        if isinstance(result, Made):
            return self._json(self._marked(fields(result.page), raw), 200)
        if isinstance(result, To):
            return self._json({"code": "done", "message": result.notice.title if result.notice else "Done.", "backend": None}, 200)
        if isinstance(result, Rejected):
            problem = getattr(result.page, "problem", "") or "This cannot be used."
            code = {401: "not_signed_in", 404: "not_found", 409: "stale", 429: "throttled"}.get(result.status, "invalid")
            body = {"code": code, "message": problem, "backend": raw.path.get("backend"), "page": result.page}
            return self._json(body, result.status)
        return self._json(self._marked(fields(result), raw), 200)

    def _marked(self, body: Mapping[str, object], raw: Raw) -> Mapping[str, object]:
        """The JSON of a page of one backend names it, with the version of the endpoint that answered."""
        profile = self._profile(raw.path.get("backend", ""))
        return body if profile is None else {**body, "backend": profile.name}

    def _json(self, body: object, status: int) -> Response:
        return Response(written(body), status, content_type="application/json")

    def _html(self, template: str, page: Page, around: shell.Shell, *, status: int) -> Response:
        return Response(self._text(template, page, around), status, content_type=HTML)

    def _text(self, template: str, page: Page, around: shell.Shell) -> bytes:
        text = render_template(template, page=page, shell=around, backend=getattr(page, "mark", None))
        # Names of bytes that are not UTF-8 hold lone surrogates, which no encoder takes.
        return text.encode("utf-8", "replace")

    def _shell(self, title: str, caller: Caller, *, route: Route | None, raw: Raw, answered: Profile | None = None) -> shell.Shell:
        """answered is the profile whose backend the page was read from; read anew, the name might point elsewhere by now."""
        if caller.is_stranger:
            return shell.Shell(title)
        # The live test has no profile in its path: the form says which one it is.
        named = raw.path.get("backend") or raw.path.get("profile") or raw.text("profile")
        profile = answered or self._profile(named if caller.may_see(named) else "")
        chosen = (profile.name,) if profile else tuple(raw.query.get("backend", ()))
        live = seam.visible(self.services, caller)
        known = [(backend.profile, self.services.gatherer.problem(backend)) for backend in live]
        return shell.Shell(
            title=title,
            caller=caller,
            nav=shell.nav(caller, route.nav if route else ""),
            chips=shell.chips(known, chosen=chosen, ailments=self._ailments(live)),
            is_all_current=not chosen,
            flag=shell.flag(profile) if profile else None,
            cautions=shell.cautions(live, profile),
            # A poll leaves them for the page that they are meant for.
            notices=() if POLL_HEADER in request.headers else tuple(Notice(*json.loads(str(text))) for text in get_flashed_messages()),
            may_operate=profile is not None and not profile.read_only and caller.may(Permission.OPERATE, profile.name),
            is_admin=caller.has(Permission.ADMIN),
            administered=tuple(backend.name for backend in live if caller.may(Permission.ADMIN, backend.name)),
            as_of=self.services.clock(),
            scope_endpoint=route.endpoint if route and route.scope is Scope.MANY and not raw.path else "overview",
        )

    def _ailments(self, live: Sequence[Backend]) -> dict[str, str]:
        """What the last overview found wrong with each, if that is not long ago; asks nothing."""
        now, last = self.services.clock(), self.services.gatherer.last
        paces = self.services.others["history"].pace([backend.name for backend in live])
        return {each.name: attention.ailment(last(each, KEY), profile=each.profile, now=now, paces=paces) for each in live}

    def _profile(self, name: str) -> Profile | None:
        return next((profile for profile in self.services.known() if profile.name == name), None) if name else None
