"""The reference data: complete, made once, and never laid over what somebody edited."""

from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django_q.models import Schedule

from handoff_site import reference
from handoff_site.tasks import extend_holidays
from leads.models import Agreement, MqlDefinition, PreflightSettings, RejectionReason
from routing import engine, holidays, sla
from routing.facts import Facts
from routing.models import Calendar, ClosedDay, Draft, Queue, Rule, Ruleset, SlaPolicy, User
from routing.people import ADMIN, MARKETING, ROLES, VIEWER

NOW = datetime(2026, 3, 10, 10, 0, tzinfo=UTC)


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_superuser("ada@example.com")


def counts() -> dict[str, int]:
    models = (
        Group, Calendar, SlaPolicy, RejectionReason, Queue, Draft,
        MqlDefinition, Agreement, PreflightSettings, Schedule, Rule, Ruleset,
    )  # fmt: skip
    return {model.__name__: model.objects.count() for model in models}


def test_everything_is_there_once(ada: User) -> None:
    reference.setup(NOW)
    once = counts()
    assert once == {
        "Group": 5, "Calendar": 1, "SlaPolicy": 2, "RejectionReason": 11, "Queue": 2, "MqlDefinition": 1,
        "Agreement": 1,
        "PreflightSettings": 1, "Schedule": len(reference.SCHEDULES), "Rule": 1, "Ruleset": 1, "Draft": 1,
    }  # fmt: skip
    assert reference.setup(NOW) == []
    assert counts() == once
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)


def test_the_stored_policies_are_the_default_ones(ada: User) -> None:
    reference.setup(NOW)
    for policy in sla.default_policies():
        row = SlaPolicy.objects.get(slug=policy.slug)
        assert row.is_live and row.is_default
        stored = row.policy()
        assert stored.steps == policy.steps
        for name in (
            "lead_type",
            "accept",
            "contact",
            "unacknowledged",
            "no_activity",
            "black_hole",
            "completion",
        ):
            assert getattr(stored, name) == getattr(policy, name), name


def test_the_calendar_is_monday_to_friday_nine_to_six(ada: User, settings: object) -> None:
    settings.ORG_TIME_ZONE = "Europe/Berlin"  # type: ignore[attr-defined]
    reference.setup(NOW)
    calendar = Calendar.objects.get(is_default=True)
    assert calendar.name == "Office hours"
    hours = calendar.compile()
    assert hours.zone == "Europe/Berlin"
    assert hours.week == (((540, 1080),),) * 5 + ((), ())


def test_the_definition_is_in_force_from_the_beginning(ada: User) -> None:
    reference.setup(NOW)
    definition = MqlDefinition.objects.get()
    assert (definition.version, definition.threshold) == (1, 65)
    assert definition.in_force_from == datetime(2000, 1, 1, tzinfo=UTC)
    assert definition.high_intent == ["demo_request", "pricing_inquiry"]


def test_the_first_agreement_says_what_is_in_force_and_nobody_signed_it(ada: User) -> None:
    SlaPolicy.objects.create(
        slug="ours", name="Ours", lead_type="standard", is_default=True, created_at=NOW,
        accept_minutes=30, accept_business=True, contact_minutes=45, contact_business=False,
    )  # fmt: skip
    reference.setup(NOW)
    row = Agreement.objects.get()
    assert (row.version, row.proposal_id, row.definition) == (1, None, MqlDefinition.objects.get())
    assert row.in_force_from == row.definition.in_force_from
    assert row.targets["standard"] == {
        "accept": {"minutes": 30, "business": True},
        "contact": {"minutes": 45, "business": False},
        "disposition": None,
        "figure_minutes": 60,
    }
    assert row.targets["demo"]["figure_minutes"] == 5
    assert [reason["code"] for reason in row.reasons] == list(
        RejectionReason.objects.values_list("code", flat=True)
    )


def test_the_usual_placeholders_are_known(ada: User) -> None:
    reference.setup(NOW)
    assert {"test", "asdf", "n/a", "none", "self", "unknown"} <= set(
        PreflightSettings.objects.get().placeholders
    )


def test_the_first_ruleset_routes_everything_to_the_overflow_queue(ada: User) -> None:
    reference.setup(NOW)
    ruleset = Ruleset.objects.get(is_live=True)
    overflow = Queue.objects.get(kind="overflow")
    assert overflow.owner == ada
    decision = engine.decide(ruleset.document, Facts(trigger="demo_request", lead_type="demo"))
    assert decision.rule_name == "Everything else"
    assert [(target.kind, target.id) for target in decision.targets] == [("queue", str(overflow.pk))]
    assert decision.rule_id == str(Rule.objects.get().pk)


