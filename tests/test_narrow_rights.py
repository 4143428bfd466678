"""A Redis user whose rights end half way: the action says so before it has taken the job out of where it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rqdash.actions import delete, requeue
from rqdash.backends.backend import Backend
from rqdash.demo.servers import HOST, Server
from rqdash.errors import BackendError
from rqdash.model.profile import Profile
from rqdash.model.registry import Registry
from rqdash.profiles.registry import open_profiles
from rqdash.store import open_store
from tests.actors import Witness, write_job
from tests.conftest import backend_of
from tests.site import site

NARROW = ("on", ">narrow", "+@all", "~rq:failed:*", "~rq:queues", "~rq:queue:*", "%R~*")


@pytest.mark.parametrize("action", [requeue, delete])
def test_a_user_who_may_not_write_jobs_takes_none_out_of_its_registry(start: Callable[..., Server], action: Callable[..., object]) -> None:
    server = start()
    with server.client() as client:
        write_job(client, "a-job", status="failed")
        client.zadd("rq:failed:mail", {"a-job": -1})
        client.execute_command("ACL", "SETUSER", "narrow", *NARROW)
        narrow: Backend = backend_of(replace(server, password="narrow"), username="narrow")

        with pytest.raises(BackendError):
            action(narrow, Witness(), queue="mail", registry=Registry.FAILED, ids=["a-job"])

        assert client.zscore("rq:failed:mail", "a-job") == -1
        assert client.hget("rq:job:a-job", "status") == b"failed"
        narrow.close()


def test_an_edit_by_json_leaves_the_fields_it_does_not_name_as_they_are(tmp_path: Path) -> None:
    place = site(tmp_path)
    profiles = open_profiles(open_store("", data_dir=tmp_path), place.settings)
    stored = profiles.create(Profile("orders", host=HOST, protected=True, read_only=True, notes="the shop"), by="mira")
    body = {"environment": "prod", "version": stored.version}

    response = place.stranger().post("/api/v1/connections/orders/edit", json=body, headers=place.token("admin"))

    edited = profiles.get("orders")
    assert response.status_code == 200
    assert edited == replace(
        stored,
        environment="prod",
        version=edited.version,
        endpoint_version=edited.endpoint_version,
        updated_at=edited.updated_at,
        updated_by=edited.updated_by,
    )


def test_a_connection_made_by_json_checks_certificates_unless_told_not_to(tmp_path: Path) -> None:
    place = site(tmp_path)
    body = {"name": "orders", "host": "10.0.0.1", "tls": True}

    response = place.stranger().post("/api/v1/connections/new", json=body, headers=place.token("admin"))

    made = open_profiles(open_store("", data_dir=tmp_path), place.settings).get("orders")
    assert response.status_code == 200
    assert (made.tls.enabled, made.tls.verify, made.tls.check_hostname, made.enabled) == (True, True, True, True)
