"""What a wave stores about people, companies, scores and activities; how many queries it takes."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads.intake import receive
from leads.models import Activity, Company, DuplicatePair, ExternalId, Handoff, Lead, LeadAlias, Score
from tests.acting import at
from tests.conftest import NOW
from tests.factories import event, route_to


def update(number, minutes=1, *, company=None, email="same", ids="same", **lead):
    """A lead.updated about person `number` that says just this."""
    made = event(number, at=at(minutes=minutes), id=f"u-{number}-{minutes}", type="lead.updated")
    known = made["data"]["lead"]
    named = {}
    if email == "same":
        named["email"] = known["email"]
    elif email != "omitted":
        named["email"] = email
    if ids == "same":
        named["external_ids"] = known["external_ids"]
    elif ids:
        named["external_ids"] = ids
    made["data"] = {"lead": named | lead} | ({} if company is None else {"company": company})
    return made


def take(*events, when=None):
    """Take these in, in one request a minute from now on; the leads they were about."""
    answers = receive(list(events), None, when or at(hours=1))
    assert [answer["errors"] for answer in answers] == [[]] * len(events)
    return [Lead.objects.select_related("company").get(pk=answer["lead"]["id"]) for answer in answers]


# Addresses and ids


def test_a_new_address_replaces_the_older_which_stays_as_an_alias(cast):
    take(event(1))
    [lead] = take(update(1, email="new@halvorsen-1.com"))
    assert (lead.email, lead.email_key) == ("new@halvorsen-1.com",) * 2
    assert list(LeadAlias.objects.values_list("lead", "email_key")) == [(lead.pk, "adaeze1@halvorsen-1.com")]
    # Mail from the former address is the same person, and says nothing about the present one.
    [again] = take(update(1, 2, ids=[]))
    assert (again.pk, again.email) == (lead.pk, "new@halvorsen-1.com")
    assert Lead.objects.count() == 1
    # The system that knows the person says that it is the former one again: that is a fact.
    [back] = take(update(1, 3))
    assert (back.email, sorted(back.aliases.values_list("email_key", flat=True))) == (
        "adaeze1@halvorsen-1.com",
        ["adaeze1@halvorsen-1.com", "new@halvorsen-1.com"],
    )


def test_an_older_address_arriving_late_changes_nothing(cast):
    take(event(1))
    take(update(1, 10, email="new@halvorsen-1.com"))
    [lead] = take(update(1, 5, email="older@halvorsen-1.com"))
    assert lead.email == "new@halvorsen-1.com"


def test_an_address_is_shown_as_it_was_written(cast):
    [lead] = take(event(1, lead={"email": "  Ada.Eze+Map@Halvorsen-1.COM "}))
    assert (lead.email, lead.email_key) == ("Ada.Eze+Map@Halvorsen-1.COM", "ada.eze+map@halvorsen-1.com")


def test_null_clears_the_address_of_somebody_known_by_an_id(cast):
    take(event(1))
    [lead] = take(update(1, email=None))
    assert (lead.email, lead.email_key) == ("", None)
    [same] = take(update(1, 2, ids=[]))
    assert same.pk == lead.pk


def test_what_is_no_address_never_replaces_one(cast):
    take(event(1))
    [lead] = take(update(1, email="n/a"))
    assert lead.email == "adaeze1@halvorsen-1.com"
    [other] = take(event(2, lead={"email": "n/a"}))
    [third] = take(event(3, lead={"email": "n/a"}))
    # It is shown to whoever completes the data, and names nobody.
    assert (other.email, other.email_key, third.pk != other.pk) == ("n/a", None, True)
    assert Handoff.objects.get(lead=other).missing == ["business_email"]


def test_the_id_wins_the_address_is_not_moved_and_a_possible_duplicate_is_raised(cast):
    one, other = take(event(1), event(2))
    clash = update(1, email="adaeze2@halvorsen-2.com", job_title="CFO")
    [lead] = take(clash)
    assert (lead.pk, lead.email, lead.job_title) == (one.pk, "adaeze1@halvorsen-1.com", "CFO")
    other.refresh_from_db()
    assert other.email == "adaeze2@halvorsen-2.com"
    pairs = DuplicatePair.objects.values_list("first", "second", "evidence", "status")
    assert list(pairs) == [(one.pk, other.pk, {"same": "id"}, "open")]


def test_ids_are_added_and_never_moved(cast):
    one, other = take(event(1), event(2))
    [lead] = take(
        update(1, ids=[{"system": "map", "object": "contact", "id": "1"}, {"system": "crm", "id": "x"}])
    )
    assert lead.pk == one.pk
    [same] = take(update(1, 2, email="omitted", ids=[{"system": "crm", "id": "x"}]))
    assert same.pk == one.pk
    both = [{"system": "crm", "id": "x"}, {"system": "map", "object": "contact", "id": "2"}]
    [first] = take(update(1, 3, email="omitted", ids=both))
    assert first.pk == one.pk
    owners = ExternalId.objects.order_by("pk").values_list("lead_id", "system", "value")
    assert list(owners) == [(one.pk, "map", "1"), (other.pk, "map", "2"), (one.pk, "crm", "x")]
    assert DuplicatePair.objects.count() == 1


# Companies


def test_a_company_by_its_domain(cast):
    one, other = take(
        event(1), event(2, company={"name": "HALVORSEN", "domain": "https://www.Halvorsen-1.com/x"})
    )
    assert (one.company, one.company.domain) == (other.company, "halvorsen-1.com")
    # Of one moment the later received stands.
    assert Company.objects.get().name == "HALVORSEN"


@pytest.mark.parametrize("domain", ["gmail.com", "hotmail.fr", "mailinator.com"])
def test_a_free_mail_domain_is_never_a_companys(cast, domain):
    [lead] = take(event(1, lead={"email": f"jane@{domain}"}, company={"domain": domain, "name": "Acme"}))
    assert (lead.company.name, lead.company.domain) == ("Acme", None)
    [other] = take(event(2, lead={"email": f"joe@{domain}"}, company={"domain": None, "name": " ACME "}))
    assert other.company == lead.company


def test_a_company_without_name_and_domain_is_the_leads_own(cast):
    gmail = {"email": "jane@gmail.com"}, {"email": "joe@gmail.com"}
    nameless = {"name": "n/a", "domain": None, "industry": "Steel"}
    one, other = take(event(1, lead=gmail[0], company=nameless), event(2, lead=gmail[1], company=nameless))
    assert (one.company.industry, one.company.name, one.company.name_key) == ("Steel", "n/a", "")
    # "n/a" is nobody's name: what is known of one is not known of the other.
    assert one.company != other.company
    [named] = take(update(1, company={"name": "Acme"}, email="omitted"))
    assert (named.company, named.company.name, named.company.industry) == (one.company, "Acme", "Steel")


def test_nothing_said_of_a_company_makes_none(cast):
    [lead] = take(event(1, lead={"email": "jane@gmail.com"}, company=None))
    assert (lead.company, Company.objects.count()) == (None, 0)


def test_another_name_is_another_company_where_only_names_are_known(cast):
    mail = {"email": "jane@gmail.com"}, {"email": "joe@gmail.com"}
    acme = {"name": "Acme", "domain": None}
    one, other = take(event(1, lead=mail[0], company=acme), event(2, lead=mail[1], company=acme))
    assert one.company == other.company
    [moved] = take(update(1, company={"name": "Other Ltd"}, email="omitted"))
    other.company.refresh_from_db()
    assert (moved.company.name, other.company.name) == ("Other Ltd", "Acme")


def test_a_company_with_a_domain_is_renamed_by_whoever_knows_the_lead(cast):
    [lead] = take(event(1))
    [same] = take(update(1, company={"name": "Halvorsen Group"}, email="omitted"))
    assert (same.company_id, same.company.name) == (lead.company_id, "Halvorsen Group")


def test_a_company_that_turns_out_to_have_a_domain_keeps_what_was_known(cast):
    mail = {"email": "jane@gmail.com"}
    take(event(1, lead=mail, company={"name": "Acme", "domain": None, "employee_count": 30}))
    [lead] = take(update(1, email="omitted", company={"domain": "acme.com"}))
    assert (lead.company.domain, lead.company.name, lead.company.size_band) == ("acme.com", "Acme", "11-50")
    assert lead.company.name_key == "acme"


def test_an_address_alone_moves_nobody_to_another_company(cast):
    [lead] = take(event(1, company={"domain": "group.com"}))
    [same] = take(update(1, job_title="CFO"))
    assert (same.company.domain, Company.objects.count()) == ("group.com", 1)
    # A new address does: that person has changed sides.
    [moved] = take(update(1, 2, email="ada@rival.com"))
    assert (moved.company.domain, lead.company.domain) == ("rival.com", "group.com")


def test_a_page_on_somebody_elses_site_is_no_domain(cast):
    mail = {"email": "jane@gmail.com"}
    site = {"domain": None, "name": "Acme", "website": "https://www.linkedin.com/company/acme"}
    [lead] = take(event(1, lead=mail, company=site))
    assert (lead.company.domain, lead.company.website) == (None, "https://www.linkedin.com/company/acme")


def test_older_facts_of_a_company_do_not_overwrite_newer(cast):
    take(event(1, at=at(minutes=10), company={"industry": "Steel"}))
    [lead] = take(event(2, at=at(minutes=5), company={"industry": "Paper", "domain": "halvorsen-1.com"}))
    assert lead.company.industry == "Steel"


def test_a_fact_said_again_is_as_new_as_it_was_said_and_changes_nothing(cast):
    company = {"domain": "halvorsen-1.com", "industry": "Shipping"}
    [lead] = take(event(1, lead={"job_title": "CFO"}, company=company))
    changed = (lead.updated_at, lead.company.updated_at)
    [again] = take(update(1, 10, job_title="CFO", company=company), when=at(hours=2))
    assert (again.updated_at, again.company.updated_at) == changed
    [late] = take(update(1, 5, job_title="CTO", company=company | {"industry": "Fish"}), when=at(hours=3))
    assert (late.job_title, late.company.industry) == ("CFO", "Shipping")
    [new] = take(update(1, 20, job_title="CTO"), when=at(hours=4))
    assert (new.job_title, new.updated_at) == ("CTO", at(hours=4))


def test_in_one_wave_a_company_is_changed_by_one_and_said_again_by_another(cast):
    take(event(1), event(2))
    said = {"domain": "shared.example.com", "industry": "Shipping"}
    take(update(1, 1, company=said), update(2, 1, company=said))
    anew = said | {"industry": "Fish"}
    [first, second] = take(update(1, 2, company=anew), update(2, 3, company=anew))
    assert first.company_id == second.company_id
    assert second.company.industry == "Fish"
    assert second.company.field_times["industry"] == at(minutes=3).isoformat()


def test_the_owner_and_the_stage_are_not_an_events_to_change(cast):
    [lead] = take(event(1))
    Company.objects.update(owner=cast.rosa, stage="customer")
    take(update(1, company={"industry": "Steel"}))
    company = Company.objects.get()
    assert (company.owner, company.stage, company.industry) == (cast.rosa, "customer", "Steel")
    assert lead.company == company


# Time


def test_facts_from_the_future_count_as_of_now(cast):
    take(event(1, at=at(days=3), lead={"job_title": "CFO"}), when=NOW)
    [lead] = take(update(1, 1, job_title="CEO"))
    assert lead.job_title == "CEO"


# Scores and activities


def test_scores_are_kept_by_dimension(cast):
    [lead] = take(event(1), event(1, id="second", at=at(minutes=5), score={"total": 90, "fit": None}))[:1]
    rows = Score.objects.filter(lead=lead).order_by("scored_at")
    assert [(s.total, s.fit, s.fit_max, s.intent, s.behavior, s.has_breakdown) for s in rows] == [
        (80, 40, 50, 20, 20, True),
        (90, None, None, 20, 20, False),
    ]
    assert rows[0].reasons["fit"] == [{"code": "size", "label": "Size", "points": 40}]


def test_an_activity_sent_again_is_the_same_activity(cast):
    [lead] = take(event(1, trigger=None))
    take(event(1, id="again", trigger=None, activities=[{"id": "act-1", "kind": "page_view"}] * 2))
    assert list(lead.activities.values_list("external_id", "kind")) == [("act-1", "pricing_view")]
    take(event(1, id="third", trigger=None, activities=[{"kind": "page_view"}] * 2))
    assert lead.activities.count() == 3


def test_the_same_id_of_two_people_is_two_activities(cast):
    shared = [{"id": "same", "kind": "page_view"}]
    take(event(1, trigger=None, activities=shared), event(2, trigger=None, activities=shared))
    assert Activity.objects.filter(external_id="same").count() == 2


def test_a_high_intent_trigger_is_an_activity_of_its_kind(cast):
    [lead] = take(event(1, activities=[]))
    [row] = lead.activities.all()
    assert (row.kind, row.title, row.occurred_at, row.is_signal) == ("demo_request", "Demo form", NOW, True)
    take(event(2, activities=[{"kind": "demo_request", "title": "Form"}]))
    assert Activity.objects.filter(lead__email_key="adaeze2@halvorsen-2.com").count() == 1
    take(event(3, activities=[], trigger={"kind": "manual_flag"}))
    assert Activity.objects.filter(lead__email_key="adaeze3@halvorsen-3.com").count() == 0


def test_a_form_that_comes_by_itself_later_is_the_triggers_own(cast):
    route_to(cast.femke)
    [lead] = take(event(1, activities=[], trigger={"kind": "demo_request", "activity_id": "f-1"}))
    form = [{"id": "f-1", "kind": "demo_request", "occurred_at": NOW.isoformat()}]
    take(event(1, id="trail", type="lead.activity", trigger=None, score=None, activities=form))
    assert lead.activities.filter(kind="demo_request").count() == 1
    assert Handoff.objects.get().triggered_again_at is None


def test_a_trigger_that_names_a_known_form_records_no_second_one(cast):
    form = [{"id": "f-1", "kind": "demo_request", "occurred_at": at(minutes=-9).isoformat()}]
    [lead] = take(event(1, type="lead.updated", trigger=None, score=None, activities=form))
    trigger = {"kind": "demo_request", "activity_id": "f-1", "occurred_at": None}
    take(event(1, id="second", activities=[], score=None, trigger=trigger))
    assert lead.activities.count() == 1
    handoff = Handoff.objects.get()
    assert (handoff.mql_at, handoff.trigger_activity) == (at(minutes=-9), lead.activities.get())


def test_triggers_without_an_id_of_long_and_alike_senders_do_not_collide(cast):
    long = {"source": "/" + "s" * 299, "type": "lead.qualified", "activities": []}
    alike = ({"source": "/a:b", "id": "c"}, {"source": "/a", "id": "b:c"})
    for who in (long | {"id": "1"}, long | {"id": "2"}, *({"activities": []} | one for one in alike)):
        [lead] = take(event(1, **who))
    assert lead.activities.filter(kind="demo_request").count() == 4


def test_hostile_addresses_are_stored_as_they_are(cast):
    url = "javascript:alert(document.cookie)"
    [lead] = take(
        event(
            1,
            lead={"linkedin_url": url},
            company={"website": url},
            activities=[{"kind": "page_view", "url": url}],
        )
    )
    assert (lead.linkedin_url, lead.company.website) == (url, url)
    assert set(lead.activities.exclude(url="").values_list("url", flat=True)) == {url}


# Queries


def cost(events, when):
    """Every query, but a write of many rows once: SQLite takes 999 parameters, so it comes in parts."""
    with CaptureQueriesContext(connection) as queries:
        answers = receive(events, None, when)
    assert {answer["status"] for answer in answers} == {"processed"}
    statements = [query["sql"] for query in queries]
    writes = {
        sql.split(" (")[0].split(" SET ")[0] for sql in statements if sql.startswith(("INSERT", "UPDATE"))
    }
    return sum(not sql.startswith(("INSERT", "UPDATE")) for sql in statements) + len(writes)


def _did(number, kind):
    done = {"id": f"did-{number}", "kind": kind, "occurred_at": AGAIN.isoformat()}
    return event(number, id=f"x{number}", at=AGAIN, type="lead.activity", trigger=None, activities=[done])


NEW, AGAIN, LATER = at(hours=2), at(hours=3), at(hours=4)
WAVES = {
    "new people": lambda n: ([], [event(i) for i in range(n)]),
    "known people, assigned": lambda n: (
        [event(i) for i in range(n)],
        [event(i, id=f"x{i}", at=AGAIN) for i in range(n)],
    ),
    "raised": lambda n: (
        [event(i, trigger={"kind": "manual_flag"}) for i in range(n)],
        [event(i, id=f"x{i}", at=AGAIN) for i in range(n)],
    ),
    "completed": lambda n: (
        [event(i, lead={"first_name": "-"}) for i in range(n)],
        [event(i, id=f"x{i}", at=AGAIN, type="lead.updated", trigger=None) for i in range(n)],
    ),
    "what they did": lambda n: (
        [event(i) for i in range(n)],
        [_did(i, "page_view") for i in range(n)],
    ),
    "what they asked for": lambda n: (
        [event(i) for i in range(n)],
        [_did(i, "demo_request") for i in range(n)],
    ),
    "held": lambda n: ([], [event(i, lead={"first_name": "-"}) for i in range(n)]),
    "opportunities": lambda n: (
        [event(i) for i in range(n)],
        [
            event(i, id=f"x{i}", at=AGAIN, type="opportunity.won", opportunity={"stage": "won"})
            for i in range(n)
        ],
    ),
    "of one company": lambda n: (
        [],
        [event(i, company={"domain": "acme.com"}, lead={"email": f"p{i}@acme.com"}) for i in range(n)],
    ),
}


@pytest.mark.parametrize("holder", ["rep", "queue"])
@pytest.mark.parametrize("wave", WAVES)
def test_three_cost_as_many_queries_as_thirty(cast, wave, holder):
    route_to(*([cast.femke, cast.jonas] if holder == "rep" else []))
    # Policies, calendars and rulesets are kept from now on.
    take(event(999), event(998, trigger={"kind": "score_threshold"}))
    costs = []
    for hundred, count in ((1, 3), (2, 30)):
        before, measured = WAVES[wave](count)
        for raw in (*before, *measured):
            _renumber(raw, hundred)
        if before:
            cost(before, NEW)
        costs.append(cost(measured, LATER))
    assert costs[0] == costs[1], costs


def test_only_what_may_open_a_handoff_asks_what_is_known_of_the_lead(cast):
    route_to(cast.femke)
    take(event(1), event(2))
    for number, kind, asks in ((1, "page_view", False), (2, "demo_request", True)):
        with CaptureQueriesContext(connection) as queries:
            receive([_did(number, kind)], None, LATER)
        assert any('FROM "leads_complaint"' in query["sql"] for query in queries) is asks


def _renumber(raw, shift):
    """Another hundred people and companies: the second measurement meets none of the first."""
    raw["id"] += f"-{shift}"
    lead = raw["data"]["lead"]
    lead["email"] = f"s{shift}{lead['email']}"
    lead["external_ids"] = [dict(known, id=f"{shift}-{known['id']}") for known in lead["external_ids"]]
    raw["data"]["company"]["domain"] = f"s{shift}{raw['data']['company']['domain']}"


def test_a_single_event_is_a_wave_of_one(cast):
    route_to(cast.femke, cast.jonas)
    take(event(999))
    single = cost([event(1)], NEW)
    fifty = cost([event(number) for number in range(100, 150)], NEW)
    assert single == fifty
