"""Try a lead: found by name or typed, every rule and candidate said, and nothing written."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads import lifecycle
from leads.lifecycle import Act
from routing import publish
from routing.models import Absence, Pool, PoolMember, Rule, Ruleset, Turn
from tests.conftest import NOW
from tests.factories import make_handoff, make_lead, open_handoff
from tests.leads.views.asking import html

pytestmark = pytest.mark.django_db
URL = "/routing/try/"


@pytest.fixture(autouse=True)
def _at_ten(time_machine):
    time_machine.move_to(NOW + timedelta(minutes=5), tick=False)


@pytest.fixture
def rules(cast) -> Ruleset:
    """German leads to Femke and Jonas, demos to Rosa, everything else to the overflow queue."""
    pool = Pool.objects.create(slug="dach", name="DACH", cap_open=1)
    PoolMember.objects.create(pool=pool, user=cast.femke)
    PoolMember.objects.create(pool=pool, user=cast.jonas)
    german = {
        "all": [
            {"field": "country", "op": "in", "value": ["DE"]},
            {"field": "score_total", "op": "range", "value": {"min": 50}},
        ]
    }
    demo = {"all": [{"field": "lead_type", "op": "equals", "value": "demo"}]}
    Rule.objects.create(
        position=10, name="Demos", conditions=demo, target_kind="rep", target_id=str(cast.rosa.pk)
    )
    Rule.objects.create(
        position=20, name="Germany", conditions=german, target_kind="pool", target_id=str(pool.pk)
    )
    return publish.publish(NOW - timedelta(days=1), cast.otto, "First")


def page(client, **query) -> str:
    return html(client.get(f"{URL}?{urlencode(query)}"))


def rows_of_every_table() -> dict[str, list]:
    return {
        model._meta.label: sorted(map(repr, model._default_manager.order_by().values_list()))
        for model in apps.get_models()
        if model._meta.app_label in ("routing", "leads", "handoff_site")
    }


def test_typed_facts_go_through_every_rule_and_candidate(cast, rules, as_):
    open_handoff(make_lead(country_code="DE"))
    Absence.objects.create(user=cast.jonas, starts_at=NOW, ends_at=NOW + timedelta(days=2))
    body = page(as_(cast.otto), typed="1", ruleset="live", country="DE", score_total="80")
    assert (
        "<b>Overflow</b>" not in body
        and "The queue Overflow</b> takes it, because nobody whom rule 2" in body
    )
    assert "1 Demos" in body and "lead type is demo" in body and "lead type is standard" in body
    assert "2 Germany" in body and "country is DE" in body and "score is 50 or more" in body
    assert "Femke de Boer of the pool DACH" in body and "holds 1 of 1" in body
    assert "Jonas Keller of the pool DACH" in body and "away" in body
    assert "3 not reached" in body


def test_a_lead_without_obstacles_gets_a_person_and_deadlines(cast, rules, as_):
    body = page(as_(cast.otto), typed="1", ruleset="live", country="DE", score_total="80")
    assert "<b>Femke de Boer</b> gets it through rule 2, “Germany”." in body
    # Standard: answer within 2 h and contact within 60 min of office hours, from 10:05.
    assert "by 12:05" in body and "2 h of the default calendar" in body
    assert "by 11:05" in body and "1 h of the default calendar" in body


def test_what_differs_in_the_live_version_is_said(cast, rules, as_):
    Rule.objects.filter(name="Germany").update(target_kind="rep", target_id=str(cast.nils.pk))
    body = page(as_(cast.otto), typed="1", country="DE", score_total="80")
    assert (
        "<b>Nils Holm</b> gets it through rule 2, “Germany”. In the live version Femke de Boer gets it"
        in body
    )
    assert "The live version gives the same." in page(as_(cast.otto), typed="1", country="FR")


def test_a_handoff_is_tried_without_whoever_rejected_it(cast, rules, as_):
    handoff = open_handoff(make_lead(country_code="DE"))
    assert handoff.assignee == cast.femke
    away = Absence.objects.create(user=cast.jonas, starts_at=NOW, ends_at=NOW + timedelta(hours=1))
    # Its own place with its holder is free, for it would move.
    assert "<b>Femke de Boer</b> gets it" in page(as_(cast.otto), handoff=handoff.pk, ruleset="live")
    away.delete()
    lifecycle.reject(handoff.pk, Act(NOW + timedelta(minutes=1), cast.femke), reason="out_of_territory")
    body = page(as_(cast.otto), handoff=handoff.pk, ruleset="live")
    assert "<b>Jonas Keller</b> gets it" in body
    assert "rejected it before" in body


def test_a_lead_that_never_was_handed_over_is_tried(cast, rules, as_):
    lead = make_lead(country_code="DE")
    body = page(as_(cast.otto), lead=lead.pk, ruleset="live")
    assert "score is not known" in body
    assert "takes it, because" not in body and "The queue Overflow</b> gets it through rule 3" in body


def test_no_rule_says_what_is_not_known(cast, rules, as_):
    Rule.objects.exclude(name="Germany").delete()
    body = page(as_(cast.otto), typed="1", country="FR")
    assert "No rule matches. It would wait for data completion" in body


def test_leads_are_found_by_name_and_link_to_the_trial(cast, rules, as_):
    handoff = open_handoff(make_lead(first_name="Ada", last_name="Okonkwo"))
    body = page(as_(cast.otto), q="okonkwo", ruleset="live")
    assert f'href="?handoff={handoff.pk}&amp;ruleset=live"' in body
    assert "No lead that you may see fits" in page(as_(cast.otto), q="zzzz")


def test_what_was_tried_stands_in_the_address(cast, rules, as_):
    body = page(as_(cast.otto), typed="1", country="DE", custom="plan = premium", technologies="SAP, Okta")
    assert 'name="country" value="DE"' in body
    assert "SAP, Okta" in body and "premium" in body


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("score_total", "many", "Score: Enter a whole number."),
        ("employees", "-4", "Number of employees:"),
        ("size_band", "huge", "Size band:"),
        ("account_owner", "999999", "Account owner:"),
        ("custom", "no equals sign", "is no name = value"),
        ("technologies", ",".join(f"t{n}" for n in range(40)), "At most 20 technologies"),
        ("country", "x" * 300, "Country: Ensure this value has at most 200 characters"),
    ],
)
def test_bad_input_is_named_and_nothing_typed_is_lost(cast, rules, as_, field, value, words):
    response = as_(cast.otto).get(f"{URL}?{urlencode({'typed': 1, field: value, 'industry': 'Ports'})}")
    body = html(response)
    assert words in body and 'value="Ports"' in body


def test_it_writes_nothing_and_locks_nothing(cast, rules, as_):
    handoff = open_handoff(make_lead(country_code="DE"))
    client = as_(cast.otto)
    page(client)
    before = rows_of_every_table()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        page(client, handoff=handoff.pk, ruleset="draft")
        page(client, typed="1", country="DE", score_total="80", ruleset="live")
    assert rows_of_every_table() == before
    statements = [query["sql"] for query in asked.captured_queries]
    assert [sql for sql in statements if not sql.lstrip("(").startswith("SELECT")] == []
    assert [sql for sql in statements if "FOR UPDATE" in sql or "FOR NO KEY" in sql] == []
    assert Turn.objects.count() == 1


def test_queries_do_not_grow_with_rules_and_members(cast, rules, as_):
    client = as_(cast.otto)
    page(client, typed="1", country="DE", ruleset="live")

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            page(client, typed="1", country="DE", score_total="70", ruleset="live")
        return len(queries)

    few = asked()
    pool = Pool.objects.get(slug="dach")
    for user in (cast.rosa, cast.mia, cast.nils):
        PoolMember.objects.create(pool=pool, user=user)
    for number in range(3):
        Rule.objects.create(
            position=number,
            name=f"More {number}",
            conditions={"all": [{"field": "country", "op": "in", "value": ["XX"]}]},
            target_kind="rep",
            target_id=str(cast.mia.pk),
        )
    publish.publish(NOW, cast.otto, "More")
    assert asked() == few


def test_who_may(cast, rules, as_):
    for user in (cast.otto, cast.mia, cast.ada):
        assert as_(user).get(URL).status_code == 200
    for user in (cast.femke, cast.vera):
        assert as_(user).get(URL).status_code == 404
    assert as_(cast.otto).post(URL).status_code == 405


def test_foreign_and_unknown_leads_are_not_there(cast, rules, as_):
    handoff = make_handoff("assigned", cast.rosa)
    client = as_(cast.mia)
    assert client.get(f"{URL}?handoff={handoff.pk}").status_code == 404
    assert client.get(f"{URL}?lead={handoff.lead_id}").status_code == 404
    assert as_(cast.otto).get(f"{URL}?handoff=999999").status_code == 404
    assert as_(cast.otto).get(f"{URL}?handoff={'9' * 40}").status_code == 404
    assert as_(cast.otto).get(f"{URL}?ruleset=999999").status_code == 404


def test_hostile_words_are_shown_as_they_are(cast, rules, as_):
    lead = make_lead(first_name="<script>x</script>", last_name="Bond", country_code="DE")
    handoff = open_handoff(lead)
    body = page(as_(cast.otto), handoff=handoff.pk)
    assert "<script>x" not in body and "&lt;script&gt;x" in body
    body = page(as_(cast.otto), typed="1", industry="<img src=x>")
    assert "<img src=x>" not in body
