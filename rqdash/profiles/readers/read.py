"""Reading a file: a bounded child process parses it, and what it offers is checked here as the editor would check it."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from rqdash.errors import Invalid
from rqdash.model.profile import Kind, Node, Profile
from rqdash.profiles.readers.plain import candidate_of, finding_of
from rqdash.profiles.readers.values import Candidate, FileReading, Finding, Need, Outcome, Severity, outcome_of
from rqdash.profiles.validation import LONGEST_NAME, RESERVED, Policy, validated

log = logging.getLogger(__name__)

LARGEST_BYTES = 4 * 1024 * 1024
TIME_S = 10.0
"""Of the clock, for a machine that is busy; the child gives up after 1.5 s of its own time."""
ROOT = Path(__file__).resolve().parents[3]
START = "import sys; sys.path.insert(0, sys.argv[1]); from rqdash.profiles.readers.child import main; main()"
ADDRESS = re.compile(r"[0-9.]+|.*:.*|localhost")
"""Hosts whose first label is no name."""
ANYWHERE = Policy(("/",))
"""Where sockets may lie is a setting; it is asked when a profile is saved."""
PLACEHOLDER = "placeholder"
PEMS = {
    f"{before}{name}": (side, name)
    for before, side in (("", "tls"), ("sentinel_", "sentinel_tls"))
    for name in ("ca_pem", "client_cert_pem")
}
TOO_LARGE = f"The file has more than {LARGEST_BYTES // 1024 // 1024} MiB. Import a file with only the settings."
TOO_MUCH = "Reading the file took too long or too much memory. Write the settings out as plain values, in a file of their own."
NO_PEM = "This is no certificate that can be read. Paste the authority's certificates into the profile."


def read_file(name: str, content: bytes) -> FileReading:
    """What a file offers, within 2 s of work and 256 MB; its name is only a hint. Never raises for anything in it, and keeps nothing."""
    if len(content) > LARGEST_BYTES:
        return _refused(name, "too-large", TOO_LARGE)
    head = json.dumps({"name": PurePath(name).name}).encode()
    command = [sys.executable, "-I", "-c", START, str(ROOT)]
    try:
        child = subprocess.run(command, input=head + b"\n" + content, capture_output=True, timeout=TIME_S, env={}, check=False)
        answer = json.loads(child.stdout)
    except subprocess.TimeoutExpired:
        return _refused(name, "too-much", TOO_MUCH)
    except ValueError:
        # It was ended by a limit of its own, or by the guard that lets it do nothing but read.
        log.warning("the reader of a file ended", extra={"status": child.returncode})
        return _refused(name, "too-much", TOO_MUCH)
    return assembled(name, answer)


def assembled(name: str, answer: Mapping[str, Any]) -> FileReading:
    """What a child process answered, with names for the profiles and without those that could not be saved."""
    found = [candidate_of(plain) for plain in answer["candidates"]]
    findings = [finding_of(plain) for plain in answer["findings"]]
    candidates, more = _checked(_named(found, PurePath(name).stem))
    return _reading(name, answer["format"], candidates, [*findings, *more, *_twins(candidates)])


def _refused(name: str, code: str, message: str) -> FileReading:
    return _reading(name, "", (), [Finding(1, 1, Severity.ERROR, code, message)])


def _reading(name: str, kind: str, candidates: tuple[Candidate, ...], findings: Iterable[Finding]) -> FileReading:
    ordered = tuple(sorted(findings, key=lambda finding: (finding.line, finding.column)))
    outcome = outcome_of(candidates, ordered)
    if outcome is Outcome.REFUSE and not any(finding.severity is Severity.ERROR for finding in ordered):
        ordered = (*ordered, Finding(1, 1, Severity.ERROR, "nothing-found", "Nothing here can be imported."))
    return FileReading(name, kind, outcome, candidates, ordered)


def _named(candidates: list[Candidate], stem: str) -> list[Candidate]:
    """Candidates with names a profile can have, no two alike; what the file says is kept as far as it goes."""
    taken = set(RESERVED)
    named: list[Candidate] = []
    for candidate in candidates:
        profile = candidate.profile
        host = "" if ADDRESS.fullmatch(profile.host) or profile.kind is not Kind.STANDALONE else profile.host.partition(".")[0]
        wished = profile.name or profile.master_name or host
        name = _free(_slug(wished) or _slug(stem) or "redis", taken)
        taken.add(name)
        named.append(replace(candidate, profile=replace(profile, name=name)))
    return named


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:LONGEST_NAME].strip("-")


def _free(name: str, taken: set[str]) -> str:
    number = 2
    free = name
    while free in taken:
        ending = f"-{number}"
        free, number = f"{name[: LONGEST_NAME - len(ending)].rstrip('-')}{ending}", number + 1
    return free


def _checked(candidates: list[Candidate]) -> tuple[tuple[Candidate, ...], list[Finding]]:
    """The candidates that could be saved once their needs are filled, tidied; and a finding for what could not."""
    good: list[Candidate] = []
    findings: list[Finding] = []
    for candidate in candidates:
        fit, problems = _fit(candidate)
        bad = [name for name in PEMS if name in problems]
        if bad:
            fit, problems = _fit(_without_bad_pem(candidate, bad))
            findings.append(Finding(candidate.line, 1, Severity.WARNING, "bad-certificate", f"{candidate.profile.name}: {NO_PEM}"))
        name = candidate.profile.name
        findings += [Finding(candidate.line, 1, Severity.ERROR, "invalid", f"{name}: {problem}") for problem in problems.values()]
        good += [fit] if fit else []
    return tuple(good), findings


def _fit(candidate: Candidate) -> tuple[Candidate | None, Mapping[str, str]]:
    try:
        tidy = validated(_filled(candidate.profile), taken=(), policy=ANYWHERE)
    except Invalid as invalid:
        return None, invalid.problems
    return replace(candidate, profile=_emptied(tidy, candidate.profile)), {}


def _without_bad_pem(candidate: Candidate, bad: Sequence[str]) -> Candidate:
    """Without a certificate that is none, which is asked for: the rest of the connection is good."""
    profile = candidate.profile
    for name in bad:
        profile = _without(profile, *PEMS[name])
    needs = tuple(Need(name, (name,), line=candidate.line) for name in bad)
    return replace(candidate, profile=profile, needs=(*candidate.needs, *needs))


def _without(profile: Profile, side: str, pem: str) -> Profile:
    changes = {pem: ""}
    if side == "tls":
        return replace(profile, tls=replace(profile.tls, **changes))  # type: ignore[arg-type]  # both are texts of Tls
    return replace(profile, sentinel_tls=replace(profile.sentinel_tls, **changes))  # type: ignore[arg-type]  # as above


def _filled(profile: Profile) -> Profile:
    """With something in the fields that are still needed, so that the others can be checked."""
    return replace(
        profile,
        host=profile.host or PLACEHOLDER,
        sentinels=profile.sentinels or (Node(PLACEHOLDER, 26379),),
        master_name=profile.master_name or PLACEHOLDER,
        unix_path=profile.unix_path or f"/{PLACEHOLDER}",
    )


def _emptied(tidy: Profile, original: Profile) -> Profile:
    empty = {name: getattr(original, name) for name in ("sentinels", "master_name", "unix_path") if not getattr(original, name)}
    if original.kind is Kind.STANDALONE and not original.host:
        empty["host"] = ""
    return replace(tidy, **empty)


def _twins(candidates: tuple[Candidate, ...]) -> list[Finding]:
    """A finding for each candidate that is the same connection as one before it."""
    findings: list[Finding] = []
    for position, candidate in enumerate(candidates):
        twin = next((other for other in candidates[:position] if same_connection(other.profile, candidate.profile)), None)
        if twin is not None:
            message = f"{candidate.profile.name} is the same connection as {twin.profile.name}. Saving one of them is enough."
            findings.append(Finding(candidate.line, 1, Severity.INFO, "same-connection", message))
    return findings


def same_connection(one: Profile, other: Profile) -> bool:
    """Whether two profiles lead to the same database as the same user; a profile without an address is like no other."""
    return identity(one) == identity(other) and bool(one.host and (one.kind is not Kind.SENTINEL or one.sentinels))


def identity(profile: Profile) -> tuple[object, ...]:
    """What makes a connection that one and no other: where, which database, as whom."""
    place: tuple[object, ...] = (profile.host, profile.port)
    if profile.kind is Kind.UNIX:
        place = (profile.unix_path,)
    elif profile.kind is Kind.SENTINEL:
        place = (frozenset(profile.sentinels), profile.master_name)
    return profile.kind, place, profile.db, profile.username, profile.prefix
