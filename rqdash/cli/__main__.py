"""python -m rqdash.cli, for where the rqdash program is not on the path."""

from __future__ import annotations

from rqdash.cli.commands import main

if __name__ == "__main__":
    main(prog_name="rqdash")
