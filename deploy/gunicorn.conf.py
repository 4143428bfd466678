"""gunicorn's settings for rqdash behind a reverse proxy: gunicorn --config deploy/gunicorn.conf.py

Processes, threads and the log level are rqdash's own settings (RQDASH_PROCESSES, RQDASH_THREADS, RQDASH_LOG_LEVEL).
"""

import os
import sys
from pathlib import Path

from rqdash.cli.check import mistakes
from rqdash.settings import settings

wrong = mistakes(os.environ)
if wrong:
    # A sentence each, instead of a traceback for each process.
    print("\n".join(wrong), file=sys.stderr)
    sys.exit(1)
found = settings(os.environ)

wsgi_app = "rqdash.app:create_app()"

# A socket in the file system: only nginx's group may open it, and no port can be reached around nginx.
bind = "unix:/run/rqdash/rqdash.sock"
umask = 0o007

# Threads, because a request mostly waits for Redis. Processes are not recycled: their memory does not grow.
worker_class = "gthread"
workers = found.processes
threads = found.threads

# A page has 2 seconds for its backends, a write at most the time-outs of its connection: who takes longer than this hangs.
timeout = 60
graceful_timeout = 30

# nginx opens a connection for each request: over a socket of this machine that costs next to nothing, and on a reload no
# connection is left that is closed just as a request comes in on it.
keepalive = 0

# Names of queues and ids of jobs travel in addresses, up to 1 KB each before they are written out.
limit_request_line = 8190

# Whoever reaches the socket is nginx, which sets these headers itself. SCRIPT_NAME as a header is nobody's business.
forwarded_allow_ips = "*"
forwarder_headers = ""
header_map = "drop"

# One more way in that nothing here needs.
control_socket_disable = True

# Where the process tells that it is alive: in memory, for a slow disk must not look like a dead process.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  gunicorn makes it, for itself alone

loglevel = found.log_level.lower()
accesslog = None  # nginx writes one
