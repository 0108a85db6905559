"""Who works in the demo organisation, and the logins of the sign-in page.

Owns names, teams, working time and absences. The one demo password is set only where the caller says so
(a debug run); everywhere else these accounts cannot sign in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group

from handoff_site import reference
from routing.models import Absence, Calendar, CalendarInterval, Team
from routing.people import ADMIN, MANAGER, MARKETING, REP, VIEWER, User

DOMAIN = "handoff.example.com"
# No secret: it is printed, it stands on the sign-in page, and it is only ever set in a debug run.
PASSWORD = "handoff-demo"  # noqa: S105
CONTINENT, NORTH = "Continental Europe", "North and overseas"
AROUND_THE_CLOCK = "Around the clock"


@dataclass(frozen=True)
class Person:
    """Somebody of the demo organisation; `local` is the part of the address before the @."""

    local: str
    name: str
    role: str
    team: str = ""
    time_zone: str = "Europe/Berlin"
    country: str = "DE"

    @property
    def email(self) -> str:
        return f"{self.local}@{DOMAIN}"


@dataclass(frozen=True)
class Login:
    """A card of the sign-in page: whom one becomes, and what there is to see."""

    email: str
    role: str
    name: str
    does: str


FEMKE, JONAS, ANNELIESE = "femke", "jonas", "anneliese"
PEOPLE = (
    Person(FEMKE, "Femke de Boer", REP, CONTINENT, "Europe/Amsterdam", "NL"),
    Person(JONAS, "Jonas Keller", REP, CONTINENT, "Europe/Berlin", "DE"),
    Person(ANNELIESE, "Anneliese Fürst", REP, CONTINENT, "Europe/Vienna", "AT"),
    Person("zofia", "Zofia Wójcik", REP, CONTINENT, "Europe/Warsaw", "PL"),
    Person("etienne", "Étienne Lefèvre-Marchand", REP, CONTINENT, "Europe/Paris", "FR"),
    Person("giulia", "Giulia Ferraro", REP, CONTINENT, "Europe/Rome", "IT"),
    Person("rosa", "Rosa Lindqvist", REP, NORTH, "Europe/Stockholm", "SE"),
    Person("aarav", "Aarav Krishnamurthy", REP, NORTH, "Europe/London", "GB"),
    Person("siobhan", "Siobhán O’Rourke", REP, NORTH, "Europe/Dublin", "IE"),
    Person("mateo", "Mateo Hernández Ruiz", REP, NORTH, "America/Mexico_City", "MX"),
    Person("thandiwe", "Thandiwe Nkosi", REP, NORTH, "Africa/Johannesburg", "ZA"),
    Person("kenji", "Kenji Watanabe", REP, NORTH, "Asia/Tokyo", "JP"),
    Person("mia", "Mia Brandt", MANAGER, CONTINENT, "Europe/Berlin", "DE"),
    Person("nils", "Nils Holm", MANAGER, NORTH, "Europe/Stockholm", "SE"),
    Person("otto", "Otto Maier", MARKETING, "", "Europe/Berlin", "DE"),
    Person("vera", "Vera Costa", VIEWER, "", "Europe/Lisbon", "PT"),
    Person("ada", "Ada Okafor", ADMIN, "", "Europe/London", "GB"),
)
REPS = tuple(person for person in PEOPLE if person.role == REP)

LOGINS = (
    Login(
        f"{FEMKE}@{DOMAIN}", "a rep", "Femke de Boer", "Answers leads, contacts them, logs what came of it."
    ),
    Login(f"mia@{DOMAIN}", "a sales manager", "Mia Brandt", "Watches a team of six and gives leads on."),
    Login(f"otto@{DOMAIN}", "marketing ops", "Otto Maier", "Completes data, routes, decides on doubts."),
    Login(f"vera@{DOMAIN}", "leadership", "Vera Costa", "Reads the figures, sees no personal data."),
    Login(f"ada@{DOMAIN}", "an admin", "Ada Okafor", "Keeps people, keys and settings."),
)


def make(now: datetime, start: datetime, *, with_password: bool) -> dict[str, User]:
    """The people by the local part of their address, in their teams, with their absences.

    `start` is when the organisation began to work with Handoff. The reference data must be there.
    """
    # Hashing is slow on purpose; one hash for one password that everybody shares is enough.
    password = make_password(PASSWORD, salt="thedemoorganisation") if with_password else make_password(None)
    teams = {
        CONTINENT: Team.objects.create(name=CONTINENT, calendar=_around_the_clock()),
        NORTH: Team.objects.create(
            name=NORTH, calendar=reference.office_hours("Europe/London", "GB", "", now)
        ),
    }
    groups = {group.name: group for group in Group.objects.all()}
    users: dict[str, User] = {}
    for person in PEOPLE:
        user = User.objects.create(
            email=person.email,
            name=person.name,
            password=password,
            team=teams.get(person.team),
            time_zone=person.time_zone,
            country=person.country,
            is_staff=person.role in (MARKETING, ADMIN),
            is_superuser=person.role == ADMIN,
        )
        user.groups.add(groups[person.role])
        users[person.local] = user
    User.objects.filter(pk__in=[user.pk for user in users.values()]).update(date_joined=start)
    for name, manager in ((CONTINENT, "mia"), (NORTH, "nils")):
        teams[name].manager = users[manager]
        teams[name].save(update_fields=["manager"])
    _absences(users, now)
    return users


def _around_the_clock() -> Calendar:
    """Working time without a pause, so that the clocks of this team run whenever somebody looks."""
    calendar = Calendar.objects.create(name=AROUND_THE_CLOCK, time_zone="Europe/Berlin")
    CalendarInterval.objects.bulk_create(
        CalendarInterval(calendar=calendar, weekday=day, start_minute=0, end_minute=24 * 60)
        for day in range(7)
    )
    return calendar


def _absences(users: dict[str, User], now: datetime) -> None:
    day = timedelta(days=1)
    Absence.objects.create(
        user=users[ANNELIESE],
        starts_at=now - 9 * day,
        ends_at=now + 6 * day,
        cover=users[JONAS],
        note="Parental leave, part two",
    )
    Absence.objects.create(
        user=users[FEMKE],
        starts_at=now - 8 * day,
        ends_at=now - 6.3 * day,
        cover=users[JONAS],
        note="Long weekend on Texel",
    )
    Absence.objects.create(
        user=users["rosa"], starts_at=now + 9 * day, ends_at=now + 20 * day, note="Summer cottage"
    )
