"""The reference data that every installation starts with.

Owns what is made, and the promise that it is made once: `setup` adds what is missing and changes nothing
that is there, for all of it may be edited. What each default is stands with its owner (`routing.sla`,
`leads.reasons`, `leads.preflight`). Never makes people, leads or demo data.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import QuerySet
from django_q.models import Schedule

from leads import agreement
from leads.choices import LeadType
from leads.models import Agreement, MqlDefinition, PreflightSettings
from leads.preflight import DEFAULT_PLACEHOLDERS
from leads.reasons import ensure_reasons
from leads.roles import EDITS
from routing import holidays, policies, publish, sla
from routing.models import Calendar, CalendarInterval, Draft, Queue, Rule, SlaPolicy
from routing.people import ADMIN, MARKETING, ROLES, User

OPENS, CLOSES = 9 * 60, 18 * 60
WORKDAYS = range(5)
THRESHOLD = 65
# Before any lead: every score is judged by some definition.
FIRST_IN_FORCE = datetime(2000, 1, 1, tzinfo=UTC)
CATCH_ALL = "Everything else"
CATCH_ALL_POSITION = 9999

# name, function, kind, minutes. The names are what "already there" is judged by.
SCHEDULES = (
    ("Heartbeat", "handoff_site.tasks.heartbeat", Schedule.MINUTES, 1),
    ("SLA sweep", "handoff_site.tasks.sweep", Schedule.MINUTES, 1),
    ("E-mail delivery", "leads.tasks.deliver_mail", Schedule.MINUTES, 1),
    ("Enrichment", "leads.tasks.enrich", Schedule.MINUTES, 1),
    ("Back-tests", "leads.tasks.backtests", Schedule.MINUTES, 1),
    ("Imports", "leads.tasks.take_imports", Schedule.MINUTES, 1),
    ("Acts on many", "leads.tasks.bulk_acts", Schedule.MINUTES, 1),
    ("Weekly report", "handoff_site.tasks.weekly_report", Schedule.MINUTES, 1),
    ("Figures", "handoff_site.tasks.figures", Schedule.MINUTES, 1),
    ("Deliveries", "leads.tasks.deliver", Schedule.MINUTES, 1),
    ("Incoming calls", "leads.tasks.take_calls", Schedule.MINUTES, 1),
    ("Sync audit", "leads.tasks.audit_sync", Schedule.DAILY, None),
    ("Sync audits", "leads.tasks.sync_audits", Schedule.MINUTES, 1),
    ("Polling", "leads.tasks.poll", Schedule.MINUTES, 1),
    ("Pruning", "leads.tasks.prune", Schedule.DAILY, None),
    ("Public holidays", "handoff_site.tasks.extend_holidays", Schedule.MONTHLY, None),
    ("Rule reviews", "leads.tasks.review_rules", Schedule.DAILY, None),
)


@transaction.atomic
def setup(now: datetime, owner: User | None = None) -> list[str]:
    """Make what is missing; what was made, in words. Safe to repeat, and from two processes at once.

    Queues need a named owner: `owner`, else the first admin, else the first of marketing ops. While there
    is none of them, queues and the first ruleset wait for the next call.
    """
    made = _groups() + _calendar() + _policies(now)
    reasons = ensure_reasons()
    if reasons:
        made.append(f"{reasons} rejection reasons")
    made += _agreement() + ensure_schedules(now)
    if Draft.objects.get_or_create(pk=1)[1]:
        made.append("routing draft")
    made += ensure_queues(now, owner)
    for calendar in Calendar.objects.exclude(country=""):
        holidays.snapshot(calendar, now.year)
    return made


def ensure_schedules(now: datetime) -> list[str]:
    """The background tasks' schedules that are missing, due at once. One that is paused stays paused."""
    known = set(Schedule.objects.values_list("func", flat=True))
    made = []
    for name, function, kind, minutes in SCHEDULES:
        if function not in known:
            first = now - timedelta(seconds=1)
            Schedule.objects.create(
                name=name, func=function, schedule_type=kind, minutes=minutes, next_run=first
            )
            made.append(f"schedule {name}")
    return made


def recall_schedules(now: datetime) -> int:
    """Tasks of every few minutes that are planned for later than that are due now; how many were not. A clock
    that was ahead for a moment plans them so, and nothing would be done until it is as late as it said."""
    recalled = 0
    planned = Schedule.objects.filter(schedule_type=Schedule.MINUTES, next_run__gt=now)
    for pk, minutes, at in planned.values_list("pk", "minutes", "next_run"):
        if at > now + timedelta(minutes=(minutes or 1) + 1):
            recalled += Schedule.objects.filter(pk=pk, next_run=at).update(next_run=now)
    return recalled


def ensure_queues(now: datetime, owner: User | None = None) -> list[str]:
    """The completion and the overflow queue, and a first ruleset, once there is somebody to own them."""
    made = []
    owner = owner or _natural_owner()
    wanted = (
        (Queue.Kind.COMPLETION, "completion", "Data completion"),
        (Queue.Kind.OVERFLOW, "overflow", "Overflow"),
    )
    for kind, slug, name in wanted:
        if owner is not None and not Queue.objects.filter(kind=kind).exists():
            Queue.objects.create(kind=kind, slug=slug, name=name, owner=owner)
            made.append(f"queue {name}, owned by {owner.email}")
    return made + _ruleset(now)


def _natural_owner() -> User | None:
    active = User.objects.filter(is_active=True).order_by("id")
    return (
        active.filter(is_superuser=True).first()
        or active.filter(groups__name=ADMIN).first()
        or active.filter(groups__name=MARKETING).first()
    )


