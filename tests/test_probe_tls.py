"""What the live test says about TLS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rqdash.backends.probe import Status
from rqdash.backends.probe.expiry import Expiry, authority_days, client_days
from rqdash.model.profile import Profile, Secrets, Tls
from tests.probing import check, examined, failed, prepare, warned
from tests.secured import make_material, start_secured
from tests.tls import TlsServer, authority, start_tls_server


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    made = start_tls_server(tmp_path_factory.mktemp("tls"))
    prepare(made.server)
    yield made
    made.server.stop()


def secure(made: TlsServer, *, host: str = "localhost", port: int | None = None, **tls: object) -> Profile:
    settings = replace(Tls(enabled=True, ca_pem=made.authority.pem), **tls)  # type: ignore[arg-type]
    return Profile("mail", host=host, port=made.tls_port if port is None else port, tls=settings)


def test_tls_shows_its_version_and_when_the_certificates_expire(tls_server: TlsServer) -> None:
    report = examined(secure(tls_server))

    assert report.verdict is Status.OK
    assert check(report, "tls").found == "1.3, expires in 71 days (authority in 365 days)"


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
    assert check(report, "tls").found == "1.3, expires in 71 days (authority in 365 days)"


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    made = start_tls_server(tmp_path_factory.mktemp("mutual"), "--tls-auth-clients", "yes")
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def mutual_12(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    made = start_tls_server(tmp_path_factory.mktemp("mutual12"), "--tls-auth-clients", "yes", "--tls-protocols", "TLSv1.2")
    yield made
    made.server.stop()


def test_a_server_that_wants_a_certificate_of_the_client_is_understood(mutual: TlsServer) -> None:
    report = examined(secure(mutual), Secrets())

    assert failed(report) == {"tls": "tls_client_cert_needed"}


@pytest.mark.parametrize("which", ["mutual", "mutual_12"])
def test_a_client_s_certificate_opens_the_server_and_shows_its_end(which: str, request: pytest.FixtureRequest) -> None:
    made: TlsServer = request.getfixturevalue(which)
    certificate, key = made.authority.client(days=30)

    report = examined(secure(made, client_cert_pem=certificate), Secrets(client_key=key))

    assert failed(report) == {}
    assert check(report, "tls").found.endswith(", expires in 71 days (authority in 365 days, client in 30 days)")


@pytest.mark.parametrize("which", ["mutual", "mutual_12"])
def test_a_client_s_certificate_that_is_refused_is_named(which: str, request: pytest.FixtureRequest) -> None:
    made: TlsServer = request.getfixturevalue(which)
    faults = {"tls_client_refused": authority().client(), "tls_client_expired": made.authority.client(days=-2)}

    found = {
        code: failed(examined(secure(made, client_cert_pem=certificate), Secrets(client_key=key)))
        for code, (certificate, key) in faults.items()
    }

    assert found == {code: {"tls": code} for code in faults}


def test_a_key_that_does_not_fit_is_named(mutual: TlsServer) -> None:
    certificate, _ = mutual.authority.client()
    _, other = mutual.authority.client()

    report = examined(secure(mutual, client_cert_pem=certificate), Secrets(client_key=other))

    assert failed(report) == {"tls": "tls_bad_client_cert"}


def test_certificates_that_expire_within_two_weeks_are_warned_about(tmp_path: Path) -> None:
    soon, later = authority(days=13), authority(days=14)
    certificate, _ = later.client(days=13)
    cases = {
        "tls_expires_soon": Expiry(13, 1, 1),
        "tls_client_expires_soon": Expiry(14, 1, client_days(Tls(client_cert_pem=certificate), now=datetime.now(UTC))),
        "tls_ca_expires_soon": Expiry(14, authority_days(Tls(ca_pem=soon.pem), now=datetime.now(UTC)), 14),
    }

    found = {code: lasting.warning.code if lasting.warning else "" for code, lasting in cases.items()}

    assert found == {code: code for code in cases}
    assert Expiry(14, 14, None).warning is None
    assert Expiry().warning is None


def test_of_two_authorities_the_one_that_lasts_longer_counts() -> None:
    pem = authority(days=3).pem + authority(days=300).pem

    assert authority_days(Tls(ca_pem=pem), now=datetime.now(UTC)) == 300


def test_an_authority_that_has_expired_is_named(tmp_path: Path) -> None:
    made = start_tls_server(tmp_path, made=authority(days=-2))

    report = examined(secure(made))
    made.server.stop()

    assert failed(report) == {"tls": "tls_ca_expired"}


def test_the_server_name_is_what_the_certificate_must_name(tls_server: TlsServer) -> None:
    right, wrong = (examined(secure(tls_server, host="127.0.0.1", server_name=name)) for name in ("localhost", "other.internal"))

    assert failed(right) == {}
    assert check(wrong, "tls").cause == "The server's certificate is not made out to other.internal."


def test_sentinels_and_servers_that_ask_for_certificates_are_examined_with_each_one_s_own(tmp_path: Path) -> None:
    material = make_material(tmp_path / "material")
    group = start_secured(tmp_path, material=material)
    data, data_key = material.authority.client(days=40)
    watch, watch_key = material.authority.client(days=9, password="open sesame")
    profile, secrets = group.profile("orders")
    profile = replace(
        profile, tls=replace(profile.tls, client_cert_pem=data), sentinel_tls=replace(profile.sentinel_tls, client_cert_pem=watch)
    )
    secrets = replace(secrets, client_key=data_key, sentinel_client_key=watch_key, sentinel_client_key_password="open sesame")

    good, without = examined(profile, secrets), examined(profile, replace(secrets, sentinel_client_key_password=None))
    group.stop()

    assert failed(good) == {}
    assert check(good, "tls").code == "tls_client_expires_soon"
    assert check(without, "tls").code == "tls_bad_client_cert"
