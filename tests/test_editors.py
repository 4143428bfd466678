"""Many people edit one connection at once, in several processes: no edit that was acknowledged is lost, and each is used at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rqdash.demo.servers import Server, free_port
from rqdash.model.caller import Role
from rqdash.profiles.registry import Profiles
from rqdash.profiles.revisions import Revision
from tests.served import Answer, Served, served

EDITORS = 50
ROUNDS = 3
EDIT = "/connections/orders/edit"


@pytest.fixture
def site(tmp_path: Path, server: Server) -> Iterator[Served]:
    made = served(tmp_path / "data", {"orders": server}).start()
    yield made
    made.stop()


@dataclass(slots=True)
class Editor:
    """Somebody who reads the editor's page and saves it with notes of their own; both by another connection than everybody else's."""

    site: Served
    name: str
    token: str
    statuses: list[int] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    def edit(self, meet: threading.Barrier) -> None:
        """First everybody saves what all of them read at the same version, then each as it comes."""
        for turn in range(ROUNDS):
            read = self.site.call("GET", EDIT, token=self.token).json()
            if turn == 0:
                meet.wait(60)
            note = f"{self.name}, round {turn}"
            answer = self.site.call("POST", EDIT, filled(read, notes=note), token=self.token)
            self.statuses.append(answer.status)
            if answer.status == 200:
                self.acknowledged.append(note)
        self.site.hang_up()


def filled(page: dict[str, Any], **typed: str) -> dict[str, Any]:
    """What the editor's form would send."""
    form = page["form"]
    hosts, ports = zip(*form["sentinels"], strict=True)
    rest = {"kind": form["kind"], "hue": form["hue"], "version": form["version"]}
    return {**form["texts"], **form["ticks"], **rest, "sentinel_host": list(hosts), "sentinel_port": list(ports), **typed}


def test_fifty_editors_of_one_connection_lose_no_acknowledged_edit(site: Served) -> None:
    editors = [editor(site, f"editor-{number}") for number in range(EDITORS)]
    meet = threading.Barrier(EDITORS)
    threads = [threading.Thread(target=one.edit, args=(meet,)) for one in editors]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    statuses = [status for one in editors for status in one.statuses]
    acknowledged = {(one.name, note) for one in editors for note in one.acknowledged}
    revised = edits(site.profiles)
    assert len(statuses) == EDITORS * ROUNDS
    assert set(statuses) == {200, 409}
    assert [one.statuses[0] for one in editors].count(200) == 1, "everybody saved the same version, and one was first"
    assert {(one.by, note) for one, _, note in revised} == acknowledged
    assert len(revised) == len(acknowledged)
    assert [before for _, before, _ in revised] == ["none", *[after for _, _, after in revised[:-1]]], "no edit went over an unseen one"
    assert site.profiles.get("orders").notes == revised[-1][2]


def editor(site: Served, name: str) -> Editor:
    return Editor(site, name, site.access.tokens.add(name, role=Role.ADMIN))


def edits(profiles: Profiles) -> list[tuple[Revision, str, str]]:
    """Every edit of the notes, oldest first, with what they were before and after; each edit changed them and nothing else."""
    found = [revision for revision in reversed(profiles.revisions("orders", limit=200)) if revision.verb == "update"]
    assert all([name for name, _, _ in revision.changes] == ["notes"] for revision in found)
    return [(revision, *revision.changes[0][1:]) for revision in found]


def test_an_edit_made_in_one_process_is_used_by_the_next_request_of_another(
    site: Served, server: Server, start: Callable[..., Server]
) -> None:
    elsewhere = start()
    for place, queue in ((server, "invoices"), (elsewhere, "parcels")):
        with place.client() as client:
            client.sadd("rq:queues", f"rq:queue:{queue}")
    other = Served(site.data_dir, free_port(), site.profiles, site.access, site.token).start(processes=1)
    try:
        ports = [elsewhere.port, server.port] * 5
        saved = [(saved_port(site, port), queues(other)) for port in ports]
    finally:
        site.hang_up()
        other.hang_up()
        other.stop()

    assert saved == [(200, {"parcels"}), (200, {"invoices"})] * 5


def saved_port(site: Served, port: int) -> int:
    answer: Answer = site.post(EDIT, filled(site.get(EDIT).json(), port=str(port)))
    return answer.status


def queues(site: Served) -> set[str]:
    return {row["queue"]["name"] for row in site.get("/").json()["queues"]}
