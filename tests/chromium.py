"""Where the system's Chromium is and how it is started, for the browser tests and the browser's figures."""

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
OPENERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The program that CHROMIUM names, else the first on the PATH; None for none."""
    named = os.environ.get("CHROMIUM")
    return named if named else next((path for name in OPENERS if (path := shutil.which(name))), None)
