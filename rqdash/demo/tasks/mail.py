"""A mail service: receipts, newsletters, bounces."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from datetime import datetime
from string import Template

from rqdash.demo.tasks.pace import spend, steps

RECEIPT = Template("Hello $name,\n\nthank you for order $order. It will be with you on $day.\n")


class MailboxUnavailable(Exception):
    """The receiving server refused the message."""


def send_receipt(to: str, order_id: str, facts: dict[str, str]) -> str:
    """Sends one receipt; its message id."""
    text = _render(order_id, facts)
    spend(random.uniform(0.05, 0.5))
    return _deliver(to, text)


def _render(order_id: str, facts: dict[str, str]) -> str:
    return RECEIPT.substitute(facts, order=order_id)


def _deliver(to: str, text: str) -> str:
    if to.endswith(".invalid"):
        raise MailboxUnavailable(f"550 5.1.1 <{to}>: recipient address rejected: user unknown")
    return f"<{abs(hash((to, text))) % 10**12:012d}@mail.example.com>"


def send_password_reset(to: str, *, locale: str = "en") -> bool:
    """Sends a link to choose a new password."""
    spend(random.uniform(0.02, 0.2))
    _subject(locale).encode("latin-1")
    return to.count("@") == 1


def _subject(locale: str) -> str:
    return {"en": "Choose a new password", "fr": "Choisissez un mot de passe", "pl": "Ustaw nowe hasło"}[locale]


def send_newsletter(issue: int, segment: str, recipients: int) -> dict[str, object]:
    """Sends an issue to a segment, in batches, with its progress in meta."""
    batches = max(1, recipients // 400)
    sent = sum(400 for _ in steps(batches, each_s=0.8))
    return {"issue": issue, "segment": segment, "sent": min(sent, recipients)}


def process_bounce(message_id: str, received: str) -> str:
    """Files a bounce under the day it came."""
    spend(random.uniform(0.02, 0.15))
    return f"{datetime.fromisoformat(received):%Y-%m-%d}/{message_id}"


def forget_address(address: str) -> int:
    """Takes an address off every list; the lists' table was renamed last week."""
    spend(0.1)
    with closing(sqlite3.connect(":memory:")) as database:
        return _delete(database, address)


def _delete(database: sqlite3.Connection, address: str) -> int:
    return database.execute("DELETE FROM subscribers WHERE address = ?", (address,)).rowcount


def greylisted_delivery(to: str, message_id: str) -> str:
    """Delivers to a server that refuses the first attempts."""
    spend(random.uniform(0.05, 0.3))
    if random.random() < 0.55:
        raise ConnectionResetError(104, f"451 4.7.1 <{to}>: greylisted, try again later")
    return message_id


def send_digest(hour: str) -> dict[str, int]:
    """What happened in an hour, to the operators."""
    spend(random.uniform(0.3, 1.5))
    return {"hour": int(hour), "delivered": random.randint(200, 900), "bounced": random.randint(0, 12)}
