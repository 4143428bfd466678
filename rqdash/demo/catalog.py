"""What the producer enqueues: the kinds of job with their arguments, and how often each comes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random

from rqdash.demo.layout import BACKLOG
from rqdash.demo.tasks import mail, media, orders

Arguments = tuple[tuple[object, ...], dict[str, object]]


class Way(Enum):
    """NOW: on its queue. LATER: scheduled, at most 6 h ahead. AFTER: deferred behind a job of another recipe. RETRY: with a policy."""

    NOW = "now"
    LATER = "later"
    AFTER = "after"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One kind of job: every_s seconds between two on average, at_start of them at once to begin with, timeout_s RQ's time limit."""

    queue: str
    task: Callable[..., object]
    arguments: Callable[[Random], Arguments]
    every_s: float
    at_start: int = 0
    way: Way = Way.NOW
    timeout_s: int = 120
    after: Recipe | None = None


FILMS = ("harbour-tour.mp4", "tasting-spring.mov", "kettle-care.mp4", "founders-talk.mkv", "warehouse-walk.mp4")
PEOPLE = ("Amara Diallo", "Jonas Weber", "Mei Tanaka", "Lucía Romero", "Noah Smit", "Zofia Kowalska", "Ravi Menon", "Elin Berg")
SKUS = tuple(orders.STOCK)


def _order(random: Random) -> str:
    return f"ord_{random.randint(40_000, 99_999)}"


def _address(random: Random) -> str:
    name = random.choice(PEOPLE).split()[0].lower()
    domain = random.choices(("example.com", "example.org", "example.invalid"), (70, 27, 3))[0]
    return f"{name}.{random.randint(10, 99)}@{domain}"


def _charge(random: Random) -> Arguments:
    return (_order(random), int(random.lognormvariate(8.6, 1.1))), {"currency": random.choice(("EUR", "EUR", "GBP", "SEK"))}


def _capture(random: Random) -> Arguments:
    return (_order(random),), {}


def _reserve(random: Random) -> Arguments:
    skus = random.sample((*SKUS, *SKUS, "MUG-BLUE-2ND"), k=random.randint(1, 3))
    return (_order(random), [{"sku": sku, "quantity": random.randint(1, 4)} for sku in skus]), {}


def _label(random: Random) -> Arguments:
    weight = f"{random.uniform(0.2, 9):.2f}"
    return (_order(random), random.choice(("dhl", "ups", "postnord"))), {
        "weight_kg": weight.replace(".", ",") if random.random() < 0.03 else weight
    }


def _prices(random: Random) -> Arguments:
    body = '{"articles": [{"sku": "TEA-GREEN-100", "cents": 890}, {"sku": "MUG-BLUE", "cents": 1450}]}'
    return (random.choice(("Nordwind Tea", "Casa do Chá", "Hario")), body[:-9] if random.random() < 0.5 else body), {}


def _rates(random: Random) -> Arguments:
    return (random.choice(("EUR", "GBP")),), {}


def _day(random: Random) -> Arguments:
    return (f"2026-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}", ["oslo", "lisbon", "ghent"]), {}


def _invoices(random: Random) -> Arguments:
    return (f"2026-{random.randint(1, 12):02d}",), {"form": random.choice(("pdf", "csv"))}


def _receipt(random: Random) -> Arguments:
    facts = {"name": random.choice(PEOPLE), "day": random.choice(("Monday", "Thursday", "Friday"))}
    if random.random() < 0.02:
        del facts["day"]
    return (_address(random), _order(random), facts), {}


def _reset(random: Random) -> Arguments:
    return (_address(random),), {"locale": random.choices(("en", "fr", "pl"), (60, 35, 5))[0]}


def _newsletter(random: Random) -> Arguments:
    return (random.randint(80, 99), random.choice(("new-customers", "tea-lovers", "everyone")), random.randint(4_000, 24_000)), {}


def _bounce(random: Random) -> Arguments:
    received = f"2026-11-{random.randint(1, 28):02d}T{random.randint(0, 23):02d}:30:00+00:00"
    return (f"{random.getrandbits(40):010x}@mail.example.com", "28/11/2026 09:30" if random.random() < 0.05 else received), {}


