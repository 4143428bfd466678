"""Calls sent ahead: replies in order, scripts the server has forgotten, and what is known when something goes wrong half way."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rqdash.backends.backend import Backend
from rqdash.backends.guard import NoGuard
from rqdash.backends.scripts import Call, Script
from rqdash.demo.servers import Server
from rqdash.errors import BackendError, ReadOnly, Refused, Slow, Switching, UnknownResult, Unreachable
from rqdash.model.profile import Profile
from tests.conftest import backend_of
from tests.test_actions_safety import Freeze, Switch, impatient

SOURCE = """
if ARGV[1] == 'fail' then return redis.error_reply('NOPERM not this one') end
return redis.call('RPUSH', KEYS[1], ARGV[1])
"""


def script(source: str = SOURCE) -> Script:

    return Script("push", source, hashlib.sha1(source.encode()).hexdigest())


def calls(*words: str, drawn: list[str] | None = None) -> Iterator[Call]:
    for word in words:
        if drawn is not None:
            drawn.append(word)
        yield Call(script(), ("pushed",), (word,))


def test_replies_come_in_order_and_all_is_done_once(redis_client: redis.Redis, backend: Backend) -> None:
    replies = list(backend.write_ahead(calls(*"abcde")))

    assert replies == [1, 2, 3, 4, 5]
    assert redis_client.lrange("pushed", 0, -1) == [b"a", b"b", b"c", b"d", b"e"]


def test_no_calls_are_no_replies(backend: Backend) -> None:
    assert list(backend.write_ahead(calls())) == []


def test_a_script_the_server_forgot_is_loaded_and_the_order_stays(redis_client: redis.Redis, backend: Backend) -> None:
    replies = []
    for reply in backend.write_ahead(calls(*"abcdef")):
        replies.append(reply)
        if reply == 2:
            redis_client.script_flush()

    assert replies == [1, 2, 3, 4, 5, 6]
    assert redis_client.lrange("pushed", 0, -1) == [b"a", b"b", b"c", b"d", b"e", b"f"]


def test_an_error_reply_is_among_the_others(redis_client: redis.Redis, backend: Backend) -> None:
    first, second, third = backend.write_ahead(calls("a", "fail", "c"))

    assert (first, third) == (1, 2)
    assert isinstance(second, Refused)


def test_a_refusal_half_way_is_raised_when_what_was_sent_is_answered(redis_client: redis.Redis, backend: Backend) -> None:
    backend.guard = Switch(after=2)
    drawn: list[str] = []
    replies = backend.write_ahead(calls(*"abcde", drawn=drawn))

    assert [next(replies), next(replies)] == [1, 2]
    with pytest.raises(Switching):
        next(replies)
    assert drawn == ["a", "b", "c"]
    assert redis_client.lrange("pushed", 0, -1) == [b"a", b"b"]


def test_a_server_that_stops_answering_leaves_what_was_drawn_unknown(server: Server, redis_client: redis.Redis) -> None:
    hurried = impatient(server)
    hurried.guard = Freeze(server, at=2)
    drawn: list[str] = []

    with pytest.raises(UnknownResult):
        list(hurried.write_ahead(calls(*"abcde", drawn=drawn)))
    server.resume()

    assert len(drawn) <= 3
    assert redis_client.llen("pushed") <= len(drawn)
    hurried.close()


def test_whoever_stops_listening_leaves_a_connection_that_nobody_uses_again(redis_client: redis.Redis, backend: Backend) -> None:
    replies = backend.write_ahead(calls(*"abc"))
    next(replies)
    replies.close()

    assert backend.write(Call(script(), ("other",), ("d",))) == 1


def test_a_read_only_backend_sends_nothing(redis_client: redis.Redis, backend: Backend) -> None:

    closed = Backend(replace(backend.profile, read_only=True), reader=backend.reader, writer=backend.writer)

    with pytest.raises(ReadOnly):
        list(closed.write_ahead(calls("a")))

    assert not redis_client.exists("pushed")


def test_a_reply_that_the_guard_does_not_trust_is_unknown(redis_client: redis.Redis, backend: Backend) -> None:
    class Distrust(NoGuard):
        def confirm(self, node: object) -> None:
            raise UnknownResult("the master changed", backend="live", stage="write")

    backend.guard = Distrust()

    with pytest.raises(BackendError):
        list(backend.write_ahead(calls("a")))


def test_a_refusal_is_believed_whoever_is_master_by_now(redis_client: redis.Redis, backend: Backend) -> None:
    class Distrust(NoGuard):
        def confirm(self, node: object) -> None:
            raise UnknownResult("the master changed", backend="live", stage="write")

    backend.guard = Distrust()

    (reply,) = backend.write_ahead(calls("fail"))

    assert isinstance(reply, Refused)


def test_a_backend_whose_secrets_cannot_be_used_is_not_tried(redis_client: redis.Redis, backend: Backend) -> None:
    locked = Refused("live's secrets cannot be read.", backend="live", stage="secrets")
    blocked = Backend(backend.profile, reader=backend.reader, writer=backend.writer, blocked=locked)

    with pytest.raises(Refused, match="secrets"):
        list(blocked.write_ahead(calls("a")))

    assert not redis_client.exists("pushed")


def test_a_script_that_somebody_else_loads_meanwhile_runs_in_order(redis_client: redis.Redis, backend: Backend) -> None:
    def loading() -> Iterator[Call]:
        for number, call in enumerate(calls(*"abc")):
            if number == 1:
                redis_client.script_load(SOURCE)
            yield call

    redis_client.script_flush()

    assert list(backend.write_ahead(loading())) == [1, 2, 3]
    assert redis_client.lrange("pushed", 0, -1) == [b"a", b"b", b"c"]


def test_replies_do_not_move_up_when_somebody_closes_the_connection(redis_client: redis.Redis, backend: Backend) -> None:
    replies = backend.write_ahead(calls(*"abcdef"))
    assert [next(replies), next(replies)] == [1, 2]
    backend.writer.connection_pool.disconnect()

    with pytest.raises(UnknownResult):
        next(replies)


def test_a_reply_that_is_awaited_is_not_taken_for_that_of_a_health_check(server: Server, redis_client: redis.Redis) -> None:
    checked = backend_of(server, health_check_interval=0.001)

    assert list(checked.write_ahead(calls(*"abcdef"))) == [1, 2, 3, 4, 5, 6]
    checked.close()


def test_a_connection_that_is_dead_before_anything_is_sent_leaves_nothing_unknown(server: Server, redis_client: redis.Redis) -> None:
    hurried = impatient(server, health_check_interval=1e-9)
    hurried.write(Call(script(), ("other",), ("a",)))
    hurried.write(Call(script(), ("other",), ("b",)))
    server.pause()

    with pytest.raises(Slow):
        hurried.write(Call(script(), ("pushed",), ("a",)))
    server.resume()
    hurried.write(Call(script(), ("other",), ("c",)))
    server.pause()
    with pytest.raises(Slow):
        list(hurried.write_ahead(calls("a")))
    server.resume()

    assert not redis_client.exists("pushed")
    hurried.close()


def test_a_server_that_is_still_loading_says_so_of_one_call_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = threading.Thread(target=_answer, args=(listener, [b":1", b"-LOADING Redis is loading the dataset in memory", b":2"]))
        answering.start()
        client = redis.Redis(port=listener.getsockname()[1], protocol=2, driver_info=None, retry=Retry(NoBackoff(), 0))

        live = Backend(Profile(name="live"), reader=client, writer=client)
        first, second, third = live.write_ahead(calls(*"abc"))

        live.close()
        answering.join()
    assert (first, third) == (1, 2)
    assert isinstance(second, Unreachable)
    assert second.code == "loading"


def _answer(listener: socket.socket, replies: list[bytes]) -> None:
    """Answers as a server would that loads for a moment; a call ends with its last argument."""
    peer, _ = listener.accept()
    with peer, peer.makefile("rb") as asked:
        for reply in replies:
            for _ in range(2 * int(asked.readline()[1:])):
                asked.readline()
            peer.sendall(reply + b"\r\n")
