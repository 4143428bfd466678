"""The connections' editor as a person without scripts uses it, and a port that notes whether anybody connects."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from socket import create_connection, create_server, socket

from rqdash.demo.servers import HOST
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.store import open_store
from tests.pages import Document
from tests.site import Browser, Site

NEW, EDIT, TEST = "/connections/new", "/connections/orders/edit", "/connections/test"
END = b"end of test"


def registry(place: Site) -> Profiles:
    """The profiles, as another process reads them."""
    return open_profiles(open_store(place.settings.database_url, data_dir=place.settings.data_dir), place.settings)


def submit(browser: Browser, path: str, typed: Mapping[str, str], *, button: str = "Save", drawn: str = "") -> tuple[int, str]:
    """Fills in the editor's form and presses a button: the status and the page. drawn is the form's page when it was opened before."""
    form = Document(drawn or browser.get(path).get_data(as_text=True)).form(TEST)
    pressed = form.button(button)
    answer = browser.client.post(pressed.action, data=form.data(typed={**typed, **dict([pressed.field] if pressed.field else [])}))
    return answer.status_code, answer.get_data(as_text=True)


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A port that accepts, and what each connection to it sent first; an empty list: nobody connected."""
    heard: list[bytes] = []
    with create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=listen, args=(listener, heard))
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            with create_connection(listener.getsockname()) as last:
                last.sendall(END)
            thread.join()


def listen(listener: socket, heard: list[bytes]) -> None:
    """Accepts one after the other, until the one that says it is the last."""
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            said = connection.recv(4096)
        if said == END:
            return
        heard.append(said)


def press(browser: Browser, button: str) -> None:
    """Presses one of the buttons beside the editor's title."""
    form = Document(browser.get(EDIT).get_data(as_text=True)).form("/duplicate")
    assert browser.client.post(form.button(button).action, data=form.data()).status_code == 303
