"""The settings as a process of its own loads them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.processes import ROOT

SOUND = {"SECRET_KEY": "for-tests-only", "PATH": os.environ["PATH"]}
Load = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def load() -> Iterator[Load]:
    """load(expression, **environment) loads the settings in a process of its own with only this environment,
    and prints an expression of them (see tests.site.loading)."""
    command = [sys.executable, "-m", "tests.site.loading"]
    with subprocess.Popen(
        command, env=SOUND, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as loading:
        assert loading.stdin is not None and loading.stdout is not None

        def ask(expression: str = "''", **environment: str) -> subprocess.CompletedProcess[str]:
            print(json.dumps([environment, expression]), file=loading.stdin, flush=True)
            return subprocess.CompletedProcess(command, *json.loads(loading.stdout.readline()))

        yield ask
