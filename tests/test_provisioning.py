"""Connections from a file: read strictly, kept in step at every start, locked in the dashboard, with secrets that stay where they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from rqdash.app import create_app
from rqdash.demo.servers import Server
from rqdash.errors import Conflict, Invalid, SettingsError
from rqdash.model.profile import Kind, Node, Profile, Secrets, Source, Tls
from rqdash.profiles.references import References
from rqdash.profiles.registry import Profiles, open_profiles
from rqdash.profiles.secrets import SecretEdits, Set
from rqdash.settings import Settings
from rqdash.store import Store, open_store
from rqdash.store.tables import SecretRow
from tests.site import Site, site
from tests.tls import authority

ENVIRON = {"RQDASH_SECRET_ORDERS": "hunter22", "HOME": "/root", "RQDASH_SECRET_EMPTY": ""}
ORDERS = """
[profile.orders]
host = "10.0.0.1"
password = "env:RQDASH_SECRET_ORDERS"
"""
GROUP = """
[profile.mail]
kind = "sentinel"
sentinels = ["10.0.0.1", "[fd00::1]:26380", {host = "s3", port = 26381}]
master_name = "mail"
db = 2
username = "dash"
sentinel_username = "watcher"
connect_timeout_s = 2
read_timeout_s = 1.5
worker_socket_timeout_s = 500
prefix = "shop"
hue = "teal"
environment = "prod"
protected = true
read_only = true
enabled = false
notes = "kept in git"
arguments = "described"
redact = ["*pin*", "ssn"]
oldest_warn_s = 60
failures_warn_per_hour = 200
clock_skew_warn_s = 2.5
sentinel_password = "file:mail/sentinel"

[profile.mail.tls]
enabled = true
check_hostname = false
server_name = "mail.internal"
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store("", data_dir=tmp_path / "data")


@pytest.fixture
def secrets_dir(tmp_path: Path) -> Path:
    (tmp_path / "secrets" / "mail").mkdir(parents=True)
    (tmp_path / "secrets" / "mail" / "sentinel").write_text("sentinel-hunter22\n")
    return tmp_path / "secrets"


@pytest.fixture
def profiles(store: Store, secrets_dir: Path) -> Profiles:
    return open_profiles(store, Settings(data_dir=store.data_dir, secrets_dir=secrets_dir), environ=ENVIRON)


@pytest.fixture
def provision(profiles: Profiles, tmp_path: Path) -> Callable[[str], Path]:
    """provision(text) starts rqdash, as it were, with a file of that text."""
    path = tmp_path / "profiles.toml"

    def _provision(text: str) -> Path:
        path.write_text(text)
        profiles.provision(path)
        return path

    return _provision


def mistakes(provision: Callable[[str], Path], text: str) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        provision(text)
    return raised.value.message.splitlines()[1:]


def test_every_field_of_the_file_arrives(profiles: Profiles, provision: Callable[[str], Path]) -> None:
    provision(ORDERS + GROUP)

    orders, mail = profiles.all()

    assert (orders.name, orders.host, orders.source, orders.updated_by) == ("orders", "10.0.0.1", Source.FILE, "profiles.toml")
    assert (orders.has_password, mail.has_password, mail.has_sentinel_password) == (True, False, True)
    stored = replace(mail, id="", version=0, endpoint_version=0, has_sentinel_password=False, updated_at=None, updated_by="")
    assert stored == Profile(
        "mail",
        Kind.SENTINEL,
        sentinels=(Node("10.0.0.1", 26379), Node("fd00::1", 26380), Node("s3", 26381)),
        master_name="mail",
        db=2,
        username="dash",
        sentinel_username="watcher",
        tls=Tls(enabled=True, check_hostname=False, server_name="mail.internal"),
        connect_timeout_s=2,
        read_timeout_s=1.5,
        worker_socket_timeout_s=500,
        prefix="shop",
        hue="teal",
        environment="prod",
        protected=True,
        read_only=True,
        enabled=False,
        notes="kept in git",
        arguments="described",
        redact=("*pin*", "ssn"),
        oldest_warn_s=60,
        failures_warn_per_hour=200,
        clock_skew_warn_s=2.5,
        source=Source.FILE,
        secret_refs=(("sentinel_password", "file:mail/sentinel"),),
    )


