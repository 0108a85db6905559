"""People from a CSV file: who they are, what they may, which team and working hours they have.

Owns the file's meaning. A row is checked in full before anything of it is stored, and a bad row spoils
none of the others. An empty cell leaves what is stored as it is. Never sets a password, never deactivates.
"""

import csv
import zoneinfo
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from handoff_site import reference
from leads import access_log, escalation, lifecycle
from leads.access_log import Standing
from routing import holidays
from routing.models import Team, User
from routing.people import ADMIN, MANAGER, MARKETING, ROLES

COLUMNS = ("email", "name", "roles", "team", "manager", "time_zone", "country", "subdivision")
ALIASES = {"manager": MANAGER, "marketing": MARKETING}
# Roles that work in the admin: people and keys, and the draft of the rules.
STAFF_ROLES = {ADMIN, MARKETING}


class BadFile(Exception):
    """The file as a whole cannot be read. The text says why."""


class BadRow(Exception):
    """One row cannot be taken. The text says why."""


@dataclass(frozen=True)
class RowError:
    """What was wrong with a row; `line` counts from 1 and the header is line 1."""

    line: int
    email: str
    message: str


@dataclass
class Report:
    """What an import did. A row is in exactly one of the first four counts; `moved` are the handoffs that
    went on to somebody else, since their holder left sales or the team."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    moved: int = 0
    errors: list[RowError] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Row:
    """A row that was understood. "" and None mean: leave as it is."""

    line: int
    email: str
    name: str
    roles: frozenset[str] | None
    team: str
    manager: str
    time_zone: str
    country: str
    subdivision: str


def import_people(lines: Iterable[str], now: datetime) -> Report:
    """Create and update people from CSV lines with a header. Raises BadFile; row errors are in the report."""
    report = Report()
    rows: list[Row] = []
    for line, cells in _read(lines):
        email = (cells.get("email") or "").strip().lower()
        try:
            rows.append(_understand(line, email, cells, rows))
        except BadRow as error:
            report.errors.append(RowError(line, email, str(error)))
    managers = _managers(rows)
    for row in rows:
        try:
            _check_manager(row, rows, managers)
        except BadRow as error:
            report.errors.append(RowError(row.line, row.email, str(error)))
    bad = {error.line for error in report.errors}
    good = [row for row in rows if row.line not in bad]
    known = User.objects.filter(email__in=[row.email for row in good])
    teams = dict(known.values_list("pk", "team_id"))
    with transaction.atomic():
        for row in good:
            outcome = _store(row, now)
            setattr(report, outcome, getattr(report, outcome) + 1)
        for row in good:
            if row.team and row.manager:
                Team.objects.filter(name=row.team).update(manager=User.objects.get(email=row.manager))
        reference.ensure_queues(now)
    # Whoever is no longer in sales keeps nothing; each handoff moves in a transaction of its own.
    act = lifecycle.Act(now)
    for user in User.objects.filter(email__in=[row.email for row in good if row.roles is not None]):
        report.moved += escalation.let_go(user, act)
    for user in User.objects.filter(pk__in=teams):
        if user.team_id != teams[user.pk]:
            report.moved += lifecycle.change_team(user, act)
    report.errors.sort(key=lambda error: error.line)
    report.failed = len(bad)
    return report


def _read(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells of each row that is not empty. A file of semicolons is read as one."""
    text = list(lines)
    header = text[0] if text else ""
    reader = csv.DictReader(text, delimiter=";" if ";" in header and "," not in header else ",")
    names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
    if "email" not in names:
        raise BadFile(f"the first line must name the columns: {', '.join(COLUMNS)}")
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise BadFile(f"unknown columns: {', '.join(unknown)}; known are {', '.join(COLUMNS)}")
    reader.fieldnames = names
    try:
        for cells in reader:
            if any(isinstance(value, str) and value.strip() for value in cells.values()):
                yield reader.line_num, cells
    except csv.Error as error:
        raise BadFile(f"line {reader.line_num}: {error}") from None


