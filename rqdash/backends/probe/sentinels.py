"""The stages of a Sentinel profile: each sentinel, what they agree on, their quorum, and those the profile does not list."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from rqdash.backends.connect import sentinel_clients
from rqdash.backends.probe.context import Context, ms_since
from rqdash.backends.probe.problems import reply_problem, sign_in_problem
from rqdash.backends.probe.reach import walk
from rqdash.backends.probe.report import Problem, sentinel_stage
from rqdash.backends.probe.text import acl_grant, quoted, shown
from rqdash.backends.probe.walk import Step, Walk
from rqdash.backends.sentinel import MasterFacts, fields, is_unknown_master, master_facts
from rqdash.model.profile import Node

NEEDED = ("ping", "sentinel|master", "sentinel|masters", "sentinel|sentinels", "sentinel|ckquorum")


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One sentinel: the way to it, and what it said. facts is None when it could not tell; the problem says why."""

    way: Walk
    ms: float | None = None
    facts: MasterFacts | None = None
    has_quorum: bool | None = None
    peers: tuple[Node, ...] = ()
    problem: Problem | None = None


def inquire(context: Context) -> tuple[Inquiry, ...]:
    """Asks all sentinels side by side, in the profile's order, and writes one check for each."""
    clients = sentinel_clients(context.profile, context.secrets, policy=context.policy)
    if not clients:
        return ()
    with ThreadPoolExecutor(len(clients)) as threads:
        found = tuple(threads.map(lambda item: _inquiry(context, item[0], item[1]), clients.items()))
    for inquiry in found:
        _show(context, inquiry)
    return found


def agree(context: Context, inquiries: Sequence[Inquiry]) -> Node | None:
    """Writes the checks on what the sentinels say together. The master that most of them name; None when none knows one."""
    facts = [inquiry.facts for inquiry in inquiries if inquiry.facts is not None]
    if not facts:
        problem = Problem("no_sentinel", "None of the Sentinels names a master.", "The checks of each Sentinel above say why.")
        context.board.failed("agreement", "no answer", problem)
        return None
    votes = Counter(fact.node for fact in facts)
    master = votes.most_common(1)[0][0]
    said = f"{votes[master]} of {len(inquiries)} name {master}"
    trouble = _disagreement(votes) or _trouble(facts)
    if trouble is None:
        context.board.passed("agreement", said)
    else:
        context.board.failed("agreement", said, trouble)
    _show_quorum(context, inquiries, needed=facts[0].quorum)
    _show_peers(context, inquiries)
    return master


def _inquiry(context: Context, node: Node, client: redis.Redis) -> Inquiry:
    with closing(client):
        way = Walk(node, "Sentinel", context.profile.sentinel_tls, context.secrets.sentinel_key)
        walk(context, way, sign_in=lambda: _signed_in(context, client))
        if way.problem is not None:
            return Inquiry(way, problem=way.problem)
        started_s = time.monotonic()
        try:
            replies = _replies(context, client)
        except (RedisError, OSError) as error:
            return Inquiry(way, ms_since(started_s), problem=reply_problem(error))
        return _understood(context, way, replies, ms=ms_since(started_s))


def _replies(context: Context, client: redis.Redis) -> list[object]:
    name = context.profile.master_name
    pipeline = client.pipeline(transaction=False)
    for words in (("MASTER", name), ("CKQUORUM", name), ("SENTINELS", name), ("MASTERS",)):
        pipeline.execute_command("SENTINEL", *words)
    replies: list[object] = pipeline.execute(raise_on_error=False)
    return replies


def _signed_in(context: Context, client: redis.Redis) -> Step:
    started_s = time.monotonic()
    try:
        client.execute_command("PING")
    except NoPermissionError:
        pass
    except (RedisError, OSError) as error:
        problem = sign_in_problem(error, user=context.profile.sentinel_username or "default")
        return Step("sign_in", "refused", ms_since(started_s), problem)
    return Step("sign_in", f"as {context.profile.sentinel_username or 'default'}", ms_since(started_s))


def _understood(context: Context, way: Walk, replies: Sequence[object], *, ms: float) -> Inquiry:
    said, quorum, peers, masters = replies
    if isinstance(said, RedisError):
        return Inquiry(way, ms, problem=_refusal(context, said, masters))
    try:
        facts = master_facts(said)
    except ValueError:
        return Inquiry(way, ms, problem=reply_problem(ResponseError("")))
    return Inquiry(way, ms, facts, _has_quorum(quorum), _peers(peers))


