"""The words and proportions of the inbox and the lead page: pure values, no database."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from leads.choices import ActivityKind, State
from leads.models import (
    Activity,
    Company,
    Event,
    Handoff,
    Lead,
    MqlDefinition,
    RejectionReason,
    RoutingDecision,
    Score,
)
from leads.presenters import clocks, company, links, qualifying, rows, signals, stages, times, why
from leads.presenters.actions import Panel, actions, reason_groups
from routing import hours
from routing.models import SlaPolicy, User

NOW = datetime(2026, 3, 10, 10, 0, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
OFFICE = hours.Calendar("Europe/Berlin", (((540, 1080),),) * 5 + ((), ()), frozenset())
MINUTE = timedelta(minutes=1)


def a_handoff(**fields: object) -> Handoff:
    lead = Lead(
        pk=1, first_name="Adaeze", last_name="Okonkwo", job_title="VP Operations", email="a@h.example"
    )
    lead.company = Company(name="Halvorsen GmbH")
    values: dict[str, object] = {
        "pk": 7,
        "lead": lead,
        "state": State.ASSIGNED,
        "lead_type": "standard",
        "trigger": "score_threshold",
        "mql_at": NOW - 10 * MINUTE,
        "received_at": NOW - 10 * MINUTE,
        "policy": SlaPolicy(accept_minutes=120, contact_minutes=60),
    } | fields
    return Handoff(**values)


# Times


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (5880, "1 h 38"),
        (86400, "1 day"),
        (2 * 86400 + 4 * 3600, "2 days 4 h"),
        (20 * 86400, "20 days"),
        (-5, "0 s"),
    ],
)
def test_a_length_has_at_most_two_units(seconds: int, words: str) -> None:
    assert times.length(timedelta(seconds=seconds)) == words


def test_a_moment_says_the_day_once_it_is_not_today() -> None:
    assert times.moment(NOW + timedelta(hours=1), NOW) == "11:00"
    assert times.moment(NOW + timedelta(days=1), NOW) == "Wed 10:00"
    assert times.moment(NOW + timedelta(days=20), NOW) == "Mon 30 Mar"
    assert times.moment(NOW + timedelta(days=400), NOW) == "14 Apr 2027"


def test_a_day_with_its_time_has_it_however_long_ago() -> None:
    shown = [times.day_and_time(NOW - timedelta(days=days), NOW) for days in (0, 1, 9, 400)]
    assert shown == ["today 10:00", "yesterday 10:00", "Sun 1 Mar 10:00", "3 Feb 2025 10:00"]


def test_moments_are_shown_in_the_zone_of_now() -> None:
    assert times.moment(datetime(2026, 3, 10, 9, 30, tzinfo=UTC), NOW) == "10:30"
    assert times.exact(datetime(2026, 3, 10, 9, 30, 5, tzinfo=UTC), NOW) == "Tue 10 Mar 2026, 10:30:05 CET"


@pytest.mark.parametrize("zone", ["", "Nowhere/Else", "../../etc/passwd", "UTC", "x" * 64, "Europe"])
def test_a_zone_that_says_no_place_is_left_out(zone: str) -> None:
    assert times.there(zone, NOW) == ""


def test_the_time_where_the_lead_is() -> None:
    assert times.there("America/New_York", NOW) == "05:00 in New York"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("pl", "Polish"),
        ("pt-BR", "Brazilian Portuguese"),
        ("de_AT", "German"),
        ("English, German", "English, German"),
    ],
)
def test_a_language_is_named(code: str, words: str) -> None:
    assert times.language(code) == words


# Clocks


@pytest.mark.parametrize(
    ("left", "state"),
    [(60, ""), (31, ""), (30, "soon"), (13, "soon"), (12, "late"), (1, "late"), (0, "over"), (-5, "over")],
)
def test_a_bar_turns_amber_at_half_and_red_at_four_fifths(left: int, state: str) -> None:
    clock = clocks.burning(NOW + left * MINUTE, timedelta(hours=1), NOW)
    assert clock.state == state
    assert clock.percent == pytest.approx(max(0, left) / 60 * 100, abs=0.1)


def test_a_short_window_ticks_by_the_second_and_says_what_is_left() -> None:
    clock = clocks.burning(NOW + timedelta(seconds=192), timedelta(minutes=5), NOW, what="answer")
    assert (clock.words, clock.big, clock.rest, clock.is_fine) == (
        "3:12 left",
        "3:12",
        "left to answer",
        True,
    )


def test_a_late_clock_says_so_in_words() -> None:
    clock = clocks.burning(NOW - 14 * MINUTE, timedelta(hours=1), NOW, what="contact")
    assert (clock.words, clock.rest, clock.icon) == ("14 min late", "late to contact", "warn")


def test_over_night_the_bar_stands_still_and_the_words_name_the_day() -> None:
    evening = NOW.replace(hour=17, minute=30)
    due = hours.add(evening, timedelta(hours=1), OFFICE)
    clock = clocks.burning(due, timedelta(hours=2), evening, calendar=OFFICE)
    assert (clock.words, clock.percent, clock.total) == ("Wed 09:30", 50.0, 7200)
    closes, opens = NOW.replace(hour=18), NOW.replace(hour=9) + timedelta(days=1)
    assert clock.names_day and clock.closed == f"{closes.timestamp():.0f}/{opens.timestamp():.0f}"


def test_a_window_with_more_closed_stretches_than_a_page_is_told_of_stands_still() -> None:
    due = hours.add(NOW, timedelta(hours=9 * 60), OFFICE)
    clock = clocks.burning(due, timedelta(hours=9 * 60), NOW, calendar=OFFICE)
    assert (clock.total, clock.closed) == (0, "")


def test_the_clock_of_a_handoff_is_the_nearer_deadline() -> None:
    handoff = a_handoff(
        accept_due_at=NOW + 110 * MINUTE, contact_due_at=NOW + 50 * MINUTE, next_due_at=NOW + 50 * MINUTE
    )
    clock = clocks.of_handoff(handoff, NOW, OFFICE)
    assert clock is not None
    assert (clock.what, clock.caption, clock.words) == ("contact", "Standard, 1 h", "50 min")


def test_a_raised_handoff_shows_as_demo() -> None:
    handoff = a_handoff(raised_at=NOW, next_due_at=NOW + MINUTE, accept_due_at=NOW + MINUTE)
    clock = clocks.of_handoff(handoff, NOW, None)
    assert clock is not None
    assert clock.is_demo


def test_a_next_touch_that_has_passed_flags_and_is_no_breach() -> None:
    clock = clocks.later(NOW - 35 * MINUTE, NOW)
    assert (clock.words, clock.state, clock.percent) == ("35 min ago", "soon", None)


def test_closed_handoffs_have_no_clock() -> None:
    assert clocks.of_handoff(a_handoff(state=State.REJECTED, next_due_at=None), NOW, None) is None


# Links


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        " JaVaScRiPt:alert(1)",
        "data:text/html,<script>",
        "//evil.example/",
        "https://",
        "https://good.example@evil.example/",
        'https://a.example/" onclick=',
        "http://a.example/\nx",
        "http://[bad",
        "ftp://a.example/",
        "www.a.example",
    ],
)
def test_only_plain_web_addresses_become_links(url: str) -> None:
    link = links.outside(url)
    assert link is not None
    assert link.href == ""
    assert link.text


def test_a_web_address_is_shown_without_its_scheme() -> None:
    assert links.outside("https://www.a.example/x/") == links.Link("a.example/x", "https://www.a.example/x/")
    assert links.outside("  ") is None


@pytest.mark.parametrize(
    "address", ["a@b.example?bcc=x@y.example", "a b@c.example", "a@b@c", "<a@b.example>"]
)
def test_a_mail_link_carries_an_address_and_nothing_else(address: str) -> None:
    link = links.mail(address)
    assert link is not None
    assert link.href == ""


def test_mail_and_phone_links() -> None:
    assert links.mail("a+b@c.example") == links.Link("a+b@c.example", "mailto:a+b@c.example")
    assert links.phone("+49 (40) 555-014") == links.Link("+49 (40) 555-014", "tel:+4940555014")
    assert links.phone("ask for Anna") == links.Link("ask for Anna", "")


# Signals


def an_activity(
    kind: str, title: str = "", ago: timedelta = MINUTE, pk: int = 1, **fields: object
) -> Activity:
    return Activity(pk=pk, kind=kind, title=title, occurred_at=NOW - ago, received_at=NOW, **fields)


def test_every_kind_of_activity_has_words() -> None:
    for kind in ActivityKind:
        assert signals.sentence(kind, "Title").count("{}") == 0
        assert "Title" in signals.sentence(kind, "Title")
        assert signals.sentence(kind)


def test_repeated_views_are_one_line_with_their_number_and_points() -> None:
    views = [an_activity("pricing_view", "Pricing", n * MINUTE, pk=n, points=3) for n in (1, 2, 3)]
    line = signals.timeline(views, 3, NOW).other[0]
    assert (line.text, line.points) == ("Viewed Pricing three times", "+9")


def test_direct_interactions_stand_apart_and_are_never_merged() -> None:
    chats = [an_activity("chat", "SSO?", n * MINUTE, pk=n) for n in (1, 2)]
    found = signals.timeline([*chats, an_activity("page_view", "Docs", pk=3)], 3, NOW)
    assert [line.text for line in found.direct] == ["Chat: “SSO?”", "Chat: “SSO?”"]
    assert [line.text for line in found.other] == ["Viewed Docs"]


def test_opening_lines_begin_with_what_was_said_to_us_and_skip_mails() -> None:
    activities = [
        an_activity("page_view", "Docs", pk=1),
        an_activity("email_open", "Letter", pk=2),
        an_activity("pricing_view", "Pricing", 2 * MINUTE, pk=3),
        an_activity("chat", "SSO?", timedelta(days=2), pk=4),
    ]
    found = signals.openers(activities, NOW)
    assert [opener.activity for opener in found] == [4, 3, 1]
    assert found[0].text == "Chat: “SSO?”, Sun 8 Mar"


def test_old_signals_come_after_fresh_ones() -> None:
    activities = [an_activity("chat", "old", timedelta(days=90), pk=1), an_activity("page_view", "new", pk=2)]
    assert [opener.activity for opener in signals.openers(activities, NOW)] == [2, 1]


def test_hostile_properties_and_long_titles_do_no_harm() -> None:
    activity = an_activity("other", "x" * 5000, properties=["not", "a", "mapping"], url="javascript:alert(1)")
    line = signals.timeline([activity], 1, NOW).other[0]
    assert len(line.text) == signals.CUT
    assert line.link is not None
    assert line.link.href == ""


# Qualifying


def test_the_score_bar_adds_up_and_marks_the_threshold() -> None:
    score = Score(total=81, fit=29, fit_max=40, intent=33, intent_max=40, behavior=19, behavior_max=20)
    score.reasons = {
        "fit": [{"code": "size", "label": "1001-5000 people", "points": 12}],
        "intent": "nonsense",
    }
    bar = qualifying.score_bar(score, 81, 65)
    assert bar is not None
    assert (bar.scale, bar.threshold_x) == (100, 65.0)
    assert sum(part.width for part in bar.parts) == pytest.approx(81)
    assert bar.parts[1].x == pytest.approx(29)
    assert bar.parts[0].reasons == (qualifying.Reason("1001-5000 people", "+12"),)
    assert bar.words == "Score 81 of 100: fit 29, intent 33, behavior 19. Threshold 65"


def test_a_total_without_parts_is_one_bar() -> None:
    bar = qualifying.score_bar(Score(total=72), 72, None)
    assert bar is not None
    assert (bar.parts, bar.whole) == ((), 72.0)
    assert qualifying.score_bar(None, None, 65) is None


def test_figures_out_of_range_stay_on_the_bar() -> None:
    score = Score(total=500, fit=900, intent=-50, behavior=10)
    bar = qualifying.score_bar(score, 500, 65)
    assert bar is not None
    assert all(0 <= part.x <= 100 and 0 <= part.width <= 100 for part in bar.parts)
    assert bar.parts[-1].x + bar.parts[-1].width <= 100.01


def test_the_trigger_in_a_sentence() -> None:
    handoff = a_handoff(
        trigger="demo_request",
        trigger_activity=an_activity("demo_request", "Enterprise plan"),
        mql_at=NOW.replace(hour=9, minute=42),
    )
    assert qualifying.trigger_sentence(handoff, NOW) == "Asked for a demo: Enterprise plan, today 09:42."
    crossed = a_handoff(
        definition=MqlDefinition(threshold=65), score_total=71, trigger_activity=an_activity("pricing_view")
    )
    assert (
        qualifying.trigger_sentence(crossed, NOW)
        == "The score crossed 65 at 71, today 09:50, by this: Viewed Pricing."
    )


# The company


def test_money_is_short() -> None:
    assert company.money(Decimal(410_000_000), "EUR") == "€410 M"
    assert company.money(Decimal(2_500_000_000), "USD") == "$2.5 B"
    assert company.money(Decimal(900_000), "CHF") == "CHF 900 k"
    assert company.money(None, "EUR") == ""


def test_what_is_not_known_of_the_company_is_said() -> None:
    card = company.card(Company(name="Acme", website="javascript:alert(1)"), Lead(), 0, 0)
    facts = {fact.label: fact.text for fact in card.facts}
    assert facts["Industry"] == "not known"
    assert facts["News"] == "none"
    assert card.site == links.Link("javascript:alert(1)", "")


def test_news_with_a_bad_address_keeps_its_title() -> None:
    acme = Company(
        name="Acme", news=[{"title": "Grew", "url": "javascript:x"}, "nonsense", {"url": "https://x"}]
    )
    fact = next(fact for fact in company.card(acme, Lead(), 0, 0).facts if fact.label == "News")
    assert fact.links == (links.Link("Grew", ""),)


# Rows


def test_a_row_says_who_why_and_how_long() -> None:
    handoff = a_handoff(score_total=71, trigger_reason="Pricing three times", next_due_at=NOW + 50 * MINUTE)
    row = rows.row(handoff, NOW, None)
    assert (row.name, row.sub, row.why) == (
        "Adaeze Okonkwo",
        "VP Operations, Halvorsen GmbH",
        "Pricing three times, score 71",
    )
    assert row.flags == ()


def test_flags_put_what_is_hot_before_what_is_doubtful() -> None:
    handoff = a_handoff(raised_at=NOW, triggered_again_at=NOW, no_activity_at=NOW)
    flags = rows.flags_of(handoff, has_duplicate=True, is_weak=True)
    assert [flag.label for flag in flags] == [
        "Demo",
        "Hot again",
        "Duplicate?",
        "Weak signals",
        "No activity",
    ]


def test_a_nameless_lead_is_called_by_number_for_those_who_see_no_addresses() -> None:
    handoff = a_handoff()
    handoff.lead.first_name = handoff.lead.last_name = ""
    assert rows.name_of(handoff) == "a@h.example"
    assert rows.name_of(handoff, personal=False) == "Lead 1"


def test_done_today_shows_the_last_act_and_nothing_that_was_undone() -> None:
    def event(kind: str, number: int, handoff: Handoff, **data: object) -> Event:
        return Event(handoff=handoff, kind=kind, number=number, data=data, recorded_at=NOW + number * MINUTE)

    one, two = a_handoff(), a_handoff(pk=8)
    events = [
        event("rejected", 3, one, reason="wrong_title"),
        event("undone", 4, one, undid=[3]),
        event("contacted", 5, two, channel="phone", outcome="reached"),
        event("disqualified", 6, two, reason="not_icp"),
    ]
    found = rows.done_today(events, {"not_icp": "Not our customer profile"}, NOW)
    assert [(row.id, row.text) for row in found] == [(8, "disqualified, not our customer profile")]


@pytest.mark.parametrize(
    ("accept", "contact", "minutes", "said"),
    [
        (30, 60, 60, "answer by 10:30, contact by 11:00"),
        (120, 24, 60, "contact by 10:24, answer by 12:00"),
        (4, 4, 5, "answer and contact by 10:04:00"),
        (4, None, 5, "answer by 10:04:00"),
        (-5, 60, 60, "answer by 09:55, contact by 11:00"),
    ],
)
def test_deadlines_stand_in_the_order_in_which_they_come(
    accept: int, contact: int | None, minutes: int, said: str
) -> None:
    """To the second only where the clock ticks by the second."""
    handoff = a_handoff(
        policy=SlaPolicy(accept_minutes=minutes, contact_minutes=minutes),
        accept_due_at=NOW + accept * MINUTE,
        contact_due_at=None if contact is None else NOW + contact * MINUTE,
    )
    assert clocks.deadlines(handoff, NOW) == said


# Stages, history, why


def test_the_rail_shows_what_is_done_what_is_now_and_what_is_to_come() -> None:
    femke = User(pk=3, name="Femke")
    handoff = a_handoff(
        ready_at=NOW - 9 * MINUTE,
        assigned_at=NOW - 8 * MINUTE,
        held_since=NOW - 8 * MINUTE,
        assignee=femke,
        accept_due_at=NOW + 30 * MINUTE,
    )
    rail = stages.rail(handoff, None, NOW, me=3)
    assert [step.status for step in rail] == ["done", "done", "done", "now", "todo"]
    assert (rail[3].note, rail[3].took) == ("You, by 10:30", "8 min so far")
    assert stages.rail(handoff, None, NOW, me=4)[3].note == "Femke, by 10:30"


def test_a_rejection_is_an_answer_and_the_contact_was_not_made() -> None:
    handoff = a_handoff(
        state=State.REJECTED,
        assigned_at=NOW - 8 * MINUTE,
        acknowledged_at=NOW,
        rejected_at=NOW,
        rejected_by=User(pk=3, name="Femke"),
        rejection_reason=RejectionReason(label="Wrong title"),
    )
    rail = stages.rail(handoff, None, NOW, me=3)
    assert (rail[3].status, rail[3].note) == ("done", "Rejected by you: Wrong title")
    assert (rail[4].status, rail[4].note) == ("todo", "Not made")


def test_history_names_people_by_the_mapping_only() -> None:
    event = Event(kind="reassigned", number=4, occurred_at=NOW, user_id=9, data={"set": {"assignee_id": 3}})
    lines = stages.history([event], [], [], [], [], {9: "Mia"}, NOW, me=3)
    assert (lines[0].who, lines[0].text) == ("Mia", "Reassigned to you")
    assert stages.people_in([event]) == {3, 9}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            {"set": {"assignee_id": 9}, "was_held_by": 3, "why": "inactive"},
            "Moved on to Mia: Femke is inactive",
        ),
        ({"set": {}, "was_held_by": 3, "why": "away"}, "Moved on: Femke is away"),
        ({"set": {"assignee_id": 1}, "was_held_by": 3, "why": "away"}, "Moved on to you: Femke is away"),
        ({"set": {"assignee_id": 9}, "was_held_by": 1}, "Moved on to Mia: you are gone"),
        ({"why": "its deadline was wrong"}, "Mended: its deadline was wrong"),
        ({}, "Repaired"),
    ],
)
def test_history_says_why_it_left_whoever_held_it(data: dict[str, Any], text: str) -> None:
    event = Event(kind="repaired", number=4, occurred_at=NOW, data=data)
    lines = stages.history([event], [], [], [], [], {9: "Mia", 3: "Femke"}, NOW, me=1)
    assert (lines[0].who, lines[0].text) == ("the system", text)
    named = {data.get("was_held_by"), data.get("set", {}).get("assignee_id")}
    assert stages.people_in([event]) == named - {None}


def test_why_me_says_who_could_not() -> None:
    decision = RoutingDecision(
        candidates=[
            {"user": 1, "skipped": "away"},
            {"user": 2, "skipped": "holds 12 of 12"},
            {"user": 3, "took": "rule"},
        ]
    )
    text = why.why_me(decision, "DACH demos", None, {1: "Jonas", 2: "Anneliese"}, me=3)
    assert text == "The rule “DACH demos” chose you. Jonas is away, Anneliese is full (holds 12 of 12)."


@pytest.mark.parametrize(
    ("facts", "took", "told"),
    [
        ({"company_stage": "customer"}, "account",
         "The company is a customer, so it goes to the owner of the account: you."),
        ({"company_stage": "prospect"}, "account",
         "The company has an owner of its own, so it goes to them: you."),
        ({}, "manager", "All who could have it had it before, so it goes to their manager: you."),
        ({}, "returned", "It came back to whoever had it before: you."),
        ({}, "re_engaged", "It came back to whoever had it before: you."),
        ({}, "rule", "The rule “DACH” chose you."),
    ],
)  # fmt: skip
def test_why_me_says_by_which_way(facts: dict[str, str], took: str, told: str) -> None:
    decision = RoutingDecision(facts=facts, candidates=[{"user": 3, "pool": 5, "took": took}])
    assert why.why_me(decision, "DACH", None, {}, me=3) == told


@pytest.mark.parametrize(
    ("skipped", "told"),
    [
        ("away", "Jonas is away."),
        ("rejected it before", "Jonas rejected it before."),
        ("let it lapse", "Jonas let it lapse."),
        ("outside working hours", "Jonas is outside working hours."),
        ("not in sales", "Jonas is not in sales."),
        ("had 5 of 5 today", "Jonas is full (had 5 of 5 today)."),
        ("9 of 9 this week", "Jonas is full (9 of 9 this week)."),
    ],
)
def test_why_me_says_what_kept_others_from_it(skipped: str, told: str) -> None:
    candidates = [{"user": 1, "pool": 5, "skipped": skipped}, {"user": 3, "pool": 5, "took": "rule"}]
    decision = RoutingDecision(facts={}, candidates=candidates)
    text = why.why_me(decision, "DACH", None, {1: "Jonas"}, me=3)
    assert text == f"The rule “DACH” chose you. {told}"


def test_a_reassignment_outranks_the_decision() -> None:
    event = Event(kind="reassigned", user_id=9, data={"set": {"assignee_id": 3}})
    assert why.why_me(None, "", event, {9: "Mia"}, 3, "Jonas is ill") == "Mia gave it to you: Jonas is ill."


# Actions


def test_buttons_stand_in_a_fixed_order_and_follow_the_state() -> None:
    everything = {
        "accept",
        "reject",
        "defer",
        "contact",
        "opportunity",
        "disqualify",
        "note",
        "claim",
        "resume",
    }
    found = {
        state: [action.verb for action in actions(a_handoff(state=state), everything, Panel())]
        for state in State
    }
    assert found["assigned"] == ["accept", "reject", "defer", "contact", "note"]
    assert found["queued"] == ["claim", "accept", "note"]
    assert found["accepted"] == ["reject", "defer", "contact", "opportunity", "note"]
    assert found["working"] == ["defer", "contact", "opportunity", "disqualify", "note"]
    assert found["deferred"] == ["resume", "contact", "note"]
    assert found["rejected"] == ["note"]


def test_nothing_can_be_done_to_history() -> None:
    assert actions(a_handoff(is_history=True), {"note", "accept"}, Panel()) == []


def test_a_refusal_whose_form_is_gone_keeps_the_words() -> None:
    panel = Panel("note", {"text": "half a novel"}, {"": "Taken by Mia."})
    actions(a_handoff(), {"accept"}, panel)
    assert (panel.alert, panel.kept) == ("Taken by Mia.", "half a novel")


def test_reasons_are_grouped_by_what_follows_and_numbered() -> None:
    reasons = [
        RejectionReason(code="timing", label="Bad timing", next_step="recycled", asks_until=True),
        RejectionReason(code="other", label="Other", next_step="triage", note_required=True),
        RejectionReason(code="bad_data", label="Bad data", next_step="completion", gives_turn_back=True),
    ]
    groups = reason_groups(reasons)
    assert [group.label for group in groups] == [
        "Back to marketing",
        "Someone puts it right",
        "Marketing decides",
    ]
    assert [(chip.code, chip.key, chip.needs) for group in groups for chip in group.chips] == [
        ("timing", "1", "until"),
        ("bad_data", "2", ""),
        ("other", "3", "note"),
    ]


def test_no_value_turns_what_stands_beside_it() -> None:
    assert signals.cut("\u202egnihton\u202c, \u2067אבג\u2069") == "gnihton, אבג"
