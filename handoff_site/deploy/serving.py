"""How gunicorn serves the site: `gunicorn --config python:handoff_site.deploy.serving handoff_site.wsgi`.

Imports nothing of ours: a HUP starts workers out of this process, and what it has imported they would not
read anew. `WEB_BIND` says where (host:port, several after commas, or unix:/path), `WEB_PROCESSES` how many,
or `WEB_CONCURRENCY` where they are on several machines.
"""

import os
from typing import Any

bind = os.environ.get("WEB_BIND", "127.0.0.1:8000").split(",")
workers = int(os.environ.get("WEB_CONCURRENCY") or os.environ.get("WEB_PROCESSES", "2"))
worker_class = "gthread"
threads = 8
# No connection is kept between nginx and here: one that is closed in a reload while a request is on its way
# would lose that request, and a form must not be sent twice.
keepalive = 0
# Longer than any statement may take (STATEMENT_TIMEOUT).
timeout = 60
# What is under way is finished when a worker goes.
graceful_timeout = 35
# A worker is known to live by a file that it touches: in memory, for a full disk must not kill it.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108
# The site leaves a line for each request itself.
accesslog = None
errorlog = "-"
proc_name = "handoff-web"
# It is reloaded and stopped by signals; a socket in somebody's home is one more thing to guard.
control_socket_disable = True


def post_request(worker: Any, request: Any, environ: dict[str, Any], response: Any) -> None:
    """Take what of a body nobody read, such as a file of somebody who had to sign in first: a connection that
    is closed before it was all sent takes the answer with it. nginx bounds its size."""
    while environ["wsgi.input"].read(1 << 16):
        pass
