"""How to use a profile elsewhere: texts to copy, with secrets as look-ups in the environment."""

from __future__ import annotations

from dataclasses import dataclass

from rqdash.model.caller import Caller, Permission
from rqdash.model.profile import Kind, Profile, Tls
from rqdash.profiles import command_lines, usage
from rqdash.profiles.registry import Profiles
from rqdash.profiles.usage import Variable
from rqdash.web.forms import Raw
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Page, Route


@dataclass(frozen=True, slots=True)
class Block:
    """A text to copy under its title; key is the same for all profiles, note says what to know before using it."""

    key: str
    title: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class UsePage(Page):
    """variables have to be in the environment first; notes are what the texts cannot say as the profile does."""

    mark: Mark
    variables: tuple[Variable, ...]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = ()


def parse(raw: Raw) -> str:
    return raw.path["profile"]


def view(params: str, caller: Caller, *, profiles: Profiles) -> UsePage:  # noqa: ARG001
    profile = profiles.get(params)
    return UsePage(mark(profile), usage.variables(profile), blocks(profile), notes(profile))


def blocks(profile: Profile) -> tuple[Block, ...]:
    name = f"{usage.module_name(profile)}.py"
    save = f"Save it as {name} where the command runs. It holds no secret, so it may be kept under version control."
    python = "RQ recommends to hand each queue and worker its connection by name."
    return (
        Block("python", "Python", usage.python_snippet(profile), python),
        Block("settings", name, usage.settings_module(profile), save),
        Block("worker", "A worker", command_lines.rq_worker(profile), f"With {name} beside it. default is the queue's name."),
        Block("info", "Queues and workers", command_lines.rq_info(profile), f"With {name} beside it."),
        Block("redis-cli", "redis-cli", command_lines.redis_cli(profile), _files(profile)),
        *_authorities(profile),
    )


def notes(profile: Profile) -> tuple[str, ...]:
    """Where the texts do less than rqdash does."""
    found = []
    if any(tls.server_name for _, tls in _sides(profile)):
        found.append(
            "The certificate names another host than the one connected to. redis-py checks for the latter: use that name as the host."
        )
    if any(tls.client_cert_pem for _, tls in _sides(profile)):
        found.append("redis-py reads client certificates and keys from files: the variables say where they are.")
    if profile.prefix != command_lines.RQ_PREFIX:
        found.append(
            f"The key prefix is {profile.prefix}: RQ_KEY_PREFIX must be set before rq is imported, in Python too. RQ 3.0 or later."
        )
    return tuple(found)


def _sides(profile: Profile) -> tuple[tuple[str, Tls], ...]:
    both = (("", profile.tls), ("sentinel_", profile.sentinel_tls)) if profile.kind is Kind.SENTINEL else (("", profile.tls),)
    return tuple((before, tls) for before, tls in both if tls.enabled)


def _files(profile: Profile) -> str:
    names = [command_lines.authorities_file(profile, before) for before, tls in _sides(profile) if usage.authorities(tls)]
    return f"With {' and '.join(names)} beside it, which is below." if names else ""


def _authorities(profile: Profile) -> tuple[Block, ...]:
    """The authorities as files, for redis-cli, which takes them in no other way."""
    held = ((before, usage.authorities(tls)) for before, tls in _sides(profile))
    return tuple(Block(f"{before}ca", command_lines.authorities_file(profile, before), f"{pem}\n") for before, pem in held if pem)


ROUTES = (
    Route(
        "connection_use",
        "GET",
        "/connections/<profile>/use",
        Permission.ADMIN,
        view,
        "connection_use.html",
        parse,
        needs=("profiles",),
        nav="connections",
    ),
)
