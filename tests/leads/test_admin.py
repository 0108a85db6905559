"""The admin: who gets in, what it refuses to write, what follows from an edit, hostile values on pages."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from leads import invariants, keys
from leads.admin.people import ROLE_WORDS
from leads.choices import EventKind
from leads.models import (
    Agreement,
    ApiKey,
    Company,
    Event,
    Handoff,
    Lead,
    MqlDefinition,
    Notification,
    PreflightSettings,
    PrivacyAct,
    Receipt,
    RejectionReason,
    RoutingDecision,
)
from routing import draft, reviews
from routing.models import (
    Absence,
    Calendar,
    CalendarInterval,
    ClosedDay,
    Draft,
    NamedList,
    Pool,
    PoolMember,
    Queue,
    Rule,
    RuleReview,
    Ruleset,
    SlaPolicy,
    Team,
    Territory,
    User,
)
from routing.people import MARKETING, REP, ROLES, VIEWER
from tests import factories
from tests.conftest import NOW, Cast

SignIn = Callable[[User], Client]
REGISTERED = (
    User, Team, Absence, Calendar, Queue, Pool, Rule, Territory, NamedList, Draft, RuleReview, Ruleset,
    SlaPolicy, MqlDefinition, Agreement, RejectionReason, PreflightSettings, ApiKey, Lead, Company, Handoff,
    Event, RoutingDecision, Receipt, PrivacyAct,
)  # fmt: skip
ONLY_SHOWN = (
    Lead, Handoff, Event, RoutingDecision, Receipt, PrivacyAct, Ruleset, SlaPolicy, RuleReview, MqlDefinition,
    Agreement,
)  # fmt: skip


def url(model: Any, page: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def fields_of(page: str) -> dict[str, Any]:
    """The values that a browser would send back for the first big form of an admin page."""
    data: dict[str, Any] = {}
    form = page[page.index("<form", page.index('id="content')) :]
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = dict(re.findall(r'(\w[\w-]*)="([^"]*)"', tag))
        kind = attributes.get("type")
        if "name" not in attributes or kind in ("submit", "button"):
            continue
        if kind in ("checkbox", "radio"):
            if re.search(r"\schecked", tag):
                data.setdefault(attributes["name"], []).append(attributes.get("value", "on"))
            continue
        data[attributes["name"]] = html.unescape(attributes.get("value", ""))
    for name, body in re.findall(r'<textarea[^>]*name="([^"]+)"[^>]*>\n?(.*?)</textarea>', form, re.DOTALL):
        data[name] = html.unescape(body)
    for name, body in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.findall(r'<option value="([^"]*)" selected', body)
        data[name] = chosen or ""
    return data


def change(client: Client, row: Any, **edits: Any) -> Any:
    """Open the change page, edit some fields and save; None drops a field (an unchecked box)."""
    address = url(type(row), "change", row.pk)
    page = client.get(address)
    assert page.status_code == 200
    data = {**fields_of(page.text), **edits}
    return client.post(address, {k: v for k, v in data.items() if v is not None}, follow=True)


def errors(response: Any) -> str:
    found = re.findall(r'<ul class="errorlist[^"]*"[^>]*>(.*?)</ul>', response.text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", item) for item in found)


@pytest.fixture
def ada(cast: Cast, as_: SignIn) -> Client:
    return as_(cast.ada)


# Who gets in


@pytest.mark.parametrize("model", REGISTERED)
def test_every_list_and_form_opens_for_the_admin(ada: Client, cast: Cast, model: Any) -> None:
    factories.make_handoff("assigned", cast.femke)
    Absence.objects.create(user=cast.rosa, starts_at=NOW, ends_at=NOW + timedelta(days=1))
    Territory.objects.create(slug="dach", name="DACH", conditions={"all": []})
    NamedList.objects.create(slug="big", name="Big", values=["x"])
    reviews.ensure_reviews(NOW)
    keys.make_key("k", ["read"], NOW)
    PrivacyAct.objects.create(kind="exported", at=NOW, by=cast.ada)
    Receipt.objects.create(
        source="/x", event_id="1", kind="lead.scored", body_digest="", status="processed", answer={},
        received_at=NOW,
    )  # fmt: skip
    assert ada.get(url(model)).status_code == 200
    row = model.objects.first()
    assert row is not None
    assert ada.get(url(model, "change", row.pk)).status_code == 200
    adds = admin.site._registry[model].has_add_permission(ada.get("/admin/").wsgi_request)
    assert ada.get(url(model, "add")).status_code == (200 if adds else 403)
    assert ada.get(url(model), {"q": "someone@example.com"}).status_code == 200


@pytest.mark.parametrize("who", ["femke", "mia", "vera"])
def test_others_do_not_get_in(cast: Cast, as_: SignIn, who: str) -> None:
    client = as_(getattr(cast, who))
    for model in REGISTERED:
        assert client.get(url(model)).status_code == 302
        assert "/login" in client.get(url(model))["Location"]


def test_marketing_ops_edits_the_draft_and_sees_neither_keys_nor_people(cast: Cast, as_: SignIn) -> None:
    client = as_(cast.otto)
    allowed = {model for model in REGISTERED if client.get(url(model)).status_code == 200}
    assert allowed == {Absence, Calendar, Queue, Pool, Rule, Territory, NamedList, Draft, RuleReview}


@pytest.mark.parametrize("model", ONLY_SHOWN)
def test_records_are_only_shown(ada: Client, cast: Cast, model: Any) -> None:
    factories.make_handoff("assigned", cast.femke)
    reviews.ensure_reviews(NOW)
    Receipt.objects.create(
        source="/x", event_id="1", kind="lead.scored", body_digest="", status="processed", answer={},
        received_at=NOW,
    )  # fmt: skip
    PrivacyAct.objects.create(kind="exported", at=NOW, by=cast.ada)
    row = model.objects.first()
    before = model.objects.filter(pk=row.pk).values().get()
    page = ada.get(url(model, "change", row.pk))
    assert page.status_code == 200 and 'name="_save"' not in page.text
    assert ada.post(url(model, "change", row.pk), {"state": "converted"}).status_code == 403
    assert ada.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert ada.get(url(model, "add")).status_code == 403
    assert "delete_selected" not in ada.get(url(model)).text
    assert model.objects.filter(pk=row.pk).values().get() == before


# Hostile values


def test_hostile_values_are_escaped_on_every_page(ada: Client, cast: Cast) -> None:
    nasty = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    company = factories.make_company(name=nasty, website="javascript:alert(1)", technologies=[nasty])
    lead = factories.make_lead(
        first_name=nasty, last_name=nasty, lead_source=nasty, company=company, custom={nasty: nasty},
        linkedin_url="javascript:alert(1)",
    )  # fmt: skip
    factories.route_to(cast.femke)
    handoff = factories.open_handoff(lead)
    Handoff.objects.filter(pk=handoff.pk).update(trigger_reason=nasty)
    Receipt.objects.create(
        source=nasty[:300], event_id=nasty, kind="x", body_digest="", status="processed", answer={"x": nasty},
        received_at=NOW, lead=lead,
    )  # fmt: skip
    for model in (Lead, Company, Handoff, Event, RoutingDecision, Receipt):
        pages = [ada.get(url(model)), ada.get(url(model), {"q": nasty})]
        pages += [ada.get(url(model, "change", row.pk)) for row in model.objects.all()]
        for page in pages:
            assert page.status_code == 200
            assert "<script>alert" not in page.text and "<img src=x" not in page.text
            assert 'href="javascript:' not in page.text
    assert "&lt;script&gt;" in ada.get(url(Lead)).text


def test_pages_stand_under_the_strict_policy(ada: Client, cast: Cast) -> None:
    rule = Rule.objects.get()
    for page in (ada.get(url(Rule)), ada.get(url(Rule, "change", rule.pk)), ada.get(url(User, "add"))):
        assert "script-src 'self'" in page["Content-Security-Policy"]
        for script in re.findall(r"<script\b[^>]*>", page.text):
            assert "src=" in script or "application/json" in script or "text/plain" in script
        assert not re.search(r"\son\w+=|\sstyle=", page.text)


# People


def test_deactivating_somebody_moves_their_work_on(ada: Client, cast: Cast) -> None:
    handoff = factories.make_handoff("accepted", cast.femke)
    response = change(ada, cast.femke, is_active=None, goes_to="rules")
    assert errors(response) == ""
    handoff.refresh_from_db()
    assert handoff.assignee == cast.mia
    event = handoff.events.get(kind=EventKind.REPAIRED)
    assert event.user == cast.ada and event.data["why"] == "inactive"
    assert "1 handoff of Femke de Boer moved on" in response.text
    assert list(invariants.violations()) == []


def test_losing_the_role_moves_work_on_and_other_edits_do_not(ada: Client, cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    change(ada, cast.femke, name="Femke B", time_zone="Europe/Amsterdam")
    handoff.refresh_from_db()
    assert handoff.assignee == cast.femke and handoff.events.filter(kind=EventKind.REPAIRED).count() == 0
    viewer = Group.objects.get(name="viewer")
    change(ada, cast.femke, groups=[str(viewer.pk)], goes_to="rules")
    handoff.refresh_from_db()
    assert handoff.assignee is None and handoff.state == "queued"
    assert handoff.events.get(kind=EventKind.REPAIRED).data["why"] == "no longer in sales"


def test_who_holds_leads_leaves_only_when_it_is_said_where_they_go(ada: Client, cast: Cast) -> None:
    accepted, deferred = (factories.make_handoff(s, cast.femke) for s in ("accepted", "deferred"))
    page = ada.get(url(User, "change", cast.femke.pk)).text
    assert "Open now: 1 accepted, 1 deferred." in page and "to their manager, Mia Brandt" in page
    assert "goes_to" not in ada.get(url(User, "change", cast.jonas.pk)).text
    assert "Choose where the open leads go." in errors(change(ada, cast.femke, is_active=None))
    viewer = Group.objects.get(name="viewer")
    assert "Choose where" in errors(change(ada, cast.femke, groups=[str(viewer.pk)]))
    assert "Name the person." in errors(change(ada, cast.femke, is_active=None, goes_to="person"))
    assert User.objects.get(pk=cast.femke.pk).is_active and Handoff.objects.held_by(cast.femke).count() == 2
    response = change(ada, cast.femke, is_active=None, goes_to="person", goes_to_person=str(cast.rosa.pk))
    assert "2 handoffs of Femke de Boer moved on to Rosa Lindqvist (2)." in response.text
    for handoff in (accepted, deferred):
        handoff.refresh_from_db()
        assert (handoff.assignee, handoff.state) == (cast.rosa, "assigned")
    assert list(invariants.violations()) == []


def test_a_member_of_a_queue_who_goes_to_marketing_keeps_what_they_hold(ada: Client, cast: Cast) -> None:
    """So nobody is asked where it goes; as a viewer they could not answer, and somebody is."""
    handoff = factories.make_handoff("accepted", cast.femke)
    Queue.objects.get(kind="overflow").members.add(cast.femke)
    marketing, viewer = (Group.objects.get(name=name) for name in (MARKETING, VIEWER))
    assert "Choose where" in errors(change(ada, cast.femke, groups=[str(viewer.pk)]))
    change(ada, cast.femke, groups=[str(marketing.pk)])
    handoff.refresh_from_db()
    assert handoff.assignee == cast.femke
    assert User.objects.get(pk=cast.femke.pk).roles == {MARKETING}


def test_leads_are_not_left_to_somebody_who_is_away_or_out_of_sales(ada: Client, cast: Cast) -> None:
    factories.make_handoff("assigned", cast.femke)
    now = timezone.now()
    cast.jonas.absences.create(starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=1))
    given = {"is_active": None, "goes_to": "person"}
    assert "is away" in errors(change(ada, cast.femke, **given, goes_to_person=str(cast.jonas.pk)))
    for person in (cast.otto, cast.femke):
        assert "valid choice" in errors(change(ada, cast.femke, **given, goes_to_person=str(person.pk)))
    cast.mia.absences.create(starts_at=now - timedelta(days=1), ends_at=now + timedelta(days=1))
    assert "to their manager" not in ada.get(url(User, "change", cast.femke.pk)).text


def test_everything_goes_to_the_manager_when_that_is_asked_for(ada: Client, cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    factories.route_to(cast.femke, cast.jonas)
    change(ada, cast.femke, is_active=None, goes_to="manager")
    handoff.refresh_from_db()
    assert handoff.assignee == cast.mia


def test_who_gets_another_team_hands_on_what_they_have_not_answered(ada: Client, cast: Cast) -> None:
    assigned, accepted = (factories.make_handoff(s, cast.femke) for s in ("assigned", "accepted"))
    factories.route_to(cast.femke, cast.jonas)
    response = change(ada, cast.femke, team=str(cast.rosa.team_id))
    assert errors(response) == ""
    assigned.refresh_from_db()
    accepted.refresh_from_db()
    assert (assigned.assignee, accepted.assignee) == (cast.jonas, cast.femke)
    assert assigned.events.filter(kind=EventKind.ASSIGNED).last().user == cast.ada
    assert "1 handoff of Femke de Boer moved on to others who can take them" in response.text


def test_an_owner_of_a_queue_and_oneself_stay_active(ada: Client, cast: Cast) -> None:
    Queue.objects.filter(kind="overflow").update(owner=cast.mia)
    assert "Owns the queues Overflow" in errors(change(ada, cast.mia, is_active=None))
    assert "cannot deactivate yourself" in errors(change(ada, cast.ada, is_active=None))
    assert User.objects.filter(is_active=False).count() == 0


def test_a_person_is_made_with_a_role(ada: Client, cast: Cast) -> None:
    rep = Group.objects.get(name=REP)
    data = {
        "email": " New.Rep@Handoff.example.com ", "name": "New Rep", "groups": [rep.pk],
        "team": cast.femke.team_id, "usable_password": "false",
    }  # fmt: skip
    response = ada.post(url(User, "add"), data, follow=True)
    assert errors(response) == ""
    made = User.objects.get(email="new.rep@handoff.example.com")
    assert made.roles == {REP} and made.team == cast.femke.team and not made.has_usable_password()
    assert "already" in errors(ada.post(url(User, "add"), data | {"email": "NEW.REP@handoff.example.com"}))


def test_people_are_never_deleted(ada: Client, cast: Cast) -> None:
    assert ada.post(url(User, "delete", cast.femke.pk), {"post": "yes"}).status_code == 403
    response = ada.post(
        url(User), {"action": "delete_selected", "_selected_action": [cast.femke.pk], "post": "yes"}
    )
    assert response.status_code in (200, 302) and User.objects.filter(pk=cast.femke.pk).exists()


def test_an_admin_who_is_no_superuser_makes_none_and_touches_none(cast: Cast, as_: SignIn) -> None:
    cast.nils.groups.set([Group.objects.get(name="admin")])
    User.objects.filter(pk=cast.nils.pk).update(is_staff=True)
    client = as_(cast.nils)
    page = client.get(url(User, "change", cast.femke.pk))
    assert page.status_code == 200 and 'name="is_superuser"' not in page.text
    change(client, cast.femke, is_superuser="on")
    cast.femke.refresh_from_db()
    assert not cast.femke.is_superuser
    assert client.post(url(User, "change", cast.ada.pk), {"name": "x"}).status_code == 403
    assert client.get(f"/admin/routing/user/{cast.ada.pk}/password/").status_code == 403


def test_unknown_time_zones_are_refused(ada: Client, cast: Cast) -> None:
    assert "not a known time zone" in errors(change(ada, cast.femke, time_zone="Mars/Olympus"))


def test_an_absence_that_has_begun_moves_on_what_is_owed(ada: Client, cast: Cast) -> None:
    at = timezone.now() - timedelta(minutes=30)
    accepted = factories.make_handoff("accepted", cast.femke, at=at)
    working = factories.make_handoff("working", cast.femke, at=at)
    now = timezone.now()

    def add(start: timedelta) -> Any:
        begins, ends = now + start, now + start + timedelta(days=2)
        return ada.post(
            url(Absence, "add"),
            {
                "user": cast.femke.pk, "cover": cast.nils.pk,
                "starts_at_0": f"{begins:%Y-%m-%d}", "starts_at_1": f"{begins:%H:%M:%S}",
                "ends_at_0": f"{ends:%Y-%m-%d}", "ends_at_1": f"{ends:%H:%M:%S}",
            },
            follow=True,
        )  # fmt: skip

    assert errors(add(timedelta(days=3))) == ""
    accepted.refresh_from_db()
    assert accepted.assignee == cast.femke
    assert "1 handoff of Femke de Boer moved on" in add(-timedelta(hours=1)).text
    for handoff in (accepted, working):
        handoff.refresh_from_db()
    assert accepted.assignee == cast.nils and working.assignee == cast.femke
    told = Notification.objects.filter(user=cast.femke, kind="absence_entered")
    assert [(row.data["by"], row.data["cover"]) for row in told] == [("Ada Admin", "Nils Holm")] * 2
    rows = Absence.objects.order_by("-starts_at")
    ada.post(url(Absence, "delete", rows[0].pk), {"post": "yes"})
    assert Notification.objects.filter(user=cast.femke, kind="absence_taken_back").count() == 1


def test_nobody_covers_for_themselves(ada: Client, cast: Cast) -> None:
    row = Absence.objects.create(user=cast.rosa, starts_at=NOW, ends_at=NOW + timedelta(days=1))
    assert "Somebody else has to cover" in errors(change(ada, row, cover=str(cast.rosa.pk)))


# Calendars


def intervals(rows: list[tuple[str, str, str]], initial: int = 0) -> dict[str, Any]:
    data: dict[str, Any] = {
        "intervals-TOTAL_FORMS": len(rows), "intervals-INITIAL_FORMS": initial,
        "closed_days-TOTAL_FORMS": 0, "closed_days-INITIAL_FORMS": 0,
    }  # fmt: skip
    for number, (weekday, start, end) in enumerate(rows):
        data |= {
            f"intervals-{number}-weekday": weekday,
            f"intervals-{number}-start_minute": start,
            f"intervals-{number}-end_minute": end,
        }
    return data


def new_calendar(ada: Client, rows: list[tuple[str, str, str]], **fields: str) -> Any:
    data = {"name": "Berlin", "time_zone": "Europe/Berlin"} | fields | intervals(rows)
    return ada.post(url(Calendar, "add"), data, follow=True)


def test_a_calendar_is_made_in_times_of_day(ada: Client) -> None:
    rows = [("0", "9", "12:30"), ("0", "13:15", "24:00"), ("4", "08:00", "14:00")]
    response = new_calendar(ada, rows, country="de", subdivision="by")
    assert errors(response) == ""
    made = Calendar.objects.get(name="Berlin")
    assert list(made.intervals.values_list("weekday", "start_minute", "end_minute")) == [
        (0, 540, 750), (0, 795, 1440), (4, 480, 840),
    ]  # fmt: skip
    assert (made.country, made.subdivision) == ("DE", "BY")
    holiday = made.closed_days.filter(is_public=True, day=f"{timezone.now().year}-12-25")
    assert holiday.exists()


@pytest.mark.parametrize(
    ("rows", "fields", "said"),
    [
        ([], {}, "working time"),
        ([("0", "9:00", "12:00"), ("0", "11:00", "13:00")], {}, ""),
        ([("0", "12:00", "09:00")], {}, ""),
        ([("0", "25:00", "26:00")], {}, "Write a time"),
        ([("0", "9:75", "12:00")], {}, "Write a time"),
        ([("0", "nine", "12:00")], {}, "Write a time"),
        ([("7", "9:00", "12:00")], {}, "Select a valid choice"),
        ([("0", "9", "12")], {"time_zone": "Mars/Olympus"}, "not a known time zone"),
        ([("0", "9", "12")], {"country": "ZZ"}, "no public holidays are known"),
        ([("0", "9", "12")], {"subdivision": "BY"}, "needs its country"),
        ([("0", "9", "12")], {"is_default": "on"}, ""),
    ],
)
def test_calendars_that_cannot_work_are_refused(
    ada: Client, rows: list[tuple[str, str, str]], fields: dict[str, str], said: str
) -> None:
    response = new_calendar(ada, rows, **fields)
    assert said in errors(response) and errors(response).strip()
    assert not Calendar.objects.filter(name="Berlin").exists()


def test_every_edit_raises_the_revision_and_drops_the_kept_hours(ada: Client) -> None:
    row = Calendar.objects.get(is_default=True)
    revision, compiled = row.revision, row.hours()
    first = row.intervals.order_by("weekday", "start_minute").first()
    response = change(ada, row, **{"intervals-0-start_minute": "08:00"})
    assert errors(response) == "" and "stay as they are" in response.text
    row.refresh_from_db()
    assert row.revision == revision + 1
    assert row.hours() != compiled and row.hours().week[0] == ((480, first.end_minute),)
    change(ada, row, **{"closed_days-0-day": "2026-03-11", "closed_days-0-name": "Company day"})
    row.refresh_from_db()
    assert row.revision == revision + 2 and len(row.hours().closed) == 1
    assert CalendarInterval.objects.filter(calendar=row).count() == 5


def test_a_revision_raised_meanwhile_is_not_lost(ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Calendar.objects.get(is_default=True)
    real = Calendar.save

    def save(self: Calendar, *args: Any, **kwargs: Any) -> None:
        # Somebody else's edit lands between the reading of the form and its saving.
        Calendar.objects.filter(pk=self.pk).update(revision=41)
        real(self, *args, **kwargs)

    monkeypatch.setattr(Calendar, "save", save)
    change(ada, row, name="Office hours, all")
    row.refresh_from_db()
    assert (row.revision, row.name) == (42, "Office hours, all")


def test_another_country_brings_its_own_holidays(ada: Client) -> None:
    new_calendar(ada, [("0", "9", "17")], country="DE")
    row = Calendar.objects.get(name="Berlin")
    year = timezone.now().year
    ClosedDay.objects.create(calendar=row, day=f"{year - 1}-10-03", name="Unity", is_public=True)
    ClosedDay.objects.create(calendar=row, day=f"{year}-11-02", name="Ours")
    change(ada, row, country="US")
    days = {str(day) for day in row.closed_days.values_list("day", flat=True)}
    assert f"{year}-07-04" in days and f"{year}-10-03" not in days
    assert {f"{year - 1}-10-03", f"{year}-11-02"} <= days


def test_the_default_calendar_is_not_deleted(ada: Client) -> None:
    row = Calendar.objects.get(is_default=True)
    assert ada.post(url(Calendar, "delete", row.pk), {"post": "yes"}).status_code == 403


# Queues, pools, rules


def test_a_queue_needs_an_owner_who_is_active_and_keeps_its_kind(ada: Client, cast: Cast) -> None:
    overflow = Queue.objects.get(kind="overflow")
    User.objects.filter(pk=cast.nils.pk).update(is_active=False)
    for nobody in (cast.nils, cast.vera):
        assert "choose somebody who is active" in errors(change(ada, overflow, owner=str(nobody.pk)))
    assert "stays what it is" in errors(change(ada, overflow, kind="sales"))
    assert ada.post(url(Queue, "delete", overflow.pk), {"post": "yes"}).status_code == 403


def test_saving_a_pool_loses_no_turn_taken_meanwhile(
    ada: Client, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.make_handoff("assigned", cast.femke)
    pool = Pool.objects.get()
    real = PoolMember.save

    def save(self: PoolMember, *args: Any, **kwargs: Any) -> None:
        if self.pk:
            PoolMember.objects.filter(pk=self.pk).update(taken=7, accrued="7.5")
        real(self, *args, **kwargs)

    monkeypatch.setattr(PoolMember, "save", save)
    response = change(
        ada, pool, **{"seats-0-weight": "3", "seats-0-cap_open": "5", "seats-1-user": str(cast.jonas.pk)}
    )
    assert errors(response) == ""
    femke, jonas = PoolMember.objects.order_by("user_id")
    assert (femke.weight, femke.cap_open, femke.taken, str(femke.accrued)[:3]) == (3, 5, 7, "7.5")
    assert (jonas.user, jonas.weight, jonas.taken) == (cast.jonas, 1, 0)
    assert "at most" in errors(change(ada, pool, **{"seats-0-weight": "0"})) or "greater" in errors(
        change(ada, pool, **{"seats-0-weight": "0"})
    )


def test_a_rule_is_drafted_by_choosing_places_and_published(ada: Client, cast: Cast) -> None:
    pool = Pool.objects.create(slug="dach", name="DACH")
    version = Ruleset.objects.get(is_live=True).version
    data = {
        "position": "1", "name": "Germany", "target": f"pool:{pool.pk}", "fallback": "territory_owner:",
        "conditions": '{"all": [{"field": "country", "op": "in", "value": ["DE"]}]}', "policy_slug": "demo",
        "is_active": "on",
    }  # fmt: skip
    assert errors(ada.post(url(Rule, "add"), data, follow=True)) == ""
    rule = Rule.objects.get(name="Germany")
    assert (rule.target_kind, rule.target_id) == ("pool", str(pool.pk))
    assert (rule.fallback_kind, rule.fallback_id, rule.policy_slug) == ("territory_owner", "", "demo")
    assert rule.history.get().history_user == cast.ada
    assert "country is DE" in ada.get(url(Rule)).text
    assert Ruleset.objects.get(is_live=True).version == version

    def publish(note: str = "Germany first") -> str:
        action = {"action": "publish_draft", "_selected_action": [rule.pk], "note": note}
        return ada.post(url(Rule), action, follow=True).text

    assert "Say why" in publish(" ") and Ruleset.objects.get(is_live=True).version == version
    assert f"Ruleset {version + 1} is in force." in publish()
    live = Ruleset.objects.get(is_live=True)
    assert (live.published_by, live.note) == (cast.ada, "Germany first")
    assert len(live.document["rules"]) == 2
    assert "in force already" in publish()
    Rule.objects.filter(pk=rule.pk).update(target_id="0")
    assert "Its target is a pool that does not exist." in publish()
    assert Ruleset.objects.get(is_live=True) == live


def test_a_rule_keeps_what_is_gone_until_somebody_chooses(ada: Client) -> None:
    rule = Rule.objects.get()
    Rule.objects.filter(pk=rule.pk).update(target_kind="pool", target_id="77", policy_slug="gold")
    page = ada.get(url(Rule, "change", rule.pk)).text
    assert "pool 77 (gone)" in page and "gold (no longer live)" in page
    change(ada, rule, name="Renamed")
    rule.refresh_from_db()
    assert (rule.name, rule.target_kind, rule.target_id, rule.policy_slug) == (
        "Renamed",
        "pool",
        "77",
        "gold",
    )


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ("{", "Enter a valid JSON"),
        ("[1]", "group"),
        ('{"all": [{"field": "colour", "op": "equals", "value": "x"}]}', "There is no field"),
        ('{"all": [{"op": "in_territory", "value": "mars"}]}', "There is no territory"),
    ],
)
def test_conditions_are_checked_when_they_are_saved(ada: Client, conditions: str, said: str) -> None:
    rule = Rule.objects.get()
    assert said in errors(change(ada, rule, conditions=conditions))
    rule.refresh_from_db()
    assert rule.conditions == {"all": []}
    territory = Territory.objects.create(slug="dach", name="DACH", conditions={"all": []})
    assert said in errors(change(ada, territory, conditions=conditions)) or "territory" in said


def entries(row: Any) -> list[tuple[Any, str | None]]:
    """Who changed a row and what, by its history, the newest first."""
    return [
        (entry.history_user, entry.history_change_reason) for entry in row.history.order_by("-history_id")
    ]


def test_the_second_editor_of_a_rule_is_told_and_keeps_what_they_typed(ada: Client, cast: Cast) -> None:
    rule = Rule.objects.get()
    draft.save(rule, rule.revision, cast.otto)
    page = fields_of(ada.get(url(Rule, "change", rule.pk)).text)
    rule.name = "By Otto"
    draft.save(rule, rule.revision, cast.otto)
    response = ada.post(url(Rule, "change", rule.pk), page | {"name": "By Ada"})
    said = errors(response)
    assert "Otto Maier changed this" in said and "Name is now: By Otto" in said
    assert Rule.objects.get().name == "By Otto"
    again = fields_of(response.text)
    assert again["name"] == "By Ada" and again["seen"] == str(rule.revision)
    assert errors(ada.post(url(Rule, "change", rule.pk), again, follow=True)) == ""
    stored = Rule.objects.get()
    assert (stored.name, stored.revision) == ("By Ada", rule.revision + 1)
    assert entries(stored)[0] == (cast.ada, "Changed Name.")


def test_a_forged_revision_saves_nothing(ada: Client) -> None:
    rule = Rule.objects.get()
    for seen in ("", "99", "x"):
        assert errors(change(ada, rule, name="Forged", seen=seen))
    assert Rule.objects.get().name == "Everything else"


def test_rules_are_moved_one_at_a_time(ada: Client, cast: Cast) -> None:
    first = Rule.objects.create(position=1, name="First", conditions={"all": []}, target_kind="queue")
    last = Rule.objects.get(name="Everything else")

    def act(action: str, *rows: Rule) -> str:
        data = {"action": action, "_selected_action": [row.pk for row in rows]}
        return ada.post(url(Rule), data, follow=True).text

    act("move_up", last)
    assert list(Rule.objects.values_list("name", flat=True)) == ["Everything else", "First"]
    act("move_down", last)
    assert list(Rule.objects.values_list("name", flat=True)) == ["First", "Everything else"]
    assert first.history.first().history_user == cast.ada
    assert "Choose one rule" in act("move_up", first, last)
    Rule.objects.filter(pk=first.pk).update(is_active=False)
    assert "switched off" in act("move_up", first)


def test_pool_caps_hours_and_method_are_edited_with_history(ada: Client, cast: Cast) -> None:
    factories.route_to(cast.femke)
    pool = Pool.objects.get()
    edits = {
        "method": "earliest", "cap_day": "5", "cap_week": "20", "in_hours_only": "on", "seats-0-weight": "3",
        "seats-0-cap_day": "2", "seats-0-cap_week": "9",
    }  # fmt: skip
    assert errors(change(ada, pool, **edits)) == ""
    stored, seat = Pool.objects.get(), PoolMember.objects.get()
    assert (stored.method, stored.cap_day, stored.cap_week, stored.in_hours_only) == ("earliest", 5, 20, True)
    assert (seat.weight, seat.cap_day, seat.cap_week) == (3, 2, 9)
    assert stored.revision == pool.revision + 1 and stored.slug == pool.slug
    [(who, what), *_] = entries(stored)
    assert (
        who == cast.ada and what.startswith("Changed ") and "Cap week for pool member" in seat_words(stored)
    )
    assert seat.history.first().history_user == cast.ada


def seat_words(pool: Pool) -> str:
    return str(LogEntry.objects.filter(object_id=pool.pk).latest("id").get_change_message())


def test_a_list_is_read_line_by_line(ada: Client, cast: Cast) -> None:
    data = {
        "slug": "named",
        "name": "Named",
        "kind": "domains",
        "values": "ACME.com\nnonsense\nb.org",
        "is_active": "on",
    }
    assert "Line 2, nonsense: is no domain" in errors(ada.post(url(NamedList, "add"), data, follow=True))
    assert errors(ada.post(url(NamedList, "add"), data | {"values": "ACME.com, b.org"}, follow=True)) == ""
    row = NamedList.objects.get()
    assert row.values == ["acme.com", "b.org"]
    assert errors(change(ada, row, values="acme.com\nc.org", slug="other")) == ""
    stored = NamedList.objects.get()
    assert (stored.values, stored.slug, stored.revision) == (["acme.com", "c.org"], "named", 2)
    assert entries(stored)[0] == (cast.ada, "Changed values.")


def test_whose_account_comes_first_is_a_setting_of_the_draft(ada: Client, cast: Cast) -> None:
    assert errors(change(ada, Draft.objects.get(), account_first="customers")) == ""
    assert Draft.objects.get().account_first == "customers"
    assert ada.get(url(Draft, "add")).status_code == 403


@pytest.mark.parametrize("model", [User, Team, Calendar, Queue, Pool, Rule, Territory, NamedList, Draft])
def test_each_edit_shows_who_changed_what(ada: Client, cast: Cast, model: Any) -> None:
    factories.route_to(cast.femke)
    Territory.objects.create(
        slug="dach",
        name="DACH",
        conditions={
            "all": [],
        },
    )
    NamedList.objects.create(slug="big", name="Big", values=["x"])
    row = cast.femke if model is User else model.objects.first()
    edits: dict[str, Any] = {"account_first": "never"} if model is Draft else {"name": "Quite new"}
    if model in (Queue, Territory):
        edits["members"] = None
    if model is Territory:
        edits["conditions"] = '{"all": [{"field": "country", "op": "present"}]}'
    assert errors(change(ada, row, **edits)) == ""
    row.refresh_from_db()
    who, what = entries(row)[0]
    assert who == cast.ada and what.startswith("Changed ")
    page = ada.get(url(model, "history", row.pk))
    assert page.status_code == 200 and "Ada Admin" in page.text and what in page.text
    entry = row.history.first()
    old = ada.get(reverse(f"admin:routing_{model._meta.model_name}_simple_history", args=(row.pk, entry.pk)))
    assert old.status_code == 200 and "Revert" not in old.text


def test_what_stands_beside_a_row_is_in_its_history_too(ada: Client, cast: Cast) -> None:
    calendar = Calendar.objects.get(is_default=True)
    before = calendar.history.count()
    assert errors(change(ada, calendar, **{"intervals-0-end_minute": "17:30"})) == ""
    assert calendar.history.count() == before + 1
    assert entries(calendar)[0][0] == cast.ada and "interval" in entries(calendar)[0][1]
    assert errors(change(ada, cast.femke, groups=[str(g.pk) for g in Group.objects.all()])) == ""
    newest = cast.femke.history.order_by("-history_id").first()
    assert newest.groups.count() == 5 and newest.history_user == cast.ada


def test_an_absence_is_recorded_and_a_sign_in_is_not(ada: Client, cast: Cast) -> None:
    absence = Absence.objects.create(user=cast.femke, starts_at=NOW, ends_at=NOW + timedelta(days=2))
    assert errors(change(ada, absence, note="Fishing")) == ""
    assert entries(absence)[0] == (cast.ada, "Changed Note.")
    before = cast.femke.history.count()
    cast.femke.set_password("another long one")
    cast.femke.save(update_fields=["password"])
    cast.femke.last_login = NOW
    cast.femke.save(update_fields=["last_login"])
    assert cast.femke.history.count() == before
    assert not {"password", "last_login"} & {f.name for f in User.history.model._meta.get_fields()}
    cast.femke.save(update_fields=["name"])
    assert cast.femke.history.count() == before + 1


def test_reviews_are_shown(ada: Client, cast: Cast) -> None:
    reviews.ensure_reviews(NOW)
    row = RuleReview.objects.get()
    assert ada.get(url(RuleReview, "change", row.pk)).status_code == 200
    assert ada.post(url(RuleReview, "change", row.pk), {"note": "x"}).status_code == 403
    assert (
        f"{row.due_on:%B} {row.due_on.day}, {row.due_on.year}"
        in ada.get(url(Rule, "change", row.rule_id)).text
    )


# The agreement


@pytest.mark.parametrize("model", [MqlDefinition, Agreement])
def test_the_door_to_the_threshold_is_closed(ada: Client, cast: Cast, model: Any) -> None:
    first = model.objects.get()
    data = {"version": "2", "threshold": "70", "high_intent": '["demo_request"]', "note": "Fewer, better"}
    assert ada.get(url(model, "add")).status_code == ada.post(url(model, "add"), data).status_code == 403
    assert ada.post(url(model, "change", first.pk), data).status_code == 403
    assert ada.post(url(model, "delete", first.pk), {"post": "yes"}).status_code == 403
    assert ada.get(url(model, "change", first.pk)).status_code == 200
    assert [row.pk for row in model.objects.all()] == [first.pk]
    assert MqlDefinition.objects.get().threshold == 65


def test_a_reason_is_renamed_with_history_and_keeps_its_code(ada: Client, cast: Cast) -> None:
    reason = RejectionReason.objects.get(code="timing")
    assert errors(change(ada, reason, label="Not now", code="renamed", is_active=None)) == ""
    reason.refresh_from_db()
    assert (reason.label, reason.code, reason.is_active) == ("Not now", "timing", False)
    assert reason.history.first().history_user == cast.ada and reason.history.count() == 2
    assert ada.get(url(RejectionReason, "history", reason.pk)).status_code == 200
    assert ada.post(url(RejectionReason, "delete", reason.pk), {"post": "yes"}).status_code == 403


def test_the_checklist_is_one_row_of_choices(ada: Client) -> None:
    row = PreflightSettings.objects.get()
    edits = {
        "disabled_checks": ["company_size_band"], "required_fields": ["phone"],
        "placeholders": "Test\n  ASDF \n\ntest\nfoo bar\n",
    }  # fmt: skip
    assert errors(change(ada, row, **edits)) == ""
    row.refresh_from_db()
    assert row.disabled_checks == ["company_size_band"] and row.required_fields == ["phone"]
    assert row.placeholders == ["test", "asdf", "foo bar"]
    assert "valid choice" in errors(change(ada, row, required_fields=["email_key"]))
    assert "At most 500 words" in errors(change(ada, row, placeholders="x" * 101))
    assert ada.get(url(PreflightSettings, "add")).status_code == 403


# Keys


def test_a_key_is_shown_once_and_never_again(ada: Client, cast: Cast) -> None:
    data = {"name": "Map", "scopes": ["intake", "read"], "is_quiet": "on"}
    response = ada.post(url(ApiKey, "add"), data)
    assert response.status_code == 200 and "no-store" in response["Cache-Control"]
    [plain] = re.findall(r"ho_[\w-]{40,}", response.text)
    key = ApiKey.objects.get()
    assert key.digest == hashlib.sha256(plain.encode()).hexdigest()
    assert (key.name, key.scopes, key.is_quiet, key.created_by) == ("Map", ["intake", "read"], True, cast.ada)
    assert plain not in str(response.cookies) and plain not in str(dict(ada.session))
    pages = [ada.get(url(ApiKey)), ada.get(url(ApiKey, "change", key.pk)), ada.get("/admin/")]
    pages += [ada.get(url(ApiKey, "history", key.pk))]
    for page in pages:
        assert page.status_code == 200 and plain not in page.text and key.digest not in page.text


def test_a_key_needs_a_name_and_known_scopes(ada: Client) -> None:
    for data in ({"name": "", "scopes": ["read"]}, {"name": "x"}, {"name": "x", "scopes": ["root"]}):
        assert errors(ada.post(url(ApiKey, "add"), data))
    assert not ApiKey.objects.exists()


def test_scopes_stay_and_a_revoked_key_opens_nothing(ada: Client) -> None:
    key, plain = keys.make_key("Map", ["read"], NOW)
    change(ada, key, name="Map 2", scopes=["act"], revoked_at="")
    key.refresh_from_db()
    assert (key.name, key.scopes) == ("Map 2", ["read"])
    page = ada.post(url(ApiKey), {"action": "revoke_keys", "_selected_action": [key.pk]}, follow=True)
    assert "opens nothing from now on" in page.text
    assert keys.authenticate(plain, timezone.now()) is None
    assert ada.post(url(ApiKey, "delete", key.pk), {"post": "yes"}).status_code == 403


# Companies


def test_only_stage_and_owner_of_a_company_are_set_by_hand(ada: Client, cast: Cast) -> None:
    company = factories.make_company(name="Halvorsen")
    edits = {"stage": "customer", "owner": str(cast.rosa.pk), "name": "Other", "domain": "x.com"}
    assert errors(change(ada, company, **edits)) == ""
    company.refresh_from_db()
    assert (company.stage, company.owner, company.name) == ("customer", cast.rosa, "Halvorsen")
    assert company.domain != "x.com" and company.updated_at > NOW


def test_lists_cost_the_same_for_one_row_and_three(ada: Client, cast: Cast) -> None:
    def queries(model: Any) -> int:
        with CaptureQueriesContext(connection) as seen:
            ada.get(url(model))
        return len(seen)

    factories.make_handoff("assigned", cast.femke)
    models = (Handoff, Lead, Event, RoutingDecision, Company)
    once = {model: queries(model) for model in models}
    for _ in range(2):
        factories.make_handoff("assigned", cast.femke)
    assert {model: queries(model) for model in models} == once


# What somebody new reads


def test_roles_and_scopes_say_what_they_allow(ada: Client, cast: Cast) -> None:
    for page in (url(User, "add"), url(User, "change", cast.femke.pk)):
        shown = ada.get(page).content.decode()
        for role, words in ROLE_WORDS.items():
            assert f"{role}: {words}" in shown
        assert "Control" not in shown
    assert set(ROLE_WORDS) == set(ROLES)
    assert "act: act for a person" in ada.get(url(ApiKey, "add")).content.decode()


@pytest.mark.parametrize("front", ("routing/pool", "leads/rejectionreason"))
@pytest.mark.parametrize("end", ("x/history/", "%00/history/", "x/history/1/", "1/history/x/"))
def test_a_history_that_no_row_can_have_is_not_there(ada: Client, front: str, end: str) -> None:
    assert ada.get(f"/admin/{front}/{end}").status_code == 404


@pytest.mark.parametrize("kind", ("success", "failure"))
@pytest.mark.parametrize("page", ("change", "delete", "history"))
def test_a_task_whose_name_no_database_keeps_is_not_there(ada: Client, kind: str, page: str) -> None:
    assert ada.get(f"/admin/django_q/{kind}/%00/{page}/").status_code == 404
