"""Reads pages as a browser without scripts does: the links, and the forms with what their buttons would send."""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import urlencode

from rqdash.demo.servers import HOST
from rqdash.model.caller import Role
from rqdash.web.binding import COOKIE
from tests.served import Answer, Served

Fields = list[tuple[str, str]]
SKIPPED = ("button", "submit", "reset", "image", "file")


@dataclass(slots=True)
class Link:
    """An <a> with its words and its title."""

    href: str
    title: str = ""
    text: str = ""


@dataclass(slots=True)
class Button:
    """What sends a form; action is where to, when not where the form says."""

    text: str
    action: str
    field: tuple[str, str] | None


@dataclass(slots=True)
class Form:
    """One form. fields are sent anyway; ticks, by (name, value), are boxes that are not ticked."""

    action: str
    method: str
    fields: Fields = field(default_factory=list)
    ticks: Fields = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)

    def button(self, text: str) -> Button:
        """The button whose words begin so."""
        return next(button for button in self.buttons if button.text.startswith(text))

    def data(self, *, tick: Sequence[tuple[str, str]] = (), typed: Mapping[str, str] | None = None) -> dict[str, list[str]]:
        """What is sent, by field, with these boxes ticked and these fields filled in (a field without a value is one left out)."""
        typed = typed or {}
        pairs = [pair for pair in self.fields if pair[0] not in typed] + [*tick, *typed.items()]
        return {name: [value for key, value in pairs if key == name] for name, _ in pairs}


class Document(HTMLParser):
    """A parsed page: links, forms, and all of its text with titles, one space between."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[Link] = []
        self.forms: list[Form] = []
        self.sources: list[str] = []
        self.words: list[str] = []
        self._ids: dict[str, Form] = {}
        self._open: Form | None = None
        self._link: Link | None = None
        self._button: Button | None = None
        self._area: tuple[str, list[str]] | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self.feed(page)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def form(self, action: str) -> Form:
        """The form that goes to, or has a button that goes to, an address with this in it."""
        return next(form for form in self.forms if action in form.action or any(action in button.action for button in form.buttons))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.words += [said["title"]] if "title" in said else []
        self.sources += [said[name] for name in ("src", "href") if name in said and tag in ("link", "script", "img", "use")]
        if tag == "a" and "href" in said:
            self._link = Link(said["href"], said.get("title", ""))
            self.links.append(self._link)
        elif tag == "form":
            self._open = Form(said.get("action", ""), said.get("method", "get").lower())
            self.forms.append(self._open)
            self._ids[said.get("id", "")] = self._open
        elif tag == "input":
            self._input(said)
        elif tag == "button":
            self._start_button(said)
        elif tag == "textarea":
            self._area = (said["name"], [])
        elif tag == "select":
            self._select = (said["name"], [])
        elif tag == "option" and self._select is not None:
            self._select[1].append((said["value"], "selected" in said))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._link = None
        elif tag == "form":
            self._open = None
        elif tag == "button":
            self._button = None
        elif tag == "textarea" and self._area is not None and self._open is not None:
            self._open.fields.append((self._area[0], "".join(self._area[1])))
            self._area = None
        elif tag == "select" and self._select is not None and self._open is not None:
            name, options = self._select
            chosen = next((value for value, is_chosen in options if is_chosen), options[0][0] if options else "")
            self._open.fields.append((name, chosen))
            self._select = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._link is not None:
            self._link.text += data
        if self._button is not None:
            self._button.text = f"{self._button.text}{data}".strip()
        if self._area is not None:
            self._area[1].append(data)

    def _input(self, said: Mapping[str, str]) -> None:
        form, kind = self._open, said.get("type", "text")
        if form is None or "name" not in said or kind in SKIPPED or "disabled" in said:
            return
        pair = (said["name"], said.get("value", ""))
        is_box = kind in ("checkbox", "radio")
        (form.ticks if is_box and "checked" not in said else form.fields).append(pair)

    def _start_button(self, said: Mapping[str, str]) -> None:
        form = self._ids.get(said["form"]) if "form" in said else self._open
        if form is None or said.get("type", "submit") != "submit" or "disabled" in said:
            return
        pair = (said["name"], said.get("value", "")) if "name" in said else None
        self._button = Button("", said.get("formaction", form.action), pair)
        form.buttons.append(self._button)


@dataclass(slots=True)
class Person:
    """Somebody who asks a served dashboard; headers say who. Each request is on a connection of its own."""

    port: int
    headers: Mapping[str, str]
    timeout_s: float = 30.0

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None)

    def post(self, path: str, form: Mapping[str, list[str]]) -> Answer:
        return self._ask("POST", path, urlencode(form, doseq=True))

    def _ask(self, method: str, path: str, body: str | None) -> Answer:
        headers = {**self.headers} | ({"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {})
        connection = http.client.HTTPConnection(HOST, self.port, timeout=self.timeout_s)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(), dict(response.getheaders()))
        finally:
            connection.close()


def person(site: Served, *, role: Role = Role.ADMIN, timeout_s: float = 30.0) -> Person:
    """A new account of a role, signed in with a browser."""
    account = site.access.accounts.add(f"person-{len(site.access.accounts.list())}", role=role, password=None)
    token = site.access.sessions.start(account, HOST, now=datetime.now(UTC))
    return Person(site.port, {"Cookie": f"{COOKIE}={token}"}, timeout_s)


def program(site: Served) -> Person:
    """An admin's program; it asks for addresses below /api/v1."""
    return Person(site.port, {"Authorization": f"Bearer {site.token}"})
