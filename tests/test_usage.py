"""What the page "use elsewhere" offers works: RQ's own commands, a Python producer and redis-cli, run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from rqdash.demo.servers import HOST, Server, free_port, start_server
from rqdash.model.profile import Kind, Node, Profile, Tls
from rqdash.profiles import command_lines, usage
from rqdash.profiles.readers.read import read_file, same_connection
from rqdash.profiles.readers.values import Outcome
from tests.tls import start_tls_server

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 60
DATA, SENTINEL = "p@ss/w{or}d #1", "s3ntinel's $own"
"""Letters that a URL, an f-string or a shell would take for its own."""


@dataclass
class Place:
    """Servers that run, the profile that reaches them, and what must be in the environment for it."""

    profile: Profile
    environment: Mapping[str, str] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)
    directory: Path = Path()


Make = Callable[[Path], Place]


def with_password(directory: Path) -> Place:
    server = start_server(directory, arguments=("--requirepass", DATA))
    return Place(Profile("mail", host=HOST, port=server.port, db=3, has_password=True), {"MAIL_PASSWORD": DATA}, [server])


def with_user_and_prefix(directory: Path) -> Place:
    server = start_server(directory)
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "worker", "on", f">{DATA}", "~*", "&*", "+@all")
        client.execute_command("ACL", "SETUSER", "default", "off")
    profile = Profile("mail-2", host=HOST, port=server.port, username="worker", prefix="shop:rq", has_password=True)
    return Place(profile, {"MAIL_2_PASSWORD": DATA}, [server])


def by_socket(directory: Path) -> Place:
    path = directory / "near.sock"
    server = start_server(directory, arguments=("--unixsocket", str(path), "--requirepass", DATA))
    return Place(Profile("near", kind=Kind.UNIX, unix_path=str(path), db=2, has_password=True), {"NEAR_PASSWORD": DATA}, [server])


def by_sentinel(directory: Path) -> Place:
    """A password for the data server, another for the Sentinel."""
    server = start_server(directory, arguments=("--requirepass", DATA, "--masterauth", DATA))
    lines = [f"bind {HOST}", f'dir "{directory}"', f"sentinel monitor orders {HOST} {server.port} 1", f'sentinel auth-pass orders "{DATA}"']
    port = free_port()
    (directory / f"sentinel-{port}.conf").write_text("\n".join([f"port {port}", f'requirepass "{SENTINEL}"', *lines, ""]))
    sentinel = Server(directory, port, is_sentinel=True, password=SENTINEL).start()
    profile = Profile("orders", kind=Kind.SENTINEL, sentinels=(Node(HOST, port),), master_name="orders", db=1, has_password=True)
    environment = {"ORDERS_PASSWORD": DATA, "ORDERS_SENTINEL_PASSWORD": SENTINEL}
    return Place(replace(profile, has_sentinel_password=True), environment, [sentinel, server])


def by_tls(directory: Path) -> Place:
    made = start_tls_server(directory, "--requirepass", DATA)
    tls = Tls(enabled=True, ca_pem=made.authority.pem)
    return Place(Profile("safe", host="localhost", port=made.tls_port, tls=tls, has_password=True), {"SAFE_PASSWORD": DATA}, [made.server])


def by_client_certificate(directory: Path) -> Place:
    made = start_tls_server(directory / "server", "--tls-auth-clients", "yes")
    (directory / "client").mkdir()
    certificate, key = made.authority.issue(directory / "client", names=("client",))
    tls = Tls(enabled=True, ca_pem=made.authority.pem, client_cert_pem=certificate.read_text())
    environment = {"MUTUAL_CERT_FILE": str(certificate), "MUTUAL_KEY_FILE": str(key)}
    return Place(Profile("mutual", host="localhost", port=made.tls_port, tls=tls, has_client_key=True), environment, [made.server])


@pytest.fixture(scope="module", params=[with_password, with_user_and_prefix, by_socket, by_sentinel, by_tls, by_client_certificate])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("place")
    made: Place = request.param(directory)
    profile = made.profile
    (directory / f"{usage.module_name(profile)}.py").write_text(usage.settings_module(profile))
    (directory / command_lines.authorities_file(profile)).write_text(usage.authorities(profile.tls))
    made.directory = directory
    yield made
    for server in made.servers:
        server.stop()


def run(place: Place, *words: str) -> str:
    """What a command prints that succeeds, where the settings file lies, with nothing of ours in the environment but the variables."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(place.directory), **place.environment}
    if place.profile.prefix != "rq":
        environment["RQ_KEY_PREFIX"] = place.profile.prefix
    done = subprocess.run(words, cwd=place.directory, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_job_enqueued_by_the_snippet_is_worked_by_rq_worker_with_the_settings_file(place: Place) -> None:
    profile = place.profile
    run(place, sys.executable, "-c", f'{usage.python_snippet(profile)}queue.enqueue("tests.tasks.count", "runs")')
    waiting = run(place, "sh", "-c", command_lines.rq_info(profile))

    run(place, "sh", "-c", f"{command_lines.rq_worker(profile).rstrip()} --burst")

    assert "default" in waiting
    assert "1 jobs total" in waiting
    assert run(place, "sh", "-c", f"{command_lines.redis_cli(profile).rstrip()} GET runs").strip() == "1"


def test_the_variables_named_are_those_that_are_needed(place: Place) -> None:
    named = {variable.name for variable in usage.variables(place.profile)}

    assert named == set(place.environment)


def test_rq_takes_nothing_of_a_settings_file_but_the_setting(place: Place) -> None:
    names = run(
        place,
        sys.executable,
        "-c",
        f"import {usage.module_name(place.profile)} as found; print(*[name for name in vars(found) if name.isupper()])",
    )

    assert names.split() == ["SENTINEL" if place.profile.kind is Kind.SENTINEL else "REDIS_URL"]


def test_an_rq_settings_file_imports_as_the_connection_it_was_made_from_with_its_secrets_to_be_filled_in(place: Place) -> None:
    profile = place.profile

    reading = read_file(f"{usage.module_name(profile)}.py", usage.settings_module(profile).encode())

    (candidate,) = reading.candidates
    assert reading.outcome is Outcome.ACCEPT
    assert same_connection(replace(candidate.profile, prefix=profile.prefix), profile)
    assert [found.strip() for found in (candidate.profile.tls.ca_pem, profile.tls.ca_pem)] == [profile.tls.ca_pem.strip()] * 2
    assert replace(candidate.profile.tls, ca_pem="", client_cert_pem="") == replace(profile.tls, ca_pem="", client_cert_pem="")
    passwords = {name for name in place.environment if name.endswith("PASSWORD")}
    assert {need.name for need in candidate.needs if need.is_secret} >= passwords


HOSTILE = Profile(
    "odd",
    kind=Kind.SENTINEL,
    sentinels=(Node("s", 1),),
    master_name='m"; import os; os.abort() #',
    username="$(reboot)",
    tls=Tls(enabled=True, ca_pem='-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"""\nraise SystemExit("ran")\n"""\n'),
)


def test_texts_of_a_profile_are_only_ever_data() -> None:
    found: dict[str, object] = {}
    exec(usage.settings_module(HOSTILE), found)
    arguments = command_lines.redis_cli(HOSTILE)

    assert isinstance(found["SENTINEL"], dict)
    assert found["SENTINEL"]["MASTER_NAME"] == HOSTILE.master_name
    assert found["authorities"] == "\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    assert "--user '$(reboot)'" in arguments


def test_a_name_that_begins_with_a_digit_is_a_variable_all_the_same() -> None:
    profile = Profile("2-eu", has_password=True)

    assert [variable.name for variable in usage.variables(profile)] == ["RQ_2_EU_PASSWORD"]
    assert usage.module_name(profile) == "rq_2_eu"


def test_weaker_checks_of_certificates_are_said_as_they_are() -> None:
    unchecked = Profile("far", host="far.example", tls=Tls(enabled=True, verify=False))
    unnamed = Profile("far", host="far.example", tls=Tls(enabled=True, check_hostname=False), worker_socket_timeout_s=500)

    assert usage.settings_module(unchecked) == 'REDIS_URL = "rediss://far.example:6379/0?ssl_cert_reqs=none&ssl_check_hostname=False"\n'
    assert usage.settings_module(unnamed) == 'REDIS_URL = "rediss://far.example:6379/0?ssl_check_hostname=False&socket_timeout=500"\n'
    assert "ssl_check_hostname=False" in usage.python_snippet(unnamed)
    assert "--insecure" in command_lines.redis_cli(unchecked)
