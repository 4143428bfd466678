"""The only factory of Redis clients. Every argument that decides behaviour is given here, none is left to redis-py's defaults."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.credentials import CredentialProvider
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from rqdash.backends.policy import TargetPolicy
from rqdash.backends.sentinel import SENTINEL_TIMEOUT_S, Master, MasterPool, Sentinels
from rqdash.backends.sockets import GuardedConnection, GuardedUnixConnection, Manners
from rqdash.backends.tls import TlsContext
from rqdash.model.profile import ClientKey, Kind, Node, Profile, Secrets, Tls

# A full pool refuses at once, so it must exceed the threads that may read: 8 of gunicorn and two calls of each gather per backend.
READ_CONNECTIONS = 32
WRITE_CONNECTIONS = 16
SENTINEL_CONNECTIONS = 32
HEALTH_CHECK_S = 30


class LateCredentials(CredentialProvider):
    """Hands a user name and password to each new connection; they are in no repr and in no connection's arguments."""

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        return (self._username, self._password) if self._username else (self._password,)

    def __repr__(self) -> str:
        return "LateCredentials()"


def connect(profile: Profile, secrets: Secrets, *, policy: TargetPolicy, writes: bool) -> redis.Redis:
    """A client of the profile's backend, without any I/O. It owns its pool: close(), or dropping the last reference, closes it.

    Thread-safe. It never retries: a repeated write is a second write, and a repeated read only doubles the wait. Names, addresses
    and TLS share connect_timeout_s; read_timeout_s is for each answer. Errors are redis-py's and OSError (translate them with
    reachable), but Refused when the policy forbids the address, and Unreachable or Switching when no sentinel names a master.
    """
    options = _options(profile, secrets, writes=writes)
    manners = Manners(profile.name, policy, "rqdash-write" if writes else "rqdash-read", _tls(profile.tls, secrets.data_key))
    if profile.kind is Kind.UNIX:
        plain = Manners(manners.backend, manners.policy, manners.label)
        return _client(ConnectionPool(connection_class=GuardedUnixConnection, path=profile.unix_path, manners=plain, **options))
    if profile.kind is Kind.STANDALONE:
        pool = ConnectionPool(connection_class=GuardedConnection, host=profile.host, port=profile.port, manners=manners, **options)
        return _client(pool)
    clients = sentinel_clients(profile, secrets, policy=policy)
    master = Master(Sentinels(clients, master_name=profile.master_name, backend=profile.name), backend=profile.name)
    return _client(MasterPool(master, manners=manners, **options))


def sentinel_clients(profile: Profile, secrets: Secrets, *, policy: TargetPolicy) -> dict[Node, redis.Redis]:
    """A client of each sentinel, in the profile's order, without any I/O. They use the sentinels' own secrets and TLS."""
    manners = Manners(profile.name, policy, "rqdash-sentinel", _tls(profile.sentinel_tls, secrets.sentinel_key))
    options = {
        **_fixed(profile.sentinel_username, secrets.sentinel_password),
        "socket_timeout": SENTINEL_TIMEOUT_S,
        "socket_connect_timeout": SENTINEL_TIMEOUT_S,
        "max_connections": SENTINEL_CONNECTIONS,
    }
    return {
        node: _client(ConnectionPool(connection_class=GuardedConnection, host=node.host, port=node.port, manners=manners, **options))
        for node in profile.sentinels
    }


def _client(pool: ConnectionPool) -> redis.Redis:
    return redis.Redis.from_pool(pool)


def _tls(tls: Tls, key: ClientKey | None) -> TlsContext | None:
    return TlsContext(tls, key=key) if tls.enabled else None


def _options(profile: Profile, secrets: Secrets, *, writes: bool) -> dict[str, Any]:
    return {
        **_fixed(profile.username, secrets.password),
        "db": profile.db,
        "socket_timeout": profile.read_timeout_s,
        "socket_connect_timeout": profile.connect_timeout_s,
        "max_connections": WRITE_CONNECTIONS if writes else READ_CONNECTIONS,
    }


def _fixed(username: str, password: str | None) -> dict[str, Any]:
    """What is the same for every client.

    protocol 2: AUTH and SELECT alone open a connection, as on Redis 5 and behind proxies that know no HELLO; there RESP3 fails with
    the password in the error's text, and its push messages can move a client to another host (MOVING, on by default in redis-py 8).
    """
    return {
        "credential_provider": LateCredentials(username, password or "") if username or password else None,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": HEALTH_CHECK_S,
        "decode_responses": False,
        # The connection introduces itself in one round trip, and is not refused where an ACL forbids that.
        "client_name": None,
        "driver_info": None,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
