"""A web process of its own for the tests of the copy: does one thing for each line that it is given.

Started with DATABASE_URL, DATABASE_REPLICA_URL and REPLICA_MAX_LAG; answers each line with one of JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import django
import pytest

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from django.core.cache import cache  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections, transaction  # noqa: E402
from django.test import Client, override_settings  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from handoff_site import reference  # noqa: E402
from leads.models import Handoff  # noqa: E402
from metrics import pulse  # noqa: E402
from metrics.models import Ledger  # noqa: E402
from routing import replica  # noqa: E402
from routing.models import User  # noqa: E402
from tests import factories, rendering  # noqa: E402
from tests.factories import make_handoff, make_lead  # noqa: E402

setup_test_environment()
client = Client()


def made() -> None:
    with pytest.MonkeyPatch.context() as patch:
        rendering.spare(patch)
        call_command("migrate", verbosity=0)
    reference.setup(datetime.now(UTC))
    User.objects.create_superuser("ada@handoff.example.com", "x", name="Ada")


def began() -> None:
    # The processes of one test run write into one database.
    factories._numbers = itertools.count(1000 * (1 + Handoff.objects.count()))
    client.force_login(User.objects.get(), backend="handoff_site.sessions.Backend")


def added() -> int:
    """One handoff more, at the primary; how many there are there."""
    make_handoff("assigned", User.objects.get(), lead=make_lead(), at=datetime.now(UTC))
    return Handoff.objects.count()


def shown() -> dict[str, Any]:
    """The dashboard as one sees it: MQLs of this week, seconds that it took, and whether the copy is read."""
    cache.clear()
    began_at = time.monotonic()
    answer = client.get("/dashboard/")
    took = time.monotonic() - began_at
    assert answer.status_code == 200
    found = replica.verdict()
    assert found is not None
    return {"mqls": _mqls(answer), "took": took, "used": found.is_used}


def _mqls(answer: Any) -> int:
    return int(answer.context["drawn"].mqls.split()[0])


def parts() -> list[int]:
    paths = (
        "figures.csv",
        "figures/by/",
        "figures/waits/",
        "figures/beside/",
        "diagnosis/",
        "time/",
        "loop/",
        "gaming/",
    )
    return [client.get(f"/dashboard/{path}").status_code for path in paths]


def by_the_primary() -> int:
    """MQLs of this week as they are kept, or counted, for whoever reads the primary."""
    cache.clear()
    with transaction.atomic():
        answer = client.get("/dashboard/")
    return _mqls(answer)


def settled() -> int | None:
    pulse.settle("UTC")
    pulse.settle("UTC")
    return Ledger.objects.values_list("settled_to", flat=True).get()


def scraped() -> dict[str, float]:
    cache.clear()
    with override_settings(METRICS_TOKEN="a-token-of-32-characters-or-more!"):
        answer = client.get("/metrics", headers={"Authorization": "Bearer a-token-of-32-characters-or-more!"})
    lines = [
        line.split() for line in answer.content.decode().splitlines() if line.startswith("handoff_replica")
    ]
    return {name: float(value) for name, value in lines}


def said() -> str:
    cache.clear()
    return client.get("/status/").content.decode()


def write() -> str:
    """What the copy says to somebody who writes into it."""
    try:
        with connections["replica"].cursor() as cursor:
            cursor.execute("DELETE FROM metrics_snapshot")
    except django.db.Error as error:
        return str(error).splitlines()[0]
    return ""


VERBS: dict[str, Callable[[], Any]] = {
    verb.__name__: verb
    for verb in (made, began, added, shown, parts, by_the_primary, settled, scraped, said, write)
}

if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(VERBS[line.strip()]()), flush=True)
        # As at the end of each request.
        for each in connections.all(initialized_only=True):
            each.close_if_unusable_or_obsolete()
