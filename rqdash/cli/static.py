"""rqdash static: hands the static files to a web server that stands in front."""

from __future__ import annotations

import shutil
from pathlib import Path

import click


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def static(directory: Path) -> None:
    """Copy the static files to DIRECTORY/static, under the fingerprint that pages name.

    Copies of older versions stay there for pages drawn before an upgrade; those of more than the last three are removed.
    """
    from rqdash.app import folder
    from rqdash.web.assets import fingerprint

    source = folder("static")
    target = directory / "static" / fingerprint(source)
    if not target.exists():
        # Under another name first: the web server must not find half of it.
        draft = target.with_name(f".{target.name}")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(source, draft)
        draft.touch()
        draft.rename(target)
    copies = sorted((path for path in target.parent.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime_ns)
    for old in [path for path in copies if path != target][:-2]:
        shutil.rmtree(old)
    click.echo(str(target))
