"""Sentinel groups as careful people run them: passwords and users of few rights on both sides, in plain text or over mutual TLS."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import redis

from rqdash.demo.servers import HOST, Server, free_port
from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls
from tests.processes import wait_until
from tests.tls import Authority, authority, debian_redis

MASTER_NAME = "orders"
DOWN_AFTER_MS = 2000
DATA_USER, SENTINEL_USER = "dash", "watcher"
DATA_RIGHTS = ("~rq:*", "+@read", "+@write", "+@connection", "+@scripting", "+info", "+time")
SENTINEL_RIGHTS = ("+sentinel|master", "+sentinel|ckquorum", "+@connection")


@dataclass(frozen=True, slots=True)
class Passwords:
    """One side's: of the default user, which servers use among themselves, and of the user that rqdash has."""

    default: str
    user: str


DATA, SENTINEL = Passwords("servers p@ss:1/2", "users p@ss#3"), Passwords("sentinels?pass", "watchers%pass")


@dataclass(frozen=True, slots=True)
class Material:
    """The files of a group that speaks TLS; the certificate serves the servers as clients too."""

    authority: Authority
    certificate: Path
    key: Path
    trusted: Path

    def options(self, port: int) -> dict[str, str]:
        files = {"tls-cert-file": str(self.certificate), "tls-key-file": str(self.key), "tls-ca-cert-file": str(self.trusted)}
        return {"tls-port": str(port), "tls-auth-clients": "yes", "tls-replication": "yes", **files}


@dataclass(frozen=True, slots=True)
class Member:
    """A server with its plain port, which only the test uses when there is a port for TLS, and the port that others know it by."""

    server: Server
    port: int

    @property
    def node(self) -> Node:
        return Node(HOST, self.port)

    def client(self, **options: object) -> redis.Redis:
        return self.server.client(decode_responses=True, **options)


@dataclass(slots=True)
class SecuredGroup:
    """A master with a replica, and three sentinels; who is master changes with every failover."""

    members: tuple[Member, ...]
    sentinels: tuple[Member, ...]
    material: Material | None = None
    started: ExitStack = field(default_factory=ExitStack, repr=False)

    def stop(self) -> None:
        self.started.close()

    @property
    def master(self) -> Member:
        """Whom the first sentinel names."""
        with self.sentinels[0].client() as client:
            _, port = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
        return next(member for member in self.members if member.port == int(port))

    @property
    def replica(self) -> Member:
        master = self.master
        return next(member for member in self.members if member is not master)

    def revive(self, member: Member) -> None:
        """Starts a server that was killed, as a replica, as an operator would who knows of the failover."""
        server = member.server
        kept = server.arguments
        server.arguments = (*kept, "--replicaof", HOST, str(self.master.port))
        server.start()
        server.arguments = kept

    def is_settled(self) -> bool:
        """Whether all sentinels see one sound master and its replica has copied it: only then does the next failover lose nothing."""
        master = self.master
        try:
            with master.client() as client, self.replica.client() as other:
                facts = client.info("replication")
                is_copied = other.info("replication").get("master_link_status") == "up"
            return is_copied and facts["connected_slaves"] == 1 and all(_is_content(sentinel, master) for sentinel in self.sentinels)
        except redis.RedisError:
            return False

    def settle(self) -> None:
        assert wait_until(self.is_settled, within_s=60)

    def profile(self, name: str) -> tuple[Profile, Secrets]:
        """The group as rqdash is told of it."""
        nodes = tuple(member.node for member in self.sentinels)
        users = {"username": DATA_USER, "sentinel_username": SENTINEL_USER}
        profile = Profile(name, kind=Kind.SENTINEL, sentinels=nodes, master_name=MASTER_NAME, **users)
        secrets = Secrets(DATA.user, SENTINEL.user)
        if self.material is None:
            return profile, secrets
        certificate, key = self.material.authority.client()
        tls = Tls(enabled=True, ca_pem=self.material.authority.pem, client_cert_pem=certificate)
        return replace(profile, tls=tls, sentinel_tls=tls), replace(secrets, client_key=key, sentinel_client_key=key)


