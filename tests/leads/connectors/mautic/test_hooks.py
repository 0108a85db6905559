"""Webhooks of Mautic: what each type means, in both modes, over the real address."""

import hashlib
import json
from typing import Any

import pytest
from django.test import Client

from leads.connectors import opened, signatures
from leads.connectors.base import Arrived, Unreadable
from leads.connectors.mautic.hooks import high_intent
from leads.models import Activity, Handoff, InboundCall, Lead, Score
from routing.models import User
from tests.conftest import NOW
from tests.doubles.mautic.instance import WEBHOOK_SECRET
from tests.factories import route_to
from tests.leads.connectors.mautic.conftest import SECRET_PATH, Hooked

PERSON = {"email": "ada@engines.example", "firstname": "Ada", "lastname": "Lovelace", "company": "Engines"}
STAMP = "2026-03-10T10:00:00+00:00"


def translated(hooked: Hooked, content: Any) -> list[dict[str, Any]]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    with opened(hooked.connection) as connector:
        return connector.translate(body, "sha256:x", NOW)


def contact(**more: Any) -> dict[str, Any]:
    core = {"email": {"value": "ada@engines.example"}, "firstname": {"value": "Ada"}}
    return {"id": "15", "points": "5", "fields": {"core": core, "social": []}, **more}


def test_a_published_signature_is_taken_and_any_other_byte_is_not(hooked: Hooked) -> None:
    body = (
        b'{"mautic.lead_points_change":[{"contact":{"id":15,"points":5},"points":{"old_points":0,'
        b'"new_points":5},"timestamp":"2017-06-13T11:27:07+00:00"}]}'
    )
    signed = "uxZmdH/RSLal1er0jFH4zJCAvZRr/94iE+XFovIJgvE="
    with opened(hooked.connection) as connector:
        connector.secrets = {"webhook_secret": "mySecret"}  # type: ignore[misc]

        def identity(given: bytes, signature: str) -> str:
            arrived = Arrived("POST", "https://x.example", {"webhook-signature": signature}, given)
            return connector.identify(arrived, NOW)

        assert identity(body, signed) == f"sha256:{hashlib.sha256(body).hexdigest()}"
        for place in range(len(body)):
            changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
            with pytest.raises(signatures.Refused):
                identity(changed, signed)
        for place in range(len(signed)):
            other = signed[:place] + ("A" if signed[place] != "A" else "B") + signed[place + 1 :]
            with pytest.raises(signatures.Refused):
                identity(body, other)
        connector.secrets = {}  # type: ignore[misc]
        with pytest.raises(signatures.Refused):
            identity(body, signed)


def test_our_address_stores_what_is_signed_and_once(hooked: Hooked) -> None:
    body = b'{"mautic.lead_post_save_new":[]}'
    signed = {"webhook-signature": signatures.mautic(WEBHOOK_SECRET, body)}

    def post(headers: dict[str, str]) -> tuple[int, str]:
        path = f"/hooks/{SECRET_PATH}/"
        answer = Client().post(path, body, content_type="application/json", headers=headers)
        return answer.status_code, answer.json()["status"]

    assert post({"webhook-signature": "wrong"}) == (401, "refused")
    # Mautic's header has the name of the standard's: which it is says the address alone.
    assert post({**signed, "webhook-id": "msg_1", "webhook-timestamp": "1"}) == (200, "stored")
    assert post(signed) == (200, "duplicate")
    assert InboundCall.objects.get().repeats == 1


def test_a_contact_saved_there_is_a_lead_here(hooked: Hooked) -> None:
    remote_id = hooked.contact(**PERSON)

    assert hooked.take() == {"events": 1, "processed": 1}

    lead = hooked.lead(remote_id)
    assert (lead.email, lead.full_name) == ("ada@engines.example", "Ada Lovelace")
    assert lead.company is not None and lead.company.name == "Engines"
    hooked.act("edit", remote_id, values={"position": "Countess"})
    assert hooked.take()["processed"] == 1
    lead.refresh_from_db()
    assert lead.job_title == "Countess"


def test_points_that_cross_our_threshold_open_a_handoff_and_others_do_not(hooked: Hooked) -> None:
    route_to(hooked_rep())
    remote_id = hooked.contact(**PERSON, country="Germany")
    hooked.act("points", remote_id, delta=64)
    hooked.take()
    assert Handoff.objects.count() == 0

    hooked.act("points", remote_id, delta=1)
    hooked.take()

    handoff = Handoff.objects.get()
    assert (handoff.lead, handoff.trigger) == (hooked.lead(remote_id), "score_threshold")
    assert list(Score.objects.order_by("total").values_list("total", flat=True)) == [64, 65]


