"""One of everything that an address can name, and somebody of every role, for the walk over all addresses.

Everything of a person's own is Femke's, or about her lead: Mia leads her team, Rosa and Nils are of another
one. The lead's address and number are words that are looked for in answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from allauth.mfa.totp.internal import auth as totp
from django.contrib.auth.models import Group
from django.test import Client
from django_q.models import Failure, OrmQ, Success
from model_bakery import baker

from leads import keys
from leads.models import (
    Backtest,
    BulkRun,
    Complaint,
    Connection,
    DuplicatePair,
    Finding,
    ImportFailure,
    LeadImport,
    Merge,
    Notification,
    PreflightSettings,
    PrivacyAct,
    Receipt,
    RejectionReason,
    SavedView,
    SyncRun,
    TriageItem,
)
from leads.notifications import links
from metrics.models import CallEntry
from metrics.periods import Week
from metrics.reports import making
from routing.models import (
    Absence,
    Calendar,
    CalendarInterval,
    ClosedDay,
    Draft,
    NamedList,
    Pool,
    Queue,
    Rule,
    RuleReview,
    Ruleset,
    Territory,
    User,
)
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead, make_proposal
from tests.leads.views.integrations.made import call, delivery, made

ANONYMOUS, KEY = "anonymous", "sessionid"
PEOPLE = ("femke", "rosa", "mia", "nils", "otto", "vera", "ada", "nemo")
ADDRESS, PHONE = "zqsecret@zqsecret.example.com", "+4930901820"
WEEK = "2026-W10"


@dataclass
class World:
    """`people` by name, `sessions` the cookie of each, `values` of addresses by the front of their route,
    `given` what some routes need with it, `scopes` a key by its one scope."""

    people: dict[str, User]
    sessions: dict[str, str]
    values: dict[str, dict[str, Any]]
    given: dict[str, dict[str, Any]]
    scopes: dict[str, str]

    def client(self, who: str) -> Client:
        """A browser of this person, or of somebody anonymous; what breaks is answered and not raised."""
        client = Client(raise_request_exception=False)
        if who in self.sessions:
            client.cookies[KEY] = self.sessions[who]
        return client


def build(cast: Cast) -> World:
    """All of it, at NOW."""
    people = {name: getattr(cast, name) for name in PEOPLE if name != "nemo"}
    # An admin by the role alone, and somebody in a group that is no role.
    User.objects.filter(pk=cast.ada.pk).update(is_superuser=False)
    cast.ada.refresh_from_db()
    people["nemo"] = User.objects.create_user("nemo@handoff.example.com", name="Nemo")
    people["nemo"].groups.add(Group.objects.create(name="accounting"))
    sessions = {}
    for name, user in people.items():
        client = Client()
        client.force_login(user, backend="handoff_site.sessions.Backend")
        sessions[name] = client.cookies[KEY].value
    scopes = {scope: keys.make_key(scope, [scope], NOW)[1] for scope in ("intake", "read", "act")}
    values = _values(cast)
    mapped = Connection.objects.get(kind="mautic")
    given: dict[str, dict[str, Any]] = {
        "profile/sign-in/end/": {"others": "1"},
        "reports/<str:week>/handoffs/": {"figure": "acceptance_rate"},
        "integrations/<slug:slug>/mapping/restore/": {"version": mapped.history.latest().history_id},
    }
    return World(people, sessions, values, given, scopes)


def is_told(text: str) -> bool:
    """Whether the lead's address or number stands there, however it is written."""
    return "zqsecret" in text.lower() or "30901820" in "".join(filter(str.isdigit, text))


