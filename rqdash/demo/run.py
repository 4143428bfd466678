"""The demo from start to end: servers, the dashboard's own data, workers and producers, the dashboard itself."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from rqdash.demo.backends import start_backends
from rqdash.demo.children import Children
from rqdash.demo.ending import Ending, until_asked
from rqdash.demo.layout import QUEUES, DemoBackend, described, write_layout
from rqdash.demo.place import check_extra, own_directory
from rqdash.demo.seed import Entry, seed
from rqdash.errors import SettingsError

READY_S = 60.0
POLL_S = 0.2
WATCH_S = 0.5
PROCESSES = 2
THREADS = 8
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Options:
    """What `rqdash demo` was asked for. workers: processes for each live backend."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 2
    producers: bool = True
    as_json: bool = False


def run(options: Options, *, environ: Mapping[str, str], say: Callable[[str], None], note: Callable[[str], None]) -> None:
    """Runs until Ctrl-C or SIGTERM, then ends every process it started; say gets the address, note what a person wants to know meanwhile.

    Raises SettingsError when it cannot start, or when its dashboard ends.
    """
    check_extra()
    with own_directory(options.data_dir.absolute()) as directory, until_asked() as ending, ExitStack() as stack:
        note("Starting servers, workers and the dashboard…")
        backends = start_backends(stack, directory / "servers")
        ending.check()
        entry = seed(directory / "data", backends)
        children = Children(directory / "logs", _environ(environ, directory, options))
        stack.callback(children.stop)
        _start_children(children, directory, options, backends)
        _wait_until_live(children, options, ending)
        say(_as_json(options, backends, entry) if options.as_json else _as_text(options, entry))
        _watch(children, ending)


def _environ(environ: Mapping[str, str], directory: Path, options: Options) -> dict[str, str]:
    """The children's environment. Settings of a real rqdash or RQ stay out of it: the demo must not reach their data."""
    kept = {name: value for name, value in environ.items() if not name.startswith(("RQDASH_", "RQ_"))}
    if sys.platform == "darwin":
        # A worker forks, which macOS refuses to a process that has used its frameworks.
        kept["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] = "YES"
    return kept | {
        "RQDASH_DATA_DIR": str(directory / "data"),
        "RQDASH_HOST": options.host,
        "RQDASH_PORT": str(options.port),
        "RQDASH_PROCESSES": str(PROCESSES),
        "RQDASH_THREADS": str(THREADS),
    }


def _start_children(children: Children, directory: Path, options: Options, backends: tuple[DemoBackend, ...]) -> None:
    live = tuple(backend for backend in backends if backend.name in QUEUES)
    layout = directory / "layout.json"
    write_layout(layout, live)
    # SIGINT is gunicorn's quick stop; on SIGTERM it waits for idle keep-alive connections.
    children.start("web", ["-m", "rqdash.cli", "serve"], stop_signal=signal.SIGINT, is_vital=True)
    for backend in live:
        for number in range(1, options.workers + 1):
            children.start(f"worker-{backend.name}-{number}", ["-m", "rqdash.demo.worker", str(layout), backend.name, str(number)])
        if options.producers:
            children.start(f"cron-{backend.name}", ["-m", "rqdash.demo.cron", str(layout), backend.name])
    if options.producers:
        children.start("producer", ["-m", "rqdash.demo.producer", str(layout)])


def _wait_until_live(children: Children, options: Options, ending: Ending) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        ending.check()
        children.check()
        if _is_live(options):
            return
        time.sleep(POLL_S)
    raise SettingsError(f"The dashboard did not answer within {READY_S:.0f} s. Why is in logs/web.log in the demo's data directory.")


def _is_live(options: Options) -> bool:
    asked = HTTPConnection(WILDCARDS.get(options.host, options.host), options.port, timeout=2)
    try:
        asked.request("GET", "/health/live")
        return asked.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        asked.close()


def _watch(children: Children, ending: Ending) -> None:
    while True:
        ending.check()
        children.check_vital()
        time.sleep(WATCH_S)


def _url(options: Options) -> str:
    host = WILDCARDS.get(options.host, options.host)
    return f"http://[{host}]:{options.port}" if ":" in host else f"http://{host}:{options.port}"


def _as_json(options: Options, backends: tuple[DemoBackend, ...], entry: Entry) -> str:
    url = _url(options)
    facts = {
        "url": url,
        "sign_in_url": f"{url}/sign-in/link?token={entry.link_token}",
        "api_token": entry.api_token,
        "pid": os.getpid(),
        "backends": [described(backend) for backend in backends],
    }
    return json.dumps(facts)


def _as_text(options: Options, entry: Entry) -> str:
    url = _url(options)
    return (
        f"\nThe rqdash demo is ready: {url}/\n\n"
        f"Sign in once with this link: {url}/sign-in/link?token={entry.link_token}\n\n"
        "orders (a Sentinel group), mail and media are live; legacy is down, to show what that looks like. Ctrl-C ends everything.\n"
    )
