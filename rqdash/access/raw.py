"""Tokens as their bearer has them and as the database keeps them."""

from __future__ import annotations

import hashlib
import secrets

TOKEN_BYTES = 32


def new_token(prefix: str = "") -> str:
    """256 random bits as URL-safe text."""
    return prefix + secrets.token_urlsafe(TOKEN_BYTES)


def hashed(token: str) -> str:
    """What is stored of a token. Plain SHA-256 is enough: nobody guesses 256 bits, however fast the hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
