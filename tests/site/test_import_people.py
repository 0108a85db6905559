"""People from CSV: roles, teams, managers, working hours; bad rows named and kept from the good ones."""

import json
from datetime import datetime
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.utils import timezone

from handoff_site import reference
from handoff_site.people_import import BadFile, Report, import_people
from leads.models import Handoff
from routing.models import Calendar, Queue, Team, User
from tests.conftest import Cast
from tests.factories import make_handoff, route_to

HEADER = "email,name,roles,team,manager,time_zone,country,subdivision"


@pytest.fixture
def groups(db: None) -> None:
    reference.setup(timezone.now())


def bring(*rows: str, header: str = HEADER) -> Report:
    return import_people(StringIO("\n".join((header, *rows)) + "\n", newline=""), timezone.now())


def said(report: Report) -> list[tuple[int, str]]:
    return [(error.line, error.message) for error in report.errors]


def tally(report: Report) -> tuple[int, int, int, int]:
    return report.created, report.updated, report.unchanged, report.failed


TEAM = (
    "Mia@Example.com,Mia Berg,sales manager,DACH,,Europe/Berlin,DE,BY",
    'femke@example.com,Femke de Vries,"rep, viewer",DACH,mia@example.com,Europe/Berlin,de,DE-BY',
    "jonas@example.com,Jonas,rep;marketing_ops,DACH,mia@example.com,,,",
)


def test_people_get_roles_team_manager_and_hours(groups: None) -> None:
    report = bring(*TEAM)
    assert tally(report) == (3, 0, 0, 0)
    femke = User.objects.get(email="femke@example.com")
    assert femke.name == "Femke de Vries"
    assert femke.roles == {"rep", "viewer"}
    assert femke.team is not None and femke.team.name == "DACH"
    assert femke.team.manager == User.objects.get(email="mia@example.com")
    assert (femke.time_zone, femke.country, femke.subdivision) == ("Europe/Berlin", "DE", "BY")
    assert str(femke.calendar) == "Office hours DE-BY"
    assert not femke.has_usable_password()
    assert not femke.is_staff
    jonas = User.objects.get(email="jonas@example.com")
    assert jonas.roles == {"rep", "marketing ops"}
    assert jonas.calendar is None
    assert jonas.is_staff, "marketing ops works in the admin"
    assert Calendar.objects.count() == 2


def test_again_changes_nothing(groups: None) -> None:
    bring(*TEAM)
    assert tally(bring(*TEAM)) == (0, 0, 3, 0)


def test_an_update_changes_what_is_given_and_leaves_the_rest(groups: None) -> None:
    bring(*TEAM)
    User.objects.filter(email="femke@example.com").update(single_keys=False)
    assert tally(bring("femke@example.com,Femke Visser,manager,,,,,")) == (0, 1, 0, 0)
    femke = User.objects.get(email="femke@example.com")
    assert femke.name == "Femke Visser"
    assert femke.roles == {"sales manager"}
    assert femke.team is not None and femke.team.name == "DACH"
    assert str(femke.calendar) == "Office hours DE-BY"
    assert femke.single_keys is False


def test_columns_may_be_missing_and_semicolons_may_separate(groups: None) -> None:
    report = bring("ada@example.com;admin", header="email;roles")
    assert tally(report) == (1, 0, 0, 0)
    ada = User.objects.get()
    assert ada.roles == {"admin"}
    assert ada.is_staff and not ada.is_superuser


def test_a_chosen_calendar_stays_until_the_person_moves(groups: None) -> None:
    bring(*TEAM)
    own = Calendar.objects.create(name="Early shift", time_zone="Europe/Berlin")
    User.objects.filter(email="femke@example.com").update(calendar=own)
    bring(*TEAM)
    assert User.objects.get(email="femke@example.com").calendar == own
    bring("femke@example.com,,,,,Europe/Vienna,AT,")
    femke = User.objects.get(email="femke@example.com")
    assert str(femke.calendar) == "Office hours AT"
    assert femke.subdivision == ""


def test_a_zone_without_a_country_gives_hours_in_that_zone(groups: None) -> None:
    bring("jo@example.com,Jo,rep,,,America/New_York,,", "al@example.com,Al,rep,,,UTC,,")
    assert str(User.objects.get(email="jo@example.com").calendar) == "Office hours America/New_York"
    assert User.objects.get(email="al@example.com").calendar is None


