"""The audit of what is installed: `make audit` holds every pin of the locks against the published advisories.

Owns when an audit counts as one: the service must know an advisory against an old package that is named here
for this, and must have been asked about every pin, or the answer is that nothing was audited. So a service
that is dead, or that answers nothing to everything, is never taken for good news. Never changes a pin.
Ends with 0 when nothing is known, 1 when something is, 2 when it could not be found out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
# What is developed with holds all that is deployed, at the same versions; a test says so.
LOCK = ROOT / "requirements-dev.lock"
OSV = "https://api.osv.dev/v1/query"
# In no lock of ours, and with more advisories than anybody will withdraw.
CANARY = "pillow", "8.0.0"
CLEAN, KNOWN, NOT_AUDITED = 0, 1, 2


def pins(lock: Path) -> dict[str, str]:
    """Name and version of all that the lock installs on this platform."""
    found = {}
    for line in lock.read_text().splitlines():
        if line[:1].isalnum():
            one = Requirement(line.removesuffix("\\").strip())
            if one.marker is None or one.marker.evaluate():
                [version] = one.specifier
                found[canonicalize_name(one.name)] = version.version
    return found


def audit(lock: Path, url: str) -> tuple[int, list[str]]:
    """The exit status and what to say, by the OSV service at this address."""
    wanted = pins(lock)
    told = _told(lock, url)
    if told is None:
        return NOT_AUDITED, [f"The service at {url} gave no answer: nothing was audited."]
    found = {(one["name"], one.get("version")): one.get("vulns", []) for one in told}
    if not found.pop(CANARY, None):
        return NOT_AUDITED, [
            f"The service at {url} knows nothing against {'=='.join(CANARY)}, so it knows nothing."
        ]
    if left_out := set(wanted.items()) - set(found):
        names = ", ".join(sorted(name for name, _ in left_out))
        return NOT_AUDITED, [f"Not audited: {names}."]
    lines = [
        f"{name} {version}: {one['id']}{_mended(one['fix_versions'])}"
        for (name, version), known in sorted(found.items())
        for one in known
    ]
    told_of = f"{len(lines)} advisor{'y' if len(lines) == 1 else 'ies'}"
    return (KNOWN if lines else CLEAN), [*lines, f"{len(wanted)} packages audited, {told_of}."]


def _mended(versions: list[str]) -> str:
    return f", mended in {', '.join(versions)}" if versions else ", not mended"


def _told(lock: Path, url: str) -> list[dict[str, Any]] | None:
    """What pip-audit says of each package; None when it could not do its work."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as canary:
        # Nothing is downloaded, so a hash has to be there and not to fit.
        canary.write(f"{'=='.join(CANARY)} --hash=sha256:{'0' * 64}\n")
        canary.flush()
        options = ["--strict", "--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json"]
        service = ["--vulnerability-service=osv", f"--osv-url={url}"]
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", *options, *service, "-r", canary.name, "-r", str(lock)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
        )  # fmt: skip
    try:
        told: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None
    return told


def main() -> int:
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--lock", type=Path, default=LOCK)
    parser.add_argument("--osv-url", default=OSV, help="another service that speaks OSV's API")
    chosen = parser.parse_args()
    status, lines = audit(chosen.lock, chosen.osv_url)
    print("\n".join(lines), file=sys.stderr if status else sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main())
