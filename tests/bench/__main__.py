"""`python -m tests.bench`: the benchmark on PostgreSQL and SQLite; a table of ratios and var/bench.json.

Of several sizes on PostgreSQL it also says how each figure grows, and draws that into var/bench.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from handoff_site.deploy import serving
from tests.bench import curves, deciding, servers

# What we hold ourselves to on PostgreSQL, two cores.
ROWS = (
    (
        "single intake, 8 clients", "single_intake_rate", "events/s",
        "single_intake_to_insert", "of bare INSERTs/s", ">= 0.167",
    ),
    ("batch intake, 2 clients", "batch_intake_rate", "events/s", None, "", ">= 1000/s"),
    ("batch intake, a new lead in 11", "mixed_intake_rate", "events/s", None, "", ">= 1000/s"),
    ("single intake, the machine", "single_intake_cpu_ms", "ms of CPU", None, "a lead", ""),
    ("batch intake, the machine", "batch_intake_cpu_ms", "ms of CPU", None, "a lead", ""),
    ("a new lead in 11, the machine", "mixed_intake_cpu_ms", "ms of CPU", None, "an event", ""),
    ("inbox", "inbox_ms", "ms", "inbox_to_rows", "x bare 25 rows", "<= 2"),
    ("lead page", "lead_page_ms", "ms", "lead_page_to_rows", "x bare 25 rows", ""),
    ("lead alone (htmx)", "lead_fragment_ms", "ms", "lead_fragment_to_rows", "x bare 25 rows", ""),
    ("accept", "accept_ms", "ms", "accept_to_insert", "x bare INSERT", "<= 6"),
    ("accept, with next lead", "accept_page_ms", "ms", "accept_page_to_insert", "x bare INSERT", ""),
    ("dashboard, all kept", "dashboard_ms", "ms", "dashboard_to_rows", "x bare 25 rows", "<= 3"),
    (
        "dashboard, nothing kept", "dashboard_cold_ms", "ms",
        "dashboard_cold_to_hand", "x SQL by hand", "<= 1.5 of a million; SQLite < 2 s",
    ),
    ("diagnosis, nothing kept", "diagnosis_ms", "ms", None, "", "< 2 s"),
    ("where the time went", "time_ms", "ms", None, "", "< 2 s"),
    ("closed loop", "loop_ms", "ms", None, "", "< 2 s"),
    ("weak signals, nothing kept", "gaming_ms", "ms", None, "", "< 2 s"),
    ("report of a week, made", "report_ms", "ms", None, "", "< 5 s"),
    ("team, a manager's", "team_ms", "ms", "team_to_rows", "x bare 25 rows", "<= 2.5"),
    ("completion", "completion_ms", "ms", "completion_to_rows", "x bare 25 rows", "<= 2.5"),
    ("a person's page", "person_ms", "ms", "person_to_rows", "x bare 25 rows", "<= 2.5"),
    ("search, two beginnings", "search_ms", "ms", "search_to_rows", "x bare 25 rows", "<= 2.5"),
    ("poll, nothing to say", "poll_ms", "ms", "poll_to_session", "x bare empty, signed in", "<= 1.5"),
    ("sweep, nothing due", "sweep_nothing_due_ms", "ms", None, "", "< 20 ms"),
    ("repair, nothing wrong", "repair_nothing_wrong_ms", "ms", None, "", "< 20 ms"),
    ("sweep, thousands due", "sweep_due_seconds", "s", None, "", ""),
    ("sweep, each handoff due", "sweep_each_ms", "ms", None, "", ""),
    ("SQL by hand, five metrics", "hand_sql_ms", "ms", None, "", ""),
    ("bare: empty", "bare_empty_ms", "ms", None, "", ""),
    ("bare: empty, signed in", "bare_session_ms", "ms", None, "", ""),
    ("bare: 25 rows", "bare_rows_ms", "ms", None, "", ""),
    ("bare: INSERT", "bare_insert_ms", "ms", None, "", ""),
    ("bare: INSERT, 8 clients", "bare_insert_rate", "requests/s", None, "", ""),
)  # fmt: skip

# The most handoffs that are measured on SQLite.
LITE = 100_000


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    decided = deciding.measure()
    _decided(decided)
    found: list[dict[str, Any]] = []
    for kind in arguments.databases:
        for count in sorted(arguments.handoffs):
            if kind == "sqlite" and count > LITE:
                print(f"sqlite: more than {LITE:,} handoffs are for a server.", flush=True)
                continue
            try:
                found.append(_measure(kind, count, arguments))
            except servers.Unavailable as reason:
                print(f"PostgreSQL is left out: {reason}.", flush=True)
                break
    for figures in found:
        _table(figures)
    grown = curves.grown([figures for figures in found if figures["database"] == "postgresql"])
    if grown:
        print(curves.told(grown))
        drawing = arguments.json.with_suffix(".svg")
        drawing.parent.mkdir(parents=True, exist_ok=True)
        drawing.write_text(curves.drawn(grown))
        print(f"\nDrawn in {drawing}.")
    report = {
        "started": started,
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "gunicorn": {"workers": servers.WORKERS, "threads": serving.threads},
        "decide": decided,
        "runs": found,
        "growth": [asdict(curve) for curve in grown],
    }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nWritten to {arguments.json}.")
    return 0 if found else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--handoffs",
        type=_count,
        nargs="+",
        default=[10_000, 100_000, 1_000_000],
        help="how many to load, one run for each (10000 100000 1000000)",
    )
    parser.add_argument(
        "--databases",
        nargs="+",
        choices=["postgresql", "sqlite"],
        default=["postgresql", "sqlite"],
        help="BENCH_DATABASE_URL names a PostgreSQL server; without it one is started here",
    )
    parser.add_argument("--json", type=Path, default=servers.ROOT / "var" / "bench.json")
    parser.add_argument("--minutes", type=float, default=120, help="the longest that one run may take")
    parser.add_argument("--quick", action="store_true", help="few requests: to see that it works")
    parser.add_argument(
        "--keep",
        type=_name,
        default="",
        metavar="NAME",
        help="database NAME_<handoffs> of BENCH_DATABASE_URL: loaded once, measured as often as one likes",
    )
    parser.add_argument("--only-pages", action="store_true", help="no intake, no sweeps")
    return parser.parse_args()


def _count(text: str) -> int:
    number = int(text.replace("_", "").replace(",", ""))
    if not 300 <= number <= 5_000_000:
        raise argparse.ArgumentTypeError("from 300 to 5,000,000")
    return number


def _name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z_]{0,30}", text):
        raise argparse.ArgumentTypeError("small letters and underscores")
    return text


def _measure(kind: str, count: int, arguments: argparse.Namespace) -> dict[str, Any]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="handoff-bench-site-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = (
            stack.enter_context(servers.postgres(f"{arguments.keep}_{count}" if arguments.keep else ""))
            if kind == "postgresql"
            else f"sqlite:///{folder / 'bench.sqlite3'}"
        )
        print(f"{kind}: {count:,} handoffs", flush=True)
        command = [
            sys.executable, str(servers.ROOT / "manage.py"), "measure", url,
            "--handoffs", str(count), "--folder", str(folder),
        ]  # fmt: skip
        command += [
            word for word in ("--quick", "--only-pages") if getattr(arguments, word[2:].replace("-", "_"))
        ]
        environment = servers.environment(url) | {"VAR_DIR": str(folder)}
        # A group of its own, so that its gunicorn goes with it whatever happens.
        process = subprocess.Popen(
            command, cwd=servers.ROOT, env=environment, stdout=subprocess.PIPE, start_new_session=True
        )
        stack.callback(_end, process)
        out, _ = process.communicate(timeout=arguments.minutes * 60)
        if process.returncode:
            raise SystemExit(f"the run on {kind} failed with exit code {process.returncode}")
        figures: dict[str, Any] = json.loads(out)
        return figures


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of the run's process group outlives it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            continue


def _decided(figures: dict[str, Any]) -> None:
    print(
        f"decide, {figures['rules']} rules, {figures['territories']} territories: median "
        f"{figures['median_us']} us, p95 {figures['p95_us']} us a lead (target: median < 100 us); "
        f"{figures['rules_met']} rules met by {figures['leads']:,} leads, "
        f"the catch-all by {figures['met_the_catch_all']:,}",
        flush=True,
    )


def _table(figures: dict[str, Any]) -> None:
    print(
        f"\n{figures['database']} {figures['version']}, {figures['handoffs']:,} handoffs "
        f"(loaded in {figures['load_seconds']} s)"
    )
    print(f"{'':<26}{'measured':>16}  {'ratio':>8} {'':<20}{'target':<10}")
    for label, key, unit, ratio, beside, target in ROWS:
        if key not in figures:
            continue
        part = f"{figures[ratio]:>8} {beside:<20}" if ratio else f"{'':>8} {'':<20}"
        print(f"{label:<26}{f'{figures[key]} {unit}':>16}  {part}{target:<10}")
    queries = figures["inbox_queries"]
    print(f"{'inbox queries':<26}{queries['all']:>16}  with all of a rep's leads, {queries['few']} with few")
    if "sweep_due" not in figures:
        return
    steps, errors = figures["sweep_steps_fired"], figures["sweep_errors"]
    print(f"{'handoffs due, steps':<26}{figures['sweep_due']:>16,}  {steps:,} steps fired, {errors} errors")


if __name__ == "__main__":
    sys.exit(main())
