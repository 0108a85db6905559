"""Keeps a few programs running: starts them, restarts what dies or falls silent, stops them in bounded time.

Each program runs in a session of its own, so that what it forked can be killed with it. Owns processes,
signals and their timing, and nothing else: what the programs are and what counts as a sign of life comes
in from `management.commands.start`. Knows no Django and no database, and needs only a Unix system.
"""

import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from handoff_site import lifeline

log = logging.getLogger("handoff.supervisor")

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
# A program that ran this long was well: the next death counts as the first again.
STEADY = 60.0
# How long a program may take to stop when asked. Under the ten seconds that containers give.
GRACE = 8.0
PULSE = 1.0

Sign = Callable[[], object | None]


@dataclass(frozen=True)
class Program:
    """What to run. `environment` is laid over the supervisor's own; `inherit` are file descriptors to pass.

    With `sign`, the program is watched: `sign()` returns any value that changes while the program is well,
    or None when nobody can tell. Unchanged for `patience` seconds, the program's whole group is killed and
    started anew.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    inherit: tuple[int, ...] = ()
    sign: Sign | None = None
    patience: float = 120.0


def delay(deaths: int) -> float:
    """Seconds to wait before the next start, after `deaths` deaths in a row none of which ran steadily."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(max(deaths - 1, 0), 10))


class Watch:
    """How long a sign of life has stayed the same, by a monotonic clock: no wall clock can fool it."""

    def __init__(self, now: float) -> None:
        self._seen: object | None = None
        self._since = now

    def restart(self, now: float) -> None:
        self._since = now

    def silence(self, sign: object | None, now: float) -> float:
        """Seconds since `sign` last changed. None, which is nobody can tell, counts as no silence."""
        if sign is None or sign != self._seen:
            self._seen = sign
            self._since = now
        return now - self._since


@dataclass
class _Child:
    """One program's present process, and when it is to be started again."""

    program: Program
    watch: Watch
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    start_at: float = 0.0


def kill_group(leader: int, sig: int = signal.SIGKILL) -> bool:
    """Signal every process of the group that `leader` leads. False when none is left."""
    try:
        os.killpg(leader, sig)
    except (ProcessLookupError, PermissionError):
        # PermissionError is what some systems say of a group of zombies.
        return False
    return True


class Supervisor:
    """Runs programs until told to stop (SIGTERM, SIGINT, SIGHUP). One per process, in its main thread."""

    def __init__(self, programs: Sequence[Program], *, grace: float = GRACE, pulse: float = PULSE) -> None:
        now = time.monotonic()
        self._children = [_Child(program, Watch(now)) for program in programs]
        self._grace = grace
        self._pulse = pulse
        self._stops = 0

    def run(self) -> None:
        """Start everything and keep it running; returns when everything has stopped."""
        self._pipe, self._held = os.pipe()
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        handled = {number: signal.getsignal(number) for number in self._signals()}
        if handled[signal.SIGHUP] == signal.SIG_IGN:
            del handled[signal.SIGHUP]  # started with nohup
        for number in handled:
            signal.signal(number, self._signalled)
        previous = signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        lifeline.adopt_orphans()
        try:
            while not self._stops:
                self._turn(time.monotonic())
                self._sleep(wake)
            self._stop(wake)
        finally:
            self._kill_all()
            signal.set_wakeup_fd(previous)
            for number, handler in handled.items():
                signal.signal(number, handler)
            for descriptor in (self._pipe, self._held, wake, woken):
                os.close(descriptor)

    @staticmethod
    def _signals() -> tuple[signal.Signals, ...]:
        return signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._stops += 1

    def _sleep(self, wake: int) -> None:
        """Wait for a signal, or a pulse long."""
        select.select([wake], [], [], self._pulse)
        try:
            while os.read(wake, 512):
                pass
        except BlockingIOError:
            pass

    def _turn(self, now: float) -> None:
        """One look at everything: bury the dead, kill the silent, start what is due."""
        self._reap(now)
        for child in self._children:
            if child.process is None:
                if now >= child.start_at:
                    self._start(child, now)
            elif child.program.sign is not None:
                silence = child.watch.silence(child.program.sign(), now)
                if silence > child.program.patience:
                    log.error("%s gave no sign for %.0f s; restarting it", child.program.name, silence)
                    child.watch.restart(now)
                    kill_group(child.process.pid)

    def _start(self, child: _Child, now: float) -> None:
        program = child.program
        launcher = [sys.executable, "-m", lifeline.__name__, str(os.getpid()), str(self._pipe)]
        child.process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
            [*launcher, *program.command],
            env={**os.environ, **program.environment},
            stdin=subprocess.DEVNULL,
            pass_fds=(self._pipe, *program.inherit),
            start_new_session=True,
        )
        child.started = now
        child.watch.restart(now)
        log.info("%s started as process %d", program.name, child.process.pid)

    def _reap(self, now: float) -> None:
        """Collect every dead process, adopted orphans included: nobody else would if this is process 1."""
        leaders = {child.process.pid: child for child in self._children if child.process is not None}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid in leaders:
                self._bury(leaders.pop(pid), os.waitstatus_to_exitcode(status), now)

    def _bury(self, child: _Child, code: int, now: float) -> None:
        assert child.process is not None  # noqa: S101 - only called with a dead process
        child.process.returncode = code
        # The dead leader's forks hold locks and connections; none of them may meet its successor.
        kill_group(child.process.pid)
        child.process = None
        if self._stops:
            return
        child.deaths = 1 if now - child.started >= STEADY else child.deaths + 1
        wait = delay(child.deaths)
        child.start_at = now + wait
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        log.warning("%s %s; starting it again in %.1f s", child.program.name, how, wait)

    def _running(self) -> list[subprocess.Popen[bytes]]:
        return [child.process for child in self._children if child.process is not None]

    def _stop(self, wake: int) -> None:
        """Ask all to stop, wait for the grace or a second signal, and leave the rest to `_kill_all`."""
        log.info("stopping")
        asked = self._stops
        deadline = time.monotonic() + self._grace
        for process in self._running():
            # The leader only: it sees to its own forks in its own order.
            os.kill(process.pid, signal.SIGTERM)
        while self._running() and self._stops == asked and time.monotonic() < deadline:
            self._sleep(wake)
            self._reap(time.monotonic())

    def _kill_all(self) -> None:
        """Kill what is still there, and see it gone."""
        self._stops += 1
        for child in self._children:
            if child.process is not None:
                log.warning("%s did not stop in time; killing it", child.program.name)
                kill_group(child.process.pid)
        deadline = time.monotonic() + 2
        while self._running() and time.monotonic() < deadline:
            time.sleep(0.02)
            self._reap(time.monotonic())
