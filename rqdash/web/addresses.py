"""url_for and icons as templates use them: what was made once is kept. A page names some 70 addresses, most of them on every page."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from flask import request
from markupsafe import Markup

if TYPE_CHECKING:
    from flask import Flask

MOST = 4096
"""Of each process, some 3 MB; then all are forgotten together."""
ICON = Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>')


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
