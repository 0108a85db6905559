"""`python -m tests.bench.browsing`: what the rep's inbox weighs and how fast it answers, in a real browser.

Owns a site of its own with the demo data, served as in production (DEBUG=0, collected files, compressed), and
Chromium on it with the processor slowed down four times. Prints a table and writes var/browse.json. It is
measured, not tested: a busy machine is no failure of the code.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from tests.bench import servers
from tests.chromium import DESK, FLAGS, PHONE, find_chromium
from tests.processes import free_port

REP, PASSWORD = "femke@handoff.example.com", "handoff-demo"
SLOWDOWN = 4
OBSERVE = """
window.seen = {shift: 0, paint: 0, events: []};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) seen.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) seen.paint = entry.startTime;
}).observe({type: "largest-contentful-paint", buffered: true});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries())
    if (entry.interactionId) seen.events.push([entry.interactionId, entry.name, entry.duration]);
}).observe({type: "event", durationThreshold: 16, buffered: true});
"""
# What a rep presses, as keys; each is waited for before the next.
KEYS = ("j", "k", "j", "Enter", "a", "u", "c", "Escape", "r", "Escape", "n", "Escape", "?", "Escape", "w")
ROUNDS = 3


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """The site as it is deployed, with the demo data; its address."""
    port = free_port()
    common = {**os.environ, "VAR_DIR": str(folder), "EMAIL_URL": "dummymail://", "LOG_LEVEL": "ERROR"}
    # The demo logins are made by a debug run only; what is measured is not one.
    debug = common | {"DEBUG": "1"}
    deployed = common | {"DEBUG": "0", "SECURE_SSL": "0", "SECRET_KEY": secrets.token_urlsafe(50)}

    def manage(*words: str, env: dict[str, str]) -> None:
        subprocess.run([sys.executable, "manage.py", *words], cwd=servers.ROOT, env=env, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip

    manage("migrate", "--verbosity", "0", env=debug)
    manage("setup", "--verbosity", "0", env=debug)
    manage("seed_demo", env=debug)
    manage("collectstatic", "--noinput", "--verbosity", "0", env=deployed)
    command = [sys.executable, "manage.py", "start", "--only", "web", "--bind", f"127.0.0.1:{port}"]
    log = folder / "web.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=servers.ROOT, env=deployed, stdout=out, stderr=out)
    try:
        servers._wait(process, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


class Wire:
    """What came over the wire, by the browser's own count, headers included."""

    def __init__(self, session: CDPSession) -> None:
        self.bytes, self.requests = 0, 0
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._add)

    def _add(self, event: dict[str, Any]) -> None:
        self.bytes += int(event["encodedDataLength"])
        self.requests += 1

    def take(self) -> tuple[int, int]:
        found = (self.bytes, self.requests)
        self.bytes, self.requests = 0, 0
        return found


def signed_in(browser: Browser, address: str, size: tuple[int, int]) -> Page:
    context = browser.new_context(base_url=address, viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.add_init_script(OBSERVE)
    page.goto("/login/")
    page.fill("input[name=username]", REP)
    page.fill("input[name=password]", PASSWORD)
    page.click(".door-form button")
    page.wait_for_url("**/inbox/")
    return page


def measure(browser: Browser, address: str, size: tuple[int, int]) -> dict[str, Any]:
    """Bytes of a first and a later visit, layout shift, paint and the time from an input to its picture."""
    page = signed_in(browser, address, size)
    session = page.context.new_cdp_session(page)
    wire = Wire(session)
    session.send("Network.clearBrowserCache")
    page.goto("about:blank")
    wire.take()
    _visit(page)
    first = wire.take()
    page.goto("about:blank")
    wire.take()
    _visit(page)
    later = wire.take()
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
    _visit(page)
    page.wait_for_timeout(1000)
    seen = page.evaluate("window.seen")
    events = []
    for _ in range(ROUNDS):
        for key in KEYS:
            page.keyboard.press(key)
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(150)
        page.keyboard.press("Escape")
        page.wait_for_timeout(300)
        events += page.evaluate("window.seen.events")
        _visit(page)
    return {
        "first_bytes": first[0],
        "first_requests": first[1],
        "later_bytes": later[0],
        "later_requests": later[1],
        "layout_shift": round(seen["shift"], 4),
        "largest_paint_ms": round(seen["paint"]),
        **_interactions(events),
    }


def _visit(page: Page) -> None:
    page.goto("/inbox/")
    page.wait_for_load_state("networkidle")


def _interactions(events: list[list[Any]]) -> dict[str, Any]:
    """An interaction lasts as long as its longest event. Below 16 ms the browser does not tell."""
    longest: dict[Any, float] = {}
    for number, _, duration in events:
        longest[number] = max(longest.get(number, 0.0), float(duration))
    found = sorted(longest.values())
    if len(found) < 2:
        return {"interactions": len(found)}
    return {
        "interactions": len(found),
        "interaction_p75_ms": round(statistics.quantiles(found, n=4)[2]),
        "interaction_max_ms": round(found[-1]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=servers.ROOT / "var" / "browse.json")
    arguments = parser.parse_args()
    program = find_chromium()
    if program is None:
        print("No Chromium found; CHROMIUM names it.", file=sys.stderr)
        return 1
    report: dict[str, Any] = {"started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    with (
        tempfile.TemporaryDirectory(prefix="handoff-browse-") as folder,
        site(Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS, headless=True)
        for name, size in (("desk", DESK), ("phone", PHONE)):
            report[name] = measure(browser, address, size)
        browser.close()
    for key in report["desk"]:
        print(f"{key:<24}{report['desk'][key]:>12,}{report['phone'].get(key, 0):>12,}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
