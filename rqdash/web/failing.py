"""Every error of ours, of HTTP and of a bug becomes a page or JSON; none shows an exception's text."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response
from werkzeug.exceptions import SecurityError

from rqdash.errors import RqdashError
from rqdash.web.binding import Binding
from rqdash.web.errors import error_page, plain_page


def handle_errors(app: Flask, binding: Binding) -> None:
    """Every error of ours, of HTTP and of a bug becomes a page or JSON; none shows an exception's text."""
    app.register_error_handler(RqdashError, lambda error: binding.error(error_page(error)))
    # Without a host that is ours there are no addresses of ours, so there can be no page.
    app.register_error_handler(SecurityError, lambda _: Response(STRANGE_HOST, 400, content_type="text/plain; charset=utf-8"))

    def http(error: Any) -> Response:
        code = int(getattr(error, "code", 500) or 500)
        response = binding.error(plain_page(code, HTTP_MESSAGES.get(code, "The request could not be answered.")))
        if code == 405 and getattr(error, "valid_methods", None):
            response.headers["Allow"] = ", ".join(error.valid_methods)
        return response

    for code in HTTP_MESSAGES:
        app.register_error_handler(code, http)


STRANGE_HOST = "rqdash does not answer to this host name; RQDASH_TRUSTED_HOSTS says to which.\n"
HTTP_MESSAGES = {
    400: "The request is not one that rqdash understands.",
    404: "No page has this address.",
    405: "This address takes another method: reads are GET, writes are POST.",
    413: "The form is larger than rqdash takes.",
    500: "This is a bug of ours. The log has the details; nothing was changed unless the activity says so.",
}
