"""Importing connections in the browser: what is shown, what is saved, and where the file and its secrets are not."""

from __future__ import annotations

import io
import json
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from rqdash.errors import NotFound
from rqdash.model.profile import Kind, Profile, Secrets
from rqdash.profiles.export import encrypted_export
from rqdash.profiles.listing import DOTS, listing, masked
from rqdash.profiles.pending import PendingImports
from rqdash.profiles.readers.read import read_file
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.profiles.secrets import open_vault
from rqdash.store import Store, open_store
from tests.pages import Document
from tests.site import Browser, Site, site

MARK = "marked-4711-secret"
SETTINGS = f"""SENTINEL = {{
    'INSTANCES': [('s1.example', 26379), ('s2.example', 26379), ('s3.example', 26379)],
    'MASTER_NAME': 'orders',
    'DB': 1,
    'PASSWORD': '{MARK}',
    'SENTINEL_KWARGS': {{'password': '{MARK}-2', 'socket_timeout': 5}},
}}
"""
NEEDY = "import os\nREDIS_HOST = os.environ['JOBS_HOST']\nREDIS_PASSWORD = os.environ['JOBS_PASSWORD']\n"


@dataclass
class Place:
    """A dashboard over its own registry, and an admin's browser."""

    site: Site
    profiles: Profiles
    store: Store
    browser: Browser

    def read(self, *files: tuple[str, str], browser: Browser | None = None, **typed: str) -> TestResponse:
        """Hands in files as (name, text)."""
        form = {**typed, "files": [(io.BytesIO(text.encode()), name) for name, text in files]}
        return (browser or self.browser).post("/connections/import", form, content_type="multipart/form-data")

    def save(self, read: TestResponse, **typed: str) -> TestResponse:
        """Presses save on the page that was answered, with fields typed in."""
        form = Document(read.get_data(as_text=True)).form("/connections/import/save")
        return self.browser.post("/connections/import/save", form.data(typed=typed))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = site(tmp_path)
    store = open_store(made.settings.database_url, data_dir=made.settings.data_dir)
    return Place(made, open_profiles(store, made.settings), store, made.sign_in("admin", name="mira"))


def text_of(response: TestResponse) -> str:
    return Document(response.get_data(as_text=True)).text


def test_what_a_file_offers_is_shown_before_anything_is_saved(place: Place) -> None:
    response = place.read(("rq_settings.py", SETTINGS))

    text = text_of(response)
    assert response.status_code == 200
    assert "orders @ s1.example:26379, s2.example:26379, s3.example:26379" in text
    assert "New" in text
    assert "password, sentinel password: found, kept encrypted" in text
    assert place.profiles.all() == ()


def test_what_is_picked_is_saved_disabled_with_its_secrets_and_nothing_is_connected_to(place: Place) -> None:
    read = place.read(("rq_settings.py", SETTINGS))

    saved = place.save(read, **{"name-0-0": "orders-eu", "environment-0-0": "eu", "protected-0-0": "1"})

    (profile,) = place.profiles.all()
    assert (saved.status_code, saved.headers["Location"]) == (303, "/connections")
    assert (profile.name, profile.environment, profile.protected, profile.enabled) == ("orders-eu", "eu", True, False)
    assert (profile.kind, profile.master_name, profile.db) == (Kind.SENTINEL, "orders", 1)
    assert place.profiles.secrets(profile) == Secrets(MARK, f"{MARK}-2")
    assert "Saved orders-eu, disabled." in place.browser.get("/connections").get_data(as_text=True)
    assert [(row.verb, row.backend, row.name) for row in place.site.access.audit.entries(1)] == [("import connection", "orders-eu", "mira")]


def test_a_pasted_text_is_read_like_a_file(place: Place) -> None:
    response = place.read(text="REDIS_URL = 'redis://cache.example:6380/3'")

    assert "cache.example:6380" in text_of(response)


def test_values_that_the_file_leaves_open_are_filled_in(place: Place) -> None:
    read = place.read(("jobs.py", NEEDY))
    form = Document(read.get_data(as_text=True)).form("/connections/import/save")
    keys = [name for name, _ in form.fields if name.startswith("need-")]

    empty = place.save(read, pick="0-0")
    full = place.save(read, **{"pick": "0-0", keys[0]: "jobs.example", keys[1]: MARK})

    assert "Needs values" in text_of(read)
    assert "Standalone not in the file" in text_of(read)
    assert empty.status_code == 400
    assert "needs values that are not in the file: JOBS_HOST" in text_of(empty)
    assert full.status_code == 303
    (profile,) = place.profiles.all()
    assert (profile.host, place.profiles.secrets(profile).password) == ("jobs.example", MARK)


