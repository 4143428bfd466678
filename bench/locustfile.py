"""Viewers of live pages, as locust runs them in an environment of its own, without rqdash: told by a file what to ask, it writes what came.

RQDASH_VIEWERS names the folder: asked.json holds {"host", "viewers", "cookies": one a viewer, "pages": {name: path}}. begun is made when
all viewers have their page, and found.json, which counts from then on, at the end.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path

from locust import FastHttpUser, between, events, task

FOLDER = Path(os.environ["RQDASH_VIEWERS"])
ASKED = json.loads((FOLDER / "asked.json").read_text())
NUMBERS, ARRIVED = itertools.count(), itertools.count(1)
DIGEST = re.compile(r'data-digest="([0-9a-f]+)"')
unchanged: dict[str, int] = dict.fromkeys(ASKED["pages"], 0)


class Viewer(FastHttpUser):
    """One open page of one person: it asks again 2 s after the last answer, some tenths more or less, as live.js does."""

    wait_time = between(1.8, 2.2)
    insecure = True

    def on_start(self) -> None:
        number = next(NUMBERS)
        pages = list(ASKED["pages"].items())
        self.page, self.path = pages[number % len(pages)]
        self.headers = {"Host": ASKED["host"], "Cookie": ASKED["cookies"][number], "Accept-Encoding": "gzip"}
        shown = self.client.get(self.path, headers=self.headers, name="navigation").text or ""
        self.digest = found[1] if (found := DIGEST.search(shown)) else "none"
        if next(ARRIVED) == ASKED["viewers"]:
            self.environment.stats.reset_all()
            unchanged.update(dict.fromkeys(unchanged, 0))
            (FOLDER / "begun").touch()

    @task
    def poll(self) -> None:
        with self.client.get(
            self.path, headers={**self.headers, "Rqdash-Poll": self.digest}, name=self.page, catch_response=True
        ) as answer:
            if answer.status_code in (200, 204) and "Rqdash-Digest" in answer.headers:
                self.digest = answer.headers["Rqdash-Digest"]
                unchanged[self.page] += answer.status_code == 204
                answer.success()
            else:
                answer.failure(f"answered {answer.status_code}")


@events.quitting.add_listener
def tell(environment: object, **_: object) -> None:
    entries = {name: environment.stats.get(name, "GET") for name in ASKED["pages"]}  # type: ignore[attr-defined]
    found = {
        name: {
            "polls": entry.num_requests,
            "errors": entry.num_failures,
            "unchanged": unchanged[name],
            "p50_ms": entry.get_response_time_percentile(0.5),
            "p95_ms": entry.get_response_time_percentile(0.95),
            "longest_ms": entry.max_response_time,
        }
        for name, entry in entries.items()
    }
    (FOLDER / "found.json").write_text(json.dumps(found))
