"""rqdash import: connections out of the files people have."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rqdash.cli.frame import Opened, opened

if TYPE_CHECKING:
    from rqdash.profiles.importing import Planned
    from rqdash.profiles.readers.values import Candidate, FileReading
    from rqdash.profiles.registry import Profiles

LARGEST_BYTES = 8 * 1024 * 1024
"""A little more than what is read at all, so that a file that is too large is known to be."""
ACCEPTED, REFUSED, UNREADABLE = 0, 1, 2
HEADER = ("NAME", "STATE", "KIND", "ADDRESS", "DB", "TLS", "PASSWORD", "NEEDS")


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file, each on a line.")
@click.option("--dry-run", is_flag=True, help="Only read the files: neither a database nor settings are needed.")
@click.option("--save", "names", multiple=True, metavar="NAME", help="Save this profile, also over one that differs; repeatable.")
@click.option("--all", "everything", is_flag=True, help="Save every profile that is new.")
@click.option("--passphrase-stdin", "from_stdin", is_flag=True, help="Read an export's passphrase from the first line of standard input.")
@click.pass_context
def import_files(  # noqa: PLR0917  click's
    context: click.Context,
    files: tuple[str, ...],
    as_json: bool,  # noqa: FBT001
    dry_run: bool,  # noqa: FBT001
    names: tuple[str, ...],
    everything: bool,  # noqa: FBT001
    from_stdin: bool,  # noqa: FBT001
) -> None:
    """Read connections out of settings files, .env and compose files, lists of URLs, sentinel.conf and exports.

    FILE may be - for standard input. Files are read, never run, and nothing is connected to. Saved profiles are disabled until you
    test and enable them. Exits with 0 when everything was accepted, 1 when something was refused, 2 when a file cannot be opened.
    """
    wanted = tuple(part for name in names for part in name.split(",") if part)
    if everything and wanted:
        raise click.UsageError("Give --save or --all, not both.")
    if from_stdin and "-" in files:
        raise click.UsageError("Standard input holds either a file or a passphrase.")
    readings, code = _read_all(files, from_stdin=from_stdin)
    is_saving = (everything or bool(wanted)) and not dry_run
    if as_json:
        _print_json(readings)
    if is_saving or not (as_json or dry_run):
        with opened() as data:
            code = max(code, _with_data(data, readings, wanted=wanted, is_saving=is_saving, as_json=as_json))
    elif not as_json:
        _print(readings, {})
    context.exit(code)


def _read_all(files: Sequence[str], *, from_stdin: bool) -> tuple[list[FileReading], int]:
    from rqdash.profiles.readers.values import Outcome

    readings, code = [], ACCEPTED
    for name in files:
        reading = _read(name, from_stdin=from_stdin)
        is_open = reading.format != UNOPENED
        if not is_open:
            code = UNREADABLE
        elif reading.outcome is not Outcome.ACCEPT:
            code = max(code, REFUSED)
        readings.append(reading)
    return readings, code


UNOPENED = "unreadable"


def _read(name: str, *, from_stdin: bool) -> FileReading:
    from rqdash.errors import Invalid
    from rqdash.profiles.export import decrypted, is_encrypted
    from rqdash.profiles.readers.read import read_file

    try:
        if name == "-":
            content = sys.stdin.buffer.read(LARGEST_BYTES)
        else:
            with Path(name).open("rb") as file:
                content = file.read(LARGEST_BYTES)
    except (OSError, ValueError):
        return _failed(name, UNOPENED, "unreadable", "The file cannot be opened. Check its name and whether you may read it.")
    if is_encrypted(content):
        try:
            content = decrypted(content, _passphrase(from_stdin=from_stdin))
        except Invalid as invalid:
            return _failed(name, "rqdash/1", "encrypted", invalid.message)
    return read_file(name, content)


def _failed(name: str, kind: str, code: str, message: str) -> FileReading:
    from rqdash.profiles.readers.values import FileReading, Finding, Outcome, Severity

    return FileReading(name, kind, Outcome.REFUSE, (), (Finding(1, 1, Severity.ERROR, code, message),))


def _passphrase(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Passphrase of the export", hide_input=True, err=True)
    return typed


def _with_data(data: Opened, readings: list[FileReading], *, wanted: Sequence[str], is_saving: bool, as_json: bool) -> int:
    """Shows what the candidates are beside the stored profiles, and saves those that were asked for."""
    from rqdash.profiles.registry import open_profiles

    profiles = open_profiles(data.store, data.settings)
    candidates = [candidate for reading in readings for candidate in reading.candidates]
    if not as_json:
        _print(readings, {id(candidate): _plan(profiles, candidate) for candidate in candidates})
    if not is_saving:
        return ACCEPTED
    unknown = [name for name in wanted if name not in {candidate.profile.name for candidate in candidates}]
    for name in unknown:
        click.echo(f"{name}: there is no profile of that name in what was read.", err=True)
    chosen = [candidate for candidate in candidates if not wanted or candidate.profile.name in wanted]
    saved = [_save(data, profiles, candidate, is_named=bool(wanted)) for candidate in chosen]
    return REFUSED if unknown or not all(saved) else ACCEPTED


def _plan(profiles: Profiles, candidate: Candidate) -> Planned:
    from rqdash.profiles.importing import no_secrets, plan

    return plan(candidate, profiles.all(), secrets_of=no_secrets if profiles.locked else profiles.secrets)


def _save(data: Opened, profiles: Profiles, candidate: Candidate, *, is_named: bool) -> bool:
    """Whether a candidate is stored now as the file has it. One that differs from a stored profile is saved only when it was named."""
    from rqdash.errors import RqdashError
    from rqdash.profiles.importing import State, save

    planned, name = _plan(profiles, candidate), candidate.profile.name
    stored = planned.over.name if planned.over else ""
    if planned.state is State.SAME and (stored == name or not is_named):
        _say(name, f"skipped, for {stored} is the same already.")
        return True
    if planned.state is State.CONFLICTING and not is_named:
        _say(name, f"not saved, for {stored} differs: {_difference(planned)}. To save it all the same: --save {name}")
        return False
    over = bool(stored) and stored == name
    try:
        with data.actor.recording("import connection", backend=name, values={"name": name, "over": stored if over else ""}):
            save(profiles, planned, by=data.actor.name, over=over)
    except RqdashError as error:
        _say(name, error.message)
        return False
    _say(name, "saved over the stored one, disabled." if over else "saved, disabled. Test it, then enable it.")
    return True


def _say(name: str, what: str) -> None:
    click.echo(f"{name}: {what}", err=True)


def _difference(planned: Planned) -> str:
    return "; ".join(f"{field} {before} -> {after}" for field, before, after in planned.changes)


def _print_json(readings: Iterable[FileReading]) -> None:
    for reading in readings:
        click.echo(json.dumps(as_json_object(reading)))


def as_json_object(reading: FileReading) -> dict[str, Any]:
    """One file as scripts get it; no secret is in it."""
    from rqdash.profiles.readers.plain import plain_finding

    return {
        "file": reading.name,
        "format": reading.format,
        "outcome": reading.outcome.value,
        "profiles": [_profile_object(candidate) for candidate in reading.candidates],
        "findings": [plain_finding(finding) for finding in reading.findings],
    }


def _profile_object(candidate: Candidate) -> dict[str, Any]:
    """host and port are null with Sentinels; of a unix socket, host is its path."""
    from rqdash.model.profile import Kind

    profile = candidate.profile
    is_one = profile.kind is Kind.STANDALONE
    return {
        "name": profile.name,
        "kind": profile.kind.value,
        "host": profile.host if is_one else profile.unix_path or None,
        "port": profile.port if is_one else None,
        "sentinels": [[node.host, node.port] for node in profile.sentinels],
        "master_name": profile.master_name or None,
        "db": profile.db,
        "username": profile.username or None,
        "has_password": profile.has_password,
        "tls": profile.tls.enabled,
        "needs": [need.name for need in candidate.needs],
    }


def _print(readings: Iterable[FileReading], plans: dict[int, Planned]) -> None:
    for reading in readings:
        click.echo(f"{reading.name}: {reading.format or 'unknown format'}, {WORDS[reading.outcome.value]}")
        if reading.candidates:
            _table([HEADER, *(_row(candidate, plans.get(id(candidate))) for candidate in reading.candidates)])
        for planned in (plans[id(candidate)] for candidate in reading.candidates if id(candidate) in plans):
            if planned.changes and planned.over:
                click.echo(f"  {planned.candidate.profile.name} differs from {planned.over.name}: {_difference(planned)}")
        for finding in reading.findings:
            click.echo(f"{reading.name}:{finding.line}:{finding.column}: {finding.severity.value}: {finding.message}")


WORDS = {"accept": "accepted", "partial": "accepted in part", "refuse": "refused"}


def _row(candidate: Candidate, planned: Planned | None) -> tuple[str, ...]:
    profile = candidate.profile
    return (
        profile.name,
        planned.state.value if planned else "",
        profile.kind.value,
        profile.address,
        str(profile.db),
        "yes" if profile.tls.enabled else "no",
        "in the file" if profile.has_password else "no",
        ", ".join(need.name for need in candidate.needs) or "nothing",
    )


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
