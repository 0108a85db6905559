"""What comes in from two systems: our own writing is no news, old beside new overwrites nothing, the owner's
word stands."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from leads.connectors import arriving
from leads.connectors.base import Seen
from leads.connectors.sifting import EXPLICIT, KNOWN_ONLY
from leads.models import Connection, ExternalId, FieldConflict, Handoff, Lead, Receipt, RemoteRecord
from tests.acting import at
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead, route_to
from tests.leads.connectors.conftest import make_connection

LATER = at(hours=3)


@pytest.fixture
def crm(cast: Cast) -> Connection:
    return make_connection("hubspot", id_system="crm", name="CRM", slug="crm")


@pytest.fixture
def map_(cast: Cast) -> Connection:
    return make_connection("mautic", id_system="map", name="MAP", slug="map")


def said(
    system: Connection, when: datetime, *, number: int = 1, kind: str = "lead.updated", **data: Any
) -> dict[str, Any]:
    """What a record of person `number` says as a whole at a moment."""
    lead = {"external_ids": [{"system": system.id_system, "object": "contact", "id": str(number)}]}
    given = {"email": f"p{number}@engines.example", "first_name": "Ada", **data.pop("lead", {})}
    return {
        "specversion": "1.0",
        "id": f"{number}/{when.isoformat()}/{sorted(given.items())}"[:200],
        "source": f"/connections/{system.slug}",
        "type": kind,
        "time": when.isoformat(),
        "data": {"lead": {**lead, **given}, **data},
    }


def take(system: Connection, *events: dict[str, Any]) -> dict[str, int]:
    return arriving.take(system, events, LATER)


def title() -> str:
    return Lead.objects.get(email="p1@engines.example").job_title


def test_a_record_that_says_the_same_again_is_no_news(map_: Connection) -> None:
    assert take(map_, said(map_, NOW, lead={"job_title": "CTO"})) == {"events": 1, "processed": 1}
    assert take(map_, said(map_, at(minutes=5), lead={"job_title": "CTO"})) == {"events": 1, "unchanged": 1}
    assert Receipt.objects.count() == 1


def test_what_was_edited_here_is_not_undone_by_what_the_record_still_says(map_: Connection) -> None:
    """The time of a record is that of its last change, whichever field that was."""
    take(map_, said(map_, NOW, lead={"job_title": "CTO"}))
    lead = Lead.objects.get()
    lead.job_title, lead.field_times["job_title"] = "CEO", at(minutes=10).isoformat()
    lead.save()

    take(map_, said(map_, at(minutes=20), lead={"job_title": "CTO", "phone": "+49 30 123456"}))

    lead.refresh_from_db()
    assert (lead.job_title, lead.phone) == ("CEO", "+49 30 123456")


def test_a_change_there_after_an_edit_here_counts(map_: Connection) -> None:
    take(map_, said(map_, NOW, lead={"job_title": "CTO"}))
    Lead.objects.update(job_title="CEO")
    take(map_, said(map_, at(minutes=20), lead={"job_title": "Chair"}))
    assert title() == "Chair"


def test_an_older_record_that_comes_late_changes_nothing_and_teaches_nothing(map_: Connection) -> None:
    take(map_, said(map_, NOW, lead={"job_title": "CTO"}))
    take(map_, said(map_, at(minutes=20), lead={"job_title": "Chair"}))
    take(map_, said(map_, at(minutes=10), lead={"job_title": "CEO"}))
    assert title() == "Chair"
    assert take(map_, said(map_, at(minutes=30), lead={"job_title": "Chair"})) == {
        "events": 1,
        "unchanged": 1,
    }


def test_our_first_writing_coming_back_fills_what_is_empty_and_overwrites_nothing(
    cast: Cast, map_: Connection
) -> None:
    lead = make_lead(email="p1@engines.example", first_name="Ada", job_title="CEO", phone="")
    ExternalId.objects.create(lead=lead, system="map", object="contact", value="1")
    lead.field_times["job_title"] = at(days=-30).isoformat()
    lead.save()
    RemoteRecord.objects.create(
        connection=map_, lead=lead, object="contact", remote_id="1", written_at=at(minutes=5), revision=2
    )

    take(map_, said(map_, at(minutes=5), lead={"job_title": "CTO", "phone": "+49 30 123456"}))

    lead.refresh_from_db()
    assert (lead.job_title, lead.phone) == ("CEO", "+49 30 123456")
    take(map_, said(map_, at(minutes=9), lead={"job_title": "Chair", "phone": "+49 30 123456"}))
    assert title() == "Chair"


def test_what_was_emptied_there_is_emptied_here_and_what_never_stood_there_is_not(map_: Connection) -> None:
    lead = make_lead(email="p1@engines.example", job_title="CEO", phone="")
    ExternalId.objects.create(lead=lead, system="map", object="contact", value="1")
    take(map_, said(map_, NOW, lead={"job_title": None, "phone": "+49 30 123456"}))
    lead.refresh_from_db()
    assert (lead.job_title, lead.phone) == ("CEO", "+49 30 123456")

    take(map_, said(map_, at(minutes=5), lead={"job_title": None, "phone": None}))
    lead.refresh_from_db()
    assert (lead.job_title, lead.phone) == ("CEO", "")


def test_no_refusal_is_taken_back_by_a_record_that_never_had_one(map_: Connection, crm: Connection) -> None:
    take(crm, said(crm, NOW, lead={"consent": {"email_opt_out": True}}))
    take(map_, said(map_, at(minutes=5), lead={"consent": {"email_opt_out": False}}))
    assert Lead.objects.get().email_opt_out is True

    explicit = said(map_, at(minutes=6), lead={"consent": {"email_opt_out": False}})
    take(map_, {**explicit, "id": "explicit", EXPLICIT: True})
    assert Lead.objects.get().email_opt_out is False


def test_a_score_that_stands_here_opens_nothing_twice(cast: Cast, map_: Connection) -> None:
    route_to(cast.femke)
    score = {"total": 80, "scored_at": NOW.isoformat()}
    first = said(map_, NOW, kind="lead.scored", score=score)
    take(map_, first)
    again = said(
        map_, at(minutes=5), kind="lead.scored", score={**score, "scored_at": at(minutes=5).isoformat()}
    )
    assert take(map_, again) == {"events": 1, "unchanged": 1}
    assert (Handoff.objects.count(), Lead.objects.get().scores.count()) == (1, 1)


def test_a_total_alone_that_is_restated_takes_the_dimensions_away_from_no_score(
    cast: Cast, map_: Connection
) -> None:
    route_to(cast.femke)
    whole = {"total": 80, "fit": {"score": 30}, "scored_at": NOW.isoformat()}
    take(map_, said(map_, NOW, kind="lead.scored", score=whole))
    for minute, total in ((5, 80), (6, 90), (7, 90)):
        take(map_, said(map_, at(minutes=minute), kind="lead.scored", score={"total": total}))
    assert list(Lead.objects.get().scores.order_by("pk").values_list("total", "fit")) == [
        (80, 30), (90, None)
    ]  # fmt: skip


def test_a_record_that_we_made_says_nothing_of_points(cast: Cast, map_: Connection) -> None:
    """It begins at 0 there, however often it is read and whatever else is said meanwhile."""
    route_to(cast.femke)
    lead = make_handoff("accepted", cast.femke).lead
    ExternalId.objects.create(lead=lead, system="map", object="contact", value="1")
    RemoteRecord.objects.create(
        connection=map_, lead=lead, object="contact", remote_id="1", written_at=at(minutes=5), revision=2
    )
    before = lead.scores.count()
    for minute in (5, 9):
        restated = said(map_, at(minutes=minute), kind="lead.scored", score={"total": 0})
        take(map_, restated)
    assert lead.scores.count() == before
    take(map_, said(map_, at(minutes=10), kind="lead.scored", score={"total": 12}))
    assert lead.scores.count() == before + 1


def test_who_is_not_known_here_is_made_by_no_event_that_asks_for_the_known(map_: Connection) -> None:
    shy = {**said(map_, NOW), KNOWN_ONLY: True}
    assert take(map_, shy) == {"events": 1, "strangers": 1}
    assert Lead.objects.count() == 0
    take(map_, said(map_, NOW, lead={"job_title": "CTO"}))
    assert (
        take(map_, {**said(map_, at(minutes=1), lead={"job_title": "CEO"}), KNOWN_ONLY: True})["processed"]
        == 1
    )


def test_an_invalid_event_is_not_taken_for_known(map_: Connection) -> None:
    bad = said(map_, NOW, lead={"country_code": "Atlantis"})
    assert take(map_, bad) == {"events": 1, "invalid": 1}
    assert take(map_, said(map_, NOW, lead={"country_code": "DE"}))["processed"] == 1


def test_no_value_of_a_person_is_kept_beside_the_lead(map_: Connection) -> None:
    take(map_, said(map_, NOW, lead={"job_title": "Secret title", "phone": "+49 30 123456"}))
    kept = str(RemoteRecord.objects.values().get())
    for value in ("Secret title", "123456", "engines", "Ada"):
        assert value not in kept


class Two:
    """CRM and MAP know the same person; the CRM owns the phone."""

    def __init__(self, crm: Connection, map_: Connection) -> None:
        self.crm, self.map = crm, map_
        crm.options = {"owns": ["lead.phone"]}
        crm.save()
        self.crm_says("+49 30 1", 0, first_name="Ada")
        self.map_says("+49 30 1", 1)

    def crm_says(self, phone: str | None, minute: int, **more: Any) -> dict[str, int]:
        return take(self.crm, said(self.crm, at(minutes=minute), lead={"phone": phone, **more}))

    def map_says(self, phone: str | None, minute: int, **more: Any) -> dict[str, int]:
        return take(self.map, said(self.map, at(minutes=minute), lead={"phone": phone, **more}))

    @property
    def phone(self) -> str:
        return Lead.objects.get().phone

    @property
    def conflicts(self) -> list[tuple[str, str, bool]]:
        rows = FieldConflict.objects.values_list("field", "value", "settled_at")
        return [(name, value, settled is not None) for name, value, settled in rows]


@pytest.fixture
def two(crm: Connection, map_: Connection) -> Two:
    return Two(crm, map_)


def test_an_owners_value_stands_and_what_was_said_against_it_is_kept(two: Two) -> None:
    assert two.map_says("+49 30 2", 5, job_title="CTO") == {"events": 1, "conflicts": 1, "processed": 1}
    assert (two.phone, title()) == ("+49 30 1", "CTO")
    assert two.conflicts == [("lead.phone", "+49 30 2", False)]

    # Said again it is the same conflict; otherwise, it is the same one with the newer value.
    two.map_says("+49 30 2", 6)
    two.map_says("+49 30 3", 7)
    assert two.conflicts == [("lead.phone", "+49 30 3", False)]
    assert two.phone == "+49 30 1"


def test_a_conflict_ends_when_the_other_gives_in(two: Two) -> None:
    two.map_says("+49 30 2", 5)
    two.map_says("+49 30 1", 8)
    assert (two.phone, two.conflicts) == ("+49 30 1", [("lead.phone", "+49 30 2", True)])


def test_a_conflict_ends_when_the_owner_comes_round(two: Two) -> None:
    two.map_says("+49 30 2", 5)
    two.crm_says("+49 30 2", 8)
    assert (two.phone, two.conflicts) == ("+49 30 2", [("lead.phone", "+49 30 2", True)])


def test_the_owners_word_wins_over_a_later_one(crm: Connection, map_: Connection) -> None:
    """The other spoke while the owner was silent; the owner's older value comes late."""
    crm.options = {"owns": ["lead.phone"]}
    crm.save()
    take(crm, said(crm, NOW))
    take(map_, said(map_, at(minutes=9), lead={"phone": "+49 30 2"}))
    assert Lead.objects.get().phone == "+49 30 2"

    take(crm, said(crm, at(minutes=5), lead={"phone": "+49 30 1"}))

    assert Lead.objects.get().phone == "+49 30 1"


