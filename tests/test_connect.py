"""The client factory: what its clients send, refuse, hide and close."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import redis
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from rqdash.backends.connect import connect
from rqdash.backends.policy import TargetPolicy
from rqdash.backends.tls import TlsContext
from rqdash.demo.servers import Server, free_port
from rqdash.errors import Refused
from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls
from tests.processes import wait_until
from tests.tls import TlsServer, start_tls_server

ANYWHERE = TargetPolicy()
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    made = start_tls_server(tmp_path_factory.mktemp("tls"))
    yield made
    made.server.stop()


def test_a_client_speaks_to_its_database_and_answers_bytes(server: Server, redis_client: redis.Redis) -> None:
    profile = Profile("mail", host="127.0.0.1", port=server.port, db=3)

    with connect(profile, Secrets(), policy=ANYWHERE, writes=True) as client:
        client.set("greeting", "hello")

        assert client.get("greeting") == b"hello"
    assert redis_client.exists("greeting") == 0


@pytest.mark.parametrize("kind", list(Kind))
def test_building_a_client_does_no_io(kind: Kind) -> None:
    nobody = Node("no-such-host.invalid", 1)
    profile = Profile("mail", kind=kind, host=nobody.host, unix_path="/nowhere", sentinels=(nobody,), master_name="mail")

    client = connect(profile, Secrets(PASSWORD), policy=TargetPolicy(allowed=("10.0.0.0/8",)), writes=False)

    assert client.connection_pool.get_connection_count()[0][0] == 0


def test_the_server_sees_who_is_connected(server: Server, redis_client: redis.Redis) -> None:
    profile = Profile("mail", host="127.0.0.1", port=server.port)

    with (
        connect(profile, Secrets(), policy=ANYWHERE, writes=False) as reader,
        connect(profile, Secrets(), policy=ANYWHERE, writes=True) as writer,
    ):
        reader.ping()
        writer.ping()
        names = {client["name"]: client["lib-name"] for client in redis_client.client_list()}

    assert names["rqdash-read"] == "rqdash"
    assert names["rqdash-write"] == "rqdash"


def test_a_user_who_may_not_name_connections_still_connects(start: Callable[..., Server]) -> None:
    server = start()
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "plain", "on", f">{PASSWORD}", "~rq:*", "+@read")
    profile = Profile("mail", host="127.0.0.1", port=server.port, username="plain")

    with connect(profile, Secrets(PASSWORD), policy=ANYWHERE, writes=False) as client:
        assert client.get("rq:x") is None


@pytest.mark.parametrize("how", ["close", "drop"])
def test_closing_or_dropping_a_client_closes_its_connections(server: Server, redis_client: redis.Redis, how: str) -> None:
    client = connect(Profile("mail", host="127.0.0.1", port=server.port), Secrets(), policy=ANYWHERE, writes=False)
    client.ping()

    if how == "close":
        client.close()
    del client
    gc.collect()

    assert wait_until(lambda: "rqdash-read" not in {seen["name"] for seen in redis_client.client_list()})


def test_a_password_is_sent_once_and_is_in_no_text(start: Callable[..., Server]) -> None:
    server = start()
    with server.client() as admin:
        admin.config_set("requirepass", PASSWORD)
    server.password = PASSWORD
    profile = Profile("mail", host="127.0.0.1", port=server.port)
    wrong = connect(profile, Secrets("not the password"), policy=ANYWHERE, writes=False)

    with closing(wrong), pytest.raises(AuthenticationError):
        wrong.get("rq:x")

    with server.client() as admin:
        assert [entry["count"] for entry in admin.acl_log()] == [1]
    client = connect(profile, Secrets(PASSWORD), policy=ANYWHERE, writes=False)
    assert client.ping()
    assert PASSWORD not in f"{client!r} {client.connection_pool!r} {client.connection_pool.connection_kwargs!r} {Secrets(PASSWORD)!r}"
    client.close()


def test_nothing_is_tried_twice() -> None:
    with listening() as (port, seen):
        profile = Profile("mail", host="127.0.0.1", port=port, read_timeout_s=0.2)
        client = connect(profile, Secrets(), policy=ANYWHERE, writes=True)

        with closing(client), pytest.raises(RedisTimeoutError):
            client.rpush("rq:queue:mail", "x")

    assert seen == ["connection"]


def test_a_port_that_nobody_listens_on_is_an_error_of_redis_py() -> None:
    client = connect(Profile("mail", host="localhost", port=free_port()), Secrets(), policy=ANYWHERE, writes=False)

    with closing(client), pytest.raises(RedisConnectionError):
        client.ping()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_refused_address_is_never_connected_to(host: str) -> None:
    with listening() as (port, seen):
        client = connect(Profile("mail", host=host, port=port), Secrets(), policy=TargetPolicy(allowed=("10.0.0.0/8",)), writes=False)

        with closing(client), pytest.raises(Refused) as refused:
            client.ping()

    assert seen == []
    assert (refused.value.code, refused.value.backend) == ("target_refused", "mail")


@pytest.mark.parametrize("host", ["", "a..b", "x" * 300, "no-such-host.invalid", "bad\x00name"])
def test_a_name_that_cannot_be_resolved_is_an_error_of_redis_py(host: str) -> None:
    client = connect(Profile("mail", host=host, port=1), Secrets(), policy=ANYWHERE, writes=False)

    with closing(client), pytest.raises(RedisConnectionError):
        client.ping()


def test_a_unix_socket_works_where_sockets_are_allowed(start: Callable[..., Server], tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    start("--unixsocket", str(path), "--unixsocketperm", "700")
    profile = Profile("mail", kind=Kind.UNIX, unix_path=str(path))

    with connect(profile, Secrets(), policy=TargetPolicy(unix_dirs=(str(tmp_path),)), writes=False) as client:
        assert client.ping()
    elsewhere = connect(profile, Secrets(), policy=ANYWHERE, writes=False)
    with closing(elsewhere), pytest.raises(Refused):
        elsewhere.ping()


def test_tls_works_with_the_right_authority_and_name(tls_server: TlsServer) -> None:
    profile = Profile("mail", host="localhost", port=tls_server.tls_port, tls=Tls(enabled=True, ca_pem=tls_server.authority.pem))

    with connect(profile, Secrets(), policy=ANYWHERE, writes=False) as client:
        assert client.ping()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls_refuses_an_unknown_authority_or_another_name(tls_server: TlsServer, host: str) -> None:
    ca_pem = tls_server.authority.pem if host == "127.0.0.1" else ""
    profile = Profile("mail", host=host, port=tls_server.tls_port, tls=Tls(enabled=True, ca_pem=ca_pem))
    client = connect(profile, Secrets(), policy=ANYWHERE, writes=False)

    with closing(client), pytest.raises(RedisConnectionError):
        client.ping()


def test_the_check_of_the_name_can_be_off_alone(tls_server: TlsServer) -> None:
    tls = Tls(enabled=True, check_hostname=False, ca_pem=tls_server.authority.pem)
    profile = Profile("mail", host="127.0.0.1", port=tls_server.tls_port, tls=tls)

    with connect(profile, Secrets(), policy=ANYWHERE, writes=False) as client:
        assert client.ping()


def test_the_context_of_tls_is_made_once() -> None:
    context = TlsContext(Tls(enabled=True))

    assert context.get() is context.get()


@contextmanager
def listening() -> Iterator[tuple[int, list[str]]]:
    """A port that accepts and never answers, and what it saw."""
    seen: list[str] = []
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        done = threading.Event()
        acceptor = threading.Thread(target=_accept, args=(server, seen, held, done))
        acceptor.start()
        yield server.getsockname()[1], seen
        done.set()
        acceptor.join()
    for sock in held:
        sock.close()


def _accept(server: socket.socket, seen: list[str], held: list[socket.socket], done: threading.Event) -> None:
    while not done.is_set():
        try:
            held.append(server.accept()[0])
        except TimeoutError:
            continue
        seen.append("connection")
