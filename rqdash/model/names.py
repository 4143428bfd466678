"""Names of queues and workers and ids of jobs as they travel in URLs and forms.

A name is data of any content. In memory it is a str decoded with surrogateescape, so bytes that are not UTF-8 survive the way to
Redis and back. In a form it is base64url of its bytes. In a query string it is itself, or ~<sha256> when it is too long or not
text: then it is found again through RQ's sets.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from rqdash.errors import Invalid

LONG_BYTES = 1024
# Half a surrogate pair stands for a byte that is not UTF-8. Browsers and form parsers rewrite lone CR and LF and refuse NUL.
_ODD = re.compile("[\ud800-\udfff\r\n\0]")


def decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def digest(name: str) -> str:
    return hashlib.sha256(encoded(name)).hexdigest()


def ref(name: str) -> str:
    """The name as a query parameter: itself, or ~<sha256> when over 1 KB, not UTF-8, or starting with "~"."""
    # A character is four bytes at most.
    is_short = len(name) <= LONG_BYTES // 4 or len(encoded(name)) <= LONG_BYTES
    return name if is_short and not name.startswith("~") and not _ODD.search(name) else f"~{digest(name)}"


def is_digest(reference: str) -> bool:
    return len(reference) == 65 and reference[0] == "~" and all(char in "0123456789abcdef" for char in reference[1:])


def matches(reference: str, name: str) -> bool:
    """Whether a query parameter means this name."""
    return digest(name) == reference[1:] if is_digest(reference) else reference == name


def to_form(name: str) -> str:
    return base64.urlsafe_b64encode(encoded(name)).decode("ascii").rstrip("=")


def from_form(text: str) -> str:
    """The name a form field carries. Raises Invalid when it is not base64url."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Invalid("A name in this form is not base64url. Reload the page and try again.", problems={"name": "not base64url"}) from None
    return decoded(raw)
