"""Where the system's Chromium is and how it is started, for the browser tests and the browser's figures.

Debian's chromium-headless-shell is the same engine without the windows that nobody sees; they take a third to
a half of what Chromium takes of the processors. The figures are those of the browser that people have.
"""

from __future__ import annotations

import os
import shutil

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESK = (360, 800), (1440, 900)
SHELL = "chromium-headless-shell"
OPENERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium(*before: str) -> str | None:
    """The program that CHROMIUM names, else the first on the PATH, of `before` and the usual names; None for
    none."""
    named = os.environ.get("CHROMIUM")
    names = (*before, *OPENERS)
    return named if named else next((path for name in names if (path := shutil.which(name))), None)