def test_secrets_are_read_where_they_are_and_stay_there(profiles: Profiles, provision: Callable[[str], Path], store: Store) -> None:
    provision(ORDERS + GROUP)

    found = [profiles.secrets(profile) for profile in profiles.all()]

    assert found == [Secrets("hunter22"), Secrets(sentinel_password="sentinel-hunter22")]
    with store.read() as session:
        assert session.scalars(select(SecretRow)).all() == []
    store.close()
    assert all(b"hunter" not in path.read_bytes() for path in store.data_dir.glob("rqdash.db*"))


def test_a_secret_that_is_exchanged_is_the_one_that_is_used(
    profiles: Profiles, provision: Callable[[str], Path], secrets_dir: Path
) -> None:
    provision(GROUP)
    (secrets_dir / "mail" / "sentinel").write_text("another")

    assert profiles.secrets(profiles.get("mail")).sentinel_password == "another"


def test_the_same_file_changes_nothing(profiles: Profiles, provision: Callable[[str], Path]) -> None:
    provision(ORDERS)
    before, stamp = profiles.all(), profiles.stamp()

    provision(ORDERS)

    assert (profiles.all(), profiles.stamp()) == (before, stamp)


def test_an_edited_file_is_an_edit_and_what_it_no_longer_holds_goes(profiles: Profiles, provision: Callable[[str], Path]) -> None:
    profiles.create(Profile("mine", host="10.0.0.9"), by="mira")
    provision(ORDERS + GROUP)
    before = profiles.get("orders")

    provision(ORDERS.replace("10.0.0.1", "10.0.0.2"))

    after = profiles.get("orders")
    assert profiles.names == ("mine", "orders")
    assert (after.id, after.host, after.version) == (before.id, "10.0.0.2", 2)
    assert after.endpoint_version > before.endpoint_version
    newest = profiles.revisions("orders")[0]
    assert (newest.verb, newest.changes) == ("provision", (("host", "10.0.0.1", "10.0.0.2"),))


def test_another_reference_is_another_endpoint_and_is_told_by_its_name(profiles: Profiles, provision: Callable[[str], Path]) -> None:
    provision(ORDERS)
    before = profiles.get("orders")

    provision(ORDERS.replace("SECRET_ORDERS", "SECRET_OTHER"))

    assert profiles.get("orders").endpoint_version > before.endpoint_version
    assert profiles.revisions("orders")[0].changes == (
        ("secret_refs", "password from env:RQDASH_SECRET_ORDERS", "password from env:RQDASH_SECRET_OTHER"),
    )


def test_without_a_file_what_came_from_one_goes(profiles: Profiles, provision: Callable[[str], Path]) -> None:
    profiles.create(Profile("mine", host="10.0.0.9"), by="mira")
    provision(ORDERS)

    profiles.provision(None)

    assert profiles.names == ("mine",)


def test_names_can_change_places_between_two_starts(profiles: Profiles, provision: Callable[[str], Path]) -> None:
    provision(ORDERS + GROUP)

    provision(ORDERS.replace("profile.orders", "profile.mail"))

    assert [(profile.name, profile.kind) for profile in profiles.all()] == [("mail", Kind.STANDALONE)]


LOCKED: dict[str, Callable[[Profiles], object]] = {
    "update": lambda profiles: profiles.update("orders", profiles.get("orders"), edits=SecretEdits(Set("x")), version=1, by="mira"),
    "disable": lambda profiles: profiles.disable("orders", by="mira"),
    "enable": lambda profiles: profiles.enable("orders", by="mira"),
    "delete": lambda profiles: profiles.delete("orders", version=1, by="mira"),
    "restore": lambda profiles: profiles.restore("orders", 1, version=1, by="mira"),
}


@pytest.mark.parametrize("edit", LOCKED.values(), ids=LOCKED.keys())
def test_people_cannot_change_what_a_file_says(
    profiles: Profiles, provision: Callable[[str], Path], edit: Callable[[Profiles], object]
) -> None:
    provision(ORDERS)
    before = profiles.get("orders")

    with pytest.raises(Conflict) as raised:
        edit(profiles)

    assert raised.value.code == "managed"
    assert "profiles.toml" in raised.value.message
    assert profiles.get("orders") == before


def test_a_copy_is_its_editor_s_and_has_no_secret_of_the_file(profiles: Profiles, provision: Callable[[str], Path]) -> None:
    provision(ORDERS)

    copy = profiles.duplicate("orders", "orders-2", by="mira")

    assert (copy.source, copy.secret_refs, copy.has_password, copy.enabled) == (Source.UI, (), False, False)
    assert profiles.enable("orders-2", by="mira").enabled


