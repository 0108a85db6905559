"""Rule health: findings, reviews that are ended from the page, and coverage."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads import lifecycle
from leads.lifecycle import Act
from routing import publish, reviews
from routing.models import Pool, PoolMember, Rule, RuleReview, Territory
from tests.conftest import NOW
from tests.factories import make_lead, open_handoff
from tests.leads.views.asking import html

pytestmark = pytest.mark.django_db
URL = "/routing/health/"


@pytest.fixture(autouse=True)
def _an_hour_later(time_machine):
    time_machine.move_to(NOW + timedelta(hours=1), tick=False)


@pytest.fixture
def rules(cast) -> list[Rule]:
    """Femke alone for Germany with a cap of one, an empty pool for France, nothing else."""
    Rule.objects.all().delete()
    dach = Pool.objects.create(slug="dach", name="DACH", cap_open=1)
    PoolMember.objects.create(pool=dach, user=cast.femke)
    empty = Pool.objects.create(slug="empty", name="Empty")
    made = [
        Rule.objects.create(
            position=position,
            name=name,
            conditions={"all": [{"field": "country", "op": "in", "value": [country]}]},
            target_kind="pool",
            target_id=str(pool.pk),
            owner=cast.mia,
        )
        for position, (name, country, pool) in enumerate((("Germany", "DE", dach), ("France", "FR", empty)))
    ]
    publish.publish(NOW - timedelta(days=1), cast.otto, "Two rules")
    return made


def test_findings_stand_with_their_rule(cast, rules, as_):
    body = html(as_(cast.otto).get(URL))
    assert "2 of 2 rules in force need a look" in body
    assert "Its target, the pool Empty, has nobody in rotation." in body
    assert "It was never reviewed." in body


def test_coverage_counts_what_fell_to_overflow_or_met_no_rule(cast, rules, as_):
    for country, source in (("DE", "Webinar"), ("DE", "Fair"), ("DE", "Fair"), ("SE", "Fair")):
        open_handoff(make_lead(country_code=country, lead_source=source), at=NOW)
    cache.clear()
    body = html(as_(cast.otto).get(URL))
    # Femke's cap lets one of three German leads through; for Sweden there is no rule.
    assert "<b>2</b> of 4 leads fell to overflow, <b>1</b> matches no rule." in body
    assert '<th scope="row">Fair</th>' in body


def test_rejections_out_of_territory_are_counted(cast, rules, as_):
    Pool.objects.filter(slug="dach").update(cap_open=None)
    for number in range(5):
        made = open_handoff(make_lead(country_code="DE"), at=NOW)
        lifecycle.reject(made.pk, Act(NOW + timedelta(minutes=number), cast.femke), reason="out_of_territory")
    cache.clear()
    assert "5 of its 5 leads were rejected as out of territory." in html(as_(cast.otto).get(URL))


def test_a_review_is_ended_once(cast, rules, as_):
    reviews.ensure_reviews(NOW)
    review = RuleReview.objects.get(rule=rules[0])
    client = as_(cast.otto)
    assert f"/routing/reviews/{review.pk}/done/" in html(client.get(URL))
    path = f"/routing/reviews/{review.pk}/done/"
    body = html(client.post(path, {"outcome": "kept", "note": "Still\x00 right"}, follow=True))
    assert "“Germany” is reviewed. The next review comes in a quarter." in body
    review.refresh_from_db()
    assert (review.outcome, review.done_by, review.note) == ("kept", cast.otto, "Still right")
    assert Rule.objects.get(pk=rules[0].pk).last_reviewed == date(2026, 3, 10)
    body = html(client.post(path, {"outcome": "changed"}, follow=True))
    assert "Otto Maier has ended the review of “Germany” already." in body
    review.refresh_from_db()
    assert review.outcome == "kept"


def test_a_review_needs_an_outcome(cast, rules, as_):
    reviews.ensure_reviews(NOW)
    review = RuleReview.objects.get(rule=rules[0])
    for outcome in ("", "retired", "nonsense"):
        body = html(
            as_(cast.otto).post(f"/routing/reviews/{review.pk}/done/", {"outcome": outcome}, follow=True)
        )
        assert "Not noted: choose whether the rule stays or was changed." in body
    review.refresh_from_db()
    assert review.done_at is None


def test_who_may(cast, rules, as_):
    reviews.ensure_reviews(NOW)
    review = RuleReview.objects.get(rule=rules[0])
    path = f"/routing/reviews/{review.pk}/done/"
    for user in (cast.otto, cast.mia, cast.nils, cast.ada):
        assert as_(user).get(URL).status_code == 200
    for user in (cast.femke, cast.vera):
        assert as_(user).get(URL).status_code == 404
        assert as_(user).post(path, {"outcome": "kept"}).status_code == 404
    # Nils sees it, but neither owns the rule nor edits routing.
    assert "Reviewed, stays" not in html(as_(cast.nils).get(URL))
    assert as_(cast.nils).post(path, {"outcome": "kept"}).status_code == 403
    assert as_(cast.otto).get(path).status_code == 405
    assert as_(cast.otto).post(URL).status_code == 405
    assert as_(cast.otto).post("/routing/reviews/999999/done/", {"outcome": "kept"}).status_code == 404
    assert as_(cast.mia).post(path, {"outcome": "kept"}).status_code == 302


def test_nothing_in_force_is_said(cast, as_):
    Rule.objects.all().delete()
    publish.live().__class__.objects.update(is_live=False)
    body = html(as_(cast.otto).get(URL))
    assert "No rules are in force." in body and "No lead came in the last 90 days." in body


def test_queries_do_not_grow_with_rules(cast, rules, as_):
    reviews.ensure_reviews(NOW)
    client = as_(cast.otto)

    def asked() -> int:
        client.get(URL)
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            client.get(URL)
        return len(queries)

    few = asked()
    for number in range(3):
        Rule.objects.create(
            position=number + 10,
            name=f"More {number}",
            conditions={"all": [{"field": "country", "op": "in", "value": [f"X{number}"]}]},
            target_kind="rep",
            target_id=str(cast.rosa.pk),
        )
    publish.publish(NOW, cast.otto, "More")
    reviews.ensure_reviews(NOW)
    assert asked() == few


def test_territories_that_share_leads_are_named_with_one_of_them(cast, rules, as_):
    germany = {"all": [{"field": "country", "op": "in", "value": ["DE"]}]}
    fairs = {"all": [{"field": "source", "op": "in", "value": ["Fair"]}]}
    for slug, name, conditions in (("de", "Germany", germany), ("fairs", "Fairs", fairs)):
        Territory.objects.create(slug=slug, name=name, owner=cast.mia, conditions=conditions)
    publish.publish(NOW - timedelta(hours=1), cast.otto, "Territories")
    assert "hold the same leads" not in html(as_(cast.otto).get(URL))
    both = [open_handoff(make_lead(country_code="DE", lead_source="Fair"), at=NOW) for _ in range(2)]
    open_handoff(make_lead(country_code="DE", lead_source="Webinar"), at=NOW)
    cache.clear()
    page = html(as_(cast.otto).get(URL))
    assert "Germany and Fairs overlap; 2 leads of both so far." in page
    assert f'href="/handoffs/{both[-1].pk}/"' in page
