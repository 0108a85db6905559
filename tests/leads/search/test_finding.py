"""Search against a plain reading of its rule, with few words rare and with none; and what keeps the words."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from handoff_site import reference
from leads import editing, lifecycle
from leads.intake import receive
from leads.models import Company, Lead, Merge, SearchWord
from leads.search import finding, folding, indexing
from routing.models import User
from tests.conftest import NOW, Cast
from tests.factories import event, make_company, make_handoff, make_lead, route_to

NAMES = st.sampled_from(
    ["Björn", "Bjarne", "Anna", "Ann", "Łukasz", "Straße", "O'Brien", "Jean-Luc", "Li", "王伟", "Müller", "B"]
)
FIRMS = st.sampled_from(["Halvorsen & Brandt", "Brandt GmbH", "Anna AG", "", "Straßenbau", "J. P. Luc"])
TYPED = st.one_of(
    st.lists(
        st.sampled_from(
            ["bj", "bjorn", "ann", "anna", "LUK", "strasse", "str", "obrien", "jean", "j", "王", "mueller",
             "bra", "halv", "gmbh", "p1@", "p2@firm0.example.com", "firm1.example.com", "%", "&"]
        ),
        min_size=1, max_size=3,
    ).map(" ".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)  # fmt: skip


def by_reading(leads: list[Lead], typed: str) -> list[int]:
    """The rule, read off one lead after the other: all whole words first, then the latest changed."""
    terms = folding.terms(finding.plain(typed), personal=True)
    if not terms or folding.is_short(terms):
        return []
    ranked = []
    for lead in leads:
        words = set(folding.lead_words(lead.first_name, lead.last_name, lead.email))
        if lead.company is not None:
            words |= set(folding.company_words(lead.company.name, lead.company.domain))

        def fits(groups: tuple[tuple[str, ...], ...], whole: bool, words: set[str] = words) -> bool:
            return any(
                all(any(word == own if whole else own.startswith(word) for own in words) for word in group)
                for group in groups
            )

        if all(fits(term.groups, False) for term in terms):
            is_whole = all(fits(term.groups, True) for term in terms)
            ranked.append((not is_whole, -lead.updated_at.timestamp(), -lead.pk))
    return [-pk for *_, pk in sorted(ranked)]


class TestAgainstTheRule(TestCase):
    """With every word rare, and with none: the way to the answer differs, the answer does not."""

    def setUp(self) -> None:
        reference.setup(NOW)
        self.user = User.objects.create_superuser("root@handoff.example.com", "x" * 20)

    @settings(max_examples=60)
    @given(
        people=st.lists(st.tuples(NAMES, NAMES, st.integers(0, 3)), max_size=9),
        firms=st.lists(FIRMS, min_size=4, max_size=4),
        typed=TYPED,
    )
    def test_the_same(self, people: list[tuple[str, str, int]], firms: list[str], typed: str) -> None:
        companies = [
            make_company(name=name, domain=f"firm{n}.example.com" if n else None)
            for n, name in enumerate(firms)
        ]
        leads = [
            make_lead(
                first_name=first, last_name=last, email=f"p{number}@firm{firm}.example.com",
                company=companies[firm], updated_at=NOW + timedelta(minutes=number * 7 % 5),
            )
            for number, (first, last, firm) in enumerate(people)
        ]  # fmt: skip
        wanted = by_reading(leads, typed)
        for rare, newest, named in (
            (finding.RARE, finding.NEWEST, finding.MOST_NAMED), (0, (2,), 100), (0, (100,), 100),
            (1, (1,), 1), (3, (0,), 0),
        ):  # fmt: skip
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(finding, "RARE", rare)
                patch.setattr(finding, "NEWEST", newest)
                patch.setattr(finding, "MOST_NAMED", named)
                found = [lead.pk for lead in finding.search(self.user, typed).leads]
                exact = finding.Query(finding.plain(typed), True).exact()
                assert [pk for pk in found if pk not in exact] == [pk for pk in wanted if pk not in exact]
                assert set(found[: len(exact)]) == exact
                listed = Lead.objects.filter(finding.matching(typed, True))
                assert set(listed.values_list("pk", flat=True)) == {*wanted, *exact}


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where every word is had by many."""
    monkeypatch.setattr(finding, "RARE", 0)