def test_nobody_can_make_a_profile_that_refers_to_secrets(profiles: Profiles) -> None:
    sly = Profile("sly", host="evil.example", source=Source.FILE, secret_refs=(("password", "env:RQDASH_SECRET_ORDERS"),))

    made = profiles.create(sly, by="mira")
    saved = profiles.update("sly", replace(sly, notes="x"), version=1, by="mira")
    drafted, secrets = profiles.draft(sly, edits=SecretEdits())

    assert {profile.secret_refs for profile in (made, saved, drafted)} == {()}
    assert (profiles.secrets(saved), secrets) == (Secrets(), Secrets())


def test_a_draft_over_a_provisioned_profile_gets_its_secrets_only_where_they_go(
    profiles: Profiles, provision: Callable[[str], Path]
) -> None:
    provision(ORDERS)
    orders = profiles.get("orders")

    _, secrets = profiles.draft(orders, edits=SecretEdits(), over="orders")
    with pytest.raises(Invalid) as raised:
        profiles.draft(replace(orders, host="evil.example"), edits=SecretEdits(), over="orders")

    assert secrets == Secrets("hunter22")
    assert raised.value.code == "secret_needed"


def test_every_mistake_is_named_at_once_with_its_place_and_no_value(profiles: Profiles, provision: Callable[[str], Path]) -> None:
    profiles.create(Profile("mine", host="10.0.0.9"), by="mira")
    text = """
[profile.mine]
[profile."Bad name"]
[profile.orders]
hots = "zq"
port = "zq"
db = true
kind = "zq"
protected = 1
sentinels = "zq"
password = "zq-secret"
sentinel_password = "env:RQDASH_SECRET_X"
tls = "zq"
[profile.mail]
host = "zq zq"
password = "env:HOME"
client_key = "file:../x"
[profile.mail.tls]
enabled = true
verfy = false
ca_pem = "zq"
[profile.keyless.tls]
enabled = true
client_cert_pem = '''PEM'''
[profiles.typo]
host = "zq"
"""

    whole = mistakes(provision, text)
    found = mistakes(provision, text.replace("[profiles.typo]", "[profile.typo]").replace("PEM", authority().pem))

    assert whole == ["profiles.toml profiles: there is no such table. Connections are tables [profile.NAME]."]
    assert [line.partition(": ")[0] for line in found] == [
        "profiles.toml [profile.mine] name",
        'profiles.toml [profile."Bad name"] name',
        *(f"profiles.toml [profile.orders] {name}" for name in ("hots", "port", "db", "kind", "protected", "sentinels", "tls")),
        "profiles.toml [profile.orders] password",
        "profiles.toml [profile.orders] sentinel_password",
        *(f"profiles.toml [profile.mail] {name}" for name in ("tls.verfy", "host", "tls.ca_pem", "password", "client_key")),
        "profiles.toml [profile.keyless] client_key",
    ]
    assert "did you mean host?" in "\n".join(found)
    assert not any("zq" in line for line in found)
    assert profiles.names == ("mine",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[profile.orders]\nhost = zq", "at line 2, column 8"),
        ("[profile.orders]\n[profile.orders]", "it is no TOML"),
        ("x = " + "[" * 5000, "it is no TOML"),
        ("profile = 1", "Connections are tables"),
        ("profile.orders = 1", "[profile.orders] (table): it is no table"),
        ("#" * (1024 * 1024 + 1), "over 1 MiB"),
        ("\n".join(f"[profile.p{number}]" for number in range(501)), "over 500"),
    ],
    ids=["unquoted", "twice", "deep", "no table", "no tables", "endless", "many"],
)
def test_a_file_that_cannot_be_read_says_where_and_why(provision: Callable[[str], Path], text: str, said: str) -> None:
    (line,) = mistakes(provision, text)

    assert line.startswith("profiles.toml")
    assert said in line
    assert "zq" not in line