def _groups() -> list[str]:
    made = []
    for role in ROLES:
        group, created = Group.objects.get_or_create(name=role)
        if created:
            made.append(f"role {role}")
            if role == MARKETING:
                group.permissions.set(_marketing_permissions())
        elif role == MARKETING and group.permissions.exists():
            # What a new release brings; a model of which something was left is as somebody wanted it.
            known = group.permissions.values("content_type")
            group.permissions.add(*_marketing_permissions().exclude(content_type__in=known))
        if role == ADMIN:
            # The role is defined by it, so a new release's models are admins' too.
            group.permissions.add(*Permission.objects.exclude(group=group))
    return made


def _marketing_permissions() -> QuerySet[Permission]:
    return Permission.objects.filter(
        content_type__app_label="routing", content_type__model__in=EDITS[MARKETING]
    )


def office_hours(zone: str, country: str, subdivision: str, now: datetime) -> Calendar:
    """The office-hours calendar of a place, made when it is not there, with its public holidays.

    `zone` is an IANA name or "" for the organisation's; `country` and `subdivision` are ISO codes or "".
    Without a country the calendar has no holidays. Raises holidays.UnknownPlace.
    """
    zone = zone or settings.ORG_TIME_ZONE
    place = f"{country}-{subdivision}" if subdivision else country
    name = f"Office hours {place or zone}"
    if Calendar.objects.filter(name=name).exclude(time_zone=zone).exists():
        name = f"{name} ({zone})"
    calendar, created = Calendar.objects.get_or_create(
        name=name, defaults={"time_zone": zone, "country": country, "subdivision": subdivision}
    )
    if created:
        _open_on_workdays(calendar)
    if calendar.country:
        holidays.snapshot(calendar, now.year)
    return calendar


def _open_on_workdays(calendar: Calendar) -> None:
    CalendarInterval.objects.bulk_create(
        CalendarInterval(calendar=calendar, weekday=day, start_minute=OPENS, end_minute=CLOSES)
        for day in WORKDAYS
    )


def _calendar() -> list[str]:
    if Calendar.objects.filter(is_default=True).exists():
        return []
    # Somebody may have taken the mark off on purpose; then the calendar that is there serves again.
    calendar, created = Calendar.objects.get_or_create(
        name="Office hours", defaults={"time_zone": settings.ORG_TIME_ZONE, "is_default": True}
    )
    if created:
        _open_on_workdays(calendar)
        return [f"calendar {calendar.name}, {calendar.time_zone}"]
    calendar.is_default = True
    calendar.save(update_fields=["is_default"])
    return [f"{calendar.name} is the default calendar"]


def _policies(now: datetime) -> list[str]:
    made = []
    for policy in sla.default_policies():
        if SlaPolicy.objects.filter(slug=policy.slug).exists():
            continue
        taken = SlaPolicy.objects.filter(lead_type=policy.lead_type, is_live=True, is_default=True).exists()
        targets: dict[str, Any] = {}
        for name in ("accept", "contact", "unacknowledged", "no_activity", "black_hole", "completion"):
            target = getattr(policy, name)
            targets |= {f"{name}_minutes": target.minutes, f"{name}_business": target.business}
        row = SlaPolicy.objects.create(
            slug=policy.slug,
            version=policy.version,
            name=policy.slug.capitalize(),
            lead_type=policy.lead_type,
            is_default=not taken,
            created_at=now,
            note="As shipped",
            **targets,
        )
        policies.keep_steps(row, policy.steps)
        made.append(f"SLA policy {row.name}")
    return made


def _agreement() -> list[str]:
    made = []
    if not MqlDefinition.objects.exists():
        MqlDefinition.objects.create(
            version=1, threshold=THRESHOLD, in_force_from=FIRST_IN_FORCE, note="As shipped"
        )
        made.append(f"MQL definition 1, threshold {THRESHOLD}")
    made += _first_agreement()
    _, created = PreflightSettings.objects.get_or_create(
        pk=1, defaults={"placeholders": sorted(DEFAULT_PLACEHOLDERS)}
    )
    if created:
        made.append("pre-flight settings")
    return made


def _first_agreement() -> list[str]:
    """Version 1 says what is in force when there is no agreement yet. Nobody has signed it."""
    targets = agreement.live_targets()
    if Agreement.objects.exists() or set(targets) != set(LeadType):
        return []
    definition = MqlDefinition.objects.latest("version")
    Agreement.objects.create(
        version=1,
        done=agreement.SHIPPED_DONE,
        definition=definition,
        targets=agreement.targets_json(targets),
        reasons=[reason._asdict() for reason in agreement.live_reasons()],
        in_force_from=definition.in_force_from,
    )
    return ["agreement 1, as shipped"]


def _ruleset(now: datetime) -> list[str]:
    """A first ruleset whose one rule sends everything to the overflow queue: nothing is ever unrouted.

    A draft that somebody has begun is theirs to publish.
    """
    overflow = Queue.objects.filter(kind=Queue.Kind.OVERFLOW).first()
    if overflow is None or publish.live() is not None or Rule.objects.exists():
        return []
    Rule.objects.create(
        position=CATCH_ALL_POSITION,
        name=CATCH_ALL,
        conditions={"all": []},
        target_kind=Rule.TargetKind.QUEUE,
        target_id=str(overflow.pk),
        owner=overflow.owner,
    )
    ruleset = publish.publish(now, None, "As shipped: a catch-all")
    return [f"ruleset {ruleset.version}, a catch-all to {overflow.name}"]
