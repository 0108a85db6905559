"""The mapping of a connection on a page, with Mautic's double behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile

from leads import sealing
from leads.connecting import changing
from leads.connecting import mapping as mappings
from leads.connectors.base import forget_tokens
from leads.models import Connection
from tests import doubles
from tests.doubles.mautic.instance import CLIENT_ID, CLIENT_SECRET
from tests.factories import make_handoff
from tests.leads.views.asking import html, queries, refuses, sent_to_sign_in
from tests.leads.views.integrations.made import NOW, PAGE, made

pytestmark = pytest.mark.django_db
URL = f"{PAGE}mautic/mapping/"


@pytest.fixture(scope="module")
def playing() -> Iterator[doubles.Doubles]:
    with doubles.start() as outer:
        yield outer


@pytest.fixture
def outer(playing, settings, time_machine) -> doubles.Doubles:
    settings.CONNECTOR_PRIVATE_HOSTS = ["127.0.0.1"]
    time_machine.move_to(NOW, tick=False)
    playing.reset()
    cache.clear()
    forget_tokens()
    return playing


@pytest.fixture
def row(cast, outer) -> Connection:
    return made(
        "Mautic",
        kind="mautic",
        role="map",
        id_system="mautic",
        base_url=f"{outer.url}/mautic",
        sealed=sealing.seal({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}),
    )


def typed(client, url: str = URL) -> dict[str, str]:
    """The form's fields as the page has them."""
    form = client.get(url).context["form"]
    cells = [*form.fields, *form.facts, *form.status_fields, *form.owners]
    cells += [cell for _, row in form.statuses for cell in row]
    return {cell.name: cell.value for cell in cells} | {
        "sources": form.sources,
        "owners_more": form.owners_more,
        "seen": str(client.get(url).context["seen"]),
    }


def test_it_shows_what_is_usual_and_what_the_other_system_offers(cast, as_, row):
    body = html(as_(cast.otto).get(URL))
    assert "Mautic says what it offers; names are checked against it." in body
    assert re.search(
        r'<select id="f-status-accepted-\d"[^>]*>.*?<option value="SAL" selected>SAL</option>', body
    )
    assert 'name="field-revision" value="handoff_revision"' in body and '<option value="lastname">' in body


def test_only_what_differs_is_kept_and_with_who_did_it(cast, as_, row):
    client = as_(cast.otto)
    given = typed(client)
    client.post(URL, {**given, "do": "save"})
    row.refresh_from_db()
    assert row.mapping == {} and row.history.count() == 1, "nothing was changed"
    change = {
        "field-reason": "",
        "field-accepted_at": "attribution_date",
        "sources": "Web = Website\n\n a = b = c ",
    }
    response = client.post(URL, {**given, **change, "do": "save"})
    assert response["Location"] == f"{PAGE}mautic/"
    row.refresh_from_db()
    assert row.mapping == {
        "fields": {"reason": "", "accepted_at": "attribution_date"},
        "sources": {"Web": "Website", "a = b": "c"},
    }
    assert "Mapping of fields: <s>0 of its own</s>" in html(client.get(f"{PAGE}mautic/"))
    assert row.history.first().history_user == cast.otto
    again = typed(client)
    assert (again["field-reason"], again["sources"]) == ("", "Web = Website\na = b = c")


def test_a_status_field_more_emptied_and_left_as_it_is(cast, as_, row):
    client = as_(cast.otto)
    given = typed(client)
    place = next(n for n in range(6) if not given[f"statusfield-{n}"])
    change = {
        f"statusfield-{place}": "position",
        f"status-accepted-{place}": "(empty)",
        f"status-rejected-{place}": "out",
    }
    client.post(URL, {**given, **change, "do": "save"})
    row.refresh_from_db()
    whole = mappings.whole(row)
    assert whole.statuses["accepted"]["position"] == "" and whole.statuses["rejected"]["position"] == "out"
    assert "position" not in whole.statuses["deferred"]


def test_what_cannot_work_is_said_beside_it_and_nothing_typed_is_lost(cast, as_, row):
    client = as_(cast.otto)
    given = typed(client)
    stage = next(n for n in range(6) if given[f"statusfield-{n}"] == "stage")
    change = {
        "field-reason": "no_such_field",
        f"status-accepted-{stage}": "Nowhere",
        "owners_more": "x@example.com = 99",
        "sources": "Web = Website",
    }
    body = html(client.post(URL, {**given, **change, "do": "save"}), 422)
    for words in ("no_such_field is no field there.", "Nowhere is not offered there.", "99 is nobody there."):
        assert words in body
    assert 'value="no_such_field"' in body and '<option value="Nowhere" selected>' in body
    assert "x@example.com = 99" in body and "Web = Website" in body
    row.refresh_from_db()
    assert row.mapping == {}
    body = html(client.post(URL, {**given, "sources": "no pair", "do": "save"}), 422)
    assert "Line 1 is not of the form" in body and ">no pair</textarea>" in body


def test_without_an_answer_names_are_taken_as_typed(cast, as_, row, outer):
    outer.fault(system="mautic", status=503, times=99)
    client = as_(cast.otto)
    body = html(client.get(URL))
    assert "Mautic could not be asked what it offers, so names are not checked:" in body
    assert client.post(URL, {**typed(client), "field-reason": "whatever", "do": "save"}).status_code == 302


