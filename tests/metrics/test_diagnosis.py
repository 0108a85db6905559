"""The findings: each sentence with counts for which it must stand there, and with some for which it must
not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import diagnosis, leaking, rejecting
from metrics.comparing import Compared
from metrics.diagnosis import Agreed, Band, Finding, List
from metrics.figures import Rate
from metrics.leaking import SYMPTOMS, Stage
from metrics.stages import STAGES

NOTHING = Compared(Rate(), Rate())


def at(hits: int, of: int, before: tuple[int, int] = (0, 0)) -> Compared:
    return Compared(Rate(hits, of), Rate(*before))


def bands(
    high: Compared = NOTHING,
    won: Compared = NOTHING,
    lower: Compared = NOTHING,
    lower_won: Compared = NOTHING,
) -> dict[str, Band]:
    return {"65-79": Band("65-79", lower, lower_won), "80+": Band("80+", high, won)}


def scoring(**counts: Compared) -> Finding:
    [found] = diagnosis.scoring(bands(**counts))
    return found


# (a) Scoring or process


@pytest.mark.parametrize(
    ("counts", "code", "severity"),
    [
        ({}, "scoring_too_few", ""),
        ({"high": at(0, 19)}, "scoring_too_few", ""),
        ({"high": at(12, 20)}, "model_decayed", "soon"),  # 40 % rejected, 22 to 61
        ({"high": at(60, 100)}, "model_decayed", "soon"),  # 40 %: the limit itself is a finding
        ({"high": at(40, 100)}, "model_decayed", "late"),  # 60 %, 50 to 69
        ({"high": at(61, 100)}, "conversion_too_few", ""),  # 39 % is none
        ({"high": at(70, 100), "lower": at(90, 100)}, "drifted", "soon"),
        ({"high": at(80, 100), "lower": at(85, 100)}, "conversion_too_few", ""),
        ({"high": at(90, 100), "won": at(9, 19)}, "conversion_too_few", ""),
        ({"high": at(90, 100), "won": at(1, 80)}, "not_converting", "late"),  # below a tenth, surely
        ({"high": at(90, 100), "won": at(7, 80)}, "scoring_fine", "ok"),  # perhaps not below it
        ({"high": at(90, 100), "won": at(10, 80, (30, 80))}, "not_converting", "late"),
        ({"high": at(90, 100), "won": at(25, 80, (30, 80))}, "scoring_fine", "ok"),
        ({"high": at(90, 100), "won": at(12, 80), "lower_won": at(40, 100)}, "not_converting", "late"),
        ({"high": at(90, 100), "won": at(40, 80), "lower_won": at(40, 100)}, "scoring_fine", "ok"),
        # Too few of the lower scores to hold against.
        ({"high": at(90, 100), "won": at(12, 80), "lower_won": at(10, 19)}, "scoring_fine", "ok"),
    ],
)
def test_the_model_or_the_process(counts: dict[str, Compared], code: str, severity: str) -> None:
    found = scoring(**counts)
    assert (found.code, found.severity) == (code, severity)


def test_what_it_says_of_a_decayed_model() -> None:
    found = scoring(high=at(40, 100, (80, 100)))
    assert found.sentence == (
        "Sales rejects 60 % (60 of 100) of the leads with a score of 80 or more: the scoring model has "
        "decayed. "
        "That is up from 20 % (20 of 100) in the period before."
    )
    assert found.fix.startswith("Recalibrate the model")
    assert found.list == List("loop_rejected", extra=(("band", "80+"),))
    assert found.figures[0].rate == Rate(60, 100)


def test_a_doubt_is_told_with_the_interval() -> None:
    found = scoring(high=at(12, 20, (12, 20)))
    assert "the scoring model may have decayed." in found.sentence
    assert "Much as in the period before: 40 % (8 of 20)." in found.sentence
    assert found.sentence.endswith("It may be chance: the true share lies between 22 and 61 %.")


def test_why_they_do_not_convert() -> None:
    fewer = scoring(high=at(90, 100), won=at(12, 80), lower_won=at(40, 100)).sentence
    assert "15 % (12 of 80)" in fewer and "fewer than of lower scores (40 %)" in fewer
    down = scoring(high=at(90, 100), won=at(10, 80, (30, 80)))
    assert "down from 38 % in the period before" in down.sentence
    assert down.list == List("converted", "misses", (("band", "80+"),), ripe=True)


# (b) The stages


def shares(**changed: Compared) -> dict[str, Compared]:
    return dict.fromkeys(STAGES, at(0, 500)) | changed


@pytest.mark.parametrize("symptom", SYMPTOMS, ids=lambda symptom: symptom.code)
def test_a_symptom_is_found_at_its_limit_and_not_below(symptom: leaking.Symptom) -> None:
    at_limit = round(symptom.limit * 500)
    [found] = leaking.leaks(shares(**{symptom.code: at(at_limit, 500)}))
    assert (found.code, found.severity) == (symptom.code, "soon")
    assert f"({at_limit} of 500)" in found.sentence and f"tage {symptom.stage} " in found.sentence
    assert found.list == List(symptom.code) and found.fix == symptom.fix
    [found] = leaking.leaks(shares(**{symptom.code: at(400, 500)}))
    assert (found.code, found.severity) == (symptom.code, "late")
    [found] = leaking.leaks(shares(**{symptom.code: at(at_limit - 1, 500)}))
    assert found.code == "stages_fine"


@pytest.mark.parametrize("symptom", SYMPTOMS, ids=lambda symptom: symptom.code)
def test_too_few_are_no_symptom(symptom: leaking.Symptom) -> None:
    none = dict.fromkeys(STAGES, at(0, 0))
    [found] = leaking.leaks(none | {symptom.code: at(19, 19)})
    assert (found.code, found.severity) == ("stages_too_few", "")
    assert found.sentence.startswith("At most 19 leads came to a stage")
    [found] = leaking.leaks(none | {symptom.code: at(20, 20)})
    assert found.code == symptom.code


def test_each_symptom_is_counted_and_each_leak_is_told() -> None:
    assert {symptom.code for symptom in SYMPTOMS} <= set(STAGES)
    found = leaking.leaks(shares(black_holes=at(100, 500), generic=at(400, 500)))
    assert [finding.code for finding in found] == ["black_holes", "generic"]


def test_the_funnel_in_a_sentence() -> None:
    behind = List("x")
    stages = [
        Stage(1, "Trigger", "marketing", 100, 0, 0.0, behind),
        Stage(4, "Acceptance", "sales", 90, 30, 5.0, behind),
        Stage(5, "First contact", "sales", 50, 10, 5.0, behind),
    ]
    assert leaking.most_lost(stages) == (
        "Of 100 MQLs, 40 came to a first contact. Most were lost at stage 4, acceptance: 30 of 90 (33 %)."
    )
    whole = [Stage(1, "Trigger", "marketing", 1, 0, 0.0, behind)]
    assert leaking.most_lost(whole) == "Of 1 MQL, 1 came to a first contact."
    assert leaking.most_lost([]) == ""


# (c) Done


def test_nothing_is_signed() -> None:
    for agreed in (None, Agreed(2, "3 March", "Otto Maier", ""), Agreed(2, "3 March", "", "Mia Brandt")):
        found = diagnosis.agreement(agreed, Rate(60, 100))
        assert (found.code, found.severity, found.verdict) == ("nothing_signed", "soon", "Not signed")
        assert "100 were handed over; by the acts that were logged, 60 are complete (60 %)." in found.sentence
        assert found.fix.startswith("Ask marketing when a handoff is complete")


def test_both_have_signed() -> None:
    found = diagnosis.agreement(Agreed(2, "3 March", "Otto Maier", "Mia Brandt"), Rate())
    assert found.sentence == (
        "Version 2 is in force since 3 March: signed by Otto Maier for marketing and Mia Brandt for sales."
    )
    assert (found.code, found.severity, found.figures) == ("signed", "ok", ())
    waiting = diagnosis.agreement(Agreed(2, "3 March", "O", "M", waiting=1), Rate())
    assert waiting.sentence.endswith("1 proposal waits for the other side.")


# Rejections

LABELS = {"wrong_title": "Wrong title or role", "timing": "Bad timing"}


def reasons(
    acts: dict[str, Compared],
    by_source: dict[str, list[tuple[str, int]]] | None = None,
    rejected: dict[str, Rate] | None = None,
) -> list[Finding]:
    return rejecting.reasons(acts, LABELS, by_source or {}, rejected or {})


def test_a_reason_with_its_source() -> None:
    acts = {"wrong_title": at(34, 100), "timing": at(29, 100)}
    [found] = reasons(acts, {"wrong_title": [("Webinar", 20), ("Fair", 14)]})
    assert found.sentence.startswith(
        "34 % of rejections say wrong title or role, mostly from Webinar: 34 of 100."
    )
    assert (found.code, found.severity) == ("reason_wrong_title", "soon")
    assert found.list == List("wrong_title", extra=(("source", "Webinar"),), is_reason=True)
    assert [figure.rate for figure in found.figures] == [Rate(34, 100), Rate(20, 34)]
    assert "Recalibrate" in found.fix


def test_no_source_is_named_that_has_less_than_half() -> None:
    [found] = reasons({"wrong_title": at(60, 100)}, {"wrong_title": [("Webinar", 29), ("Fair", 28)]})
    assert "mostly" not in found.sentence and len(found.figures) == 1
    assert found.severity == "late"
    [found] = reasons({"wrong_title": at(60, 100)}, {"wrong_title": [("", 30), ("Fair", 28)]})
    assert "mostly from no source" in found.sentence


@pytest.mark.parametrize(
    ("acts", "code"),
    [
        ({"timing": at(29, 100), "wrong_title": at(29, 100)}, "reasons_fine"),
        ({"timing": at(19, 19)}, "reasons_too_few"),
        ({}, "reasons_too_few"),
        ({"timing": at(20, 20)}, "reason_timing"),
        ({"gone_since": at(20, 20)}, "reason_gone_since"),
    ],
)
def test_no_pattern_and_too_few(acts: dict[str, Compared], code: str) -> None:
    [found] = reasons(acts)
    assert found.code == code


def test_a_source_above_its_alarm() -> None:
    acts = {"timing": at(10, 100), "wrong_title": at(20, 100)}
    sources = {"timing": [("Fair", 10)], "wrong_title": [("Content", 15), ("Fair", 5)]}
    rejected = {"Content": Rate(80, 100), "Fair": Rate(59, 100), "Web": Rate(19, 19), "": Rate(24, 40)}
    found = reasons(acts, sources, rejected)
    assert [(each.code, each.severity) for each in found] == [("source_1", "late"), ("source_2", "soon")]
    assert found[0].sentence == (
        "Content: sales rejects 80 % (80 of 100), above the alarm of 60 %; "
        "most often it is wrong title or role (15 times)."
    )
    assert found[1].sentence.startswith("No source: sales rejects 60 % (24 of 40), above the alarm of 60 %.")


# All together

COMPARED = st.builds(
    lambda now, before: Compared(Rate(*sorted(now)), Rate(*sorted(before))),
    st.tuples(st.integers(0, 300), st.integers(0, 300)),
    st.tuples(st.integers(0, 300), st.integers(0, 300)),
)


@given(high=COMPARED, won=COMPARED, lower=COMPARED, lower_won=COMPARED)
def test_there_is_always_one_answer_and_none_from_too_few(
    high: Compared, won: Compared, lower: Compared, lower_won: Compared
) -> None:
    [found] = diagnosis.scoring(bands(high, won, lower, lower_won))
    if high.now.denominator < diagnosis.ENOUGH:
        assert found.code == "scoring_too_few"
    if found.code == "not_converting":
        assert won.now.denominator >= diagnosis.ENOUGH
    assert found.sentence.endswith(".")


@given(found=st.dictionaries(st.sampled_from(sorted(STAGES)), COMPARED))
def test_leaks_are_never_from_too_few(found: dict[str, Compared]) -> None:
    for finding in leaking.leaks(shares() | found):
        if finding.list is not None:
            share = (shares() | found)[finding.list.name]
            assert share.now.denominator >= diagnosis.ENOUGH
            assert (finding.severity == "late") == (
                share.interval[0] >= next(s.limit for s in SYMPTOMS if s.code == finding.code)
            )


def test_the_gravest_comes_first() -> None:
    fine, maybe, sure = (Finding("x", "x.", severity) for severity in ("ok", "soon", "late"))
    assert diagnosis.worst([fine, maybe, sure]) == "late"
    assert diagnosis.worst([fine, maybe]) == "soon"
    assert diagnosis.worst([]) == ""
