"""What the live test says about TLS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rqdash.backends.probe import Status
from rqdash.model.profile import Profile, Secrets, Tls
from tests.probing import check, examined, failed, prepare, warned
from tests.tls import TlsServer, start_tls_server


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    made = start_tls_server(tmp_path_factory.mktemp("tls"))
    prepare(made.server)
    yield made
    made.server.stop()


def secure(made: TlsServer, *, host: str = "localhost", port: int | None = None, **tls: object) -> Profile:
    settings = replace(Tls(enabled=True, ca_pem=made.authority.pem), **tls)  # type: ignore[arg-type]
    return Profile("mail", host=host, port=made.tls_port if port is None else port, tls=settings)


def test_tls_shows_its_version_and_when_the_certificate_expires(tls_server: TlsServer) -> None:
    report = examined(secure(tls_server))

    assert report.verdict is Status.OK
    assert check(report, "tls").found == "1.3, expires in 71 days"


def test_every_fault_of_tls_has_its_own_words(tls_server: TlsServer) -> None:
    faults = {
        "tls_unknown_ca": secure(tls_server, ca_pem=""),
        "tls_name": secure(tls_server, host="127.0.0.1"),
        "tls_not_offered": secure(tls_server, port=tls_server.server.port),
        "tls_expected": replace(secure(tls_server), tls=Tls()),
        "tls_bad_ca": secure(tls_server, ca_pem="not a certificate"),
    }

    found = {code: failed(examined(profile)) for code, profile in faults.items()}

    assert found == {code: {"tls": code} for code in faults}


def test_an_unverified_certificate_is_warned_about(tls_server: TlsServer) -> None:
    report = examined(secure(tls_server, host="127.0.0.1", verify=False))

    assert warned(report) == {"tls": "tls_unverified"}
    assert check(report, "tls").found == "1.3, expires in 71 days"


def test_a_server_that_wants_a_certificate_of_the_client_is_understood(tmp_path: Path) -> None:
    made = start_tls_server(tmp_path, "--tls-auth-clients", "yes")

    report = examined(secure(made), Secrets())
    made.server.stop()

    assert failed(report) == {"tls": "tls_client_cert_needed"}