@pytest.mark.parametrize("newest", [(0, 0), (1, 2), (100, 100)])
def test_common_words_find_no_more_of_what_is_not_theirs(
    cast: Cast, many: None, monkeypatch: pytest.MonkeyPatch, newest: tuple[int, ...]
) -> None:
    monkeypatch.setattr(finding, "NEWEST", newest)
    mine = make_handoff("assigned", cast.femke, lead=make_lead(first_name="Sam", last_name="Mine"))
    make_handoff("assigned", cast.rosa, lead=make_lead(first_name="Sam", last_name="Hers"))
    make_lead(first_name="Sam", last_name="Nobodys")
    for user, count in ((cast.femke, 1), (cast.mia, 1), (cast.rosa, 1), (cast.otto, 3)):
        assert len(finding.search(user, "sam").leads) == count
    assert finding.search(cast.femke, "sam").leads == [mine.lead]
    name = mine.lead.company.name
    assert [company.pk for company in finding.search(cast.femke, name).companies] == [mine.lead.company_id]
    assert finding.search(cast.rosa, name).companies == []


def stray() -> tuple[int, int]:
    """Words missing and words too many, of all there is."""
    found = list(indexing.rebuild(write=False))
    return sum(missing for _, missing, _ in found), sum(extra for _, _, extra in found)


def test_whoever_writes_keeps_the_words(cast: Cast) -> None:
    route_to(cast.femke)
    first = event(1)
    receive([first, event(2)], None, NOW)
    later = NOW + timedelta(hours=1)
    renamed = event(1, at=later, id="again")
    renamed["type"] = "lead.updated"
    renamed["data"]["lead"] |= {"last_name": "Adébáyò", "email": "ade@halvorsen-1.com"}
    renamed["data"]["company"] |= {"name": "Halvorsen Maritime"}
    receive([renamed], None, later)
    assert stray() == (0, 0)
    one, two = Lead.objects.order_by("pk")
    assert [lead.pk for lead in finding.search(cast.otto, "adebayo maritime").leads] == [one.pk]
    editing.edit(two, {"first_name": "Zoë", "company_name": "Zeta"}, lifecycle.Act(later, cast.otto))
    assert stray() == (0, 0)
    assert [lead.pk for lead in finding.search(cast.otto, "zoe zeta").leads] == [two.pk]
    lifecycle.merge(one, two, lifecycle.Act(later, cast.otto))
    assert stray() == (0, 0)
    assert [lead.pk for lead in finding.search(cast.otto, "adebayo").leads] == [one.pk]
    assert finding.search(cast.otto, "zoe").leads == []
    lifecycle.unmerge(Merge.objects.get().pk, lifecycle.Act(later, cast.otto))
    assert stray() == (0, 0)
    assert [lead.pk for lead in finding.search(cast.otto, "zoe").leads] == [two.pk]


def written_for_search(sent: list[dict[str, object]]) -> int:
    with CaptureQueriesContext(connection) as found:
        receive(sent, None, NOW)
    return sum("leads_searchword" in query["sql"] for query in found)


def test_intake_writes_the_words_of_all_that_is_new_at_once(cast: Cast) -> None:
    route_to(cast.femke)
    known = event()
    assert written_for_search([known]) == 1
    assert written_for_search([event() for _ in range(30)]) == 1
    # Nothing by which it is found has changed.
    assert written_for_search([known | {"id": "again"}]) == 0


def test_a_rebuild_mends_what_is_missing_and_what_is_stale(cast: Cast) -> None:
    lead = make_lead(first_name="Björn")
    SearchWord.objects.filter(lead=lead, word="bjorn").delete()
    SearchWord.objects.create(lead=lead, word="bogus")
    Company.objects.filter(pk=lead.company_id).update(name="Renamed")
    with pytest.raises(CommandError, match="2 words were missing and 1 too many"):
        call_command("rebuild_search", "--check")
    assert stray() == (2, 1)
    out = StringIO()
    call_command("rebuild_search", stdout=out)
    assert "2 words were missing and 1 too many in" in out.getvalue()
    assert stray() == (0, 0)
    call_command("rebuild_search", "--check", stdout=out)