def test_a_profile_that_is_there_already_is_the_same_and_not_picked(place: Place) -> None:
    place.save(place.read(("rq_settings.py", SETTINGS)))

    again = place.read(("rq_settings.py", SETTINGS))
    nothing = place.save(again)

    assert "The same as orders" in text_of(again)
    assert nothing.status_code == 400
    assert "Nothing is picked" in text_of(nothing)


def test_a_profile_that_differs_is_shown_field_by_field_and_updated_when_that_is_picked(place: Place) -> None:
    place.save(place.read(("rq_settings.py", SETTINGS)))
    read = place.read(("rq_settings.py", SETTINGS.replace("'DB': 1", "'DB': 4").replace(MARK, "another")))

    saved = place.save(read, pick="0-0")

    text = text_of(read)
    assert "Differs from orders" in text
    assert "db: 1 → 4" in text
    assert "password: set → set anew" in text
    assert saved.status_code == 303
    (profile,) = place.profiles.all()
    assert (profile.db, place.profiles.secrets(profile).password) == (4, "another")


def test_a_profile_that_differs_can_be_added_beside_the_other(place: Place) -> None:
    place.save(place.read(("rq_settings.py", SETTINGS)))
    read = place.read(("rq_settings.py", SETTINGS.replace("'DB': 1", "'DB': 4")))

    saved = place.save(read, **{"pick": "0-0", "mode-0-0": "add"})

    assert saved.status_code == 303
    assert [(profile.name, profile.db) for profile in place.profiles.all()] == [("orders", 1), ("orders-2", 4)]


def test_an_update_of_a_profile_that_was_edited_meanwhile_is_refused(place: Place) -> None:
    place.save(place.read(("rq_settings.py", SETTINGS)))
    read = place.read(("rq_settings.py", SETTINGS.replace("'DB': 1", "'DB': 4")))
    place.profiles.enable("orders", by="noor")

    saved = place.save(read, pick="0-0")

    assert saved.status_code == 400
    assert "changed by noor meanwhile" in text_of(saved)
    assert place.profiles.get("orders").db == 1


def test_an_import_does_not_lead_a_stored_secret_elsewhere(place: Place) -> None:
    place.profiles.create(Profile("cache", host="one.example"), secrets=Secrets(MARK), by="noor")
    moved = {"format": "rqdash/1", "profiles": [{"name": "cache", "kind": "standalone", "host": "two.example"}]}

    saved = place.save(place.read(("export.json", json.dumps(moved))), pick="0-0")

    assert saved.status_code == 400
    assert "Type it again" in text_of(saved)
    assert place.profiles.get("cache").host == "one.example"


def test_of_two_picks_one_that_fails_is_shown_again_and_the_other_is_saved(place: Place) -> None:
    read = place.read(("a.py", SETTINGS), ("b.py", "REDIS_HOST = 'jobs.example'"))
    form = Document(read.get_data(as_text=True)).form("/connections/import/save")
    fields = form.data(typed={"name-0-0": "Not A Name"})

    saved = place.browser.post("/connections/import/save", fields)

    assert saved.status_code == 400
    assert "Not A Name" in saved.get_data(as_text=True)
    assert "Some of it is not saved" in text_of(saved)
    assert [profile.host for profile in place.profiles.all()] == ["jobs.example"]
    assert MARK not in saved.get_data(as_text=True)


def test_findings_name_file_line_and_column_and_their_lines_are_shown_without_secrets(place: Place) -> None:
    response = place.read(("prod.py", f"SENTINEL: {{'INSTANCES': [('s1.example', 26379)],\n 'PASSWORD': '{MARK}'}}\n"))

    page = response.get_data(as_text=True)
    assert "prod.py:1:1" in page
    assert 'href="#line-0-1"' in page
    assert 'id="line-0-1"' in page
    assert "'PASSWORD': '••••••••'" in text_of(response)
    assert MARK not in page


def test_a_file_with_nothing_to_import_says_why(place: Place) -> None:
    response = place.read(("tasks.py", "def add(a, b):\n    return a + b\n"))

    assert response.status_code == 200
    assert "Nothing here can be imported" in text_of(response)
    assert "/connections/import/save" not in response.get_data(as_text=True)


def test_nothing_handed_in_and_too_many_files_are_refused(place: Place) -> None:
    nothing = place.read()
    many = place.read(*[(f"{number}.py", "REDIS_HOST = 'a'") for number in range(9)])

    assert (nothing.status_code, many.status_code) == (400, 400)
    assert "Choose a file" in text_of(nothing)
    assert "At most 8 files" in text_of(many)


