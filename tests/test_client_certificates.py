"""Certificates and keys of clients: what is saved with what, where a key may go, and that it lies in no file."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rqdash.backends.connect import connect
from rqdash.backends.policy import TargetPolicy
from rqdash.backends.tls import BadClientCertificate, TlsContext
from rqdash.errors import Invalid
from rqdash.model.profile import ClientKey, Kind, Node, Profile, Secrets, Tls
from rqdash.profiles.certificates import in_days, lasting
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.profiles.secrets import Clear, SecretEdits, Set
from rqdash.settings import Settings
from rqdash.store import open_store
from tests.secured import make_material, start_secured
from tests.site import site
from tests.tls import Authority, authority, start_tls_server

ANYWHERE = TargetPolicy()
SEALED = "open sesame"


@pytest.fixture(scope="module")
def ours() -> Authority:
    return authority()


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    return open_profiles(open_store("", data_dir=tmp_path), Settings(data_dir=tmp_path))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go, empty but for what the test leaves there."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def shown(pem: str, **tls: object) -> Profile:
    return Profile("orders", host="redis.internal", tls=Tls(enabled=True, client_cert_pem=pem, **tls))  # type: ignore[arg-type]


def refused(profiles: Profiles, profile: Profile, secrets: Secrets) -> dict[str, str]:
    with pytest.raises(Invalid) as raised:
        profiles.create(profile, secrets=secrets, by="mira")
    assert secrets.client_key is None or secrets.client_key not in raised.value.message
    return dict(raised.value.problems)


def test_a_server_that_asks_for_a_certificate_gets_it_and_no_file_stays(tmp_path: Path, files: Path) -> None:
    made = start_tls_server(tmp_path / "server", "--tls-auth-clients", "yes")
    certificate, key = made.authority.client(password=SEALED)
    tls = Tls(enabled=True, ca_pem=made.authority.pem, server_name="localhost", client_cert_pem=certificate)
    profile = Profile("mail", host="127.0.0.1", port=made.tls_port, tls=tls)
    secrets = Secrets(client_key=key, client_key_password=SEALED)

    with connect(profile, secrets, policy=ANYWHERE, writes=True) as client:
        answer = client.ping()
    made.server.stop()

    assert answer
    assert list(files.iterdir()) == []
    assert "PRIVATE" not in f"{secrets!r} {secrets.data_key!r}"


def test_sentinels_and_servers_each_get_their_own_certificate(tmp_path: Path, files: Path) -> None:
    material = make_material(tmp_path / "material")
    group = start_secured(tmp_path / "group", material=material)
    data, data_key = material.authority.client()
    watch, watch_key = material.authority.client()
    profile, secrets = group.profile("orders")
    tls = replace(profile.tls, client_cert_pem=data), replace(profile.sentinel_tls, client_cert_pem=watch)
    profile, secrets = (
        replace(profile, tls=tls[0], sentinel_tls=tls[1]),
        replace(secrets, client_key=data_key, sentinel_client_key=watch_key),
    )

    with connect(profile, secrets, policy=ANYWHERE, writes=True) as client:
        written = client.sadd("rq:queues", "rq:queue:mail")
    group.stop()

    assert written == 1
    assert list(files.iterdir()) == []


@pytest.mark.parametrize("fault", ["none", "other", "locked", "wrong password", "no key"])
def test_a_key_that_cannot_be_used_is_an_error_without_a_word_of_it(ours: Authority, files: Path, fault: str) -> None:
    certificate, key = ours.client(password=SEALED)
    keys = {
        "none": None,
        "other": ClientKey(ours.client()[1]),
        "locked": ClientKey(key),
        "wrong password": ClientKey(key, "close sesame"),
        "no key": ClientKey("no key"),
    }

    with pytest.raises(BadClientCertificate) as raised:
        TlsContext(Tls(enabled=True, client_cert_pem=certificate), key=keys[fault]).get()

    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert list(files.iterdir()) == []


def test_the_file_for_a_key_is_its_owner_s_alone_and_holds_the_key_encrypted(
    ours: Authority, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = ours.client()
    seen: list[tuple[int, int, str]] = []
    context = TlsContext(Tls(enabled=True, client_cert_pem=certificate), key=ClientKey(key))

    def look(self: object, path: Path, password: str) -> None:
        seen.append((path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777, path.read_text()))

    monkeypatch.setattr("ssl.SSLContext.load_cert_chain", look)
    context.get()

    ((directory, file, text),) = seen
    assert (directory, file) == (0o700, 0o600)
    assert "BEGIN ENCRYPTED PRIVATE KEY" in text
    assert key.splitlines()[1] not in text
    assert list(files.iterdir()) == []


def test_a_certificate_and_its_key_are_saved_and_given_back(profiles: Profiles, ours: Authority) -> None:
    certificate, key = ours.client(password=SEALED)

    made = profiles.create(shown(certificate), secrets=Secrets("hunter22", client_key=key, client_key_password=SEALED), by="mira")

    assert (made.has_client_key, made.has_client_key_password, made.has_sentinel_client_key) == (True, True, False)
    assert profiles.secrets(made) == Secrets("hunter22", client_key=key, client_key_password=SEALED)


def test_what_does_not_fit_together_is_not_saved(profiles: Profiles, ours: Authority) -> None:
    certificate, key = ours.client(password=SEALED)
    plain, open_key = ours.client()

    found = {
        "no key": refused(profiles, shown(certificate), Secrets()),
        "another key": refused(profiles, shown(certificate), Secrets(client_key=open_key)),
        "garbage": refused(profiles, shown(certificate), Secrets(client_key="-----BEGIN PRIVATE KEY-----\nx")),
        "locked": refused(profiles, shown(certificate), Secrets(client_key=key)),
        "wrong": refused(profiles, shown(certificate), Secrets(client_key=key, client_key_password="x")),
        "too many": refused(profiles, shown(plain), Secrets(client_key=open_key, client_key_password="x")),
        "both": refused(profiles, shown(certificate + key), Secrets(client_key=key)),
        "no certificate": refused(profiles, shown("x"), Secrets(client_key=key)),
        "name": refused(profiles, shown("", server_name="a b"), Secrets()),
        "endless": refused(profiles, shown(certificate), Secrets(client_key="x" * 65537)),
    }

    assert {case: list(problems) for case, problems in found.items()} == {
        "no key": ["client_key"],
        "another key": ["client_key"],
        "garbage": ["client_key"],
        "locked": ["client_key_password"],
        "wrong": ["client_key_password"],
        "too many": ["client_key_password"],
        "both": ["client_cert_pem"],
        "no certificate": ["client_cert_pem"],
        "name": ["server_name"],
        "endless": ["client_key"],
    }


def test_the_sentinels_certificate_has_its_own_key_and_its_own_words(profiles: Profiles, ours: Authority) -> None:
    certificate, key = ours.client()
    group = Profile("orders", Kind.SENTINEL, sentinels=(Node("s1", 1),), master_name="m")
    group = replace(group, sentinel_tls=Tls(enabled=True, client_cert_pem=certificate))

    problems = refused(profiles, group, Secrets(client_key=key))
    made = profiles.create(group, secrets=Secrets(client_key=key, sentinel_client_key=key), by="mira")

    assert list(problems) == ["sentinel_client_key"]
    assert profiles.secrets(made) == Secrets(sentinel_client_key=key)


def test_a_key_is_kept_under_other_labels_and_under_a_renewed_certificate_of_it(profiles: Profiles, ours: Authority) -> None:
    certificate, key = ours.client()
    made = profiles.create(shown(certificate), secrets=Secrets(client_key=key), by="mira")

    labelled = profiles.update("orders", replace(made, notes="x"), version=1, by="mira")
    with pytest.raises(Invalid) as raised:
        profiles.update("orders", shown(ours.client()[0]), version=2, by="mira")

    assert profiles.secrets(labelled).client_key == key
    assert list(raised.value.problems) == ["client_key"]


@pytest.mark.parametrize("change", [{"server_name": "other"}, {"verify": False}, {"check_hostname": False}])
def test_other_tls_needs_password_and_key_again(profiles: Profiles, ours: Authority, change: dict[str, object]) -> None:
    certificate, key = ours.client()
    made = profiles.create(shown(certificate), secrets=Secrets("hunter22", client_key=key), by="mira")

    with pytest.raises(Invalid) as raised:
        profiles.update("orders", replace(made, tls=replace(made.tls, **change)), version=1, by="mira")  # type: ignore[arg-type]

    assert raised.value.code == "secret_needed"
    assert set(raised.value.problems) == {"password", "client_key"}


def test_a_key_that_is_typed_anew_does_not_keep_the_old_one_s_password(profiles: Profiles, ours: Authority) -> None:
    certificate, key = ours.client(password=SEALED)
    made = profiles.create(shown(certificate), secrets=Secrets(client_key=key, client_key_password=SEALED), by="mira")
    renewed, plain = ours.client()

    after = profiles.update("orders", replace(made, tls=shown(renewed).tls), edits=SecretEdits(client_key=Set(plain)), version=1, by="mira")

    assert profiles.secrets(after) == Secrets(client_key=plain)


def test_without_a_certificate_its_key_is_forgotten(profiles: Profiles, ours: Authority) -> None:
    certificate, key = ours.client()
    made = profiles.create(shown(certificate), secrets=Secrets(client_key=key), by="mira")

    after = profiles.update("orders", replace(made, tls=Tls(enabled=True)), version=1, by="mira")

    assert not after.has_client_key
    assert ("client_key", "set", "cleared") in profiles.revisions("orders")[0].changes
    assert not any("PRIVATE" in repr(revision) for revision in profiles.revisions("orders"))


def test_clearing_the_key_alone_is_refused(profiles: Profiles, ours: Authority) -> None:
    certificate, key = ours.client()
    made = profiles.create(shown(certificate), secrets=Secrets(client_key=key), by="mira")

    with pytest.raises(Invalid) as raised:
        profiles.update("orders", made, edits=SecretEdits(client_key=Clear()), version=1, by="mira")

    assert list(raised.value.problems) == ["client_key"]


def test_a_draft_is_checked_as_it_would_be_saved(profiles: Profiles, ours: Authority) -> None:
    certificate, key = ours.client()
    profiles.create(shown(certificate), secrets=Secrets(client_key=key), by="mira")

    _, kept = profiles.draft(profiles.get("orders"), edits=SecretEdits(), over="orders")
    with pytest.raises(Invalid):
        profiles.draft(shown(certificate), edits=SecretEdits())

    assert kept.client_key == key


def test_the_editor_takes_a_key_and_never_shows_it(tmp_path: Path, ours: Authority) -> None:
    certificate, key = ours.client(days=9)
    browser = site(tmp_path).sign_in()
    form = {
        "kind": "standalone",
        "name": "orders",
        "host": "redis.internal",
        "tls": "1",
        "tls_verify": "1",
        "tls_check_hostname": "1",
        "server_name": "Orders.internal",
        "client_cert_pem": certificate.replace("\n", "\r\n"),
        "client_key": key.replace("\n", "\r\n"),
    }

    saved = browser.post("/connections/new", form)
    page = browser.get("/connections/orders/edit").get_data(as_text=True)
    again = browser.post("/connections/orders/edit", {**form, "client_key": "", "version": "1", "notes": "x"})

    assert (saved.status_code, again.status_code) == (303, 303)
    assert certificate.splitlines()[1] in page
    assert key.splitlines()[1] not in page
    assert 'value="orders.internal"' in page
    assert "in 9 days. Replace it." in page


def test_a_mistake_in_the_editor_shows_no_key_again(tmp_path: Path, ours: Authority) -> None:
    certificate, _ = ours.client()
    _, key = ours.client()
    form = {"kind": "standalone", "name": "orders", "host": "h", "tls": "1", "client_cert_pem": certificate, "client_key": key}

    answer = site(tmp_path).sign_in().post("/connections/new", form)

    assert answer.status_code == 400
    assert "This is not the key of the certificate." in answer.get_data(as_text=True)
    assert key.splitlines()[1] not in answer.get_data(as_text=True)


def test_days_are_said_as_people_say_them(ours: Authority) -> None:
    now = datetime.now(UTC)

    assert [in_days(days) for days in (71, 1, 0, -1, -3)] == ["in 71 days", "in 1 day", "today", "1 day ago", "3 days ago"]
    assert lasting("", now=now) == ""
    assert lasting(ours.pem, now=now).endswith(", in 365 days.")
    assert "expired on" in lasting(ours.pem, now=now + timedelta(days=367))
