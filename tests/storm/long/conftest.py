"""What the long storms share: a database and a site of their own, with people and a rule.

SQLite by default; with DATABASE_URL on that PostgreSQL server, in a database that goes away again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.processes import Site

PEOPLE = """\
email,name,roles,team,manager
ada@example.com,Ada,admin,,
otto@example.com,Otto,marketing ops,,
mia@example.com,Mia,sales manager,DACH,
femke@example.com,Femke,rep,DACH,mia@example.com
jonas@example.com,Jonas,rep,DACH,mia@example.com
"""
# Everything goes to the two reps in turn.
ROUTES = """
from django.utils import timezone
from routing import publish
from routing.models import Pool, PoolMember, Rule, User
pool = Pool.objects.create(slug="all", name="All")
for name in ("femke", "jonas"):
    PoolMember.objects.create(pool=pool, user=User.objects.get(email=f"{name}@example.com"))
Rule.objects.update(target_kind="pool", target_id=str(pool.pk))
publish.publish(timezone.now(), None)
"""

# As a deployment has it: with DEBUG each query is kept and written out once more.
DEPLOYED = {
    "DEBUG": "0",
    "SECRET_KEY": "an-example-for-the-storm-4nT8vQ2mZr7LxKpW0sYd9HgB3cJfUeA6",
    "ALLOWED_HOSTS": "127.0.0.1",
    "PUBLIC_URL": "https://handoff.example.com",
    "EMAIL_URL": "consolemail://",
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    """The address of an empty database that goes away again."""
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        yield f"sqlite:///{tmp_path / 'site.sqlite3'}"
        return
    name = f"handoff_kills_{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    yield f"{server.rpartition('/')[0]}/{name}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def site(tmp_path: Path, database: str) -> Iterator[Site]:
    made = Site(tmp_path, {"DATABASE_URL": database, "LOG_LEVEL": "INFO"})
    made.manage("migrate", "--verbosity", "0")
    made.manage("setup")
    (tmp_path / "people.csv").write_text(PEOPLE)
    made.manage("import_people", "people.csv")
    made.manage("shell", "--verbosity", "0", "--command", ROUTES)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
