"""A whole app over given backends, and browsers signed in to it, without a server: for tests of pages and the seam."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from rqdash.access.access import Access, open_access
from rqdash.app import create_app
from rqdash.backends.backend import Backend
from rqdash.model.caller import Role
from rqdash.settings import Settings
from rqdash.settings import settings as read_settings
from rqdash.store import open_store
from rqdash.web.binding import COOKIE

CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(slots=True)
class Browser:
    """One signed-in person: GETs pages and POSTs forms with the CSRF token a page gave."""

    client: FlaskClient

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def post(self, path: str, form: Mapping[str, Any] | None = None, **options: Any) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token(), **(form or {})}, **options)

    def token(self) -> str:
        found = CSRF.search(self.client.get("/account").get_data(as_text=True))
        assert found is not None, "the account page has a form with a CSRF token"
        return html.unescape(found.group(1))


@dataclass(slots=True)
class Site:
    """An app with its access; sign_in makes an account of a role and a browser that is signed in as it."""

    app: Flask
    access: Access
    settings: Settings

    def sign_in(self, role: str = "admin", *, grants: tuple[str, ...] = ("*",), name: str = "") -> Browser:
        name = name or f"{role}-{len(self.access.accounts.list())}"
        account = self.access.accounts.add(name, role=Role(role), password=None, grants=grants)
        token = self.access.sessions.start(account, "127.0.0.1", now=datetime.now(UTC))
        client = self.app.test_client()
        client.set_cookie(COOKIE, token)
        return Browser(client)

    def token(self, role: str = "admin", *, grants: tuple[str, ...] = ("*",), name: str = "") -> dict[str, str]:
        """The headers of an API caller."""
        raw = self.access.tokens.add(name or f"token-{role}-{len(self.access.tokens.list())}", role=Role(role), grants=grants)
        return {"Authorization": f"Bearer {raw}"}

    def stranger(self) -> FlaskClient:
        return self.app.test_client()


def site(data_dir: Path, backends: Mapping[str, Backend] | None = None, **environ: str) -> Site:
    """A site with its own data directory; without backends it reads its registry of profiles."""
    settings = read_settings({"RQDASH_DATA_DIR": str(data_dir), "RQDASH_BACKGROUND": "off", **environ})
    access = open_access(open_store(settings.database_url, data_dir=settings.data_dir), settings)
    app = create_app(settings, backends=backends, access=access)
    return Site(app, access, settings)
