"""Who waits for a row that somebody else changes finds, once it is had, also what it names since then.

PostgreSQL reads the row anew and what is joined to it not (`routing.locking`); each place that locks a row
which names others is tried here. SQLite lets one write at a time, so that nobody waits for a row there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from leads import editing, enrichment, identity, lifecycle
from leads.enrichment import CompanyDirectory
from leads.intake import receive, wave
from leads.lifecycle import erasing, guard, lifting, remembered
from leads.lifecycle.book import Book
from leads.models import Company, Handoff, Lead, Merge, TriageItem
from routing.locking import locked
from routing.models import Team, User
from routing.rotation import able
from tests.acting import by
from tests.conftest import NOW, Cast
from tests.factories import event, make_company, make_handoff, make_lead, route_to

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _rows_are_waited_for(db: None) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite lets one write at a time: nobody waits for a row")


def meanwhile(change: Callable[[], object], act: Callable[[], Any]) -> Any:
    """What `act` gives, in a transaction of its own, that came while `change` was made and waited for it."""
    told: list[Any] = []

    def wait() -> None:
        try:
            with transaction.atomic():
                told.append(act())
        except BaseException as error:
            told.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=wait)
    with transaction.atomic():
        change()
        thread.start()
        until = time.monotonic() + 10
        while not _is_waited_for():
            assert thread.is_alive() and time.monotonic() < until, f"nobody waits: {told}"
            time.sleep(0.005)
    thread.join(timeout=20)
    assert not thread.is_alive()
    [found] = told
    if isinstance(found, BaseException):
        raise found
    return found


def _is_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        return cursor.fetchone() is not None


@pytest.fixture
def other(cast: Cast) -> Company:
    return make_company(name="Another one", industry="", domain="other.example.org")


def moved(lead: Lead, company: Company) -> Callable[[], int]:
    return lambda: Lead.objects.filter(pk=lead.pk).update(company=company)


def handed(handoff: Handoff, user: User) -> Callable[[], int]:
    """As an event of a colleague advances it, which locks no lead."""
    return lambda: Handoff.objects.filter(pk=handoff.pk).update(assignee=user)


def test_an_event_finds_the_company_that_its_lead_has_now(other: Company) -> None:
    lead = make_lead()
    who = identity.Identity(lead.email_key or "", ())
    [match] = meanwhile(moved(lead, other), lambda: identity.find([who]))
    assert match.lead is not None and match.lead.company == other


def test_an_edit_writes_on_the_company_that_the_lead_has_now(cast: Cast, other: Company) -> None:
    lead = make_lead()
    said = {"industry": "Shipping"}
    assert meanwhile(moved(lead, other), lambda: editing.edit(lead, said, by(cast.otto))) == {"industry"}
    other.refresh_from_db()
    assert other.industry == "Shipping"


def test_what_a_provider_knew_goes_to_the_company_that_the_lead_has_now(other: Company) -> None:
    lead = make_lead()
    attempt = enrichment.begin(lead.pk, CompanyDirectory(), NOW)
    assert attempt is not None
    knew = {"company.industry": "Shipping"}
    filled = meanwhile(moved(lead, other), lambda: enrichment.finish(attempt, knew))
    other.refresh_from_db()
    lead.refresh_from_db()
    assert (filled, other.industry, lead.company) == (["company.industry"], "Shipping", other)


def seen_by(monkeypatch: pytest.MonkeyPatch, room: Any, name: str) -> list[tuple[Any, ...]]:
    """What a function is called with from now on."""
    calls: list[tuple[Any, ...]] = []
    called = getattr(room, name)

    def noted(*args: Any) -> Any:
        calls.append(args)
        return called(*args)

    monkeypatch.setattr(room, name, noted)
    return calls


def test_a_merge_and_its_undo_know_the_companies_that_the_leads_have_now(
    cast: Cast, other: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, gone = make_lead(), make_lead()
    merged, parted = seen_by(monkeypatch, remembered, "before"), seen_by(monkeypatch, remembered, "put_back")
    meanwhile(moved(gone, other), lambda: lifecycle.merge(keep, gone, by(cast.otto)))
    assert [lead.company for lead in merged[0]] == [keep.company, other]
    pk = Merge.objects.get().pk
    meanwhile(moved(keep, other), lambda: lifecycle.unmerge(pk, by(cast.otto)))
    assert [args[0].company for args in parted] == [other, other]


def test_an_erasure_empties_the_company_that_the_person_has_now(other: Company) -> None:
    lead = make_lead()
    [found] = meanwhile(moved(lead, other), lambda: erasing._locked(lead.pk))
    assert found.company == other


def test_a_suppression_is_lifted_for_the_company_that_the_lead_has_now(other: Company) -> None:
    item = TriageItem.objects.create(lead=make_lead(), kind="suppressed", at=NOW)
    _, lead = meanwhile(moved(item.lead, other), lambda: lifting._locked(item.pk))
    assert lead.company == other


@pytest.mark.parametrize("verb", ["act", "erase", "lift", "unmerge"])
def test_who_holds_a_handoff_now_is_known_with_it(cast: Cast, verb: str) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lead = handoff.lead
    locks: dict[str, Callable[[], Handoff | None]] = {
        "act": lambda: guard.locked(handoff.pk),
        "erase": lambda: erasing._handoffs([lead])[0],
        "lift": lambda: lifting._asked(Book(by(cast.otto)), lead, None),
        "unmerge": lambda: locked(guard.with_all().filter(lead=lead))[0],
    }
    found = meanwhile(handed(handoff, cast.jonas), locks[verb])
    assert found is not None
    assert (found.assignee_id, found.assignee) == (cast.jonas.pk, cast.jonas)


def test_a_merge_tells_whoever_holds_the_handoff_now(cast: Cast) -> None:
    ahead = make_handoff("working", cast.rosa)
    behind = make_handoff("assigned", cast.femke)
    act = by(cast.otto, minutes=5)
    meanwhile(handed(behind, cast.jonas), lambda: lifecycle.merge(ahead.lead, behind.lead, act))
    told = behind.notifications.filter(kind="merged").values_list("user__email", flat=True)
    assert list(told) == [cast.jonas.email]


def test_an_event_knows_who_holds_the_handoff_now(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    route_to(cast.femke)
    receive([event(1)], None, NOW)
    handoff = Handoff.objects.get()
    known: list[Handoff] = []
    read = wave.read_known

    def noted(taken: Any) -> Any:
        found = read(taken)
        known.extend([*found.open.values(), *found.latest.values()])
        return found

    monkeypatch.setattr(wave, "read_known", noted)
    again = event(1, id="again", type="opportunity.created", opportunity={"id": "o-1"})
    meanwhile(handed(handoff, cast.jonas), lambda: receive([again], None, NOW))
    assert [row.assignee for row in known] == [cast.jonas, cast.jonas]


def test_whom_the_router_waits_for_comes_with_the_team_of_now(cast: Cast) -> None:
    team = Team.objects.exclude(pk=cast.femke.team_id).first()
    rows = able.people(NOW).filter(pk=cast.femke.pk)
    [found] = meanwhile(
        lambda: User.objects.filter(pk=cast.femke.pk).update(team=team, name="Femke B"),
        lambda: locked(rows, no_key=True),
    )
    assert (found.team, found.name, found.sells, found.is_away) == (team, "Femke B", True, False)
