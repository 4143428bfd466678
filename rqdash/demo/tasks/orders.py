"""A shop's orders: payment, stock, shipping, reports."""

from __future__ import annotations

import json
import logging
import random
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from http.client import HTTPConnection

from rqdash.demo.tasks.pace import spend, steps

log = logging.getLogger(__name__)
STOCK = {"TEA-GREEN-100": 84, "TEA-BLACK-250": 31, "MUG-BLUE": 12, "KETTLE-1L": 5, "FILTER-50": 240}
LIMIT_CENTS = 60_000
RATES_SERVICE = ("127.0.0.1", 9)
"""The discard port of this machine, where nobody listens."""


class PaymentError(Exception):
    """The payment provider did not take the money."""


class CardDeclined(PaymentError):
    """The bank said no."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider answers."""

    order_id: str
    amount_cents: int
    currency: str
    reference: str


def charge_card(order_id: str, amount_cents: int, *, currency: str = "EUR") -> Receipt:
    """Takes the money of an order."""
    spend(random.uniform(0.05, 0.6))
    return _authorise(order_id, amount_cents, currency)


def _authorise(order_id: str, amount_cents: int, currency: str) -> Receipt:
    try:
        _check_limit(amount_cents)
    except ValueError as exc:
        raise CardDeclined(f"card of order {order_id} declined: do_not_honor") from exc
    return Receipt(order_id, amount_cents, currency, f"pay_{abs(hash(order_id)) % 10**9:09d}")


def _check_limit(amount_cents: int) -> None:
    if amount_cents > LIMIT_CENTS:
        raise ValueError(f"amount {amount_cents} is above the limit of {LIMIT_CENTS}")


def capture_payment(order_id: str, attempt_budget: int = 3) -> dict[str, object]:
    """Confirms a payment with a provider that often answers late."""
    spend(random.uniform(0.1, 0.4))
    if random.random() < 0.45:
        raise TimeoutError(f"payment provider did not confirm order {order_id} within 10 s")
    return {"order": order_id, "captured": True, "budget": attempt_budget}


def reserve_stock(order_id: str, lines: list[dict[str, object]]) -> dict[str, int]:
    """Sets aside what an order needs; the units left of each article."""
    spend(random.uniform(0.02, 0.2))
    log.debug("reserving", extra={"order": order_id})
    return {str(line["sku"]): _take(str(line["sku"]), int(str(line["quantity"]))) for line in lines}


def _take(sku: str, quantity: int) -> int:
    return STOCK[sku] - quantity


def print_label(order_id: str, carrier: str, weight_kg: str) -> str:
    """A shipping label's number; the weight comes as the scales wrote it."""
    spend(random.uniform(0.1, 0.8))
    grams = int(Decimal(weight_kg) * 1000)
    return f"{carrier.upper()}-{order_id[4:]}-{grams}"


def import_price_list(supplier: str, body: str) -> int:
    """Reads a supplier's price list; how many articles it has."""
    spend(random.uniform(0.1, 0.5))
    articles = _parse(body)
    log.debug("imported", extra={"supplier": supplier})
    return len(articles)


def _parse(body: str) -> list[object]:
    articles: list[object] = json.loads(body)["articles"]
    return articles


def refresh_exchange_rates(base: str = "EUR") -> dict[str, float]:
    """Asks a service that is away."""
    service = HTTPConnection(*RATES_SERVICE, timeout=2)
    service.request("GET", f"/rates?base={base}")
    rates: dict[str, float] = json.load(service.getresponse())
    return rates


def settle_day(day: str, shops: list[str]) -> dict[str, object]:
    """Adds a day's payments up, shop by shop: about half a minute."""
    done = [shop for shop, _ in zip(shops * 8, steps(len(shops) * 8, each_s=1.2), strict=True)]
    return {"day": date.fromisoformat(day).isoformat(), "shops": len(set(done)), "balanced": True}


def export_invoices(month: str, *, form: str = "pdf") -> str:
    """Nobody works on its queue, so it waits."""
    spend(2)
    return f"invoices-{month}.{form}"
