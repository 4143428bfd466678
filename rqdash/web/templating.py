"""What templates are given that others make anew each time: their globals, url_for, icons. A page names 70 addresses, most as all do."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from flask import request
from flask.templating import Environment
from markupsafe import Markup

if TYPE_CHECKING:
    from flask import Flask

MOST = 4096
"""Of each process, some 3 MB; then all are forgotten together."""
ICON = Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>')


class FlatEnvironment(Environment):
    """Globals of a template in one dict, as they are when it is first used. Jinja's chain of two is gone through at every import of a
    macro, which takes a fifth of a small page's time.
    """

    def make_globals(self, d: Mapping[str, Any] | None) -> MutableMapping[str, Any]:
        return {**self.globals, **(d or {})}


def install(app: Flask) -> None:
    """Gives every template url_for and drawn_icon of this module."""
    url_for = remembered(app.url_for)
    icons: dict[tuple[str, str], Markup] = {}

    def drawn_icon(name: str) -> Markup:
        """An icon of the sprite; the names are our own."""
        key = request.script_root, name
        if key not in icons:
            icons[key] = ICON.format(url_for("static", filename="icons.svg"), name)
        return icons[key]

    app.jinja_env.globals.update(url_for=url_for, drawn_icon=drawn_icon)


def remembered(url_for: Callable[..., str]) -> Callable[..., str]:
    """url_for of a request, which depends on its arguments and on the prefix that the app is reached under, and on nothing else."""
    made: dict[Hashable, str] = {}

    def address(endpoint: str, **values: Any) -> str:
        # With their classes, for True is 1 in a dict and not in an address.
        key = request.script_root, endpoint, *((name, value.__class__, value) for name, value in values.items())
        try:
            found = made.get(key)
        except TypeError:
            # A list of values, which no key is made of.
            return url_for(endpoint, **values)
        if found is None:
            if len(made) >= MOST:
                made.clear()
            found = made[key] = url_for(endpoint, **values)
        return found

    return address