def hooked_rep() -> User:
    return User.objects.get(email="femke@handoff.example.com")


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_a_queue_in_either_order_ends_the_same(hooked: Hooked, order: str) -> None:
    hooked.outer.mautic.configure(mode="queue", order=order)
    route_to(hooked_rep())
    first, second = hooked.contact(**PERSON), hooked.contact(email="bob@engines.example", firstname="Bob")
    for number, title in enumerate(("Engineer", "Analyst", "Countess")):
        hooked.outer.clock.advance(30)
        hooked.act("edit", first, values={"position": title})
        hooked.act("points", second, delta=30 + number)
    hooked.outer.mautic.emit({"process": True})

    hooked.take()

    assert hooked.lead(first).job_title == "Countess"
    assert Handoff.objects.get().lead == hooked.lead(second)
    assert sorted(Score.objects.values_list("total", flat=True)) == [30, 61, 93]
    # Several types and several items of one type came in one call.
    kinds = [len(json.loads(bytes(call.body))) for call in InboundCall.objects.all()]
    assert max(kinds) > 1


def test_a_form_is_what_the_options_say_it_is(hooked: Hooked) -> None:
    hooked.connection.options = {"forms": ["Demo-Form = demo_request", "7=pricing_inquiry", "x = anything"]}
    hooked.connection.save()
    route_to(hooked_rep())

    def submission(number: int, form: dict[str, Any]) -> dict[str, Any]:
        return {
            "mautic.form_on_submit": [
                {
                    "submission": {
                        "id": number, "form": form, "lead": contact(), "dateSubmitted": STAMP,
                        "referer": "https://www.example/demo",
                        "results": {"message": "Call me", "list": ["a"]},
                    },
                    "timestamp": STAMP,
                }
            ]
        }  # fmt: skip

    [event] = translated(hooked, submission(1, {"id": "3", "name": "Demo", "alias": "demo-form"}))
    assert event["type"] == "lead.activity"
    assert event["data"]["activities"] == [
        {
            "id": "map:form/1",
            "kind": "demo_request",
            "occurred_at": "2026-03-10T10:00:00Z",
            "title": "Demo",
            "url": "https://www.example/demo",
            "properties": {"message": "Call me", "list": ""},
        }
    ]
    assert _kind(translated(hooked, submission(2, {"id": 7, "alias": "p"}))) == "pricing_inquiry"
    assert _kind(translated(hooked, submission(3, {"id": 9, "alias": "ebook"}))) == "form_submission"


def _kind(events: list[dict[str, Any]]) -> str:
    [event] = events
    return str(event["data"]["activities"][0]["kind"])


def test_a_demo_form_opens_a_handoff_by_our_definition(hooked: Hooked) -> None:
    hooked.connection.options = {"forms": ["demo = demo_request"]}
    hooked.connection.save()
    route_to(hooked_rep())
    hooked.outer.mautic.emit(
        {
            "type": "mautic.form_on_submit",
            "payload": {
                "submission": {
                    "id": 5, "form": {"id": 3, "alias": "demo", "name": "Demo"}, "lead": contact(),
                    "dateSubmitted": STAMP, "results": [],
                }
            },
        }
    )  # fmt: skip
    assert hooked.take() == {"events": 1, "processed": 1}
    assert Handoff.objects.get().trigger == "demo_request"
    assert Activity.objects.get().title == "Demo"


def test_forms_are_named_one_a_line() -> None:
    lines = ["demo=demo_request", " 12 = pricing_inquiry ", "ebook=form_submission", "=demo_request", "odd"]
    assert high_intent(lines) == {"demo": "demo_request", "12": "pricing_inquiry"}
    assert high_intent(None) == {}


@pytest.mark.parametrize(
    ("kind", "payload", "wanted"),
    [
        ("page_on_hit", {"hit": {"id": 1, "url": "https://x.example/a", "lead": contact()}}, "page_view"),
        ("page_on_hit", {"hit": {"id": 1, "url": "/Pricing?a", "lead": contact()}}, "pricing_view"),
        ("email_on_open", {"stat": {"id": 1, "lead": contact(), "email": {"subject": "Hi"}}}, "email_open"),
        ("email_on_send", {"contact": contact(), "email": {"id": 4, "subject": "Hi"}}, "email_sent"),
    ],
)  # fmt: skip
def test_other_acts_are_activities(hooked: Hooked, kind: str, payload: dict[str, Any], wanted: str) -> None:
    assert _kind(translated(hooked, {f"mautic.{kind}": [{**payload, "timestamp": STAMP}]})) == wanted