def test_an_encrypted_export_asks_for_its_passphrase(place: Place) -> None:
    export = encrypted_export([(Profile("orders", host="redis.example", has_password=True), Secrets(MARK))], "five words make it safe")

    wrong = place.read(("export.json", export), passphrase="not the passphrase")
    right = place.read(("export.json", export), passphrase="five words make it safe")
    place.save(right)

    assert wrong.status_code == 400
    assert "passphrase is wrong" in text_of(wrong)
    assert place.profiles.secrets(place.profiles.get("orders")).password == MARK


def test_the_secrets_of_a_file_are_on_no_page_in_no_log_and_in_no_byte_of_the_database(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    files = [
        ("rq.py", SETTINGS),
        ("bad.py", f"SENTINEL = {{'INSTANCES': x, 'PASSWORD': '{MARK}'}}"),
        (".env", f"REDIS_URL=redis://:{MARK}@h/x"),
    ]

    read = place.read(*files, text=f"SENTINEL = ['{MARK}', (\n")
    form = Document(read.get_data(as_text=True)).form("/connections/import/save").data(typed={"name-0-0": "Not A Name"})
    saved = place.browser.post("/connections/import/save", form)
    told = place.site.stranger().post("/api/v1/connections/import", json={"text": SETTINGS}, headers=place.site.token())

    pages = [response.get_data(as_text=True) for response in (read, saved, told)]
    stored = b"".join(path.read_bytes() for path in place.site.settings.data_dir.rglob("*") if path.is_file())
    assert [MARK in page for page in pages] == [False] * 3
    assert MARK not in "".join(record.getMessage() + repr(record.__dict__) for record in caplog.records)
    assert MARK.encode() not in stored


def test_an_import_belongs_to_whoever_read_the_file(place: Place) -> None:
    read = place.read(("rq_settings.py", SETTINGS))
    form = Document(read.get_data(as_text=True)).form("/connections/import/save").data()
    form.pop("csrf_token")

    other = place.site.sign_in("admin", name="noor").post("/connections/import/save", form)

    assert other.status_code == 404
    assert "Import the file again" in text_of(other)


def test_what_is_pending_is_gone_after_fifteen_minutes_or_when_it_is_saved(place: Place) -> None:
    now = datetime(2026, 11, 23, 17, 40, tzinfo=UTC)
    moments = iter([now, now, now + timedelta(minutes=14), now + timedelta(minutes=15), now + timedelta(minutes=15)])
    pending = PendingImports(place.store, open_vault(place.store), clock=lambda: next(moments))
    reading = read_file("rq_settings.py", SETTINGS.encode())

    kept = pending.keep([reading], owner="account mira")
    found = pending.readings(kept, owner="account mira")
    with pytest.raises(NotFound):
        pending.readings(kept, owner="account mira")

    assert found == (reading,)
    assert rows(place.store) == []


def test_after_saving_nothing_is_pending(place: Place) -> None:
    place.save(place.read(("rq_settings.py", SETTINGS)))

    assert rows(place.store) == []


def rows(store: Store) -> list[str]:
    from rqdash.store.tables import PendingImportRow

    with store.read() as session:
        return [row.id for row in session.query(PendingImportRow)]


@pytest.mark.parametrize(
    "line",
    [
        f"'PASSWORD': '{MARK}',",
        f"REDIS_URL=redis://user:{MARK}@host:6379/0",
        f"sentinel auth-pass orders {MARK}",
        f"  {MARK}  ",
        f"('{MARK}',  # {MARK}",
        f"x = f'{{a}}{MARK}{{b}}' + \"{MARK}\"",
        f"PASSWORD: !!str {MARK}",
        f"a{MARK}b\x00\x1b[31m{MARK}",
    ],
)
def test_a_line_shows_no_word_that_could_be_a_secret(line: str) -> None:
    shown = masked(line, public=("orders", "host"), secret=())

    assert "4711" not in shown
    assert DOTS in shown
    assert shown.isprintable()


def test_a_secret_that_is_also_a_name_is_hidden_everywhere(place: Place) -> None:
    text = "SENTINEL: {'INSTANCES': [('s1.example', 26379)], 'MASTER_NAME': 'orders', 'PASSWORD': 'orders'}\n"

    (line, *_) = listing(text, read_file("prod.py", text.encode()))

    assert "s1.example" not in line.text  # the line is about a secret, so nothing of anybody's own is on it
    assert "orders" not in line.text


def test_the_form_is_an_admins_and_takes_dropped_files(place: Place) -> None:
    page = place.browser.get("/connections/import").get_data(as_text=True)

    assert re.search(r'<form[^>]*enctype="multipart/form-data"[^>]*data-behaviour="drop"', page)
    assert place.site.sign_in("operator").get("/connections/import").status_code == 403