def test_a_file_that_is_not_there_or_no_text_is_a_mistake_of_the_settings(profiles: Profiles, tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")

    for name in ("none.toml", "binary.toml"):
        with pytest.raises(SettingsError, match=name):
            profiles.provision(tmp_path / name)


@pytest.fixture
def references(secrets_dir: Path) -> References:
    return References(ENVIRON, ("RQDASH_SECRET_*",), secrets_dir)


def read(references: References, reference: str) -> str:
    profile = Profile("orders", source=Source.FILE, secret_refs=(("password", reference),))
    try:
        return references.secrets(profile).password or ""
    except Conflict as error:
        return f"{error.code}: {error.message}"


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("env:RQDASH_SECRET_NONE", "is not set"),
        ("env:RQDASH_SECRET_EMPTY", "is not set"),
        ("env:HOME", "RQDASH_SECRET_ENV does not allow"),
        ("hunter22", "is no reference"),
        ("file:none", "cannot be read"),
        ("file:mail", "plain file"),
        ("file:/etc/passwd", "is no reference"),
        ("file:../data/rqdash.db", "is no reference"),
        ("file:.hidden", "is no reference"),
        ("file:outside", "leads out of"),
        ("file:endless", "at most 4 KiB"),
        ("file:nothing", "is empty"),
        ("file:bytes", "UTF-8"),
        ("file:pipe", "plain file"),
    ],
)
def test_a_reference_that_leads_nowhere_or_too_far_gives_nothing(
    references: References, secrets_dir: Path, tmp_path: Path, reference: str, said: str
) -> None:
    (tmp_path / "outside").write_text("hunter33")
    (secrets_dir / "outside").symlink_to(tmp_path / "outside")
    (secrets_dir / "endless").write_text("x" * 4097)
    (secrets_dir / "nothing").write_text("\n")
    (secrets_dir / "bytes").write_bytes(b"\xff")
    os.mkfifo(secrets_dir / "pipe")

    answer = read(references, reference)

    assert answer.startswith("secret_missing: ")
    assert said in answer
    assert "hunter33" not in answer
    assert str(tmp_path) not in answer


def test_links_inside_the_directory_are_followed_and_one_newline_is_dropped(references: References, secrets_dir: Path) -> None:
    (secrets_dir / "real").write_text("x" * 4094 + "\n\n")
    (secrets_dir / "windows").write_bytes(b"hunter44\r\n")
    (secrets_dir / "linked").symlink_to("real")

    assert read(references, "file:linked") == "x" * 4094 + "\n"
    assert read(references, "file:windows") == "hunter44"
    assert read(references, "env:RQDASH_SECRET_ORDERS") == "hunter22"


def test_files_need_a_directory() -> None:
    assert "RQDASH_SECRETS_DIR is not set" in References().problem("file:x")


@pytest.fixture
def provisioned_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Site:
    """A site whose file holds one connection, to a server without a password, and another whose secret is missing."""
    path = tmp_path / "profiles.toml"
    path.write_text(f'[profile.live]\nhost = "127.0.0.1"\nport = {server.port}\n{ORDERS.replace("SECRET_ORDERS", "SECRET_NONE")}')
    monkeypatch.delenv("RQDASH_SECRET_NONE", raising=False)
    return site(tmp_path / "data", RQDASH_PROFILES_FILE=str(path))


def test_the_editor_shows_what_a_file_says_and_takes_nothing(provisioned_site: Site) -> None:
    browser = provisioned_site.sign_in()

    page = browser.get("/connections/live/edit").get_data(as_text=True)
    saved = browser.post("/connections/live/edit", {"name": "live", "kind": "standalone", "host": "evil.example", "version": "1"})
    api = provisioned_site.app.test_client().post("/api/v1/connections/live/disable", json={"version": 1}, headers=provisioned_site.token())

    assert "Locked: file profiles.toml." in page
    assert "<fieldset disabled>" in page
    assert ">Save<" not in page
    assert "Delete…" not in page
    assert saved.status_code == 409
    assert "profiles.toml" in saved.get_data(as_text=True)
    assert (api.status_code, api.json["code"]) == (409, "managed")


def test_a_locked_connection_can_be_tested(provisioned_site: Site) -> None:
    browser = provisioned_site.sign_in()

    answer = browser.post("/connections/test", {"profile": "live", "version": "1"})
    missing = browser.post("/connections/test", {"profile": "orders", "version": "1"})

    assert answer.status_code == 200
    assert "Sign in" in answer.get_data(as_text=True)
    assert missing.status_code == 409
    assert "env:RQDASH_SECRET_NONE, which is not set" in missing.get_data(as_text=True)


def test_pages_show_a_backend_whose_secret_is_missing(provisioned_site: Site) -> None:
    answer = provisioned_site.sign_in().get("/")

    assert answer.status_code == 200
    assert "orders" in answer.get_data(as_text=True)


def test_the_dashboard_does_not_start_with_mistakes_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "profiles.toml"
    path.write_text("[profile.orders]\nprt = 1\n")

    with pytest.raises(SettingsError, match="did you mean port"):
        create_app(Settings(data_dir=tmp_path / "data", profiles_file=path))