def test_what_was_edited_stays(ada: User) -> None:
    reference.setup(NOW)
    RejectionReason.objects.filter(code="timing").update(label="Not now", is_active=False)
    SlaPolicy.objects.filter(slug="demo").update(accept_minutes=7)
    PreflightSettings.objects.update(placeholders=["mustermann"])
    Schedule.objects.filter(name="Pruning").update(repeats=0, minutes=5, name="Cleaning")
    Queue.objects.filter(kind="overflow").update(slug="rest", name="The rest")
    Calendar.objects.update(time_zone="Asia/Tokyo")
    Group.objects.get(name=MARKETING).permissions.clear()
    before = counts()
    assert reference.setup(NOW) == []
    assert counts() == before
    assert RejectionReason.objects.get(code="timing").label == "Not now"
    assert not RejectionReason.objects.get(code="timing").is_active
    assert SlaPolicy.objects.get(slug="demo").accept_minutes == 7
    assert PreflightSettings.objects.get().placeholders == ["mustermann"]
    assert Schedule.objects.get(func="leads.tasks.prune").name == "Cleaning"
    assert Queue.objects.get(kind="overflow").slug == "rest"
    assert Calendar.objects.get().time_zone == "Asia/Tokyo"
    assert Group.objects.get(name=MARKETING).permissions.count() == 0


def test_an_older_installation_gets_what_is_new(ada: User) -> None:
    reference.setup(NOW)
    Draft.objects.all().delete()
    Schedule.objects.filter(func="leads.tasks.review_rules").delete()
    group = Group.objects.get(name=MARKETING)
    new = group.permissions.filter(content_type__model__in=("draft", "namedlist", "rulereview"))
    assert new.count() == 12
    group.permissions.remove(*new)
    group.permissions.remove(group.permissions.get(codename="delete_absence"))
    assert reference.setup(NOW) == ["schedule Rule reviews", "routing draft"]
    assert Draft.objects.get().account_first == "owned"
    codes = set(group.permissions.values_list("codename", flat=True))
    assert {"change_draft", "add_namedlist", "view_rulereview"} <= codes and "delete_absence" not in codes


def test_a_live_ruleset_is_never_replaced(ada: User) -> None:
    Ruleset.objects.create(version=4, document={"rules": []}, published_at=NOW, is_live=True)
    reference.setup(NOW)
    assert Ruleset.objects.get().version == 4
    assert not Rule.objects.exists()


def test_a_draft_that_somebody_began_is_not_published_for_them(ada: User) -> None:
    Rule.objects.create(name="Not ready", conditions={"all": []}, target_kind="queue")
    reference.setup(NOW)
    assert Queue.objects.count() == 2
    assert not Ruleset.objects.exists()
    assert Rule.objects.get().name == "Not ready"


def test_a_new_version_follows_the_old_ones(ada: User) -> None:
    Ruleset.objects.create(version=4, document={"rules": []}, published_at=NOW, is_live=False)
    reference.setup(NOW)
    assert Ruleset.objects.get(is_live=True).version == 5


def test_queues_wait_for_the_first_person(db: None) -> None:
    reference.setup(NOW)
    assert not Queue.objects.exists()
    assert not Ruleset.objects.exists()
    otto = User.objects.create_user("otto@example.com")
    assert reference.setup(NOW) == [], "somebody without a role owns nothing"
    otto.groups.add(Group.objects.get(name=MARKETING))
    reference.setup(NOW)
    assert {queue.owner for queue in Queue.objects.all()} == {otto}
    assert Ruleset.objects.filter(is_live=True).exists()


def test_an_admin_comes_before_marketing_ops(db: None) -> None:
    reference.setup(NOW)
    for name, role in (("otto", MARKETING), ("ada", ADMIN), ("gone", ADMIN)):
        user = User.objects.create_user(f"{name}@example.com", is_active=name != "gone")
        user.groups.add(Group.objects.get(name=role))
    reference.setup(NOW)
    assert {queue.owner.email for queue in Queue.objects.all()} == {"ada@example.com"}


def test_admins_may_everything_and_marketing_ops_edits_the_routing(db: None) -> None:
    reference.setup(NOW)
    ada, otto = User.objects.create_user("ada@example.com"), User.objects.create_user("otto@example.com")
    ada.groups.add(Group.objects.get(name=ADMIN))
    otto.groups.add(Group.objects.get(name=MARKETING))
    assert ada.has_perms(["routing.add_user", "leads.delete_rejectionreason", "handoff_site.view_heartbeat"])
    assert otto.has_perms(["routing.change_rule", "routing.add_poolmember"])
    assert not otto.has_perm("routing.change_user")
    assert not otto.has_perm("leads.change_mqldefinition")