ROLES = "roles are rep, sales manager, marketing ops, viewer, admin"
NO_ZONE = "is not a time zone; an example is Europe/Berlin"
TOO_MANY = "there are more cells than columns; put roles in quotes when commas separate them"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("nonsense,N,rep,,,,,", "'nonsense' is not an e-mail address"),
        (",N,rep,,,,,", "'' is not an e-mail address"),
        (f"a@{'b.' * 130}com,A,rep,,,,,", "email is longer than 254 characters"),
        ("a@example.com,A,boss,,,,,", f"'boss' is not a role; {ROLES}"),
        ("a@example.com,A,rep,,,Mars/Phobos,,", f"'Mars/Phobos' {NO_ZONE}"),
        ("a@example.com,A,rep,,,../etc/passwd,,", f"'../etc/passwd' {NO_ZONE}"),
        ("a@example.com,A,rep,,,,XX,", "no public holidays are known for the country 'XX'"),
        ("a@example.com,A,rep,,,,DE,ZZ", "'ZZ' is not a known subdivision of DE"),
        ("a@example.com,A,rep,,,,,BY", "a subdivision needs its country"),
        ("a@example.com,A,rep,,mia@example.com,,,", "a manager leads a team; name the team"),
        (
            "a@example.com,A,rep,DACH,nobody@example.com,,,",
            "the manager nobody@example.com is not an active person with the role sales manager",
        ),
        ("a@example.com,A,rep,viewer,,,,,", TOO_MANY),
        (f"a@example.com,{'A' * 151},rep,,,,,", "name is longer than 150 characters"),
        ("a@example.com,A\u202eB,rep,,,,,", "there are control characters in it"),
        ("mia@example.com,M,rep,,,,,", "the same e-mail stands in line 2"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_and_spoils_none_of_the_others(groups: None, row: str, message: str) -> None:
    report = bring(TEAM[0], row, TEAM[2])
    assert said(report) == [(3, message)]
    assert tally(report) == (2, 0, 0, 1)
    assert set(User.objects.values_list("email", flat=True)) == {"mia@example.com", "jonas@example.com"}


def test_a_manager_whose_own_row_is_bad_is_no_manager(groups: None) -> None:
    report = bring("mia@example.com,Mia,sales manager,DACH,,Mars/Phobos,,", TEAM[1])
    assert [line for line, _ in said(report)] == [2, 3]
    assert not User.objects.exists()
    assert not Team.objects.exists()


def test_a_manager_may_be_stored_already_but_not_be_stripped_of_the_role(groups: None) -> None:
    bring(TEAM[0])
    assert tally(bring(TEAM[2])) == (1, 0, 0, 0)
    report = bring("mia@example.com,,viewer,,,,,", TEAM[1])
    assert said(report) == [
        (3, "the manager mia@example.com is not an active person with the role sales manager")
    ]


def test_two_managers_for_one_team_are_a_contradiction(groups: None) -> None:
    report = bring(
        *TEAM, "max@example.com,Max,manager,,,,,", "ida@example.com,Ida,rep,DACH,max@example.com,,,"
    )
    assert said(report) == [(6, "line 3 names another manager for the team DACH: mia@example.com")]


def test_a_file_without_the_columns_is_refused_whole(groups: None) -> None:
    with pytest.raises(BadFile, match="the first line must name the columns: email, name"):
        bring("a@example.com", header="mail")
    with pytest.raises(BadFile, match="unknown columns: password"):
        bring("a@example.com,secret", header="email,password")
    with pytest.raises(BadFile):
        import_people([], timezone.now())


def test_the_first_people_get_the_queues(groups: None) -> None:
    assert not Queue.objects.exists()
    bring("otto@example.com,Otto,marketing ops,,,,,")
    assert {queue.owner.email for queue in Queue.objects.all()} == {"otto@example.com"}


def test_a_role_given_by_hand_is_kept_when_the_cell_is_empty(groups: None) -> None:
    bring("al@example.com,Al,,,,,,")
    User.objects.get().groups.add(Group.objects.get(name="rep"))
    bring("al@example.com,Al,,,,,,")
    assert User.objects.get().roles == {"rep"}


def test_who_leaves_sales_keeps_nothing(cast: Cast, now: datetime) -> None:
    handoff = make_handoff("assigned", cast.femke)
    import_people(StringIO(f"{HEADER}\n{cast.femke.email},,viewer,,,,,\n", newline=""), now)
    handoff = Handoff.objects.get(pk=handoff.pk)
    assert handoff.is_open
    assert handoff.assignee_id != cast.femke.pk


def test_the_command_reports_in_words_and_as_json(groups: None, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("\ufeff" + "\n".join((HEADER, *TEAM)) + "\n", encoding="utf-8")
    out = StringIO()
    call_command("import_people", file, stdout=out)
    assert out.getvalue() == "3 created, 0 updated, 0 unchanged, 0 failed\n"
    file.write_text(f"{HEADER}\nx@example.com,X,boss,,,,,\n")
    out = StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("import_people", file, "--json", stdout=out)
    assert stopped.value.code == 1
    assert json.loads(out.getvalue()) == {
        "created": 0,
        "updated": 0,
        "unchanged": 0,
        "failed": 1,
        "moved": 0,
        "errors": [
            {
                "line": 2,
                "email": "x@example.com",
                "message": f"'boss' is not a role; {ROLES}",
            }
        ],
    }
    err = StringIO()
    with pytest.raises(SystemExit):
        call_command("import_people", file, stdout=StringIO(), stderr=err)
    assert err.getvalue().startswith("line 2 (x@example.com): 'boss' is not a role")


def test_the_command_says_plainly_what_it_cannot_read(groups: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot read"):
        call_command("import_people", tmp_path / "missing.csv")
    file = tmp_path / "latin.csv"
    file.write_bytes(b"email,name\nx@example.com,J\xf6rg\n")
    with pytest.raises(CommandError, match="is not UTF-8 text"):
        call_command("import_people", file)


def test_another_team_hands_on_what_is_not_answered(cast: Cast) -> None:
    assigned, accepted = (make_handoff(state, cast.femke) for state in ("assigned", "accepted"))
    route_to(cast.femke, cast.jonas)
    same = f"{cast.jonas.email},,,DACH,,,,"
    assert tally(bring(same, f"{cast.femke.email},,,Nordics,,,,")) == (0, 1, 1, 0)
    assigned.refresh_from_db()
    accepted.refresh_from_db()
    assert (assigned.assignee, accepted.assignee) == (cast.jonas, cast.femke)
