"""Without django-allauth people sign in by password, and nothing of the rest is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT


def test_passwords_work_without_the_extra(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "without_library.py")],
        env={
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DEBUG": "1", "VAR_DIR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "handoff_site.settings",
        },
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("signed in without it")
