"""What the Redis user may do: the commands rqdash sends, asked about without sending a single change."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis
from redis.exceptions import NoPermissionError, RedisError

from rqdash.backends.probe.commands import NEWER, OPTIONAL, Need, reads, writes
from rqdash.backends.probe.context import Context, ms_since
from rqdash.backends.probe.problems import reply_problem
from rqdash.backends.probe.report import Problem
from rqdash.backends.probe.text import acl_grant, listed, shown
from rqdash.model.keys import Keys


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user lacks of some commands: denied and absent hold names, the flags whether key or channel patterns are missing."""

    asked: int
    denied: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    lacks_keys: bool = False
    lacks_channels: bool = False

    @property
    def found(self) -> str:
        return f"{self.asked - len(self.denied) - len(self.absent)} of {self.asked} commands"

    @property
    def is_complete(self) -> bool:
        return not (self.denied or self.absent or self.lacks_keys or self.lacks_channels)


@dataclass(frozen=True, slots=True)
class User:
    """Who we are to the server. has_acl is False before Redis 6; may_ask when ACL DRYRUN is allowed; is_almighty when all is."""

    name: str
    has_acl: bool = True
    may_ask: bool = False
    is_almighty: bool = False


def check_rights(context: Context, client: redis.Redis) -> None:
    """Writes the checks on reading and changing."""
    try:
        user = _user(context, client)
        _check_reads(context, client, user)
        _check_writes(context, client, user)
    except (RedisError, OSError) as error:
        context.board.failed("read", "no answer", reply_problem(error))


def _check_reads(context: Context, client: redis.Redis, user: User) -> None:
    started_s = time.monotonic()
    needs = reads(Keys(context.profile.prefix))
    rights = _asked(client, user, needs) if user.may_ask else _tried(client, needs)
    ms = ms_since(started_s)
    if rights.is_complete:
        context.board.passed("read", rights.found, ms=ms)
    elif rights.lacks_keys or set(rights.denied + rights.absent) - OPTIONAL:
        effect = f"Until it may, {context.profile.name} cannot be shown whole. Run on Redis:"
        context.board.failed("read", rights.found, _lack(context, user, rights, effect=effect, code="read_denied"), ms=ms)
    else:
        effect = "Pages work, but cost more round trips, or say unknown where they need it. Run on Redis:"
        context.board.warned("read", rights.found, _lack(context, user, rights, effect=effect, code="read_limited"), ms=ms)


def _check_writes(context: Context, client: redis.Redis, user: User) -> None:
    if context.profile.read_only:
        context.board.skipped("change", "not needed: read-only here")
        return
    started_s = time.monotonic()
    needs = writes(Keys(context.profile.prefix))
    absent = _absent(client, needs)
    if user.may_ask:
        rights = _asked(client, user, needs)
    elif not user.has_acl or user.is_almighty:
        rights = Rights(len(needs), absent=absent)
    else:
        cause = "The Redis user may not run ACL DRYRUN, and rqdash does not try changes to find out."
        remedy = "An action that is refused says which command it lacks. To see it here, run on Redis:"
        problem = Problem("rights_unknown", cause, remedy, acl_grant(user.name, commands=("acl|dryrun", "acl|whoami")))
        context.board.skipped("change", "unknown", problem)
        return
    if rights.is_complete:
        context.board.passed("change", rights.found, ms=ms_since(started_s))
        return
    effect = f"Until it may, {context.profile.name} is read-only here. Run on Redis:"
    problem = _lack(context, user, rights, effect=effect, code="change_denied")
    context.board.failed("change", rights.found, problem, ms=ms_since(started_s))


def _user(context: Context, client: redis.Redis) -> User:
    """One or two round trips: whether there are ACLs, who we are, and whether we may ask what we may."""
    pipeline = client.pipeline(transaction=False)
    pipeline.execute_command("ACL", "WHOAMI")
    pipeline.execute_command("ACL", "DRYRUN", context.user, "PING")
    pipeline.execute_command("ACL", "GETUSER", context.user)
    who, dry, rules = pipeline.execute(raise_on_error=False)
    if isinstance(who, RedisError) and "unknown command" in str(who).lower():
        return User(context.user, has_acl=False)
    name = who.decode("utf-8", "replace") if isinstance(who, bytes) else context.user
    return User(name, may_ask=not isinstance(dry, RedisError), is_almighty=_is_almighty(rules))