def _values(cast: Cast) -> dict[str, dict[str, Any]]:
    make_handoff("rejected", cast.rosa, at=NOW - timedelta(days=7))
    lead = make_lead(email=ADDRESS, phone=PHONE, first_name="Zora", last_name="Zedova")
    handoff = make_handoff("assigned", cast.femke, lead=lead)
    other = make_lead(company=lead.company)
    pair = DuplicatePair.objects.create(first=lead, second=other, found_at=NOW)
    merge = Merge.objects.create(keep=other, gone=lead, at=NOW, by=cast.otto, undone_at=NOW)
    complaint = Complaint.objects.create(
        handoff=handoff, lead=lead, field="phone", text=f"{PHONE} is nobody", by=cast.femke, at=NOW
    )
    item = TriageItem.objects.create(lead=lead, kind="suppressed", at=NOW)
    run = LeadImport.objects.create(
        name="list.csv", digest="x", header=["E-mail"], targets=["email"], as_of=NOW, created_at=NOW,
        created_by=cast.otto, status="done", total=1, done=1,
    )  # fmt: skip
    ImportFailure.objects.create(lead_import=run, row=2, cells=[ADDRESS], problems=[])
    pool = Pool.objects.create(slug="walked", name="Walked")
    queue = Queue.objects.create(slug="walked", name="Walked", owner=cast.otto)
    territory = Territory.objects.create(
        slug="walked", name="Walked", owner=cast.otto, conditions={"all": []}
    )
    named = NamedList.objects.create(slug="walked", name="Walked", values=["a"])
    calendar = Calendar.objects.get(is_default=True)
    day = ClosedDay.objects.create(calendar=calendar, day=(NOW + timedelta(days=30)).date(), name="Fair")
    rule = Rule.objects.order_by("-pk")[0]
    review = RuleReview.objects.create(rule=rule, due_on=NOW.date(), created_at=NOW)
    ruleset = Ruleset.objects.get(is_live=True)
    backtest = Backtest.objects.create(document=ruleset.document, since=NOW, until=NOW, created_at=NOW)
    connection, mapped = made(base_url=""), made("Mautic", kind="mautic")
    sync = SyncRun.objects.create(created_at=NOW, status="done")
    finding = Finding.objects.create(
        fingerprint="x", check_code="REVISION_BEHIND", severity="high", connection=connection, run=sync,
        handoff=handoff, lead=lead, first_seen_at=NOW, last_seen_at=NOW,
    )  # fmt: skip
    sent, came = delivery(connection, handoff=handoff, lead=lead), call(connection)
    key, _ = keys.make_key("walked", ["read"], NOW)
    message = Notification.objects.create(
        user=cast.femke, handoff=handoff, kind="assigned", created_at=NOW, mail="none"
    )
    absence = Absence.objects.create(
        user=cast.femke, starts_at=NOW + timedelta(days=30), ends_at=NOW + timedelta(days=31)
    )
    view = SavedView.objects.create(owner=cast.femke, page="handoffs", name="Mine", saved_at=NOW)
    bulk = BulkRun.objects.create(verb="reassign", created_at=NOW, created_by=cast.femke)
    app = totp.TOTP.activate(cast.femke, totp.generate_totp_secret()).instance
    _of_the_admin()
    proposal = make_proposal(cast.otto, threshold=80)
    making.make(Week.parse(WEEK), NOW, cast.otto)
    entry = CallEntry.objects.create(
        week=WEEK, kind="decision", text="Call at once", by=cast.mia, at=NOW, owner=cast.mia, until=NOW.date()
    )
    second = Calendar.objects.create(name="Second", time_zone="UTC")
    CalendarInterval.objects.create(calendar=second, weekday=0, start_minute=540, end_minute=1080)
    return {
        "": {"kind": "track", "secret": "x", "type_name": "handoff.accepted", "verb": "note"},
        "views/": {"pk": view.pk, "page": "handoffs"},
        "handoffs/": {"pk": handoff.pk},
        "handoffs/bulk/": {"pk": bulk.pk},
        "api/v1/handoffs/": {"handoff_id": handoff.pk},
        "leads/": {"pk": lead.pk},
        "team/": {"pk": cast.femke.pk, "absence": absence.pk},
        "team/<int:pk>/reassign/": {"pk": handoff.pk},
        "completion/": {"pk": handoff.pk, "pair": pair.pk},
        "completion/reports/": {"pk": complaint.pk},
        "duplicates/": {"pk": pair.pk},
        "merges/": {"pk": merge.pk},
        "triage/handoffs/": {"pk": handoff.pk},
        "triage/items/": {"pk": item.pk},
        "imports/": {"pk": run.pk},
        "routing/rules/": {"pk": rule.pk},
        "routing/territories/": {"pk": territory.pk},
        "routing/pools/": {"pk": pool.pk},
        "routing/queues/": {"pk": queue.pk},
        "routing/calendars/": {"pk": calendar.pk, "day": day.pk},
        "routing/policies/": {"slug": "standard"},
        "routing/lists/": {"pk": named.pk},
        "routing/versions/": {"number": ruleset.version},
        "routing/accounts/": {"pk": lead.company_id},
        "routing/backtests/": {"pk": backtest.pk},
        "routing/reviews/": {"pk": review.pk},
        "integrations/": {"slug": connection.slug, "kind": "webhook"},
        "integrations/<slug:slug>/mapping/": {"slug": mapped.slug},
        "integrations/deliveries/": {"pk": sent.pk},
        "integrations/calls/": {"pk": came.pk},
        "integrations/audit/": {"pk": finding.pk, "choice": "ignore"},
        "integrations/keys/": {"pk": key.pk},
        "notifications/": {"pk": message.pk},
        "go/": {"token": links.token(cast.femke, handoff, "accept", NOW)},
        "profile/absences/": {"pk": absence.pk},
        "profile/sign-in/": {"pk": app.pk},
        "people/": {"pk": cast.femke.pk},
        "login/once/": {"token": "spent"},
        "dashboard/figures/": {"name": "reasons"},
        "reports/": {"week": WEEK, "pk": entry.pk},
        "agreement/": {"pk": proposal.pk, "number": 1, "verb": "comment"},
    }


def _of_the_admin() -> None:
    """A row of each kind that only the admin shows, with an edit of each kind whose edits are kept."""
    baker.make(Success, id="1", func="x", success=True)
    baker.make(Failure, id="2", func="x", success=False)
    baker.make(OrmQ, key="x", payload="x")
    baker.make(Receipt, event_id="x")
    baker.make(PrivacyAct)
    for model in (PreflightSettings, RejectionReason, Pool, Queue, Rule, Calendar, Draft):
        row = model._default_manager.order_by("pk").last()
        row.save()
