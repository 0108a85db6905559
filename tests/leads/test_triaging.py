"""Two who decide on one rejection at the same moment: one of them does, the other is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from leads import lifecycle, triaging
from leads.lifecycle import Act, Refused
from leads.models import Handoff, TriageItem
from tests.acting import assert_sound
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.storm.test_storm import run_threads

LATER = NOW + timedelta(hours=1)


def rejected(cast: Cast) -> Handoff:
    handoff = make_handoff("assigned", cast.femke)
    return lifecycle.reject(handoff.pk, Act(NOW, cast.femke), reason="existing_customer")


def test_what_somebody_let_stand_is_not_overruled_unseen(cast: Cast) -> None:
    handoff = rejected(cast)
    triaging.settle_rejection(handoff, Act(LATER, cast.otto))
    done: list[str] = []
    for act in (Act(LATER, cast.ada), Act(LATER)):
        with pytest.raises(Refused, match="Otto Maier let this rejection stand at") as refused:
            triaging.overrule(handoff, act, lambda: done.append("unseen"), is_waiting=True)
        assert (refused.value.code, refused.value.by, refused.value.at) == ("stale", cast.otto.email, LATER)
    assert done == []
    # Oneself, and whoever saw that it stands, decides again.
    triaging.overrule(handoff, Act(LATER, cast.otto), lambda: done.append("own"), is_waiting=True)
    triaging.overrule(handoff, Act(LATER, cast.ada), lambda: done.append("seen"), is_waiting=False)
    assert done == ["own", "seen"]


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_decides(cast: Cast) -> None:
    for _ in range(8):
        handoff = rejected(cast)
        answers: list[str] = []

        def stand(handoff: Handoff, answers: list[str]) -> None:
            done = triaging.settle_rejection(handoff, Act(LATER, cast.otto))
            answers.append("stands" if done else "late")

        def overrule(handoff: Handoff, answers: list[str]) -> None:
            act = Act(LATER, cast.ada)

            def go() -> None:
                lifecycle.suppress(handoff.pk, act, revision=handoff.revision)

            try:
                triaging.overrule(handoff, act, go, is_waiting=True)
                answers.append("suppressed")
            except Refused:
                answers.append("refused")

        both: tuple[Callable[[Handoff, list[str]], None], ...] = (stand, overrule)
        run_threads(2, lambda number: both[number](handoff, answers))
        assert sorted(answers) in (["refused", "stands"], ["late", "suppressed"])
        handoff.refresh_from_db()
        is_settled = TriageItem.objects.filter(lead=handoff.lead_id).exists()
        assert (handoff.next_step, is_settled) in (("triage", True), ("suppressed", False))
    assert_sound()