@pytest.mark.parametrize(
    ("channel", "new", "refuses"),
    [
        ("email", "unsubscribed", True),
        ("email", "manual", True),
        ("email", "contactable", False),
        ("email", "bounced", None),
        ("sms", "unsubscribed", None),
    ],
)
def test_a_subscription_is_consent(hooked: Hooked, channel: str, new: str, refuses: bool | None) -> None:
    item = {
        "contact": contact(), "channel": channel, "old_status": "contactable", "new_status": new,
        "timestamp": STAMP,
    }  # fmt: skip
    events = translated(hooked, {"mautic.lead_channel_subscription_changed": [item]})
    said = [event["data"]["lead"]["consent"] for event in events]
    assert said == ([] if refuses is None else [{"email_opt_out": refuses}])


def test_who_unsubscribes_there_is_not_written_to_from_here(hooked: Hooked) -> None:
    remote_id = hooked.contact(**PERSON)
    hooked.take()
    hooked.outer.clock.advance(5)
    hooked.act("dnc", remote_id, reason=1)
    hooked.take()
    assert hooked.lead(remote_id).email_opt_out is True

    hooked.outer.clock.advance(5)
    hooked.act("dnc", remote_id, reason=None)
    hooked.take()
    assert hooked.lead(remote_id).email_opt_out is False


def test_a_company_that_was_added_is_theirs(hooked: Hooked) -> None:
    company = {"id": 3, "fields": {"core": {"companyname": {"value": "Engines Ltd"}}}}
    item = {"contact": contact(), "company": company, "added": True, "timestamp": STAMP}
    [event] = translated(hooked, {"mautic.lead_company_change": [item]})
    assert event["data"]["company"] == {"name": "Engines Ltd"}
    assert translated(hooked, {"mautic.lead_company_change": [{**item, "added": False}]}) == []


def test_a_deleted_contact_is_put_down_and_nobody_is_erased(hooked: Hooked) -> None:
    remote_id = hooked.contact(**PERSON)
    stranger = hooked.contact(email="nobody@elsewhere.example")
    hooked.take()
    Lead.objects.filter(email="nobody@elsewhere.example").delete()
    hooked.act("delete", remote_id)
    hooked.act("delete", stranger)

    assert hooked.take() == {"events": 2, "strangers": 1, "processed": 1}

    lead = hooked.lead(remote_id)
    assert lead.email == "ada@engines.example"
    [activity] = lead.activities.all()
    assert (activity.kind, activity.title) == ("other", "Contact deleted in Mautic")
    assert Lead.objects.count() == 1


def test_what_was_merged_there_is_told_as_a_merge(hooked: Hooked) -> None:
    kept, gone = hooked.contact(**PERSON), hooked.contact(email="a.lovelace@engines.example")
    hooked.take()
    hooked.act("merge", kept, other=gone)
    hooked.arrive()

    events = [
        event
        for call in InboundCall.objects.filter(status="waiting")
        for event in translated(hooked, bytes(call.body))
    ]

    [merged] = [event for event in events if event["type"] == "lead.merged"]
    assert merged["data"]["lead"]["external_ids"] == [{"system": "mautic", "object": "contact", "id": kept}]
    assert merged["data"]["merged_from"] == [{"system": "mautic", "object": "contact", "id": gone}]


def test_visitors_without_an_address_make_no_lead(hooked: Hooked) -> None:
    hit = {"id": 1, "url": "https://x.example", "lead": {"id": 99, "fields": []}}
    hooked.outer.mautic.emit({"type": "mautic.page_on_hit", "payload": {"hit": hit}})
    assert hooked.take() == {"events": 1, "strangers": 1}
    assert Lead.objects.count() == 0


def test_types_that_say_nothing_of_a_person_are_stored_and_ignored(hooked: Hooked) -> None:
    hooked.outer.mautic.emit({"type": "mautic.company_post_save", "payload": {"company": {"id": 3}}})
    assert hooked.take() == {"events": 0}
    assert InboundCall.objects.get().status == "ignored"


@pytest.mark.parametrize("body", [b"", b"\xff", b"[1]", b"7", b'"x"', b"[" * 100_000])
def test_what_is_no_object_of_types_can_never_be_read(hooked: Hooked, body: bytes) -> None:
    with pytest.raises(Unreadable):
        translated(hooked, body)


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"mautic.form_on_submit": []},
        {"mautic.form_on_submit": {}},
        {"mautic.form_on_submit": [None, [], "x", {"submission": []}, {"submission": {"id": 1, "lead": []}}]},
        {"mautic.page_on_hit": [{"hit": None}, {"hit": {"id": 1, "lead": None}}]},
        {"mautic.email_on_open": [{"stat": {"id": [], "lead": {}}}]},
        {"mautic.lead_points_change": [{"contact": [], "points": []}]},
        {"mautic.lead_post_save_new": [{"contact": None}]},
        {"mautic.lead_post_delete": [{}]},
    ],
)
def test_empty_shapes_of_php_mean_nothing(hooked: Hooked, content: Any) -> None:
    assert translated(hooked, content) == []
