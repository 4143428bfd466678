"""What a WSGI server loads: the application, set up from the environment."""

from __future__ import annotations

from rqdash.app import create_app

app = create_app()