def _is_almighty(rules: object) -> bool:
    """Reads ACL GETUSER, which also holds hashes of passwords: nothing of it is kept."""
    if not isinstance(rules, list) or len(rules) % 2:
        return False
    facts = dict(zip(rules[::2], rules[1::2], strict=True))
    return facts.get(b"commands") == b"+@all" and facts.get(b"keys") in (b"~*", [b"*"], [b"~*"])


def _asked(client: redis.Redis, user: User, needs: Sequence[Need]) -> Rights:
    """Asks the server about each command without running it: ACL DRYRUN, Redis 7. One round trip."""
    pipeline = client.pipeline(transaction=False)
    for need in needs:
        pipeline.execute_command("ACL", "DRYRUN", user.name, *need.words)
    replies = pipeline.execute(raise_on_error=False)
    texts = [reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply) for reply in replies]
    lacking = {need.name: text for need, text in zip(needs, texts, strict=True) if text != "OK"}
    return _rights(len(needs), lacking)


def _tried(client: redis.Redis, needs: Sequence[Need]) -> Rights:
    """Sends each reading command for a key that does not exist; only a refusal counts. One round trip."""
    needs = [need for need in needs if need.may_be_tried]
    pipeline = client.pipeline(transaction=False)
    for need in needs:
        pipeline.execute_command(*need.words)
    replies = pipeline.execute(raise_on_error=False)
    lacking = {need.name: str(reply) for need, reply in zip(needs, replies, strict=True) if _is_refusal(reply)}
    return _rights(len(needs), lacking)


def _is_refusal(reply: object) -> bool:
    return isinstance(reply, NoPermissionError) or (isinstance(reply, RedisError) and "unknown command" in str(reply).lower())


def _rights(asked: int, lacking: dict[str, str]) -> Rights:
    """Sorts refusals by what the server's sentence says is missing (acl.c, the same words since Redis 6)."""
    absent = tuple(name for name, text in lacking.items() if "unknown command" in text.lower() or "not found" in text.lower())
    keys = [name for name, text in lacking.items() if " key" in text and name not in absent]
    channels = [name for name, text in lacking.items() if " channel" in text and name not in absent]
    refused = [name for name, text in lacking.items() if "permission" in text and name not in (*absent, *keys, *channels)]
    missing = tuple(name for name in absent if name not in NEWER)
    return Rights(asked - len(absent) + len(missing), tuple(sorted(refused)), missing, bool(keys), bool(channels))


def _absent(client: redis.Redis, needs: Sequence[Need]) -> tuple[str, ...]:
    """The commands that the server does not have, renamed or switched off in its configuration. () when COMMAND is denied."""
    names = sorted({need.words[0] for need in needs})
    try:
        rows = client.execute_command("COMMAND INFO", *names)
    except RedisError:
        return ()
    known = {row[0].decode().lower() for row in rows if row}
    return tuple(name for name in names if name not in known)


def _lack(context: Context, user: User, rights: Rights, *, effect: str, code: str) -> Problem:
    patterns = [f"~{context.profile.prefix}:*"] * rights.lacks_keys + [f"&{context.profile.prefix}:*"] * rights.lacks_channels
    if rights.absent and not (rights.denied or patterns):
        cause = f"The server has no command {listed(rights.absent)}: renamed or switched off in its configuration."
        return Problem("command_missing", cause, "Remove the rename-command lines from its configuration; RQ itself needs them too.")
    if rights.denied:
        cause = f"Redis user {shown(user.name)} may not run {listed(rights.denied)}."
    else:
        what = "the keys" if rights.lacks_keys else "the channels"
        cause = f"Redis user {shown(user.name)} may not use {what} under {context.profile.prefix}:."
    return Problem(code, cause, effect, acl_grant(user.name, commands=rights.denied, patterns=patterns))
