"""The rqdash command: what it does, and that every mistake is a sentence and an exit code, never a traceback."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rqdash.access.access import Access, open_access
from rqdash.cli import main
from rqdash.cli.serve import gunicorn
from rqdash.demo.servers import free_port
from rqdash.model.caller import Role
from rqdash.settings import Settings
from rqdash.store import connect, open_store

PASSWORD = "paper lantern orbit"
Run = Callable[..., Result]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(data_dir: Path) -> Run:
    """run("user", "list", stdin=…, RQDASH_PORT=…) runs a command on a data directory of its own."""

    def _run(*arguments: str, stdin: str = "", **environ: str) -> Result:
        kept = {name: None for name in os.environ if name.startswith("RQDASH_")}
        return CliRunner().invoke(main, arguments, input=stdin, env={**kept, "RQDASH_DATA_DIR": str(data_dir), **environ})

    return _run


@pytest.fixture
def access(data_dir: Path) -> Access:
    return open_access(open_store("", data_dir=data_dir), Settings(data_dir=data_dir))


def is_a_sentence(result: Result) -> bool:
    return (
        result.exit_code == 1 and result.stdout == "" and len(result.stderr.splitlines()) == 1 and result.exception.__class__ is SystemExit
    )


def test_a_first_admin_is_made_and_can_sign_in(run: Run, access: Access) -> None:
    made = run("user", "add", "ada", "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")

    account = access.accounts.verify("ada", PASSWORD)
    assert made.exit_code == 0
    assert account is not None
    assert (account.role, account.grants) == (Role.ADMIN, ("*",))


def test_a_password_is_asked_for_twice_and_never_shown(run: Run, access: Access) -> None:
    made = run("user", "add", "ada", "--role", "viewer", stdin=f"{PASSWORD}\n{PASSWORD}\n")

    assert made.exit_code == 0
    assert PASSWORD not in made.output
    assert access.accounts.verify("ada", PASSWORD)


def test_accounts_are_listed_with_role_and_backends(run: Run) -> None:
    run("user", "add", "ada", "--role", "operator", "--backends", "mail", "--backends", "staging-*", "--password-stdin", stdin=PASSWORD)

    listed = run("user", "list")

    assert listed.stdout.splitlines()[1].split() == ["ada", "operator", "mail", "staging-*"]


def test_a_grant_may_name_a_role_of_its_own(run: Run, access: Access) -> None:
    made = run("user", "add", "ada", "--grant", "operator:orders-*", "--grant", "viewer:env:prod", "--password-stdin", stdin=PASSWORD)
    token = run("token", "add", "ci", "--role", "operator", "--grant", "orders-*", "--grant", "viewer:env:prod")

    account, caller = access.accounts.get("ada"), access.tokens.caller(token.stdout.strip(), datetime.now(UTC))
    assert made.exit_code == 0
    assert (account.role, account.grants) == (Role.VIEWER, ("operator:orders-*", "viewer:env:prod"))
    assert caller is not None
    assert [caller.role_on(name) for name in ("orders-1", "mail")] == [Role.OPERATOR, None]
    assert access.audit.entries()[1].values == {"name": "ada", "role": "viewer", "grants": "operator:orders-*, viewer:env:prod"}


def test_a_new_password_replaces_the_old_one(run: Run, access: Access) -> None:
    access.accounts.add("ada", role=Role.VIEWER, password=PASSWORD)

    changed = run("user", "password", "ada", "--password-stdin", stdin="another long phrase")

    assert changed.exit_code == 0
    assert access.accounts.verify("ada", PASSWORD) is None
    assert access.accounts.verify("ada", "another long phrase")


def test_a_disabled_account_cannot_sign_in_until_it_is_enabled(run: Run, access: Access) -> None:
    access.accounts.add("ada", role=Role.VIEWER, password=PASSWORD)

    run("user", "disable", "ada")
    refused = access.accounts.verify("ada", PASSWORD)
    run("user", "enable", "ada")

    assert refused is None
    assert access.accounts.verify("ada", PASSWORD)


def test_a_token_is_printed_once_alone_on_stdout_and_is_good_for_what_it_says(run: Run, access: Access) -> None:
    made = run("token", "add", "ci", "--role", "viewer", "--backends", "staging-*")

    caller = access.tokens.caller(made.stdout.strip(), datetime.now(UTC))
    assert caller is not None
    assert (caller.role, caller.grants) == (Role.VIEWER, ("staging-*",))
    assert made.stdout.strip() not in run("token", "list").output


def test_a_revoked_token_is_good_for_nothing(run: Run, access: Access) -> None:
    raw = run("token", "add", "ci", "--role", "viewer").stdout.strip()

    revoked = run("token", "revoke", "ci")

    assert revoked.exit_code == 0
    assert access.tokens.caller(raw, datetime.now(UTC)) is None


def test_a_link_signs_in_once_and_makes_the_first_admin_of_an_empty_dashboard(run: Run, access: Access) -> None:
    printed = run("link", "ada", "--url", "https://rq.example.com/dash/")

    address, _, raw = printed.stdout.strip().partition("?token=")
    account = access.links.redeem(raw, datetime.now(UTC))
    assert address == "https://rq.example.com/dash/sign-in/link"
    assert (account.name, account.role) == ("ada", Role.ADMIN)


def test_a_link_for_a_name_nobody_has_is_refused_once_there_are_accounts(run: Run, access: Access) -> None:
    access.accounts.add("ada", role=Role.ADMIN, password=PASSWORD)

    assert is_a_sentence(run("link", "adda"))


def test_what_a_command_changes_is_in_the_audit_log(run: Run, access: Access) -> None:
    run("user", "add", "ada", "--role", "admin", "--password-stdin", stdin=PASSWORD)

    entry = access.audit.entries()[0]
    assert (entry.kind, entry.verb, entry.status, entry.values) == ("command line", "add account", "done", {"name": "ada", "role": "admin"})


def test_upgrading_a_database_that_is_up_to_date_says_so(run: Run, access: Access) -> None:
    upgraded = run("db", "upgrade")

    assert upgraded.exit_code == 0
    assert "already" in upgraded.stdout


def test_upgrading_makes_the_tables_of_an_empty_database(run: Run, data_dir: Path) -> None:
    connect("", data_dir=data_dir).close()

    upgraded = run("db", "upgrade")

    assert upgraded.exit_code == 0
    assert run("user", "list").exit_code == 0


def test_keys_are_made_once(run: Run, data_dir: Path) -> None:
    run("keys", "make")
    made = {path.name: path.read_bytes() for path in (data_dir / "keys").iterdir()}

    run("keys", "make")

    assert made
    assert {path.name: path.read_bytes() for path in (data_dir / "keys").iterdir()} == made


@pytest.mark.parametrize(
    "arguments",
    [
        ("user", "password", "nobody", "--password-stdin"),
        ("user", "disable", "nobody"),
        ("user", "add", "two words", "--role", "viewer", "--password-stdin"),
        ("token", "add", "ci", "--role", "viewer", "--backends", "NOT A GLOB"),
        ("user", "add", "ada", "--grant", "orders-*", "--password-stdin"),
        ("token", "revoke", "nothing"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(run: Run, arguments: tuple[str, ...]) -> None:
    refused = run(*arguments, stdin=PASSWORD)

    assert is_a_sentence(refused), refused.output


def test_a_wrong_setting_is_named_and_its_value_is_not(run: Run) -> None:
    refused = run("user", "list", RQDASH_PORT="hunter2")

    assert refused.exit_code == 1
    assert "RQDASH_PORT" in refused.stderr
    assert "hunter2" not in refused.stderr


def test_a_mistyped_command_exits_with_two(run: Run) -> None:
    refused = run("user", "add", "ada", "--role", "boss")

    assert refused.exit_code == 2
    assert "Traceback" not in refused.output


def test_serving_on_a_taken_port_says_which_setting_to_change(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("serve", RQDASH_PORT=str(taken.getsockname()[1]))

    assert refused.exit_code == 1
    assert "RQDASH_PORT" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_demo_on_a_taken_port_says_which_option_to_give(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("demo", "--port", str(taken.getsockname()[1]), "--data-dir", str(tmp_path / "demo"))

    assert is_a_sentence(refused)
    assert "--port" in refused.stderr


def test_the_demo_in_a_directory_it_cannot_write_says_which_option_to_give(run: Run, tmp_path: Path) -> None:
    # A file where a directory should be: root may write anywhere else.
    (tmp_path / "file").touch()

    refused = run("demo", "--port", str(free_port()), "--data-dir", str(tmp_path / "file" / "demo"))

    assert is_a_sentence(refused)
    assert "--data-dir" in refused.stderr


def test_serving_uses_threads_and_opens_no_control_socket(data_dir: Path) -> None:
    command = gunicorn(Settings(data_dir=data_dir, host="::1", port=8080, processes=3, threads=5))

    options = dict(zip(command[3::2], command[4::2], strict=False))
    assert (options["--bind"], options["--worker-class"], options["--workers"], options["--threads"]) == ("[::1]:8080", "gthread", "3", "5")
    assert "--no-control-socket" in command
