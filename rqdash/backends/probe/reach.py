"""The way to one server, step by step: may it be connected to, its name, its port, TLS, and whether it signs us in."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

from redis.exceptions import NoPermissionError, RedisError

from rqdash.backends.probe.context import DNS_S, STAGE_S, Context, ms_since
from rqdash.backends.probe.handshake import handshake, tls_fault
from rqdash.backends.probe.problems import NOT_REDIS, dns_problem, sign_in_problem, socket_problem, tcp_problem
from rqdash.backends.probe.report import Problem
from rqdash.backends.probe.walk import Step, Walk
from rqdash.backends.sockets import dial, dial_unix, permitted, resolve
from rqdash.errors import Refused
from rqdash.model.profile import Kind, Secrets

TARGET_REMEDY = "Whoever runs this dashboard decides what it may reach: add the address to RQDASH_ALLOWED_TARGETS."
# What a server looks like that wants TLS, or a certificate of the client, and gets none.
UNCLEAR = frozenset({"closed", "no_answer", NOT_REDIS.code})


def walk(context: Context, way: Walk, *, sign_in: Callable[[], Step]) -> Walk:
    """Goes from the name to the signed-in user, as far as it gets. DNS may take 2 s, every other step 1 s."""
    for step in (_dns, _target, _tcp, handshake):
        if not step(context, way):
            return way
    done = sign_in()
    # What a server says of TLS, it says by closing the connection; the TLS stage is where that is mended.
    about_tls = tls_fault(context, way) if done.problem is not None and done.problem.code in UNCLEAR else None
    way.add(done if about_tls is None else Step("tls", "not as the server wants it", problem=about_tls))
    return way


def walk_unix(context: Context, way: Walk, *, sign_in: Callable[[], Step]) -> Walk:
    """The way to a Unix socket: the directory it may lie in, the socket, the user."""
    path = context.profile.unix_path
    started_s = time.monotonic()
    try:
        real = context.policy.check_path(path, backend=context.profile.name)
    except Refused:
        problem = Problem("target_refused", "The socket lies outside the directories this dashboard may open.", TARGET_REMEDY)
        way.add(Step("target", "not allowed", problem=problem))
        return way
    way.add(Step("target", "allowed"))
    try:
        dial_unix(real, timeout_s=context.clock.left(STAGE_S)).close()
    except OSError as error:
        way.add(Step("tcp", "no connection", ms_since(started_s), socket_problem(error)))
        return way
    way.add(Step("tcp", "opens", ms_since(started_s)))
    way.add(sign_in())
    return way


def signed_in(context: Context) -> Step:
    """Signs in at the profile's server, and says so when a password was not needed."""
    started_s = time.monotonic()
    problem = _greeting(context, context.secrets, username=context.profile.username)
    if problem is not None:
        return Step("sign_in", "refused", ms_since(started_s), problem)
    found = f"as {context.user}"
    if context.profile.kind is not Kind.UNIX and _needs_no_password(context):
        problem = Problem(
            "no_password",
            "The server lets anybody in without a password: who reaches it can read and change every job.",
            "Unless only this host reaches it, give it a password, and then this profile:",
            "CONFIG SET requirepass <a long password>",
        )
        return Step("sign_in", "no password needed", ms_since(started_s), problem, is_warning=True)
    return Step("sign_in", found, ms_since(started_s))


def _needs_no_password(context: Context) -> bool:
    """A passwordless default user is signed in whatever the password, so that only a connection without one tells."""
    if not context.secrets.password:
        return not context.profile.username
    return _greeting(context, Secrets(), username="") is None


def _greeting(context: Context, secrets: Secrets, *, username: str) -> Problem | None:
    with closing(context.client(db=0, secrets=secrets, username=username)) as client:
        try:
            client.execute_command("PING")
        except NoPermissionError:
            return None
        except (RedisError, OSError) as error:
            return sign_in_problem(error, user=context.user)
    return None


def _dns(context: Context, way: Walk) -> bool:
    started_s = time.monotonic()
    try:
        way.addresses = resolve(way.node, timeout_s=context.clock.left(DNS_S))
    except OSError as error:
        return way.add(Step("dns", "unknown", ms_since(started_s), dns_problem(error, way.node)))
    ips = ", ".join(address.ip for address in way.addresses[:3])
    return way.add(Step("dns", ips if ips == way.node.host else f"{way.node.host} is {ips}", ms_since(started_s)))


def _target(context: Context, way: Walk) -> bool:
    try:
        way.addresses = permitted(way.addresses, way.node, policy=context.policy, backend=context.profile.name)
    except Refused as refused:
        return way.add(Step("target", "not allowed", problem=Problem(refused.code, refused.message, TARGET_REMEDY)))
    return way.add(Step("target", "allowed"))


def _tcp(context: Context, way: Walk) -> bool:
    started_s = time.monotonic()
    try:
        dial(way.addresses, timeout_s=context.clock.left(STAGE_S)).close()
    except OSError as error:
        return way.add(Step("tcp", "no connection", ms_since(started_s), tcp_problem(error, way.node)))
    return way.add(Step("tcp", str(way.node), ms_since(started_s)))