def test_who_does_not_own_a_field_does_not_empty_it(two: Two) -> None:
    two.map_says(None, 5)
    assert (two.phone, two.conflicts) == ("+49 30 1", [])


def test_fields_that_nobody_owns_go_by_time_alone(two: Two) -> None:
    two.crm_says("+49 30 1", 5, job_title="CTO")
    two.map_says("+49 30 1", 6, job_title="CEO")
    assert (title(), two.conflicts) == ("CEO", [])


def test_an_owner_that_is_switched_off_owns_nothing(two: Two) -> None:
    Connection.objects.filter(pk=two.crm.pk).update(is_active=False)
    two.map_says("+49 30 2", 5)
    assert (two.phone, two.conflicts) == ("+49 30 2", [])


def test_the_queries_do_not_grow_with_the_records(crm: Connection, map_: Connection) -> None:
    map_.options = {"owns": ["lead.phone"]}
    map_.save()

    def queries(first: int, count: int, minute: int) -> int:
        events = [
            said(
                map_,
                at(minutes=minute),
                number=first + number,
                lead={"phone": f"+49 30 {minute}123{first + number}"},
            )
            for number in range(count)
        ]
        with CaptureQueriesContext(
            database,
        ) as counted:
            take(map_, *events)
        return len(counted)

    queries(1, 1, 0), queries(10, 3, 0)
    assert queries(1, 1, 10) == queries(10, 3, 10)


def test_what_was_looked_at_is_kept_for_leads_that_are_here(cast: Cast, map_: Connection) -> None:
    handoff = make_handoff("accepted", cast.femke)
    ExternalId.objects.create(lead=handoff.lead, system="map", object="contact", value="1")
    records = [Seen("contact", "1", {"stage": "MQL"}), Seen("contact", "2", {"stage": "SAL"})]

    arriving.look(map_, records, NOW)
    arriving.look(map_, [Seen("contact", "1", {"stage": "SAL"})], NOW + timedelta(minutes=5))

    [record] = RemoteRecord.objects.filter(lead=handoff.lead, connection=map_)
    assert (record.seen, record.seen_at) == ({"stage": "SAL"}, NOW + timedelta(minutes=5))