def _refusal(context: Context, error: RedisError, masters: object) -> Problem:
    if isinstance(error, NoPermissionError):
        user = context.profile.sentinel_username or "default"
        return Problem(
            "sentinel_denied", "Its user may not ask for the master. Run on this Sentinel:", "", acl_grant(user, commands=NEEDED)
        )
    if is_unknown_master(error):
        names = ", ".join(_names(masters)) or "none"
        cause = f"It watches no master named {quoted(context.profile.master_name)}."
        return Problem("no_such_master", cause, f"It watches: {names}. Use one of these as the master name.")
    if "unknown command" in str(error).lower():
        remedy = "Put only Sentinels in this list (port 26379 is usual); the data servers are found through them."
        return Problem("not_a_sentinel", "This is a data server, not a Sentinel.", remedy)
    return reply_problem(error)


def _names(masters: object) -> list[str]:
    names = []
    for master in masters if isinstance(masters, list) else []:
        try:
            names.append(shown(fields(master).get("name", "")))
        except ValueError:
            continue
    return sorted(names)[:10]


def _has_quorum(reply: object) -> bool | None:
    if isinstance(reply, ResponseError):
        return False if "NOQUORUM" in str(reply) else None
    return isinstance(reply, bytes) and reply.startswith(b"OK")


def _peers(reply: object) -> tuple[Node, ...]:
    nodes = []
    for peer in reply if isinstance(reply, list) else []:
        try:
            facts = fields(peer)
            nodes.append(Node(facts["ip"], int(facts["port"])))
        except (ValueError, KeyError):
            continue
    return tuple(nodes)


def _show(context: Context, inquiry: Inquiry) -> None:
    stage = sentinel_stage(inquiry.way.node)
    if inquiry.problem is not None:
        found = "does not answer" if inquiry.way.problem is not None else "is of no use"
        context.board.failed(stage, found, inquiry.problem, ms=inquiry.ms)
    elif inquiry.facts is not None:
        context.board.passed(stage, f"answers, master {inquiry.facts.node}", ms=inquiry.ms)


def _disagreement(votes: Counter[Node]) -> Problem | None:
    if len(votes) == 1:
        return None
    named = ", ".join(f"{count} name {node}" for node, count in votes.most_common(4))
    remedy = "During a failover this lasts seconds: test again. If it stays, some of them watch another group under the same name."
    return Problem("sentinels_disagree", f"The Sentinels do not name the same master: {named}.", remedy)


def _trouble(facts: Sequence[MasterFacts]) -> Problem | None:
    if not any(fact.trouble for fact in facts):
        return None
    wait_s = max(fact.down_after_ms for fact in facts) / 1000 + 2
    remedy = f"A failover takes about {wait_s:.0f} s here; test again after that. Writes wait until then."
    return Problem("switching", "A Sentinel finds the master down, or is switching it.", remedy)


def _show_quorum(context: Context, inquiries: Sequence[Inquiry], *, needed: int) -> None:
    said = [inquiry.has_quorum for inquiry in inquiries if inquiry.has_quorum is not None]
    answering = sum(inquiry.facts is not None for inquiry in inquiries)
    found = f"{answering} of {len(inquiries)} answer, {needed} needed"
    if not said:
        context.board.skipped("quorum", "unknown", Problem("denied", "The Sentinel user may not run SENTINEL CKQUORUM."))
    elif all(said):
        context.board.passed("quorum", found)
    else:
        remedy = "Start the Sentinels that are down, or those that cannot see the others, until a majority is up."
        problem = Problem(
            "no_quorum", "Too few Sentinels are up to agree on a failover: if the master dies now, nobody replaces it.", remedy
        )
        context.board.warned("quorum", found, problem)


def _show_peers(context: Context, inquiries: Sequence[Inquiry]) -> None:
    known = {Node(address.ip, inquiry.way.node.port) for inquiry in inquiries for address in inquiry.way.addresses}
    known |= {inquiry.way.node for inquiry in inquiries}
    others = sorted({peer for inquiry in inquiries for peer in inquiry.peers} - known)
    if not others:
        context.board.passed("peers", "all are in this profile")
        return
    named = ", ".join(shown(str(node)) for node in others[:5])
    remedy = "Add them, so that the master is still found when those in this profile are down. (Behind NAT they may be the same ones.)"
    problem = Problem("unknown_peers", f"The Sentinels also know {named}, which this profile does not list.", remedy)
    context.board.warned("peers", f"{len(others)} not in this profile", problem)
