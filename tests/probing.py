"""Runs the live test as its tests need it: servers to test, and every report checked for what must hold of all."""

from __future__ import annotations

import socketserver
import threading
from dataclasses import replace

from rqdash.backends.policy import TargetPolicy
from rqdash.backends.probe import Check, Report, Status, probe, stages
from rqdash.demo.servers import Server
from rqdash.model.profile import Profile, Secrets

ANYWHERE = TargetPolicy()


SECRETS = Secrets("correct horse battery staple", "tr0ub4dor and three")


INSIDE = {"server", "database", "rq", "read", "change", "clock", "eviction"}


USERS = {
    "whole": "~rq:* &rq:* +@all -@dangerous +info +acl|whoami +acl|dryrun",
    "quiet": "~rq:* &rq:* +@all -@dangerous",
    "nozrem": "~rq:* &rq:* +@all -zrem -lset",
    "reader": "~rq:* +@read +@connection +@scripting +info +time +pubsub|numsub -@write",
    "plain": "~rq:* +@read +@connection +time",
    "stranger": "~other:* &other:* +@all",
    'ann"\\x': "~rq:* &rq:* +@all -zrem",
    "mute": "~rq:* &rq:* +@all -hello -info",
}


def examined(profile: Profile, secrets: Secrets = SECRETS, *, policy: TargetPolicy = ANYWHERE, budget_s: float = 8.0) -> Report:
    """Every test of this file goes through here: each report has all its stages, in order, and shows no password."""
    report = probe(profile, secrets, policy=policy, budget_s=budget_s)

    assert [check.stage for check in report.checks] == [check.stage for check in stages(profile)]
    for secret in (secrets.password, secrets.sentinel_password):
        assert not secret or secret not in repr(report)
    for check in report.checks:
        assert check.status in (Status.OK, Status.SKIPPED) or (check.code and check.cause), check
        assert check.status is not Status.FAILED or check.remedy or check.command, check
    return report


def check(report: Report, stage: str) -> Check:
    return next(check for check in report.checks if check.stage == stage)


def failed(report: Report) -> dict[str, str]:
    """Stages that failed, with their codes."""
    return {check.stage: check.code for check in report.checks if check.status is Status.FAILED}


def warned(report: Report) -> dict[str, str]:
    return {check.stage: check.code for check in report.checks if check.status is Status.WARNING}


def not_tried(report: Report) -> set[str]:
    return {check.stage for check in report.checks if check.found == "not tried"}


def at(server: Server, **fields: object) -> Profile:
    return replace(Profile("mail", host="127.0.0.1", port=server.port), **fields)  # type: ignore[arg-type]


def prepare(server: Server) -> None:
    with server.client() as admin:
        for name, rules in USERS.items():
            admin.execute_command("ACL", "SETUSER", name, "on", f">{SECRETS.password}", *rules.split())
        admin.sadd("rq:queues", "rq:queue:mail", "rq:queue:high")
        admin.sadd("rq:workers", "rq:worker:w1")
        admin.hset("rq:worker:w1", "version", "3.0.0")
        admin.config_set("requirepass", SECRETS.password)
    server.password = SECRETS.password


class _Answerer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class answering:  # noqa: N801 - used like a function: with answering(...) as (port, seen)
    """A server that answers anything with the same bytes, or drips one byte after another; seen notes what it received."""

    def __init__(self, reply: bytes, *, pause_s: float = 0.0, drip: bytes = b"") -> None:
        seen: list[bytes] = []
        over = self._over = threading.Event()

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                while data := self.request.recv(4096):
                    seen.append(data)
                    self.request.sendall(reply)
                    while drip and not over.wait(pause_s):
                        self.request.sendall(drip)
                    if not drip:
                        return

        self._seen = seen
        self._server = _Answerer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> tuple[int, list[bytes]]:
        self._thread.start()
        return self._server.server_address[1], self._seen

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