def _forget(random: Random) -> Arguments:
    return (_address(random),), {}


def _message(random: Random) -> Arguments:
    return (_address(random), f"{random.getrandbits(40):010x}"), {}


def _thumbnail(random: Random) -> Arguments:
    header = media.HEADER.pack(b"\x89PNG\r\n\x1a\n", random.choice((1200, 1920, 4032)), random.choice((800, 1080, 3024)))
    kept = header[:11] if random.random() < 0.03 else header
    return (f"uploads/{random.getrandbits(24):06x}.png",), {
        "width": random.choice((160, 320, 640)),
        "header": base64.b64encode(kept).decode(),
    }


def _film(random: Random) -> Arguments:
    profile = random.choices(("h264-1080p", "h264-720p", "av1-1080p", "theora-480p"), (40, 35, 19, 6))[0]
    return (random.choice(FILMS), profile), {"seconds": random.choices((12, 20, 35, 90), (40, 35, 20, 5))[0]}


def _audio(random: Random) -> Arguments:
    return (random.choice(FILMS),), {"language": random.choice(("en", "nb", "pt"))}


def _channels(random: Random) -> Arguments:
    return (random.choice(FILMS), random.sample(("shop", "blog", "newsroom"), k=2)), {}


def _purge(random: Random) -> Arguments:
    paths = [f"/media/{random.getrandbits(24):06x}.webp" for _ in range(random.randint(1, 4))]
    return (paths, random.choice(("eu-north", "eu-west", "us-east"))), {}


def _bucket(random: Random) -> Arguments:
    return (random.choice(("uploads", "renders")),), {"dry_run": random.random() < 0.7}


FILM = Recipe("transcode", media.transcode, _film, 45, 3, timeout_s=60)
CHARGE = Recipe("payments", orders.charge_card, _charge, 3, 25)

RECIPES = {
    "orders": (
        CHARGE,
        Recipe("payments", orders.capture_payment, _capture, 30, 4, Way.RETRY),
        Recipe("checkout", orders.reserve_stock, _reserve, 4, 25),
        Recipe("fulfilment", orders.print_label, _label, 6, 15),
        Recipe("fulfilment", orders.print_label, _label, 60, 3, Way.AFTER, after=CHARGE),
        Recipe("checkout", orders.import_price_list, _prices, 300, 2),
        Recipe("checkout", orders.refresh_exchange_rates, _rates, 600, 2),
        Recipe("fulfilment", orders.settle_day, _day, 120, 1),
        Recipe("fulfilment", orders.settle_day, _day, 240, 6, Way.LATER),
        Recipe(BACKLOG, orders.export_invoices, _invoices, 20, 40),
    ),
    "mail": (
        Recipe("transactional", mail.send_receipt, _receipt, 3, 30),
        Recipe("transactional", mail.send_password_reset, _reset, 10, 8),
        Recipe("transactional", mail.greylisted_delivery, _message, 40, 4, Way.RETRY),
        Recipe("bounces", mail.process_bounce, _bounce, 12, 10),
        Recipe("bounces", mail.forget_address, _forget, 600, 2),
        Recipe("newsletter", mail.send_newsletter, _newsletter, 150, 1),
        Recipe("newsletter", mail.send_newsletter, _newsletter, 300, 5, Way.LATER),
    ),
    "media": (
        Recipe("thumbnails", media.make_thumbnail, _thumbnail, 3, 30),
        FILM,
        Recipe("transcode", media.publish, _channels, 90, 2, Way.AFTER, after=FILM),
        Recipe("transcode", media.extract_audio, _audio, 40, 3),
        Recipe("housekeeping", media.purge_cache, _purge, 45, 4, Way.RETRY),
        Recipe("housekeeping", media.delete_orphans, _bucket, 200, 1),
        Recipe("housekeeping", media.delete_orphans, _bucket, 400, 4, Way.LATER),
    ),
}
"""The kinds of job by backend."""
