"""Loads the settings in one new process for each line that it is given, with only the line's environment.

What the settings import of others is loaded once, and each process begins as a fork with it; everything of
ours is loaded anew. A line and its answer are JSON: the environment and an expression; code, output, errors.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from tempfile import TemporaryFile

from handoff_site import settings  # noqa: F401


def ours() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "handoff_site"]


def load(environment: dict[str, str], expression: str) -> int:
    """As `python -c` would do it; the exit code."""
    os.environ.clear()
    os.environ.update(environment)
    try:
        exec(f"from handoff_site import settings; print({expression})", {})
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    for name in ours():
        del sys.modules[name]
    for line in sys.stdin:
        environment, expression = json.loads(line)
        with TemporaryFile("w+") as out, TemporaryFile("w+") as errors:
            if (child := os.fork()) == 0:
                sys.stdout, sys.stderr = out, errors
                code = load(environment, expression)
                out.flush()
                errors.flush()
                os._exit(code)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            assert not ours()
            out.seek(0)
            errors.seek(0)
            print(json.dumps([code, out.read(), errors.read()]), flush=True)


main()