def test_the_command_names_what_it_made_and_what_is_missing(db: None) -> None:
    out = StringIO()
    call_command("setup", stdout=out)
    assert "made SLA policy Demo" in out.getvalue()
    assert "no queues yet, for a queue needs an owner" in out.getvalue()
    with pytest.raises(CommandError, match="there is no active user nobody"):
        call_command("setup", "--owner", "nobody@example.com")
    otto = User.objects.create_user("otto@example.com")
    # Whoever has no role, or no more than a viewer's, answers for nothing.
    with pytest.raises(CommandError, match="there is no active user otto"):
        call_command("setup", "--owner", "otto@example.com")
    otto.groups.add(Group.objects.get(name=VIEWER))
    with pytest.raises(CommandError, match="with a role that can act"):
        call_command("setup", "--owner", "otto@example.com")
    otto.groups.set([Group.objects.get(name=MARKETING)])
    out = StringIO()
    call_command("setup", "--owner", "Otto@example.com", stdout=out)
    assert "made queue Overflow, owned by otto@example.com" in out.getvalue()
    out = StringIO()
    call_command("setup", stdout=out)
    assert out.getvalue() == "everything was there already\n"


def test_schedules_are_due_at_once_and_every_function_exists(ada: User) -> None:
    reference.setup(NOW)
    rows = {row.func: row for row in Schedule.objects.all()}
    for name in (
        "handoff_site.tasks.heartbeat",
        "handoff_site.tasks.sweep",
        "leads.tasks.deliver_mail",
        "leads.tasks.enrich",
    ):
        assert (rows[name].schedule_type, rows[name].minutes) == (Schedule.MINUTES, 1)
        assert rows[name].next_run < NOW
    assert rows["leads.tasks.prune"].schedule_type == Schedule.DAILY


def test_holidays_are_copied_for_three_years_and_stay_as_people_left_them(ada: User) -> None:
    calendar = reference.office_hours("Europe/Berlin", "DE", "BY", NOW)
    assert calendar.name == "Office hours DE-BY"
    days = calendar.closed_days.filter(is_public=True)
    assert {day.day.year for day in days} == {2026, 2027, 2028}
    assert days.get(day=date(2026, 1, 6)).name == "Epiphany"
    assert not days.filter(day=date(2026, 10, 31)).exists(), "Reformation Day is none in Bavaria"
    revision = Calendar.objects.get(pk=calendar.pk).revision
    days.get(day=date(2026, 1, 6)).delete()
    assert reference.office_hours("Europe/Berlin", "DE", "BY", NOW) == calendar
    assert not days.filter(day=date(2026, 1, 6)).exists()
    assert Calendar.objects.get(pk=calendar.pk).revision == revision


def test_a_new_year_is_added_when_it_comes_near(ada: User, time_machine: object) -> None:
    calendar = reference.office_hours("Europe/Berlin", "DE", "", NOW)
    ClosedDay.objects.create(calendar=calendar, day=date(2029, 1, 1), name="Our own")
    revision = Calendar.objects.get(pk=calendar.pk).revision
    time_machine.move_to(datetime(2027, 1, 2, tzinfo=UTC))  # type: ignore[attr-defined]
    extend_holidays()
    years = {day.year for day in calendar.closed_days.filter(is_public=True).values_list("day", flat=True)}
    assert years == {2026, 2027, 2028, 2029}
    assert calendar.closed_days.get(day=date(2029, 1, 1)).name == "Our own"
    assert Calendar.objects.get(pk=calendar.pk).revision == revision + 1


def test_one_place_in_two_zones_has_two_calendars(ada: User) -> None:
    east = reference.office_hours("America/New_York", "US", "", NOW)
    west = reference.office_hours("America/Los_Angeles", "US", "", NOW)
    assert (east.name, west.name) == ("Office hours US", "Office hours US (America/Los_Angeles)")
    assert reference.office_hours("America/Los_Angeles", "US", "", NOW) == west


@pytest.mark.parametrize(("country", "subdivision"), [("XX", ""), ("DE", "ZZ"), ("Germany", "")])
def test_unknown_places_have_no_holidays(country: str, subdivision: str) -> None:
    with pytest.raises(holidays.UnknownPlace):
        holidays.public_holidays(country, subdivision, 2026)


def test_the_database_holds_one_default_calendar(ada: User) -> None:
    reference.setup(NOW)
    with pytest.raises(IntegrityError):
        Calendar.objects.create(name="Other", is_default=True)


def test_what_a_clock_that_was_ahead_planned_is_due_now(ada: User) -> None:
    reference.setup(NOW)
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    planned = {
        "SLA sweep": (1, NOW + hour + minute),
        "Heartbeat": (1, NOW + minute),
        "Imports": (15, NOW + 15 * minute),
        "Deliveries": (15, NOW + hour),
        "Pruning": (None, NOW + 24 * hour),
    }
    for name, (minutes, at) in planned.items():
        assert Schedule.objects.filter(name=name).update(minutes=minutes, next_run=at) == 1
    assert reference.recall_schedules(NOW) == 2
    assert reference.recall_schedules(NOW) == 0
    stand = dict(Schedule.objects.filter(name__in=planned).values_list("name", "next_run"))
    recalled = {"SLA sweep": NOW, "Deliveries": NOW}
    assert stand == {name: at for name, (_, at) in planned.items()} | recalled