def start_secured(directory: Path, *, material: Material | None = None) -> SecuredGroup:
    """A group that has settled. Without the delay of 0 a replica waits 5 s before it copies, and a failover would lose data."""
    with ExitStack() as stack:
        first = _start_data(stack, directory, material)
        second = _start_data(stack, directory, material, "--replicaof", HOST, str(first.port))
        sentinels = tuple(_start_sentinel(stack, directory, material, first) for _ in range(3))
        group = SecuredGroup((first, second), sentinels, material)
        group.settle()
        group.started = stack.pop_all()
    return group


def make_material(directory: Path) -> Material:
    """For a group that asks every client for a certificate of its authority's."""
    directory.mkdir(parents=True, exist_ok=True)
    made = authority()
    certificate, key = made.issue(directory, names=("localhost", HOST))
    trusted = directory / "authority.crt"
    trusted.write_text(made.pem)
    return Material(made, certificate, key, trusted)


def _start_data(stack: ExitStack, directory: Path, material: Material | None, *first: str) -> Member:
    port = free_port()
    options = {"requirepass": DATA.default, "masterauth": DATA.default, "repl-diskless-sync-delay": "0"}
    if material is not None:
        port = free_port()
        options |= material.options(port)
    words = tuple(word for name, value in options.items() for word in (f"--{name}", str(value)))
    user = ("--user", DATA_USER, "on", f">{DATA.user}", *DATA_RIGHTS)
    server = Server(directory / f"data-{port}", free_port(), (*words, *user), _executable(material), password=DATA.default)
    if material is None:
        server.port = port
    stack.callback(server.stop)
    kept, server.arguments = server.arguments, (*server.arguments, *first)
    server.start()
    server.arguments = kept
    return Member(server, port)


def _start_sentinel(stack: ExitStack, directory: Path, material: Material | None, master: Member) -> Member:
    plain, port = free_port(), free_port()
    place = directory / f"sentinel-{port}"
    place.mkdir(parents=True)
    options = material.options(port) if material else {}
    lines = [
        f"port {plain}",
        f"bind {HOST}",
        f'dir "{place}"',
        *(f'{name} "{value}"' for name, value in options.items()),
        f'requirepass "{SENTINEL.default}"',
        f'user {SENTINEL_USER} on ">{SENTINEL.user}" {" ".join(SENTINEL_RIGHTS)}',
        f"sentinel monitor {MASTER_NAME} {HOST} {master.port} 2",
        f'sentinel auth-pass {MASTER_NAME} "{DATA.default}"',
        f"sentinel down-after-milliseconds {MASTER_NAME} {DOWN_AFTER_MS}",
        f"sentinel failover-timeout {MASTER_NAME} 10000",
    ]
    (place / f"sentinel-{plain}.conf").write_text("\n".join(lines) + "\n")
    server = Server(place, plain, (), _executable(material), is_sentinel=True, password=SENTINEL.default)
    stack.callback(server.stop)
    server.start()
    return Member(server, port if material else plain)


def _executable(material: Material | None) -> Path | None:
    return debian_redis() if material else None


def _is_content(sentinel: Member, master: Member) -> bool:
    """Whether a sentinel sees the master, its replica and its two peers without any trouble."""
    with sentinel.client() as client:
        facts = _named(client.execute_command("SENTINEL", "MASTER", MASTER_NAME))
        copies = [_named(reply) for reply in client.execute_command("SENTINEL", "REPLICAS", MASTER_NAME)]
    is_alone = (facts["port"], facts["flags"], facts["num-other-sentinels"]) == (str(master.port), "master", "2")
    return is_alone and [(copy["flags"], copy["master-link-status"]) for copy in copies] == [("slave", "ok")]


def _named(reply: object) -> dict[str, str]:
    if isinstance(reply, dict):
        return {str(name): ",".join(sorted(value)) if isinstance(value, set) else str(value) for name, value in reply.items()}
    assert isinstance(reply, list)
    return dict(zip(reply[::2], reply[1::2], strict=True))
