"""What a profile shows of arguments, on its way: the editor, its revisions, its export and import, and pages at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from rqdash.demo.servers import HOST, Server
from rqdash.model.profile import REDACTED, Profile
from rqdash.profiles import rows
from rqdash.profiles.export import own_export
from rqdash.profiles.readers.read import read_file
from rqdash.profiles.registry import Profiles
from tests.editing import EDIT, NEW, TEST, registry, submit
from tests.pages import Document
from tests.site import Browser, Site, site
from tests.stored import Stored, packed_call


@pytest.fixture
def place(tmp_path: Path) -> Site:
    return site(tmp_path / "data")


@pytest.fixture
def admin(place: Site) -> Browser:
    return place.sign_in("admin", name="ada")


@pytest.fixture
def profiles(place: Site) -> Profiles:
    return registry(place)


def made(profiles: Profiles, **fields: object) -> Profile:
    return profiles.create(replace(Profile("orders", host=HOST), **fields), by="mira")


def test_a_new_connection_hides_by_the_usual_rules(admin: Browser, profiles: Profiles) -> None:
    submit(admin, NEW, {"name": "orders", "host": HOST})

    stored = profiles.get("orders")

    assert (stored.arguments, stored.redact) == ("shown", REDACTED)


def test_the_editor_sets_both(admin: Browser, profiles: Profiles) -> None:
    made(profiles)

    status, _ = submit(admin, EDIT, {"arguments": "described", "redact": "*pin*\n ssn, *pin*\r\n"})

    stored = profiles.get("orders")
    assert status == 303
    assert (stored.arguments, stored.redact) == ("described", ("*pin*", "ssn"))


def test_no_rules_are_none(admin: Browser, profiles: Profiles) -> None:
    made(profiles)

    submit(admin, EDIT, {"redact": ""})

    assert profiles.get("orders").redact == ()


def test_a_rule_that_cannot_be_is_said_at_its_field_and_kept_as_typed(admin: Browser, profiles: Profiles) -> None:
    made(profiles)

    status, page = submit(admin, EDIT, {"redact": "*password*\n***"})

    assert status == 400
    assert "A rule of stars alone would hide everything." in Document(page).text
    assert ("redact", "*password*\n***") in Document(page).form(TEST).fields
    assert profiles.get("orders").redact == REDACTED


def test_a_url_that_fills_the_form_leaves_the_policy_as_typed(admin: Browser) -> None:
    status, page = submit(admin, NEW, {"url": "redis://h:6390/1", "arguments": "hidden", "redact": "*pin*"}, button="Fill")

    fields = Document(page).form(TEST).fields

    assert status == 200
    assert {("arguments", "hidden"), ("redact", "*pin*"), ("port", "6390")} <= set(fields)


def test_the_api_takes_a_list_and_a_body_without_it_changes_nothing(place: Site, profiles: Profiles) -> None:
    version = made(profiles, arguments="hidden").version
    client, headers = place.stranger(), place.token()

    client.post(f"/api/v1{EDIT}", json={"redact": ["*pin*", "ssn"], "version": version}, headers=headers)
    client.post(f"/api/v1{EDIT}", json={"notes": "x", "version": version + 1}, headers=headers)

    stored = profiles.get("orders")
    assert (stored.arguments, stored.redact, stored.notes) == ("hidden", ("*pin*", "ssn"), "x")


def test_a_change_is_a_revision_in_words_and_another_endpoint(profiles: Profiles) -> None:
    before = made(profiles, redact=("*pin*",))

    after = profiles.update("orders", replace(before, arguments="hidden", redact=()), version=before.version, by="mira")

    (revision, *_) = profiles.revisions("orders", limit=5)
    assert revision.changes == (("arguments", "shown", "hidden"), ("redact", "*pin*", "none"))
    # What was kept of its pages was made under the old policy.
    assert after.endpoint_version > before.endpoint_version


def test_a_profile_stored_before_there_was_a_policy_hides_by_the_usual_rules() -> None:
    body = {key: value for key, value in rows.body(Profile("orders")).items() if key not in ("arguments", "redact")}

    found = rows.of_body("orders", json.loads(json.dumps(body)))

    assert (found.arguments, found.redact) == ("shown", REDACTED)


def test_an_export_brings_the_policy_along_and_an_older_one_decides_nothing() -> None:
    text = own_export([Profile("orders", arguments="described", redact=("*pin*",))])
    older = json.loads(text)
    del older["profiles"][0]["arguments"], older["profiles"][0]["redact"]

    (new,) = read_file("new.json", text.encode()).candidates
    (old,) = read_file("old.json", json.dumps(older).encode()).candidates

    assert (new.profile.arguments, new.profile.redact) == ("described", ("*pin*",))
    assert {"arguments", "redact"} <= set(new.decided)
    assert not {"arguments", "redact"} & set(old.decided)


@pytest.mark.parametrize("value", ['"*pin*"', "[1]", "{}", "null"])
def test_an_export_with_rules_that_are_no_list_of_texts_is_refused(value: str) -> None:
    text = own_export([Profile("orders", redact=())]).replace('"redact": []', f'"redact": {value}')

    found = read_file("export.json", text.encode())

    assert found.candidates == ()
    assert [finding.code for finding in found.findings] == ["bad-value"]


def test_pages_follow_the_policy_at_once(admin: Browser, profiles: Profiles, server: Server, redis_client: redis.Redis) -> None:
    before = made(profiles, port=server.port)
    Stored(redis_client).waiting("job", data=packed_call("app.tasks.send", "zqvalue"), description="app.tasks.send('zqvalue')")
    seen = []

    for policy in ("shown", "described", "hidden"):
        before = profiles.update("orders", replace(before, arguments=policy), version=before.version, by="mira")
        seen.append(
            [path for path in ("job?id=job", "queue?name=mail") if "zqvalue" in admin.get(f"/b/orders/{path}").get_data(as_text=True)]
        )

    assert seen == [["job?id=job", "queue?name=mail"], [], []]


def test_the_page_of_a_connection_says_what_it_shows(admin: Browser, profiles: Profiles) -> None:
    made(profiles, arguments="described", redact=("*pin*", "ssn"))

    page = Document(admin.get("/connections/orders").get_data(as_text=True)).text

    assert "Described; hidden by name: *pin*, ssn" in page
