"""Settings: defaults that are safe, mistakes named together, values never repeated, and the table in docs that agrees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rqdash.errors import SettingsError
from rqdash.parsers import is_target
from rqdash.settings import VARIABLES, Settings, settings

DOCS = Path(__file__).parent.parent / "docs" / "settings.md"
HOME = {"HOME": "/home/mira"}


def test_an_empty_environment_gives_the_defaults_of_the_dataclass() -> None:
    found = settings({"XDG_DATA_HOME": "/data"})

    assert found == Settings(data_dir=Path("/data/rqdash"))


def test_the_default_data_directory_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")

    assert settings(HOME).data_dir == Path("/home/mira/.local/share/rqdash")


def test_the_default_data_directory_on_macos_is_application_support(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")

    assert settings(HOME).data_dir == Path("/home/mira/Library/Application Support/rqdash")


def test_every_variable_is_read() -> None:
    environ = {
        "RQDASH_DATA_DIR": "/srv/rqdash",
        "RQDASH_DATABASE_URL": "postgresql://rqdash@db/rqdash",
        "RQDASH_HOST": "::1",
        "RQDASH_PORT": "9000",
        "RQDASH_PROCESSES": "4",
        "RQDASH_THREADS": "16",
        "RQDASH_SESSION_IDLE": "30m",
        "RQDASH_SESSION_ABSOLUTE": "1d",
        "RQDASH_SECURE_COOKIES": "ON",
        "RQDASH_ALLOWED_TARGETS": "10.0.0.0/8:6379, *.prod.internal:6379-6390, [fd00::/8]:6379,",
        "RQDASH_UNIX_SOCKET_DIRS": "/srv/sockets",
        "RQDASH_PROFILES_FILE": "/etc/rqdash/profiles.toml",
        "RQDASH_SECRET_ENV": "RQDASH_SECRET_*, ORDERS_PASSWORD",
        "RQDASH_SECRETS_DIR": "/run/secrets",
        "RQDASH_TRUSTED_PROXIES": "1",
        "RQDASH_TRUSTED_HOSTS": "rq.example.org,.example.net",
        "RQDASH_READ_DEADLINE": "1.5",
        "RQDASH_ACTIVITY_KEEP": "30d",
        "RQDASH_BACKGROUND": "off",
        "RQDASH_LOG_LEVEL": "debug",
    }

    found = settings(environ)

    assert set(environ) == {variable.name for variable in VARIABLES}
    assert found == Settings(
        data_dir=Path("/srv/rqdash"),
        database_url="postgresql://rqdash@db/rqdash",
        host="::1",
        port=9000,
        processes=4,
        threads=16,
        session_idle_s=1800,
        session_absolute_s=86400,
        secure_cookies="on",
        allowed_targets=("10.0.0.0/8:6379", "*.prod.internal:6379-6390", "[fd00::/8]:6379"),
        unix_socket_dirs=("/srv/sockets",),
        profiles_file=Path("/etc/rqdash/profiles.toml"),
        secret_env=("RQDASH_SECRET_*", "ORDERS_PASSWORD"),
        secrets_dir=Path("/run/secrets"),
        trusted_proxies=1,
        trusted_hosts=("rq.example.org", ".example.net"),
        read_deadline_s=1.5,
        activity_keep_s=30 * 86400,
        background="off",
        log_level="DEBUG",
    )


def test_every_mistake_is_named_at_once_and_no_value_is_repeated() -> None:
    wrong = {
        "RQDASH_DATA_DIR": "zq-relative",
        "RQDASH_DATABASE_URL": "mysql://root:zq-secret@db/x",
        "RQDASH_HOST": "zq a",
        "RQDASH_PORT": "zq",
        "RQDASH_SESSION_IDLE": "zq",
        "RQDASH_SECURE_COOKIES": "zq",
        "RQDASH_ALLOWED_TARGETS": "10.0.0.0/8,zq/zq",
        "RQDASH_UNIX_SOCKET_DIRS": "zq",
        "RQDASH_TRUSTED_HOSTS": "zq/",
        "RQDASH_READ_DEADLINE": "zq",
        "RQDASH_LOG_LEVEL": "zq",
    }

    with pytest.raises(SettingsError) as raised:
        settings({**HOME, **wrong})

    assert all(f"{name}: " in raised.value.message for name in wrong)
    assert "zq" not in raised.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RQDASH_PORT", "0"),
        ("RQDASH_PORT", "65536"),
        ("RQDASH_PORT", "٣"),
        ("RQDASH_PROCESSES", "0"),
        ("RQDASH_READ_DEADLINE", "nan"),
        ("RQDASH_READ_DEADLINE", "0.1"),
        ("RQDASH_SESSION_IDLE", "8d"),
        ("RQDASH_SESSION_IDLE", "0h"),
        ("RQDASH_UNIX_SOCKET_DIRS", "/run/../etc"),
        ("RQDASH_DATABASE_URL", "sqlite://"),
        ("RQDASH_SECRET_ENV", "*"),
        ("RQDASH_SECRETS_DIR", "secrets"),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        settings({**HOME, name: value})


def test_a_misspelt_variable_is_named_with_the_right_one() -> None:
    with pytest.raises(SettingsError, match="RQDASH_TRUSTED_PROXY: there is no such setting; did you mean RQDASH_TRUSTED_PROXIES"):
        settings({**HOME, "RQDASH_TRUSTED_PROXY": "1"})


def test_variables_of_other_programs_are_left_alone() -> None:
    found = settings({**HOME, "RQDASH_REQUIRE_ALL": "1", "RQDASH_BACKUP_BUCKET": "b", "RQDASH_SECRET_ENG": "s"})

    assert found.port == 8000


def test_a_database_url_is_not_in_the_repr() -> None:
    found = settings({**HOME, "RQDASH_DATABASE_URL": "postgresql://rqdash:hunter22@db/rqdash"})

    assert "hunter22" not in repr(found)


@pytest.mark.parametrize("item", ["10.1.2.3", "10.0.0.0/8", "fd00::/8", "[::1]:6379", "redis-?.internal", "*:6379", "10.0.0.1:1-65535"])
def test_targets_may_be_addresses_networks_and_globs_with_ports(item: str) -> None:
    assert is_target(item)


@pytest.mark.parametrize("item", ["", "a b", "host:", "host:0", "host:9-8", "host:70000", "10.0.0.0/99", "[nope]:1", "a/b", "redis://h"])
def test_other_texts_are_no_targets(item: str) -> None:
    assert not is_target(item)


def test_the_table_in_docs_says_what_the_code_does() -> None:
    rows = re.findall(r"^\| `(RQDASH_\w+)` \| (?:`([^`]*)`|\(unset\)) \| (.*) \|$", DOCS.read_text(), re.MULTILINE)

    assert rows == [(variable.name, variable.default, variable.meaning) for variable in VARIABLES]
