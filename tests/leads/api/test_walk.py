"""A lead's way from intake to opportunity over a live site, as another system's client sees it.

Each answer on the way is held against the OpenAPI document that the site itself serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import schemathesis
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from leads import keys
from leads.api.acting import VERBS
from leads.models import ContactAttempt, Event, Handoff
from routing.models import Queue
from tests.api_client.client import Client, Refused
from tests.conftest import Cast
from tests.factories import event, make_handoff, route_to

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def connect(cast: Cast, live_server: LiveServer) -> Iterator[Callable[..., Client]]:
    """connect(*scopes) is a client with a new key of these scopes, all of them when none is named."""
    document = httpx.get(f"{live_server.url}/api/v1/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    opened = []

    def held(response: httpx.Response) -> None:
        response.read()
        _, _, path = response.request.url.path.partition("/api/v1")
        parts = path.strip("/").split("/")
        known = ["/api/v1", *(["handoffs", "{handoff_id}"] if len(parts) > 1 else parts), *parts[2:]]
        schema["/".join(known)][response.request.method].validate_response(response)

    def make(*scopes: str, transport: httpx.BaseTransport | None = None) -> Client:
        http = httpx.Client(base_url=live_server.url, transport=transport, event_hooks={"response": [held]})
        opened.append(http)
        key = keys.make_key("Client", scopes or keys.SCOPES, timezone.now())[1]
        return Client(http, key, pause=0.01)

    yield make
    for http in opened:
        http.close()


def arrived(**data: Any) -> Any:
    return event(at=timezone.now() - timedelta(minutes=2), **data)


def test_from_intake_to_opportunity(cast: Cast, connect: Callable[..., Client]) -> None:
    route_to(cast.femke)
    site, femke = connect(), cast.femke.email
    _, latest = site.changes()
    sent = arrived()
    [answer] = site.send(sent)
    assert (answer["status"], answer["handoff"] and answer["handoff"]["assignee"]) == ("processed", femke)
    assert site.send(sent)[0] == {**answer, "status": "duplicate"}

    changed, latest = site.changes(latest)
    assert changed == [answer["handoff"]]
    [handoff] = changed
    seen = site.handoff(handoff["id"])
    assert seen["lead"]["email"] == sent["data"]["lead"]["email"]
    # Known already: 304, and the same again.
    assert site.handoff(handoff["id"]) is seen

    accepted = site.act(seen, "accept", femke, strictly=True)
    assert accepted["state"] == "accepted"
    with pytest.raises(Refused) as refused:
        site.act(seen, "note", femke, {"text": "On what I saw before"}, strictly=True)
    assert (refused.value.status, refused.value.state, refused.value.by) == (412, "accepted", femke)

    signal = next(row["id"] for row in seen["lead"]["activities"] if row["kind"] == "demo_request")
    worked = site.contact(accepted, femke, "phone", "reached", activity_id=signal, note="Wants a quote")
    assert worked["state"] == "working"
    won = site.opportunity(worked, femke, external_id="006-1", amount="12500.00", currency="EUR")
    assert won["state"] == "converted"

    changed, latest = site.changes(latest)
    assert changed == [won]
    assert site.changes(latest) == ([], latest)
    told = site.handoff(won["id"])
    kinds = [entry["kind"] for entry in told["events"]]
    assert kinds == ["opened", "passed", "assigned", "accepted", "contacted", "converted"]
    assert [entry["by"] for entry in told["events"][3:]] == [femke] * 3
    figures = site.metrics(weeks=1, by="rep")["total"]
    assert (figures["mqls"], figures["mql_to_opportunity"]["numerator"]) == (1, 1)


def test_every_verb_has_its_way(cast: Cast, connect: Callable[..., Client]) -> None:
    """Each through the client by somebody who may; what the client offers is what there is."""
    site = connect()
    femke, mia, otto = cast.femke.email, cast.mia.email, cast.otto.email
    at = timezone.now() - timedelta(minutes=3)
    soon = (timezone.now() + timedelta(days=3)).isoformat()
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    overflow.members.add(cast.femke)

    def read(state: str) -> Any:
        made = make_handoff(state, None if state in ("queued", "incomplete") else cast.femke, at=at)
        return site.handoff(str(made.pk))

    assert site.claim(read("queued"), femke)["state"] == "assigned"
    assert site.reject(read("assigned"), femke, "timing", until=soon)["state"] == "rejected"
    deferred = site.defer(read("accepted"), femke, soon, "After the fair")
    assert deferred["state"] == "deferred"
    back = site.resume(deferred, femke)
    assert back["state"] == "assigned"
    assert site.note(back, otto, "Met at the fair")["revision"] == back["revision"] + 1
    moved = site.reassign(back, mia, "queue:overflow", "Nobody is free")
    assert (moved["state"], moved["queue"]) == ("queued", "queue:overflow")
    assert site.disqualify(read("working"), femke, "not_icp")["state"] == "disqualified"
    held = site.recheck(read("incomplete"), otto)
    assert "company_name" in held["missing"]
    held = site.waive(held, otto, "company_name", "A freelancer")
    assert "company_name" not in held["missing"]
    assert site.discard(held, otto, "Spam")["state"] == "discarded"
    assert all(callable(getattr(site, verb.name)) for verb in VERBS)


class Unsteady(httpx.HTTPTransport):
    """Loses the first answer to each act on its way back: it was done, and nobody heard of it."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if request.method == "POST" and str(request.url) not in self.lost:
            response.read()
            self.lost.append(str(request.url))
            raise httpx.ReadError("the line went dead", request=request)
        return response


def test_a_lost_answer_is_asked_for_again_and_nothing_is_done_twice(
    cast: Cast, connect: Callable[..., Client]
) -> None:
    route_to(cast.femke)
    line = Unsteady()
    site = connect(transport=line)
    [answer] = site.send(arrived())
    assert answer["status"] == "duplicate" and answer["handoff"] is not None
    at = timezone.now().isoformat()
    worked = site.contact(answer["handoff"], cast.femke.email, "email", "no_answer", at=at)
    assert worked["state"] == "working"
    again = site.note(worked, cast.femke.email, "Try Thursday")
    assert len(line.lost) == 3 and ContactAttempt.objects.count() == 1
    assert Event.objects.filter(handoff=worked["id"], kind="noted").count() == 1
    assert again["revision"] == Handoff.objects.get().revision


def test_what_is_refused_is_told(cast: Cast, connect: Callable[..., Client]) -> None:
    handoff = make_handoff("assigned", cast.femke, at=timezone.now() - timedelta(minutes=3))
    site, only_intake = connect(), connect("intake")
    seen = site.handoff(str(handoff.pk))
    with pytest.raises(Refused) as scope:
        only_intake.handoff(str(handoff.pk))
    assert scope.value.status == 403
    with pytest.raises(Refused) as foreign:
        site.accept(seen, cast.rosa.email)
    assert foreign.value.status == 404
    with pytest.raises(Refused) as wrong:
        site.reject(seen, cast.femke.email, "no_such_reason")
    assert str(wrong.value).startswith("422 Some fields are not valid. /reason: ")
    site.reassign(seen, cast.mia.email, cast.jonas.email, "In turn")
    with pytest.raises(Refused) as late:
        site.contact(seen, cast.femke.email, "phone", "reached")
    # It is no longer hers to see.
    assert late.value.status == 404
    site.reassign(site.handoff(seen["id"]), cast.mia.email, cast.femke.email, "Back")
    with pytest.raises(Refused) as stale:
        site.accept(seen, cast.femke.email)
    assert (stale.value.status, stale.value.code, stale.value.by) == (409, "stale", cast.mia.email)
