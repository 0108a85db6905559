"""What becomes of Segment's calls: people, companies, what they did, and what is of no interest here."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from leads import connectors, lifecycle
from leads.connectors import arriving, receiving
from leads.lifecycle import Act
from leads.models import Activity, Company, DuplicatePair, ExternalId, Handoff, InboundCall, Lead
from tests.conftest import NOW
from tests.factories import make_lead, route_to
from tests.leads.connectors.segment.sent import batch, identify, make_segment, send, track

pytestmark = pytest.mark.django_db


def ids(lead: Lead) -> set[tuple[str, str, str]]:
    return set(ExternalId.objects.filter(lead=lead).values_list("system", "object", "value"))


def said(call: InboundCall) -> tuple[str, dict, str]:
    return call.status, call.outcome, call.error


def test_an_identify_is_a_person_with_ids_facts_company_and_campaign():
    there = make_segment()
    event = identify(
        title="VP Operations", phone="+49 30 1234567", birthday="1990-01-01",
        address={"country": "Germany", "state": "Berlin", "postalCode": "10115", "street": "Secret Street 1"},
        company={"name": "Acme GmbH", "industry": "Logistics", "employees": "1,200"},
    ) | {
        "anonymousId": "anon-1",
        "context": {
            "ip": "203.0.113.7", "locale": "de-DE", "timezone": "Europe/Berlin",
            "campaign": {"name": "Autumn", "source": "linkedin", "medium": "cpc", "term": "t"},
            "page": {"url": "https://acme.example.com/ebook", "referrer": "https://linkedin.com/"},
        },
    }  # fmt: skip
    assert said(send(there, event, "identify")) == ("taken", {"events": 1, "processed": 1}, "")
    lead = Lead.objects.get()
    assert (lead.email, lead.first_name, lead.last_name, lead.job_title, lead.phone) == (
        "jane@acme.example.com", "Jane", "Doe", "VP Operations", "+49 30 1234567",
    )  # fmt: skip
    assert (lead.country_code, lead.region, lead.postal_code, lead.language, lead.timezone) == (
        "DE", "Berlin", "10115", "de-DE", "Europe/Berlin",
    )  # fmt: skip
    assert (lead.campaign, lead.attribution["utm_source"], lead.attribution["landing_page"]) == (
        "Autumn", "linkedin", "https://acme.example.com/ebook",
    )  # fmt: skip
    company = Company.objects.get()
    assert (company.name, company.industry, company.employee_count, company.size_band) == (
        "Acme GmbH", "Logistics", 1200, "1001-5000",
    )  # fmt: skip
    assert ids(lead) == {("segment", "user", "42"), ("segment", "anonymous", "anon-1")}
    kept = str(list(Lead.objects.values())) + str(list(Company.objects.values()))
    assert "Secret Street" not in kept and "203.0.113.7" not in kept and "1990" not in kept
    assert not Handoff.objects.exists()


def test_placeholders_nulls_and_wrong_kinds_say_nothing():
    there = make_segment()
    lead = make_lead(email="jane@acme.example.com", first_name="Jane", last_name="Doe", country_code="DE")
    fake = {
        "firstName": "test", "lastName": "-", "title": "n/a", "phone": None, "company": "none",
        "address": {"country": "Atlantis"}, "name": ["Jane"],
    }  # fmt: skip
    assert send(there, identify(**fake), "identify").outcome == {"events": 1, "processed": 1}
    lead.refresh_from_db()
    assert (lead.first_name, lead.last_name, lead.job_title, lead.country_code, lead.phone) == (
        "Jane", "Doe", "Head of Operations", "DE", lead.phone,
    )  # fmt: skip
    fresh = identify("43", "m-2", email="fresh@new.example.org", firstName="Test", lastName=None)
    send(there, fresh, "identify")
    assert Lead.objects.get(email="fresh@new.example.org").full_name == ""


def test_traits_in_the_context_count_as_well():
    """RudderStack sends them there."""
    there = make_segment()
    around = {"traits": {"email": "bob@acme.example.com", "name": "Bob van Doe", "title": "CEO"}}
    event = {
        "type": "identify", "messageId": "m-1", "userId": "9", "traits": {"title": "CFO"}, "context": around,
    }  # fmt: skip
    send(there, event, "identify")
    lead = Lead.objects.get()
    assert (lead.email, lead.first_name, lead.last_name, lead.job_title) == (
        "bob@acme.example.com", "Bob", "van Doe", "CFO",
    )  # fmt: skip


def test_a_group_is_the_persons_company():
    there = make_segment()
    group = {
        "type": "group", "messageId": "m-g", "userId": "42", "groupId": "g1",
        "traits": {"name": "Acme AG", "employees": 40, "website": "acme.example.com", "industry": "Steel"},
    }  # fmt: skip
    assert send(there, batch(identify(), group)).outcome == {"events": 2, "processed": 2}
    company = Lead.objects.get().company
    assert (company.name, company.employee_count, company.industry) == ("Acme AG", 40, "Steel")


def test_pages_screens_and_tracks_are_what_somebody_did():
    there = make_segment(options={"events": ["Report Shared = product_usage", "Signed Up = form_submission"]})
    page = {"type": "page", "messageId": "m-p", "userId": "42", "name": "Home",
            "properties": {"url": "https://acme.example.com/", "title": "Welcome"}}  # fmt: skip
    pricing = {"type": "page", "messageId": "m-q", "userId": "42", "context": {
        "page": {"url": "https://acme.example.com/Pricing?a=b"}}}  # fmt: skip
    screen = {"type": "screen", "messageId": "m-s", "userId": "42", "name": "Settings"}
    tracks = [
        track(name, f"m-{number}", userId="42")
        for number, name in enumerate(
            ("Form Submitted", "Trial Started", "Signed Up", "Email Opened", "Email Link Clicked",
             "Report Shared", "Order Completed")
        )
    ]  # fmt: skip
    assert send(there, batch(identify(), page, pricing, screen, *tracks)).outcome == {
        "events": 11, "processed": 11,
    }  # fmt: skip
    rows = Activity.objects.order_by("id").values_list("kind", "title", "url", "external_id")
    assert list(rows) == [
        ("page_view", "Welcome", "https://acme.example.com/", "site:m-p"),
        ("pricing_view", "", "https://acme.example.com/Pricing?a=b", "site:m-q"),
        ("page_view", "Settings", "", "site:m-s"),
        ("form_submission", "Form Submitted", "", "site:m-0"),
        ("trial_signup", "Trial Started", "", "site:m-1"),
        ("form_submission", "Signed Up", "", "site:m-2"),
        ("email_open", "Email Opened", "", "site:m-3"),
        ("email_click", "Email Link Clicked", "", "site:m-4"),
        ("product_usage", "Report Shared", "", "site:m-5"),
        ("other", "Order Completed", "", "site:m-6"),
    ]
    assert not Handoff.objects.exists(), "nothing of this is a trigger by our definition"


def test_only_a_listed_demo_request_opens_a_handoff(cast):
    route_to(cast.femke)
    there = make_segment()
    send(there, batch(identify(), track("Demo Requested", "m-1", userId="42")))
    assert not Handoff.objects.exists()
    there.options = {"events": ["demo requested = demo_request"]}
    there.save()
    send(there, track("Demo Requested", "m-2", userId="42"), "track")
    handoff = Handoff.objects.get()
    assert (handoff.trigger, handoff.lead_type, handoff.lead.email) == (
        "demo_request", "demo", "jane@acme.example.com",
    )  # fmt: skip


def test_a_form_of_a_stranger_with_an_address_in_it_is_lost_on_nobody(cast):
    route_to(cast.femke)
    there = make_segment(options={"events": ["Demo Requested = demo_request"]})
    form = track(
        "Demo Requested", anonymousId="anon-9", properties={"email": "new@buyer.example.org", "n": 3}
    )
    other = track("Colleague Invited", "m-2", anonymousId="anon-8", properties={"email": "pal@x.example.org"})
    assert send(there, batch(form, other)).outcome == {"events": 2, "strangers": 1, "processed": 1}
    handoff = Handoff.objects.get()
    assert handoff.lead.email == "new@buyer.example.org"
    assert ids(handoff.lead) == {("segment", "anonymous", "anon-9")}
    assert Activity.objects.get().properties == {"email": "new@buyer.example.org", "n": "3"}


def test_nobody_known_did_something_and_it_is_ignored_until_they_say_who_they_are():
    there = make_segment()
    page = {"type": "page", "messageId": "m-p", "anonymousId": "anon-1", "properties": {"title": "Home"}}
    call = send(there, page, "page")
    assert said(call) == ("ignored", {"events": 1, "strangers": 1}, "")
    assert not Lead.objects.exists() and not Activity.objects.exists()
    send(there, identify() | {"anonymousId": "anon-1"}, "identify")
    # What came before can be taken in again from its page.
    assert receiving.again(call, NOW)
    receiving.take_waiting(lambda: NOW, seconds=5)
    call.refresh_from_db()
    assert said(call) == ("taken", {"events": 1, "processed": 1}, "")
    later = page | {"messageId": "m-p2"}
    assert send(there, later, "page").outcome == {"events": 1, "processed": 1}
    assert Activity.objects.count() == 2 and Lead.objects.count() == 1


def test_an_alias_is_one_more_id_of_a_person():
    there = make_segment()
    send(there, identify() | {"anonymousId": "anon-1"}, "identify")
    alias = {"type": "alias", "messageId": "m-a", "previousId": "anon-1", "userId": "new-42"}
    again = {"type": "alias", "messageId": "m-b", "previousId": "new-42", "userId": "newest"}
    nobody = {"type": "alias", "messageId": "m-c", "previousId": "who", "userId": "ever"}
    assert send(there, batch(alias)).outcome == {"events": 1, "processed": 1}
    assert send(there, batch(again)).outcome == {"events": 1, "processed": 1}
    assert send(there, batch(nobody)).outcome == {"events": 1, "strangers": 1}
    assert {value for _, _, value in ids(Lead.objects.get())} == {"42", "anon-1", "new-42", "newest"}


def test_a_browser_that_two_people_use_makes_no_one_of_them():
    there = make_segment()
    first = identify("a", "m-1", email="ann@acme.example.com", lastName="Ackermann") | {
        "anonymousId": "shared"
    }
    second = identify("b", "m-2", email="bob@acme.example.com", firstName="Bob") | {"anonymousId": "shared"}
    send(there, batch(first, second))
    third = identify("c", "m-3", email="cem@acme.example.com", firstName="Cem", lastName="Yildirim") | {
        "anonymousId": "shared"
    }
    send(there, batch(third))
    owners = dict(ExternalId.objects.values_list("value", "lead__email"))
    assert owners == {
        "a": "ann@acme.example.com", "shared": "ann@acme.example.com", "b": "bob@acme.example.com",
        "c": "cem@acme.example.com",
    }  # fmt: skip
    assert Lead.objects.count() == 3 and not DuplicatePair.objects.exists()


def test_the_same_messages_again_do_nothing_however_they_come():
    there = make_segment()
    one, two = identify(), track("Signed Up", userId="42")
    send(there, batch(one, two))
    assert send(there, batch(one, two)).repeats == 1
    assert send(there, batch(two)).outcome == {"events": 1, "duplicate": 1}
    assert send(there, two, "track").outcome == {"events": 1, "duplicate": 1}
    # The same messageId with other words is the same message.
    assert send(there, batch(track("Other", userId="42"))).outcome == {"events": 1, "duplicate": 1}
    # Without a messageId the same words are the same message.
    bare = {"type": "track", "event": "Signed Up", "userId": "42"}
    assert send(there, batch(bare, bare)).outcome == {"events": 2, "processed": 1, "duplicate": 1}
    assert Activity.objects.count() == 2


def test_of_a_batch_the_good_ones_are_taken_and_the_bad_ones_named():
    there = make_segment()
    events = [
        "text", {"type": "track", "userId": "42"}, {"type": "delete"}, identify(), {"type": "page"},
        track("x", "m" * 101, userId="42"), track("x", userId="42", properties={"a": "y" * 33_000}),
        {"type": "alias", "userId": "42"},
    ]  # fmt: skip
    status, outcome, error = said(send(there, batch(*events)))
    assert (status, outcome) == (
        "taken",
        {
            "events": 8, "processed": 1, "malformed": 2, "unknown_type": 1, "nobody": 2, "bad_id": 1,
            "too_long": 1,
        },
    )  # fmt: skip
    assert error.startswith("Event 1: it is no object. Event 2: it has no name. Event 3: its type is none of")
    assert error.endswith("Event 7: it is longer than 32 kB. Event 8: it names no two ids.")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"{", "The body is not JSON."),
        (b"5", "An event or a batch of events is expected."),
        (b"[" * 100_000, "The body is not JSON."),
        ({"batch": [{}] * 2501}, "At most 2,500 events are taken at once."),
        ({}, "Event 1: its type is none of identify, track, page, screen, group, alias."),
    ],
)
def test_a_call_of_which_nothing_can_be_read_fails_and_says_why(content, error):
    call = send(make_segment(), content)
    assert (call.status, call.error) == ("failed", error)


def test_a_quiet_collector_tells_nobody(cast):
    route_to(cast.femke)
    there = make_segment(options={"events": ["Demo Requested = demo_request"]}, is_quiet=True)
    send(there, batch(identify(), track("Demo Requested", userId="42")))
    assert Handoff.objects.get().is_quiet


def test_somebody_who_was_erased_is_in_no_call_and_comes_back_by_none(cast):
    there = make_segment()
    send(there, batch(identify("7"), {"type": "page", "messageId": "m-p", "userId": "7"}))
    send(there, {"type": "page", "messageId": "m-q", "userId": "7", "name": "By id alone"}, "page")
    send(there, {"type": "page", "messageId": "m-r", "userId": "77", "name": "Somebody else"}, "page")
    lifecycle.erase(Lead.objects.get().pk, Act(NOW + timedelta(minutes=1), cast.ada), "asked")
    bodies = [bytes(body) for body in InboundCall.objects.order_by("id").values_list("body", flat=True)]
    assert [bool(body) for body in bodies] == [False, False, True]
    assert not Activity.objects.exclude(title="", external_id="").exists()
    again = identify("7", "m-again") | {"timestamp": NOW.isoformat()}
    later = NOW + timedelta(minutes=2)
    assert send(there, again, "identify", later).outcome == {"events": 1, "ignored": 1}
    assert Lead.objects.filter(erased_at__isnull=True).count() == 0


@pytest.mark.parametrize("number", [1, 3])
def test_queries_are_the_same_for_any_number_of_events(number, django_assert_num_queries):
    there = make_segment()
    send(there, identify() | {"anonymousId": "anon-1"}, "identify")
    events = [track("Seen", f"m-{one}", anonymousId=f"anon-{one}") for one in range(1, number + 1)]
    body = json.dumps(batch(*events)).encode()
    # Who is known by these ids; which words are placeholders; then whom the events are about.
    with connectors.opened(there) as connector:
        with django_assert_num_queries(2):
            found = connector.translate(body, "batch/x", NOW)
        with django_assert_num_queries(1):
            assert len(arriving._of_interest(there, found)) == 1
