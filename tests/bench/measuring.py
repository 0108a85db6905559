"""One database: load, serve, measure.

Ours and the yardstick's requests come in turns, so that what else the machine does hits both alike.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.management import call_command
from django.db import connection, connections
from django.db.models import Min
from django.test import Client as TestClient
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from handoff_site.sessions import SessionStore
from leads import escalation
from leads.intake import receive
from leads.models import ApiKey, Handoff
from leads.views import stamp
from routing.models import User
from tests.bench import figures, loading, servers
from tests.bench.wire import Client, dealt, flood, repeated, request, timed
from tests.bench.yardstick.models import Bare, fill

ROUNDS = 6
BACKEND = "handoff_site.sessions.Backend"
SINGLE_CLIENTS, BATCH_CLIENTS, BATCH = 8, 2, 200
# With ten activities a lead, as the generator has them, one event in eleven is about a new one.
NEW_IN = 11
DUE, SLICE = 5000, 250
CSRF = "b" * 32


@dataclass
class Effort:
    """How much is asked: page requests a round, seconds of a flood, events in batches, handoffs due; and
    whether of the pages alone."""

    pages: int = 25
    flood_seconds: float = 6.0
    batch_events: int = 6000
    due: int = DUE
    sweep_seconds: float = 240.0
    only_pages: bool = False


QUICK = Effort(pages=4, flood_seconds=0.7, batch_events=400, due=100)


class Measuring:
    """The figures of one database, in the order in which they do not spoil each other."""

    def __init__(self, count: int, effort: Effort, tell: Callable[[str], None]) -> None:
        self.count, self.effort, self.tell = count, effort, tell
        self.figures: dict[str, Any] = {}
        self._makers = 0

    def run(self, url: str, folder: Path) -> dict[str, Any]:
        """Migrate, load, serve, measure."""
        start = time.perf_counter()
        call_command("migrate", verbosity=0, run_syncdb=True)
        self.now = timezone.now().replace(microsecond=0)
        is_loaded = Bare.objects.exists()
        self.world = (loading.found(self.now) if is_loaded else None) or self._load()
        # Each run has a key of its own.
        self._makers = 1000 * ApiKey.objects.count()
        self._clean_up()
        took = time.perf_counter() - start
        self.figures |= {
            "database": connection.vendor,
            "version": ".".join(str(part) for part in connection.get_database_version()),
            "handoffs": self.world.handoffs,
            "load_seconds": round(took, 1),
        }
        self.tell(f"loaded {self.world.handoffs:,} handoffs in {took:.0f} s")
        self.figures["inbox_queries"] = self._inbox_queries()
        connections.close_all()
        with servers.site(url, folder / "gunicorn.log") as port:
            self._warm_up(port)
            figures.settle(timezone.now())
            self._pages(port)
            self._figures(port)
            if not self.effort.only_pages:
                self._accept(port)
                self._single(port)
                self._batch(port)
        if not self.effort.only_pages:
            self._sweeps()
        return self.figures

    def _load(self) -> loading.World:
        world = loading.load(self.count, self.now)
        # Last, for by these rows a load is known that came to its end.
        fill(self.now)
        return world

    def _clean_up(self) -> None:
        """As a database looks that has had a quiet night."""
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("VACUUM ANALYZE")
                cursor.execute("CHECKPOINT")
            else:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # Reading

    def _inbox_queries(self) -> dict[str, int]:
        """Queries of the inbox with all of a rep's leads, and with one in each state."""
        rep, other = self.world.reps[0], self.world.reps[1]
        client = TestClient(HTTP_HOST="127.0.0.1")
        client.force_login(rep, backend=BACKEND)
        client.get("/inbox/")
        kept: dict[str, int] = {}
        for pk, state in Handoff.objects.held_by(rep).order_by("pk").values_list("pk", "state"):
            kept.setdefault(state, pk)
        others = list(Handoff.objects.held_by(rep).exclude(pk__in=kept.values()).values_list("pk", flat=True))
        counts = {}
        for label, moved in (("all", []), ("few", others)):
            Handoff.objects.filter(pk__in=moved).update(assignee=other)
            with CaptureQueriesContext(connection) as captured:
                expect_ok(client.get("/inbox/"))
            counts[label] = len(captured)
            Handoff.objects.filter(pk__in=moved).update(assignee=rep)
        return counts

    def _warm_up(self, port: int) -> None:
        """Every thread of every worker has its connection, templates and rules."""
        cookie = self._cookie(self.world.reps[0])
        paths = ("/bare/empty", "/bare/rows", "/inbox/", "/dashboard/")
        for path in paths:
            flood(port, 8, 1.5, dealt([request("GET", path, Cookie=cookie)] * 48, 8))
        events = [self._intake(self.maker().event(timezone.now())) for _ in range(48)]
        flood(port, 8, 10, dealt(events, 8))
        flood(port, 8, 1.0, repeated(request("POST", "/bare/insert")))

    def _pages(self, port: int) -> None:
        rep = self.world.reps[3]
        cookie, staff = self._cookie(rep), self._cookie(self.world.marketing)
        leads = list(Handoff.objects.held_by(rep).order_by("pk").values_list("pk", flat=True))[:8]
        rep_lead = Handoff.objects.get(pk=leads[0]).lead_id
        manager = User.objects.get(teams_led=rep.team)
        search = request("GET", "/search/?q=ade+oko", Cookie=staff)
        in_turn = [
            request("GET", f"/inbox/?h={pk}", Cookie=cookie, HX_Request="true", HX_Target="lead")
            for pk in leads
        ]
        timings = self._in_turns(
            port,
            {
                "bare_empty": [request("GET", "/bare/empty")],
                "bare_session": [request("GET", "/bare/session", Cookie=cookie)],
                "bare_rows": [request("GET", "/bare/rows")],
                "inbox": [request("GET", "/inbox/", Cookie=cookie)],
                "lead_page": [request("GET", f"/handoffs/{pk}/", Cookie=cookie) for pk in leads],
                "lead_fragment": in_turn,
                "dashboard": [request("GET", "/dashboard/", Cookie=staff)],
                "team": [request("GET", "/team/", Cookie=self._cookie(manager))],
                "completion": [request("GET", "/completion/", Cookie=staff)],
                "person": [request("GET", f"/leads/{rep_lead}/", Cookie=cookie)],
                "search": [search],
                "poll": lambda: [self._poll(rep, cookie)],
            },
        )
        for name, values in timings.items():
            self._median(name, values)
        for name in (
            "inbox", "lead_page", "lead_fragment", "dashboard", "team", "completion", "person", "search",
        ):  # fmt: skip
            self._ratio(f"{name}_to_rows", self.figures[f"{name}_ms"], self.figures["bare_rows_ms"])
        self._ratio("poll_to_session", self.figures["poll_ms"], self.figures["bare_session_ms"])

    def _poll(self, rep: User, cookie: str) -> bytes:
        """The inbox's poll as its page sends it: while nothing changes, it has nothing to say."""
        version = stamp.of(rep, timezone.localtime()).text
        return request("GET", f"/inbox/?v={version}", Cookie=cookie, HX_Request="true", HX_Target="list-body")

    def _in_turns(
        self, port: int, groups: dict[str, Sequence[bytes] | Callable[[], Sequence[bytes]]]
    ) -> dict[str, list[float]]:
        """Milliseconds of each group's requests, a few of each in every round; slow ones fewer.

        Requests that soon are out of date come as a function, which is asked in every round.
        """
        found: dict[str, list[float]] = {name: [] for name in groups}
        with Client(port) as client:
            for _ in range(ROUNDS):
                for name, requests in groups.items():
                    asked = requests() if callable(requests) else requests
                    # A list is drawn again every five minutes; once in a round leaves the median alone.
                    statuses = (200, 204) if name == "poll" else (200,)
                    share = self.effort.pages
                    begin = time.perf_counter()
                    for place in range(share):
                        found[name].append(timed(client, asked[place % len(asked)], *statuses))
                        if time.perf_counter() - begin > 4:
                            break
        return found

    def _figures(self, port: int) -> None:
        """The dashboard with nothing kept beside SQL by hand, the pages beside it, a report."""
        cookie = self._cookie(self.world.marketing)
        with Client(port) as client:
            timings = figures.cold(
                lambda path: timed(client, request("GET", path, Cookie=cookie)), timezone.now(), ROUNDS
            )
        timings["report"] = figures.report(self.world.marketing, timezone.now(), 3)
        for name, values in timings.items():
            self._median(name, values)
        self._ratio("dashboard_cold_to_hand", self.figures["dashboard_cold_ms"], self.figures["hand_sql_ms"])

    # Writing

    def _accept(self, port: int) -> None:
        """Accepts beside INSERTs: by the API, and by the rep's page, which answers with the next lead."""
        waiting = Handoff.objects.live().filter(state="assigned").select_related("assignee").order_by("-pk")
        found = list(waiting[: ROUNDS * self.effort.pages * 2])
        api = [self._api_accept(handoff) for handoff in found[::2]]
        cookies = {user.pk: self._cookie(user) for user in {handoff.assignee for handoff in found} if user}
        page = [self._page_accept(handoff, cookies[handoff.assignee_id or 0]) for handoff in found[1::2]]
        insert = request("POST", "/bare/insert")
        timings: dict[str, list[float]] = {"bare_insert": [], "accept": [], "accept_page": []}
        with Client(port) as client:
            for number, (by_api, by_page) in enumerate(zip(api, page, strict=False)):
                if number % 3 == 0:
                    timings["bare_insert"] += [timed(client, insert) for _ in range(3)]
                timings["accept"].append(timed(client, by_api))
                timings["accept_page"].append(timed(client, by_page))
        for name, values in timings.items():
            self._median(name, values)
        for name in ("accept", "accept_page"):
            self._ratio(f"{name}_to_insert", self.figures[f"{name}_ms"], self.figures["bare_insert_ms"])

    def _api_accept(self, handoff: Handoff) -> bytes:
        assert handoff.assignee is not None
        body = json.dumps({"on_behalf_of": handoff.assignee.email}).encode()
        return self._api(f"/api/v1/handoffs/{handoff.pk}/accept", body)

    def _page_accept(self, handoff: Handoff, cookie: str) -> bytes:
        return request(
            "POST",
            f"/handoffs/{handoff.pk}/accept/",
            f"csrfmiddlewaretoken={CSRF}&rev={handoff.revision}&revision={handoff.revision}".encode(),
            Cookie=f"{cookie}; csrftoken={CSRF}",
            Content_Type="application/x-www-form-urlencoded",
            HX_Request="true",
            HX_Target="lead",
        )

    def _single(self, port: int) -> None:
        """One event a request from eight clients, beside as many INSERTs."""
        seconds = self.effort.flood_seconds
        rates: dict[str, list[float]] = {"bare_insert_rate": [], "single_intake_rate": []}
        costs: list[float] = []
        now = timezone.now()
        maker = self.maker()
        for _ in range(2):
            inserts, took = flood(
                port, SINGLE_CLIENTS, seconds / 2, repeated(request("POST", "/bare/insert"))
            )
            rates["bare_insert_rate"].append(inserts / took)
            room = int(250 * seconds)
            events = [self._intake(maker.event(now)) for _ in range(room)]
            with servers.work() as spent:
                taken, took = flood(port, SINGLE_CLIENTS, seconds, dealt(events, SINGLE_CLIENTS))
            rates["single_intake_rate"].append(taken / took)
            costs.append(spent.seconds * 1000 / taken)
        for name, values in rates.items():
            self.figures[name] = round(statistics.mean(values), 1)
        self.figures["single_intake_cpu_ms"] = round(statistics.mean(costs), 2)
        self._ratio(
            "single_intake_to_insert", self.figures["single_intake_rate"], self.figures["bare_insert_rate"], 4
        )
        self.tell(f"single intake: {self.figures['single_intake_rate']} events/s")

    def _batch(self, port: int) -> None:
        """Batches of 200 from two clients: of new leads alone, then of what known leads did with a new one
        now and then."""
        now = timezone.now()
        maker = self.maker()
        count = max(BATCH_CLIENTS * BATCH, self.effort.batch_events)
        new = [maker.event(now) for _ in range(count)]
        self._batches(port, "batch_intake", new)
        now = timezone.now()
        mixed = [
            maker.did(new[number], now) if number % NEW_IN else maker.event(now) for number in range(count)
        ]
        self._batches(port, "mixed_intake", mixed)

    def _batches(self, port: int, name: str, events: list[dict[str, Any]]) -> None:
        batches = [
            self._api("/api/v1/intake", json.dumps(events[start : start + BATCH]).encode())
            for start in range(0, len(events), BATCH)
        ]
        with servers.work() as spent:
            taken, took = flood(port, BATCH_CLIENTS, 120, dealt(batches, BATCH_CLIENTS))
        self.figures[f"{name}_cpu_ms"] = round(spent.seconds * 1000 / (taken * BATCH), 2)
        self.figures[f"{name}_rate"] = round(taken * BATCH / took, 1)
        self.tell(f"{name.replace('_', ' ')}: {self.figures[f'{name}_rate']} events/s")

    def _sweeps(self) -> None:
        """In this process: a sweep with nothing due, then one with thousands."""
        now = timezone.now()
        # What the floods left due is none of this measurement's.
        while Handoff.objects.due(now).exists() and escalation.sweep(now):
            pass
        times = []
        for _ in range(20):
            start = time.perf_counter()
            escalation.sweep(now)
            times.append((time.perf_counter() - start) * 1000)
        self._median("sweep_nothing_due", times)
        times = []
        for _ in range(20):
            start = time.perf_counter()
            escalation.repair(now)
            times.append((time.perf_counter() - start) * 1000)
        self._median("repair_nothing_wrong", times)
        self._need(self.effort.due, now)
        first = Handoff.objects.live().aggregate(at=Min("next_step_at"))["at"]
        self._large_sweep(max(first, now) + timedelta(days=4))

    def _large_sweep(self, at: datetime) -> None:
        """A sweep with thousands due, in slices, so that a slow one can be ended in time."""
        wanted = min(self.effort.due, Handoff.objects.due(at).count())
        steps: list[dict[str, Any]] = []
        swept, start = 0, time.perf_counter()
        while swept < wanted and time.perf_counter() - start < self.effort.sweep_seconds:
            part = min(SLICE, wanted - swept)
            steps += escalation.sweep(at, limit=part)
            swept += part
        took = time.perf_counter() - start
        self.figures |= {
            "sweep_due": swept,
            "sweep_due_seconds": round(took, 2),
            "sweep_each_ms": round(took / max(1, swept) * 1000, 2),
            "sweep_steps_fired": len(steps),
            "sweep_errors": sum("error" in step for step in steps),
        }
        cut = "" if swept == wanted else f" (cut short, {wanted:,} were due)"
        self.tell(f"sweep with {swept:,} due: {took:.1f} s, {len(steps):,} steps{cut}")

    def _need(self, due: int, now: datetime) -> None:
        """Enough open handoffs for the large sweep."""
        maker = self.maker()
        missing = due - Handoff.objects.live().filter(next_step_at__isnull=False).count()
        for start in range(0, missing, BATCH):
            receive([maker.event(now) for _ in range(min(BATCH, missing - start))], None, now)

    # Small things

    def maker(self) -> loading.Maker:
        """Events that no other maker makes, of this run or of one before on the same database."""
        self._makers += 1
        return loading.Maker(self._makers)

    def _intake(self, event: dict[str, Any]) -> bytes:
        return self._api("/api/v1/intake", json.dumps(event).encode())

    def _api(self, path: str, body: bytes) -> bytes:
        return request(
            "POST", path, body, Authorization=f"Bearer {self.world.key}", Content_Type="application/json"
        )

    def _cookie(self, user: User) -> str:
        """The cookie of a session of this person."""
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = BACKEND
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"

    def _median(self, name: str, values: Sequence[float]) -> None:
        self.figures[f"{name}_ms"] = round(statistics.median(values), 2)
        self.figures[f"{name}_p95_ms"] = round(sorted(values)[int(len(values) * 0.95)], 2)
        self.tell(f"{name.replace('_', ' ')}: {self.figures[f'{name}_ms']} ms")

    def _ratio(self, name: str, ours: float, theirs: float, digits: int = 2) -> None:
        self.figures[name] = round(ours / theirs, digits)


def expect_ok(response: Any) -> None:
    if response.status_code != 200:
        raise RuntimeError(f"status {response.status_code}")