def test_owners_with_the_same_address_are_proposed_and_not_kept_by_that(cast, as_, row, outer):
    outer.mautic.seed({"users": [{"email": "FEMKE@handoff.example.com"}, {"email": "who@example.com"}]})
    client = as_(cast.otto)
    response = client.post(URL, {**typed(client), "do": "propose"})
    body = html(response)
    assert "1 owner with the same address is filled in." in body
    proposed = {cell.label: cell.value for cell in response.context["form"].owners if cell.proposed}
    assert list(proposed) == ["Femke de Boer"]
    row.refresh_from_db()
    assert row.mapping == {}
    client.post(URL, {**typed(client), f"owner-{cast.femke.pk}": proposed["Femke de Boer"], "do": "save"})
    row.refresh_from_db()
    assert row.mapping == {"owners": {cast.femke.email: proposed["Femke de Boer"]}}


def test_it_is_tried_on_a_record_before_it_is_kept(cast, as_, row, outer):
    handoff = make_handoff("accepted", cast.femke)
    client = as_(cast.otto)
    given = typed(client) | {"handoff": str(handoff.pk), "do": "look"}
    response = client.post(URL, given)
    assert "There is no record of this person there yet." in html(response)
    outer.mautic.seed({"contacts": [{"email": handoff.lead.email, "handoff_status": "pending"}]})
    response = client.post(URL, {**given, "field-mql_at": "attribution_date"})
    found = {line.name: (line.wanted, line.there, line.differs) for line in response.context["preview"].rows}
    assert found["handoff_status"] == ("accepted", "pending", True)
    assert found["attribution_date"] == ("2026-03-10T10:00:00Z", "", True)
    assert found["handoff_reason"] == ("", "", False)
    assert 'value="attribution_date"' in html(response)
    row.refresh_from_db()
    assert row.mapping == {}
    linked = client.get(f"{URL}?handoff={handoff.pk}")
    assert [line.name for line in linked.context["preview"].rows] != []
    assert "There is no handoff of this number." in html(client.post(URL, {**given, "handoff": "999"}))


def test_it_is_taken_out_brought_in_and_put_back(cast, as_, row):
    client = as_(cast.otto)
    client.post(URL, {**typed(client), "field-reason": "position", "do": "save"})
    file = client.get(f"{URL}mapping.json")
    assert file["Content-Disposition"] == 'attachment; filename="mapping-mautic.json"'
    document = json.loads(file.content)
    assert (document["form"], document["kind"], document["fields"]["reason"]) == (1, "mautic", "position")
    document["fields"]["reason"] = "title"
    upload = SimpleUploadedFile("m.json", json.dumps(document).encode())
    body = html(client.post(URL, {"do": "import", "file": upload}))
    assert "The file is read into the form." in body and 'name="field-reason" value="title"' in body
    row.refresh_from_db()
    assert row.mapping == {"fields": {"reason": "position"}}
    bad = SimpleUploadedFile("m.json", b"nonsense")
    assert "This is no JSON." in html(client.post(URL, {"do": "import", "file": bad}), 422)
    assert "Choose a file." in html(client.post(URL, {"do": "import"}), 422)
    [version] = client.get(URL).context["versions"]
    assert version["says"] == "all as usual"
    assert client.post(f"{URL}restore/", {"version": version["id"]})["Location"] == f"{PAGE}mautic/"
    row.refresh_from_db()
    assert row.mapping == {}
    assert "Mapping as of 2026-03-10" in row.history.first().history_change_reason
    entries = row.history.count()
    client.post(f"{URL}restore/", {"version": version["id"]})
    assert row.history.count() == entries


def test_the_second_of_two_editors_is_told(cast, as_, row):
    client = as_(cast.otto)
    given = typed(client)
    changing.change(row.pk, changing.Edit(cast.ada, NOW), {"rate": 3.0})
    body = html(client.post(URL, {**given, "field-reason": "position", "do": "save"}), 409)
    assert "Ada Admin changed this connection" in body and 'name="field-reason" value="position"' in body
    [seen] = re.findall(r'name="seen" value="(\d+)"', body)
    assert (
        client.post(URL, {**given, "field-reason": "position", "do": "save", "seen": seen}).status_code == 302
    )


def test_secrets_that_nobody_can_open(cast, as_, row):
    Connection.objects.filter(pk=row.pk).update(sealed="nonsense")
    assert "set them anew" in html(as_(cast.otto).get(URL), 422)
    assert as_(cast.otto).get(f"{URL}mapping.json").status_code == 404


def test_others_find_nothing(cast, as_, client, row):
    made("Warehouse")
    pages = (URL, f"{URL}mapping.json")
    sent_to_sign_in(client, *pages)
    for person in (cast.femke, cast.mia, cast.vera):
        refuses(as_(person), 404, get=pages, post=(URL, f"{URL}restore/"))
    refuses(as_(cast.otto), 404, get=(f"{PAGE}warehouse/mapping/",), post=(f"{PAGE}warehouse/mapping/",))
    refuses(as_(cast.otto), 405, get=(f"{URL}restore/",), post=(f"{URL}mapping.json",))
    other = made("Other")
    entry = other.history.first().history_id
    assert as_(cast.otto).post(f"{URL}restore/", {"version": entry}).status_code == 404


def test_the_cost_does_not_grow(cast, as_, row):
    client = as_(cast.otto)
    mappings.keep(row.pk, changing.Edit(cast.otto, NOW), {"fields": {"reason": "title"}})
    one = queries(client, URL)
    for name in ("position", "phone"):
        mappings.keep(row.pk, changing.Edit(cast.ada, NOW), {"fields": {"reason": name}})
    cast.vera.groups.set(cast.femke.groups.all())
    assert queries(client, URL) == one
