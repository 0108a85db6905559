"""The supervisor over small real programs: restarts, backoff, watchdog, clean stop, and no orphan ever."""

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from handoff_site.supervisor import LONGEST_DELAY, Watch, delay
from tests.processes import ROOT, alive, descendants, kill, wait_for

# A program that writes its pid and that of a fork of its own, and then lives on.
FAMILY = """
    import os, sys, time, signal
    from handoff_site import lifeline
    lifeline.hold()
    lifeline.guard_forks()
    if "--deaf" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with open("pids", "a") as file:
            file.write(f"fork {os.getpid()}\\n")
        time.sleep(600)
    with open("pids", "a") as file:
        file.write(f"main {os.getpid()}\\n")
    time.sleep(600)
"""


class Stage:
    """A folder with one supervised program in it, and the supervisor that runs there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
        self.process: subprocess.Popen[str] | None = None

    def start(
        self, program: str, *arguments: str, options: str = "", sign: str = "None", before: str = ""
    ) -> int:
        (self.folder / "program.py").write_text(textwrap.dedent(program))
        (self.folder / "supervise.py").write_text(
            textwrap.dedent(
                f"""
                import logging, signal, sys
                from handoff_site.supervisor import Program, Supervisor
                # A test run that was started with nohup leaves this ignored.
                signal.signal(signal.SIGHUP, signal.SIG_DFL)
                logging.basicConfig(level=logging.INFO)
                program = Program(
                    "family", (sys.executable, "program.py", *{arguments!r}), sign={sign}, patience=0.6
                )
                Supervisor([program], pulse=0.05, {options}).run()
                """
            )
        )
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                [*before.split(), sys.executable, "supervise.py"],
                cwd=self.folder, env=self.environment, stdout=log, stderr=log, text=True,
            )  # fmt: skip
        return self.process.pid

    def pids(self, kind: str) -> list[int]:
        path = self.folder / "pids"
        lines = path.read_text().splitlines() if path.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(kind)]

    def family(self, number: int = 1) -> tuple[int, int]:
        """Pids of the n-th start's main process and of its fork."""
        wait_for(lambda: len(self.pids("main")) >= number and len(self.pids("fork")) >= number)
        return self.pids("main")[number - 1], self.pids("fork")[number - 1]

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Exit code, and the seconds the stop took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(timeout=60), time.monotonic() - began

    def clear(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.pids("main") + self.pids("fork"):
            if alive(pid):
                kill(pid)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.clear()


def test_the_delay_doubles_up_to_a_bound() -> None:
    assert [delay(deaths) for deaths in range(1, 6)] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert delay(50) == delay(5000) == LONGEST_DELAY == 30.0


def test_silence_is_counted_from_the_last_change() -> None:
    watch = Watch(100.0)
    assert watch.silence("never", 160.0) == 0.0
    assert watch.silence("never", 200.0) == 40.0
    assert watch.silence("beat 1", 210.0) == 0.0
    assert watch.silence("beat 1", 300.0) == 90.0
    watch.restart(310.0)
    assert watch.silence("beat 1", 320.0) == 10.0


def test_what_nobody_can_tell_is_no_silence() -> None:
    watch = Watch(0.0)
    watch.silence("beat 1", 10.0)
    assert watch.silence(None, 500.0) == 0.0
    assert watch.silence("beat 1", 501.0) == 0.0
    assert watch.silence("beat 1", 511.0) == 10.0


def test_a_killed_program_comes_back_and_its_forks_do_not_stay(stage: Stage) -> None:
    stage.start(FAMILY)
    main, fork = stage.family()
    kill(main)
    again, other = stage.family(2)
    assert not alive(main) and not alive(fork)
    assert alive(again) and alive(other)
    assert "family was killed by signal 9; starting it again in 0.5 s" in stage.log()


def test_a_program_that_cannot_run_is_tried_ever_more_rarely(stage: Stage) -> None:
    stage.start("raise SystemExit(3)")
    wait_for(lambda: "starting it again in 2.0 s" in stage.log())
    stage.end()
    waits = re.findall(r"family ended with code 3; starting it again in (\S+) s", stage.log())
    assert waits[:3] == ["0.5", "1.0", "2.0"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_stops_cleanly_when_told(stage: Stage, number: int) -> None:
    stage.start(FAMILY)
    main, fork = stage.family()
    code, seconds = stage.end(number)
    assert code == 0
    assert seconds < 7, "that was the grace, and then a kill"
    assert not alive(main) and not alive(fork)


def test_what_does_not_stop_is_killed_after_the_grace(stage: Stage) -> None:
    stage.start(FAMILY, "--deaf", options="grace=0.5")
    main, fork = stage.family()
    code, seconds = stage.end()
    assert code == 0
    assert 0.4 < seconds < 20
    assert not alive(main) and not alive(fork)


def test_a_second_signal_ends_the_patience(stage: Stage) -> None:
    stage.start(FAMILY, "--deaf", options="grace=60")
    main, fork = stage.family()
    assert stage.process is not None
    stage.process.send_signal(signal.SIGINT)
    wait_for(lambda: "stopping" in stage.log())
    code, seconds = stage.end(signal.SIGINT)
    assert code == 0
    assert seconds < 30
    assert not alive(main) and not alive(fork)


def test_a_killed_supervisor_leaves_no_orphan(stage: Stage) -> None:
    stage.start(FAMILY, "--deaf")
    main, fork = stage.family()
    assert alive(main) and alive(fork)
    stage.end(signal.SIGKILL)
    wait_for(lambda: not alive(main) and not alive(fork), 10, "an orphan stayed")


def test_a_killed_supervisor_leaves_no_orphan_where_the_system_does_not_help(stage: Stage) -> None:
    # As on a system without prctl: the launcher and the forks find none.
    (stage.folder / "sitecustomize.py").write_text("import sys; sys.platform = 'elsewhere'")
    stage.start(FAMILY, "--deaf")
    main, fork = stage.family()
    stage.end(signal.SIGKILL)
    wait_for(lambda: not alive(main) and not alive(fork), 10, "an orphan stayed")


def test_a_killed_program_is_replaced_where_the_system_does_not_help(stage: Stage) -> None:
    (stage.folder / "sitecustomize.py").write_text("import sys; sys.platform = 'elsewhere'")
    stage.start(FAMILY, "--deaf", options="grace=0.2")
    main, fork = stage.family()
    kill(main)
    stage.family(2)
    assert not alive(main) and not alive(fork)
    assert stage.end()[0] == 0
    assert not any(alive(pid) for pid in stage.pids("main") + stage.pids("fork"))


def test_a_silent_program_is_restarted_with_all_its_forks(stage: Stage) -> None:
    stage.start(FAMILY, "--deaf", sign='lambda: "the same for ever"')
    main, fork = stage.family()
    stage.family(2)
    assert not alive(main) and not alive(fork)
    assert "family gave no sign for 1 s; restarting it" in stage.log()


def test_a_program_that_gives_signs_is_left_alone(stage: Stage) -> None:
    stage.start(FAMILY, sign="lambda: __import__('time').monotonic()")
    main, _ = stage.family()
    time.sleep(1.5)
    assert alive(main)
    assert stage.pids("main") == [main]


def test_no_sign_is_expected_while_nobody_can_tell(stage: Stage) -> None:
    stage.start(FAMILY, sign="lambda: None")
    main, _ = stage.family()
    time.sleep(1.5)
    assert stage.pids("main") == [main]


def test_orphans_of_a_program_are_collected(stage: Stage) -> None:
    supervisor = stage.start(FAMILY)
    main, fork = stage.family()
    kill(main)
    stage.family(2)
    listing = subprocess.run(["ps", "-o", "pid=", "-p", f"{main},{fork}"], capture_output=True, text=True)
    assert listing.stdout.split() == []
    assert len(descendants(supervisor)) == 2


def test_it_works_as_process_one(stage: Stage) -> None:
    if not shutil.which("unshare") or subprocess.run(["unshare", "--pid", "--fork", "true"]).returncode != 0:
        pytest.skip("this system lets us make no pid namespace")
    stage.start(
        FAMILY.replace("os.getpid()", "os.readlink('/proc/self')"),
        before="unshare --pid --fork --kill-child",
    )
    outside = stage.process.pid if stage.process else 0
    wait_for(lambda: len(stage.pids("fork")) == 1 and len(stage.pids("main")) == 1)
    one = min(pid for pid, words in descendants(outside).items() if "supervise.py" in words)
    below = list(descendants(one))
    assert len(below) == 2
    kill(below[0])
    wait_for(lambda: "starting it again" in stage.log() and len(descendants(one)) == 2)
    assert not any(alive(pid) for pid in below)
    kill(one, signal.SIGTERM)
    assert stage.process is not None and stage.process.wait(timeout=60) == 0
    (stage.folder / "pids").unlink()
