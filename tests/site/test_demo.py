"""The demo: the same rows for the same arguments, every state, clean invariants, once only."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from pytest_django import DjangoDbBlocker

from handoff_site.demo import lived, making, others, past, people, rules, scenes
from handoff_site.demo.names import PLACES, Crowd
from leads import agreeing, connectors
from leads.choices import OPEN, State
from leads.models import (
    Agreement,
    Company,
    Connection,
    ContactAttempt,
    Delivery,
    DeliveryAttempt,
    Event,
    FieldConflict,
    Finding,
    Handoff,
    InboundCall,
    Lead,
    Notification,
    Proposal,
    RejectionReason,
    Signature,
    SyncRun,
    TriageItem,
)
from routing.models import Pool, Queue, Rule, Ruleset, Team, Territory, Turn, User
from routing.people import ROLES
from tests.acting import assert_sound
from tests.conftest import forget_kept
from tests.emptying import empty
from tests.factories import make_lead

# A Sunday, a quarter of an hour after midnight in Amsterdam: nobody's office hours, and a young day.
YOUNG = datetime(2026, 5, 16, 22, 15, tzinfo=UTC)
NOON = datetime(2026, 5, 19, 10, 44, 18, tzinfo=UTC)
SMALL = {"leads": 60, "weeks": 3, "with_password": False}
FEMKE = f"{people.FEMKE}@{people.DOMAIN}"


@pytest.fixture(scope="module", params=[NOON, YOUNG], ids=["noon", "after-midnight"])
def now(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator:
    """The moment of a demo that all tests of this module look at; rolled back at the end."""
    with django_db_blocker.unblock(), transaction.atomic():
        making.make(request.param, **SMALL)
        yield request.param
        transaction.set_rollback(True)


def of(local: str) -> Any:
    return Handoff.objects.open().filter(assignee__email=f"{local}@{people.DOMAIN}")


def rows() -> list[tuple[Any, ...]]:
    """Everything that was made, by names instead of ids, which a sequence does not give twice."""
    users = User.objects.order_by("email").values_list(
        "email", "name", "team__name", "calendar__name", "date_joined"
    )
    leads = Lead.objects.order_by("email").values_list(
        "email", "first_name", "last_name", "phone", "company__name", "lead_source", "field_times"
    )
    companies = Company.objects.order_by("name").values_list("name", "employee_count", "technologies", "news")
    handoffs = Handoff.objects.order_by("lead__email", "mql_at").values_list(
        "lead__email", "state", "trigger", "mql_at", "assignee__email", "rule_name", "accept_due_at",
        "contact_due_at", "first_contact_at", "opportunity_amount", "next_step_at", "revision", "missing",
    )  # fmt: skip
    events = Event.objects.order_by("handoff__lead__email", "handoff__mql_at", "number").values_list(
        "handoff__lead__email", "number", "kind", "occurred_at", "recorded_at", "user__email"
    )
    told = Notification.objects.order_by("handoff__lead__email", "created_at", "user__email", "kind")
    turns = Turn.objects.order_by("taken_at", "user__email").values_list(
        "user__email", "taken_at", "pool__slug"
    )
    agreed = Agreement.objects.order_by("version").values_list(
        "version", "done", "targets", "reasons", "in_force_from", "definition__threshold"
    )
    proposed = Proposal.objects.order_by("created_at").values_list(
        "threshold",
        "why",
        "state",
        "created_at",
        "settled_by__email",
        "backtest__lost",
        "backtest__newcomers",
    )
    signed = Signature.objects.order_by("at").values_list("side", "person__email", "at")
    sent = Delivery.objects.order_by("message_id").values_list(
        "message_id", "kind", "type", "revision", "status", "attempts", "last_error", "created_at", "done_at"
    )
    called = InboundCall.objects.order_by("received_at").values_list("identity", "status", "outcome")
    found = Finding.objects.order_by("check_code").values_list("check_code", "lead__email", "last_seen_at")
    return [
        *users, *leads, *companies, *handoffs, *events, *turns, *agreed, *proposed, *signed, *sent, *called,
        *found, *told.values_list("user__email", "handoff__lead__email", "kind", "created_at", "read_at"),
    ]  # fmt: skip


@pytest.mark.parametrize("now", [NOON], ids=["noon"], indirect=True)
def test_the_same_arguments_make_the_same_rows(now: datetime) -> None:
    """As the demo that all tests here look at, made again in its place."""
    first = rows()
    assert len(first) > 1000
    with transaction.atomic():
        empty()
        forget_kept()
        assert rows() == []
        making.make(now, **SMALL)
        assert rows() == first
        transaction.set_rollback(True)


def test_another_seed_draws_others() -> None:
    drawn = [others.scenes(random.Random(seed), Crowd(random.Random(seed))) for seed in (7, 7, 8)]
    assert drawn[0] == drawn[1]
    assert {scene.who.email for scene in drawn[0]} != {scene.who.email for scene in drawn[2]}


@pytest.mark.parametrize("seed", range(3))
def test_two_people_share_a_number_only_where_a_place_has_no_other_left(seed: int) -> None:
    crowd, place = Crowd(random.Random(seed)), PLACES[0]
    phones = [crowd.person(place, crowd.firm(place)).phone for _ in range(901)]
    assert len(set(phones[:900])) == 900
    assert phones[900] in phones[:900]


def test_invariants_are_clean(now: datetime) -> None:
    assert_sound()


def test_every_state_is_there(now: datetime) -> None:
    there = set(Handoff.objects.live().values_list("state", flat=True))
    # Erasure is a verb of a later day.
    assert there == {str(state) for state in State} - {State.ERASED}
    assert Handoff.objects.filter(is_history=True).count() == 61


def test_nothing_lies_after_now(now: datetime) -> None:
    assert not Event.objects.filter(occurred_at__gt=now).exists()
    assert not Event.objects.filter(recorded_at__gt=now).exists()
    assert not Notification.objects.filter(created_at__gt=now).exists()
    assert not Handoff.objects.filter(next_step_at__lte=now).exists(), "the sweep left something due"


def test_the_first_reps_inbox_is_full_of_life(now: datetime) -> None:
    mine = of(people.FEMKE)
    due = dict(mine.filter(state="assigned").values_list("lead__last_name", "next_due_at"))
    assert due["Wiśniewski"] == now - timedelta(minutes=14)
    assert due["Okonkwo-Lindqvist"] == now + timedelta(minutes=3, seconds=50)
    assert due["Thévenot"] == now + timedelta(minutes=10)
    assert due["Tan"] == now + timedelta(minutes=26)
    assert due["Hernández Quiroga"] == now + timedelta(minutes=38)
    assert mine.get(lead__last_name="Hernández Quiroga").triggered_again_at is not None
    assert mine.filter(state="accepted", next_due_at__gt=now).count() == 2
    assert mine.filter(state="deferred", deferred_until__gt=now).count() == 2
    assert mine.filter(state="working", next_touch_at__lt=now).count() == 1
    assert mine.filter(state="working", next_touch_at__gt=now).count() == 3
    assert Turn.objects.filter(user__email=FEMKE, released_at__isnull=True).count() == 9


def test_six_were_done_today(now: datetime) -> None:
    midnight = now.astimezone(ZoneInfo("Europe/Amsterdam")).replace(hour=0, minute=0, second=0, microsecond=0)
    done = Event.objects.filter(user__email=FEMKE, recorded_at__gte=midnight).exclude(kind="accepted")
    kinds = sorted(done.exclude(kind="viewed").values_list("kind", flat=True))
    assert kinds == ["contacted", "contacted", "converted", "deferred", "disqualified", "rejected"]


def test_what_waits_for_data_waits_for_all_kinds_of_it(now: datetime) -> None:
    missing = {code for found in Handoff.objects.incomplete() for code in found.missing}
    assert missing == {
        "business_email", "full_name", "company_name", "trigger_event", "score_breakdown",
        "behavioral_signal", "deduplication", "bad_data",
    }  # fmt: skip
    assert Handoff.objects.filter(state="queued", queue__slug=rules.SECOND_LOOK).count() == 3
    assert sorted(TriageItem.objects.values_list("kind", flat=True)) == ["suppressed", "won_anyway"]


def test_the_organisation(now: datetime) -> None:
    assert {role: User.objects.filter(groups__name=role).count() for role in ROLES} == {
        "rep": 12, "sales manager": 2, "marketing ops": 1, "viewer": 1, "admin": 1,
    }  # fmt: skip
    assert Territory.objects.count() == 4
    live = Ruleset.objects.get(is_live=True).document
    last = live["rules"][-1]
    assert last["when"] == {"all": []}
    assert last["target"]["kind"] == "pool"
    assert Pool.objects.get(pk=last["target"]["id"]).cap_open is None
    assert not Pool.objects.get(pk=last["target"]["id"]).seats.exclude(cap_open=None).exists()
    assert Queue.objects.get(kind="overflow").owner.email == f"mia@{people.DOMAIN}"
    assert not any(user.has_usable_password() for user in User.objects.all())


def test_both_sides_signed_once_and_a_proposal_waits_for_sales(now: datetime) -> None:
    held = agreeing.current(now)
    assert held is not None and (held.version, held.definition.threshold) == (2, 65)
    signed = Signature.objects.filter(proposal=held.proposal).values_list("side", "person__email")
    assert dict(signed) == {"sales": f"mia@{people.DOMAIN}", "marketing": f"otto@{people.DOMAIN}"}
    mia, otto = (User.objects.get(email=f"{name}@{people.DOMAIN}") for name in ("mia", "otto"))
    waiting = agreeing.open_proposals().get()
    assert (waiting.proposed_by, waiting.threshold) == (otto, 70)
    assert waiting.backtest_at == waiting.created_at and waiting.backtest["lost"]["mqls"] > 0
    assert (agreeing.waiting_for(mia), agreeing.waiting_for(otto)) == (1, 0)


def test_integrations_have_something_to_show_and_nothing_can_leave(now: datetime) -> None:
    rows = Connection.objects.order_by("name")
    assert list(rows.values_list("name", "role", "is_active", "sealed")) == [
        ("Data warehouse", "other", False, ""), ("Mautic", "map", False, ""), ("Salesforce", "crm", False, "")
    ]  # fmt: skip
    assert not connectors.due(now + timedelta(days=1)) and not connectors.due_for_polling(now)
    for row in rows:
        statuses = set(Delivery.objects.filter(connection=row).values_list("status", flat=True))
        assert {"done", "pending"} <= statuses, row
    assert Delivery.objects.filter(status="dead").count() == 2
    tries = DeliveryAttempt.objects.filter(delivery__status="dead").values_list("number", "outcome")
    assert sorted(tries) == [(1, "permanent"), (1, "transient"), (2, "transient"), (3, "permanent")]
    assert sorted(InboundCall.objects.values_list("status", flat=True)) == ["failed", *["taken"] * 5]
    [conflict] = FieldConflict.objects.filter(settled_at__isnull=True)
    assert conflict.lead.last_name == "Okonkwo-Lindqvist" and conflict.owner.name == "Salesforce"
    first, last = SyncRun.objects.order_by("created_at")
    assert (first.status, first.new_findings, last.new_findings) == ("done", 0, 3)
    codes = Finding.objects.filter(resolved_at__isnull=True, run=last).values_list("check_code", flat=True)
    assert sorted(codes) == ["CRM_ACCEPTED_MAP_MQL", "CRM_OWNER_NE_APP_OWNER", "DEAD_LETTER"]
    ends = Delivery.objects.exclude(done_at__isnull=True).filter(done_at__gt=now)
    assert not ends.exists() and not Delivery.objects.filter(created_at__gt=now).exists()


@pytest.mark.django_db
def test_somebodys_own_connections_stay_alone() -> None:
    Connection.objects.create(name="Mautic", slug="mautic", kind="mautic", created_at=NOON)
    making.make(NOON, leads=1, weeks=1, with_password=False)
    assert Connection.objects.count() == 1 and not Delivery.objects.exists()


def test_mails_of_the_past_are_not_sent_again(now: datetime) -> None:
    assert not Notification.objects.filter(mail="pending").exists()
    unread = Notification.objects.filter(user__email=FEMKE, read_at__isnull=True).count()
    assert 1 <= unread <= 8


def test_a_second_run_changes_nothing(now: datetime) -> None:
    before = rows()
    again = making.make(now + timedelta(days=3), **SMALL)
    assert not again.is_new
    assert rows() == before


@pytest.mark.django_db
def test_it_is_not_mixed_with_other_peoples_leads() -> None:
    make_lead()
    with pytest.raises(making.Occupied):
        making.make(NOON, **SMALL)
    out = StringIO()
    call_command("seed_demo", "--force", stdout=out)
    assert "No demo data was made" in out.getvalue()
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("begun", ["team", "rule", "person"])
def test_it_is_not_mixed_with_other_peoples_work(begun: str) -> None:
    if begun == "team":
        Team.objects.create(name="Ours")
    elif begun == "rule":
        Rule.objects.create(name="Ours", conditions={"all": []}, target_kind="account_owner")
    else:
        User.objects.create_user(FEMKE)
    with pytest.raises(making.Occupied):
        making.make(NOON, **SMALL)
    assert not Lead.objects.exists()


@pytest.mark.django_db
def test_outside_a_debug_run_it_refuses() -> None:
    with pytest.raises(CommandError, match="DEBUG=1"):
        call_command("seed_demo")
    assert not User.objects.exists()


def test_forced_outside_a_debug_run_nobody_gets_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def make(now: datetime, **arguments: Any) -> making.Made:
        asked.update(arguments)
        return making.Made(True, 17, 1, 86)

    monkeypatch.setattr(making, "make", make)
    out = StringIO()
    call_command("seed_demo", "--force", stdout=out)
    assert asked["with_password"] is False
    assert "have no password" in out.getvalue()
    assert people.PASSWORD not in out.getvalue()


@pytest.mark.django_db
def test_in_a_debug_run_everybody_signs_in_with_the_demo_password(settings: Any) -> None:
    settings.DEBUG = True
    out = StringIO()
    call_command("seed_demo", "--leads", "1", "--weeks", "1", "--now", NOON.isoformat(), stdout=out)
    assert all(user.check_password(people.PASSWORD) for user in User.objects.all())
    for login in people.LOGINS:
        assert login.email in out.getvalue()
    out = StringIO()
    call_command("seed_demo", stdout=out)
    assert "was there already" in out.getvalue()
    assert people.LOGINS[0].email in out.getvalue(), "every start prints the logins"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--now", "yesterday"), ("--now", "2026-05-19T10:00"), ("--leads", "0"), ("--weeks", "x")],
)
def test_nonsense_is_refused(option: str, value: str) -> None:
    with pytest.raises(CommandError, match=value):
        call_command("seed_demo", option, value)


def test_lengths_and_moments_of_the_scripts() -> None:
    assert scenes.length("6d19h12m") == timedelta(days=6, hours=19, minutes=12)
    assert scenes.length("70s") == timedelta(seconds=70)
    for wrong in ("", "6", "2h6d", "an hour"):
        with pytest.raises(ValueError, match="length"):
            scenes.length(wrong)


def test_scripts_name_each_scene_once() -> None:
    keys = [scene.key for name in making.SCRIPTS for scene in scenes.load(name)]
    assert len(keys) == len(set(keys))


def test_the_reasons_of_the_past_exist(now: datetime) -> None:
    known = set(RejectionReason.objects.values_list("code", flat=True))
    used = set(
        Handoff.objects.filter(rejection_reason__isnull=False).values_list(
            "rejection_reason__code", flat=True
        )
    )
    assert used <= known
    assert {str(state) for state in OPEN} <= set(Handoff.objects.values_list("state", flat=True))
    assert ContactAttempt.objects.filter(activity__isnull=False).exists()


def test_past_weeks_were_worked_by_hand_too_and_are_over(now: datetime) -> None:
    """What imported history cannot say: deadlines met, what a contact referred to, weak signals."""
    start = past.begin(now, SMALL["weeks"])
    found = Handoff.objects.live().filter(lead__email__in=_lived(now), mql_at__gte=start)
    assert found.count() == SMALL["leads"] // lived.ONE_IN
    assert not found.filter(state__in=OPEN).exists()
    assert not found.filter(accept_due_at__isnull=True, acknowledged_at__isnull=False).exists()


def _lived(now: datetime) -> list[str]:
    """The addresses of those whose past was lived, drawn as the demo draws them."""
    rng = random.Random(making.SEED)
    crowd = Crowd(rng)
    others.scenes(rng, crowd)
    drawn = lived.scenes(rng, crowd, SMALL["leads"] // lived.ONE_IN, past.begin(now, SMALL["weeks"]), now)
    return [scene.who.email for scene in drawn]


def test_lived_scenes_hold_what_imported_history_cannot_say() -> None:
    rng = random.Random(7)
    start = past.begin(NOON, 12)
    drawn = lived.scenes(rng, Crowd(rng), 100, start, NOON)
    assert all(start <= NOON - scene.ago <= NOON - lived.UNTIL for scene in drawn)
    for scene in drawn:
        ends = [move.ago for move in scene.moves]
        assert ends == sorted(ends, reverse=True) and timedelta(0) < ends[-1] <= ends[0] < scene.ago
        assert scene.moves[-1].verb in ("opportunity", "disqualify", "reject")
    contacts = [move.values for scene in drawn for move in scene.moves if move.verb == "contact"]
    assert 0 < sum("refers" not in values for values in contacts) < len(contacts)
    assert any("at" in values for values in contacts)
    assert any(deed.kind == "email_open" for scene in drawn for deed in scene.deeds)
