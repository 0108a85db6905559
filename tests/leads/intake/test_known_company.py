"""A known lead's conversion is routed by what the same event says of the company."""

from datetime import timedelta

from leads.intake import receive
from routing.models import Pool, PoolMember, Rule
from routing.publish import publish
from tests.conftest import NOW, Cast
from tests.factories import event


def test_facts_that_come_with_the_conversion_count(cast: Cast) -> None:
    pool = Pool.objects.create(slug="large", name="Large")
    PoolMember.objects.create(pool=pool, user=cast.femke)
    large = {"all": [{"field": "size_band", "op": "in", "value": ["201-500"]}]}
    Rule.objects.create(name="Large", conditions=large, target_kind="pool", target_id=str(pool.pk))
    publish(NOW, cast.otto, "A test")
    first = event(7, type="lead.updated", score=None, trigger=None, activities=[])
    first["data"]["company"].pop("employee_count")
    answer = receive([first], None, NOW)[0]
    assert answer["status"] == "processed"

    later = event(7, at=NOW + timedelta(hours=1), id="later", company={"employee_count": 420})
    answer = receive([later], None, NOW + timedelta(hours=1))[0]

    assert answer["handoff"]["rule"] == "Large"
    assert answer["handoff"]["assignee"] == cast.femke.email