def _understand(line: int, email: str, cells: dict[Any, Any], before: list[Row]) -> Row:
    """The row's meaning. Raises BadRow."""
    if None in cells:
        raise BadRow("there are more cells than columns; put roles in quotes when commas separate them")
    text = {name: " ".join((cells.get(name) or "").split()) for name in COLUMNS}
    try:
        validate_email(email)
    except ValidationError:
        raise BadRow(f"{email!r} is not an e-mail address") from None
    twin = next((row.line for row in before if row.email == email), None)
    if twin is not None:
        raise BadRow(f"the same e-mail stands in line {twin}")
    if not all(value.isprintable() for value in text.values()):
        raise BadRow("there are control characters in it")
    for name, longest in (("email", 254), ("name", 150), ("team", 100)):
        if len(text[name]) > longest:
            raise BadRow(f"{name} is longer than {longest} characters")
    zone, country = text["time_zone"], text["country"].upper()
    subdivision = text["subdivision"].upper().removeprefix(f"{country}-")
    if zone:
        try:
            zoneinfo.ZoneInfo(zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise BadRow(f"{zone!r} is not a time zone; an example is Europe/Berlin") from None
    if subdivision and not country:
        raise BadRow("a subdivision needs its country")
    if country:
        try:
            holidays.known(country, subdivision)
        except holidays.UnknownPlace as error:
            raise BadRow(str(error)) from None
    manager = text["manager"].lower()
    if manager and not text["team"]:
        raise BadRow("a manager leads a team; name the team")
    roles = _roles(text["roles"])
    return Row(line, email, text["name"], roles, text["team"], manager, zone, country, subdivision)


def _roles(text: str) -> frozenset[str] | None:
    """The roles of a cell, None for an empty one. Raises BadRow for a word that is none."""
    words = [word.strip() for word in text.replace(";", ",").split(",") if word.strip()]
    found = set()
    for word in words:
        plain = word.casefold().replace("_", " ").replace("-", " ")
        role = ALIASES.get(plain, plain)
        if role not in ROLES:
            raise BadRow(f"{word!r} is not a role; roles are {', '.join(ROLES)}")
        found.add(role)
    return frozenset(found) if found else None


def _managers(rows: list[Row]) -> set[str]:
    """E-mails of everybody who will be an active sales manager once the rows are stored."""
    stored = User.objects.filter(groups__name=MANAGER, is_active=True).values_list("email", flat=True)
    changed = {row.email for row in rows if row.roles is not None}
    inactive = set(User.objects.filter(is_active=False).values_list("email", flat=True))
    will_be = {row.email for row in rows if row.roles is not None and MANAGER in row.roles}
    return ({email for email in stored if email not in changed} | will_be) - inactive


def _check_manager(row: Row, rows: list[Row], managers: set[str]) -> None:
    """Raises BadRow when the named manager is none, or another row names another one for the same team."""
    if not row.manager:
        return
    if row.manager not in managers:
        raise BadRow(f"the manager {row.manager} is not an active person with the role {MANAGER}")
    first = next(other for other in rows if other.team == row.team and other.manager in managers)
    if first.manager != row.manager:
        raise BadRow(f"line {first.line} names another manager for the team {row.team}: {first.manager}")


def _store(row: Row, now: datetime) -> str:
    """Create or update one person; "created", "updated" or "unchanged"."""
    user = User.objects.filter(email=row.email).first()
    created = user is None
    was = Standing() if user is None else Standing.of(user)
    if user is None:
        user = User(email=row.email)
        user.set_unusable_password()
    wanted: dict[str, Any] = {
        name: getattr(row, name) for name in ("name", "time_zone", "country") if getattr(row, name)
    }
    if row.country:
        wanted["subdivision"] = row.subdivision
    place = {name: value for name, value in wanted.items() if name != "name"}
    moved = any(getattr(user, name) != value for name, value in place.items())
    if row.team:
        wanted["team"] = Team.objects.get_or_create(name=row.team)[0]
    if row.roles is not None:
        wanted["is_staff"] = user.is_superuser or bool(row.roles & STAFF_ROLES)
    changed = {name for name, value in wanted.items() if getattr(user, name) != value}
    for name in changed:
        setattr(user, name, wanted[name])
    # A calendar that somebody chose by hand stays while the person does not move.
    if place and (moved or user.calendar_id is None):
        # Without a country, and in the organisation's own zone, the default calendar (or the team's) will do.
        at_home = not user.country and user.time_zone == settings.ORG_TIME_ZONE
        hours = None
        if not at_home:
            hours = reference.office_hours(user.time_zone, user.country, user.subdivision, now)
        if user.calendar != hours:
            user.calendar = hours
            changed.add("calendar")
    if created or changed:
        user.save()
    if row.roles is not None and row.roles != {group.name for group in user.groups.all()}:
        user.groups.set(Group.objects.filter(name__in=row.roles))
        changed.add("roles")
        access_log.record_roles(User.objects.get(pk=user.pk), was, now)
    if created:
        return "created"
    return "updated" if changed else "unchanged"
