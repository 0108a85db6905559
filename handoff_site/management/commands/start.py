"""`manage.py start`: the web server and the django-q2 cluster under one supervisor.

Says what runs and what counts as the worker's sign of life; keeping it running is `handoff_site.supervisor`.
"""

import argparse
import logging
import os
import socket
import sys
import threading
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connection
from django.db.models import Max
from django.utils import timezone
from django_q.models import Task

from handoff_site import reference
from handoff_site.health import unapplied_migrations
from handoff_site.models import Heartbeat
from handoff_site.supervisor import Program, Supervisor
from handoff_site.tasks import WORKER

log = logging.getLogger("handoff.supervisor")

# The promise is a worker that works again within three minutes. The last sign of a cluster that has gone
# deaf may come from a task that was still running then (at most 60 s, mostly a few), and a restart takes
# some seconds. A sound one gives a sign every 60 to 90 s: the scheduler looks every 30.
PATIENCE = 120.0
LOOK_EVERY = 5.0


def address(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT, [IPV6]:PORT, :PORT or PORT; port 0 takes any free one."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8000")
    return host.strip("[]") or "127.0.0.1", int(port)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Held by the supervisor, so that a restart of the web process refuses nobody.

    Raises OSError when the address is taken or not ours.
    """
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def signs_of_life() -> tuple[datetime | None, datetime | None]:
    """When the worker last beat, and when it last finished any task. Raises django.db.Error.

    The second is there for a busy worker: behind a long queue the heartbeat waits its turn, and a restart
    would only make the queue longer.
    """
    beat = Heartbeat.objects.filter(name=WORKER).values_list("beat_at", flat=True).first()
    return beat, Task.objects.aggregate(last=Max("stopped"))["last"]


def has_static_files() -> bool:
    """Whether the pages find their styles and scripts: where files are served under hashed names, the list of
    these names has been written. Without it every page would be an error."""
    manifest = getattr(staticfiles_storage, "manifest_name", None)
    return manifest is None or staticfiles_storage.exists(manifest)


class Pulse:
    """The worker's signs of life, read in a thread: a database that hangs must not hold the supervisor. And
    its schedules, looked at beside them: while none is due the worker is well and does nothing."""

    def __init__(self) -> None:
        self._last: object | None = None
        threading.Thread(target=self._look, name="pulse", daemon=True).start()

    def sign(self) -> object | None:
        """The latest signs of life; None while the database does not answer."""
        return self._last

    def _look(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self._last = signs_of_life()
                if recalled := reference.recall_schedules(timezone.now()):
                    log.warning(
                        "%d schedules stood too far ahead and are due now: has a clock jumped?", recalled
                    )
            except Error:
                self._last = None
            finally:
                connection.close()
            pause.wait(LOOK_EVERY)


class Command(BaseCommand):
    help = "Runs the web server and the worker under one supervisor until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bind", metavar="HOST:PORT", type=address, default=("127.0.0.1", 8000))
        parser.add_argument(
            "--only",
            choices=["web", "worker"],
            help="run one of the two, such as the worker beside a gunicorn of your own",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not hasattr(os, "killpg"):
            raise CommandError("start needs a Unix system; it keeps process groups in order")
        missing = unapplied_migrations()
        if missing:
            raise CommandError(f"{len(missing)} migrations are not applied; run manage.py migrate first")
        if options["only"] != "worker" and not has_static_files():
            raise CommandError("the static files are not collected; run manage.py collectstatic first")
        # Without its schedule the heartbeat never comes, and the watchdog would restart a healthy cluster.
        reference.ensure_schedules(timezone.now())
        connection.close()
        root = str(settings.BASE_DIR)
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        programs = []
        if options["only"] != "worker":
            host, port = options["bind"]
            programs.append(self._web(host, port, path))
        if options["only"] != "web":
            programs.append(
                Program(
                    WORKER,
                    (sys.executable, os.path.join(root, "manage.py"), "qcluster"),
                    {"HANDOFF_WORKER": "1", "PYTHONPATH": path},
                    sign=Pulse().sign,
                    patience=PATIENCE,
                )
            )
        Supervisor(programs).run()

    def _web(self, host: str, port: int, path: str) -> Program:
        try:
            self._listener = listen(host, port)
        except OSError as error:
            raise CommandError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
        shown = f"[{host}]" if ":" in host else host
        self.stdout.write(f"Handoff on http://{shown}:{self._listener.getsockname()[1]} (Ctrl-C stops it)")
        self.stdout.flush()
        descriptor = self._listener.fileno()
        command = (sys.executable, "-m", "handoff_site.web", str(descriptor))
        return Program("web", command, {"HANDOFF_WORKER": "0", "PYTHONPATH": path}, inherit=(descriptor,))
