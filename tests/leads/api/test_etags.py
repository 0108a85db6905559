"""ETags: 304 for who knows it already, 412 for who acts on what has changed, what caches may keep."""

import gzip
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from leads import lifecycle
from leads.api import etags
from leads.models import Event, Handoff
from routing.models import Absence
from tests.factories import make_activity, make_handoff
from tests.leads.api.conftest import problem

LONG_AGO = timezone.now() - timedelta(minutes=3)


@pytest.fixture
def read(keyed):
    return keyed("read")


@pytest.fixture
def act(keyed):
    return keyed("act")


def not_modified(response):
    return response.status_code == 304 and response.content == b""


@pytest.fixture
def get(read):
    """get(path, **headers) is the bare response: a 304 has no JSON to look at."""

    def send(path, **headers):
        names = {"Authorization": f"Bearer {read.key}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return read.client.get(f"/api/v1{path}", headers=names)

    return send


def test_what_did_not_change_is_not_sent_again(cast, get):
    handoff = make_handoff("assigned", cast.femke, at=LONG_AGO)
    path = f"/handoffs/{handoff.pk}"
    first = get(path)
    tag = first["ETag"]
    assert tag.startswith(f'"{handoff.revision}-') and first["Cache-Control"] == "private, no-cache"
    assert "Authorization" in first["Vary"]
    # An open clock runs on, and yet what is told is the same.
    assert get(path)["ETag"] == tag and get(path).content == first.content
    for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        again = get(path, If_None_Match=known)
        assert not_modified(again), known
        assert (again["ETag"], again["Cache-Control"]) == (tag, "private, no-cache")
    assert get(path, If_None_Match='"x"').status_code == 200
    assert get(path, If_None_Match="nonsense").status_code == 200


@pytest.mark.parametrize("what", ["event", "activity", "lead", "company", "person"])
def test_whatever_is_shown_changes_the_tag(cast, get, what):
    handoff = make_handoff("assigned", cast.femke, at=LONG_AGO)
    path = f"/handoffs/{handoff.pk}"
    tag = get(path)["ETag"]
    if what == "event":
        lifecycle.accept(handoff.pk, lifecycle.Act(timezone.now(), cast.femke))
    elif what == "activity":
        make_activity(handoff.lead, "chat", title="SSO?")
    elif what == "lead":
        handoff.lead.job_title = "CTO"
        handoff.lead.save(update_fields=["job_title"])
    elif what == "company":
        handoff.lead.company.name = "Another"
        handoff.lead.company.save(update_fields=["name"])
    else:
        cast.femke.email = "femke.new@handoff.example.com"
        cast.femke.save(update_fields=["email"])
    response = get(path, If_None_Match=tag)
    assert response.status_code == 200 and response["ETag"] != tag


def test_a_list_has_a_tag_of_what_it_lists(cast, get):
    mine = make_handoff("assigned", cast.femke, at=LONG_AGO)
    other = make_handoff("assigned", cast.jonas, at=LONG_AGO)
    path = f"/handoffs?assignee={cast.femke.email}"
    tag = get(path)["ETag"]
    assert tag.startswith('W/"')
    lifecycle.note(other.pk, lifecycle.Act(timezone.now(), cast.mia), text="Elsewhere")
    assert not_modified(get(path, If_None_Match=tag))
    lifecycle.note(mine.pk, lifecycle.Act(timezone.now(), cast.mia), text="Here")
    assert get(path, If_None_Match=tag).status_code == 200


def test_figures_are_nobody_elses(get):
    assert get("/metrics")["Cache-Control"] == "private, no-cache"


def test_reading_on_a_condition(cast, read):
    handoff = make_handoff("assigned", cast.femke, at=LONG_AGO)
    assert read.get(f"/handoffs/{handoff.pk}", If_Match="*").status_code == 200
    problem(read.get(f"/handoffs/{handoff.pk}", If_Match='"x"'), 412)


def test_acting_on_what_one_saw(cast, get, act):
    handoff = make_handoff("assigned", cast.femke, at=LONG_AGO)
    path, body = f"/handoffs/{handoff.pk}", {"on_behalf_of": cast.femke.email}
    tag = get(path)["ETag"]
    assert act.post(f"{path}/accept", body, If_Match=f'"x", {tag}').status_code == 200
    refused = problem(act.post(f"{path}/accept", body, If_Match=tag), 412)
    assert (refused["code"], refused["state"], refused["by"]) == ("changed", "accepted", cast.femke.email)
    assert refused["at"].endswith("Z")
    for given in ("*", get(path)["ETag"]):
        assert act.post(f"{path}/accept", body, If_Match=given).status_code == 200


def test_what_changed_meanwhile_is_refused_and_nothing_is_done(cast, get, act):
    handoff = make_handoff("assigned", cast.femke, at=LONG_AGO)
    path, body = f"/handoffs/{handoff.pk}", {"on_behalf_of": cast.femke.email}
    tag = get(path)["ETag"]
    make_activity(handoff.lead, "chat", title="Never mind, we bought another one")
    problem(act.post(f"{path}/accept", body, If_Match=tag), 412)
    problem(act.post(f"{path}/accept", body, If_Match="nonsense"), 412)
    assert Event.objects.filter(handoff=handoff).count() == handoff.revision
    assert Handoff.objects.get(pk=handoff.pk).state == "assigned"
    # Whoever may not learns nothing of what it is now.
    problem(act.post(f"{path}/accept", {"on_behalf_of": cast.rosa.email}, If_Match=tag), 404)
    problem(act.post(f"{path}/accept", {"on_behalf_of": cast.vera.email}, If_Match=tag), 403)


def test_a_retry_is_answered_whatever_has_changed_by_itself(cast, get, act):
    handoff = make_handoff("assigned", cast.femke, at=LONG_AGO)
    path, body = f"/handoffs/{handoff.pk}", {"on_behalf_of": cast.femke.email}
    both = {"If_Match": get(path)["ETag"], "Idempotency_Key": "once"}
    first = act.post(f"{path}/accept", body, **both)
    assert first.status_code == 200
    assert act.post(f"{path}/accept", body, **both).data == first.data


def test_a_tag_that_compression_weakened_is_as_good(cast, get, act):
    handoff = make_handoff("assigned", cast.femke, at=LONG_AGO)
    path = f"/handoffs/{handoff.pk}"
    packed = get(path, Accept_Encoding="gzip")
    assert packed["Content-Encoding"] == "gzip" and packed["ETag"] == f"W/{get(path)['ETag']}"
    assert gzip.decompress(packed.content) == get(path).content
    assert not_modified(get(path, If_None_Match=packed["ETag"], Accept_Encoding="gzip"))
    body = {"on_behalf_of": cast.femke.email}
    assert act.post(f"{path}/accept", body, If_Match=packed["ETag"]).status_code == 200


def test_a_refusal_about_a_person_says_where_the_handoff_stands(cast, act):
    handoff = make_handoff("accepted", cast.femke, at=LONG_AGO)
    Absence.objects.create(user=cast.jonas, starts_at=LONG_AGO, ends_at=LONG_AGO + timedelta(days=2))
    for to, by in ((cast.jonas, cast.mia), (cast.rosa, cast.mia), (cast.vera, cast.otto)):
        body = {"on_behalf_of": by.email, "to": to.email, "reason": "Knows them"}
        refused = problem(act.post(f"/handoffs/{handoff.pk}/reassign", body), 409)
        assert (refused["code"], refused["state"], refused["by"]) == ("not_eligible", "accepted", to.email)
        assert refused["at"] == (LONG_AGO + timedelta(minutes=1)).isoformat().replace("+00:00", "Z")


def test_the_same_text_has_the_same_tag():
    body = {"revision": 3, "state": "assigned"}
    assert etags.strong(body) == etags.strong(json.loads(json.dumps(body)))
    assert etags.strong(body) != etags.strong(body | {"revision": 4})
    assert etags.weak(body) == f'W/"{etags.strong(body).partition("-")[2]}'
