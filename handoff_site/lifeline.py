"""No process outlives the one that started it, whatever kills that one.

Owns the asking of the system: to kill a process when its parent dies (PR_SET_PDEATHSIG), and to hand
orphans to the supervisor. Where the system has no such call, a pipe that the supervisor holds open
stands in: its end is the sign to go. Run as a program it is the launcher through which the supervisor
starts everything. Never decides what runs, never restarts anything; plain library code, no Django.
"""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
VARIABLE = "HANDOFF_LIFELINE"


def _find_prctl() -> Callable[..., int] | None:
    """The system's prctl(2), or None where there is none. Looked up once: a fork's child should not."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None, use_errno=True).prctl
    except (AttributeError, OSError):
        return None


_prctl = _find_prctl()


def die_with(parent: int) -> bool:
    """Have the system kill this process (SIGKILL) when `parent`, the pid of its parent, dies.

    Ends this process at once if that has happened already. False where the system cannot do it.
    """
    if _prctl is None or _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        return False
    # The parent may have died between the fork and the call above; then the signal never comes.
    if os.getppid() != parent:
        os._exit(1)
    return True


def adopt_orphans() -> bool:
    """Become the parent of descendants whose own parent dies, as process 1 is. False where not possible."""
    return _prctl is not None and _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def guard_forks() -> None:
    """From now on every fork of this process, and every fork of those, dies with its parent.

    Call it from the main thread and fork from there: the system counts the death of the forking thread.
    """
    parent = [os.getpid()]

    def before() -> None:
        parent[0] = os.getpid()

    def in_child() -> None:
        die_with(parent[0])

    os.register_at_fork(before=before, after_in_child=in_child)


def hold() -> bool:
    """Hang on to the lifeline that the launcher left in the environment, if it left one.

    A thread waits for the end of the pipe, which comes when the supervisor dies, and then kills this
    process's group. False when there is nothing to hold: the system itself sees to it.
    """
    number = os.environ.pop(VARIABLE, "")
    if not number:
        return False
    threading.Thread(target=_wait, args=(int(number),), name="lifeline", daemon=True).start()
    return True


def _wait(pipe: int) -> None:
    while os.read(pipe, 1):
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)


def main(arguments: list[str]) -> None:
    """Become another program that dies with its parent: PARENT_PID PIPE PROGRAM ARGUMENT..."""
    parent, pipe, *command = arguments
    if die_with(int(parent)):
        os.close(int(pipe))
    else:
        os.environ[VARIABLE] = pipe
    os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command line


if __name__ == "__main__":
    main(sys.argv[1:])
