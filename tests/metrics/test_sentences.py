"""Every sentence of the diagnosis and of the weak signals: counts for which it must stand there, and others,
as near as can be, for which it must not. A sentence that nobody entered here fails the first test."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from metrics import diagnosis, gaming, leaking, rejecting
from metrics.comparing import Compared
from metrics.diagnosis import Agreed, Band, Finding
from metrics.figures import Rate
from metrics.gaming import Counted, Definition
from metrics.leaking import SYMPTOMS
from metrics.periods import Week
from metrics.stages import STAGES

ROOMS = (diagnosis, leaking, rejecting, gaming)
FIRST = Week(2026, 1)
Said = Callable[[], list[Finding]]


def at(hits: int, of: int, before: tuple[int, int] = (0, 0)) -> Compared:
    return Compared(Rate(hits, of), Rate(*before))


def scoring(high: Compared, won: Compared = at(0, 0), lower: Compared = at(0, 0)) -> Said:
    bands = {"65-79": Band("65-79", lower, at(0, 0)), "80+": Band("80+", high, won)}
    return lambda: diagnosis.scoring(bands)


def leaks(**changed: Compared) -> Said:
    return lambda: leaking.leaks(dict.fromkeys(STAGES, at(0, 500)) | changed)


def few(hits: int, of: int) -> Said:
    return lambda: leaking.leaks(dict.fromkeys(STAGES, at(0, 0)) | {"generic": at(hits, of)})


def signed(marketing: str, sales: str) -> Said:
    return lambda: [diagnosis.agreement(Agreed(2, "3 March", marketing, sales), Rate(60, 100))]


def reasons(counts: dict[str, tuple[int, int]], rejected: dict[str, Rate] | None = None) -> Said:
    acts = {code: at(*count) for code, count in counts.items()}
    return lambda: rejecting.reasons(acts, {}, {}, rejected or {})


def weeks(before: tuple[int, int, int], last: tuple[int, int, int], count: int = 12) -> list[Counted]:
    """Weeks of (MQLs, weak, rest), then four others."""
    return [Counted(FIRST.plus(n), *(before if n < count else last)) for n in range(count + 4)]


def weak(counted: list[Counted], *definitions: Definition) -> Said:
    return lambda: gaming.findings(counted, definitions, lambda moment: Week.of(moment, "UTC"))


def version(number: int, threshold: int, weeks_after: int) -> Definition:
    start = FIRST.plus(weeks_after).span("UTC").start
    assert start is not None
    return Definition(number, threshold, start)


def faring(accepted: tuple[Rate, Rate], won: tuple[Rate, Rate] = (Rate(), Rate())) -> Said:
    return lambda: gaming.faring(gaming.Fare(Compared(*accepted), Compared(*won)))


CALM = (50, 5, 35)
BEFORE_AND_AFTER = (version(1, 65, -50), version(2, 60, 8))
LET_THROUGH = [*weeks((50, 4, 36), (75, 12, 28), 9)[:9], *weeks((75, 12, 28), (75, 12, 28), 16)[9:16]]

# code, must, must not
SENTENCES: tuple[tuple[str, Said, Said], ...] = (
    ("scoring_too_few", scoring(at(0, 19)), scoring(at(0, 20))),
    ("model_decayed", scoring(at(60, 100)), scoring(at(61, 100))),
    ("drifted", scoring(at(70, 100), lower=at(90, 100)), scoring(at(85, 100), lower=at(90, 100))),
    ("conversion_too_few", scoring(at(90, 100), at(9, 19)), scoring(at(90, 100), at(9, 20))),
    ("not_converting", scoring(at(90, 100), at(1, 80)), scoring(at(90, 100), at(7, 80))),
    ("scoring_fine", scoring(at(90, 100), at(7, 80)), scoring(at(90, 100), at(1, 80))),
    ("nothing_signed", signed("Otto", ""), signed("Otto", "Mia")),
    ("signed", signed("Otto", "Mia"), signed("", "Mia")),
    *(
        (each.code, leaks(**{each.code: at(round(each.limit * 500), 500)}),
         leaks(**{each.code: at(round(each.limit * 500) - 1, 500)}))
        for each in SYMPTOMS
    ),
    ("stages_too_few", few(19, 19), few(0, 20)),
    ("stages_fine", leaks(), leaks(generic=at(150, 500))),
    ("reason_timing", reasons({"timing": (30, 100)}), reasons({"timing": (29, 100)})),
    ("reasons_too_few", reasons({"timing": (19, 19)}), reasons({"timing": (20, 20)})),
    ("reasons_fine", reasons({"timing": (29, 100)}), reasons({"timing": (30, 100)})),
    ("source_1", reasons({}, {"Fair": Rate(60, 100)}), reasons({}, {"Fair": Rate(59, 100)})),
    ("gaming_too_few", weak(weeks((50, 0, 1), (50, 0, 1))), weak(weeks((50, 0, 2), (50, 0, 2)))),
    ("gaming_fine", weak(weeks(CALM, (50, 7, 33))), weak(weeks(CALM, (50, 12, 28)))),
    ("inflated", weak(weeks(CALM, (50, 12, 28))), weak(weeks(CALM, (50, 7, 33)))),
    ("more_mqls", weak(weeks(CALM, (80, 5, 35))), weak(weeks(CALM, (58, 5, 35)))),
    ("since_version_2", weak(LET_THROUGH, *BEFORE_AND_AFTER), weak(weeks(CALM, CALM), *BEFORE_AND_AFTER)),
    ("faring_too_few", faring((Rate(5, 19), Rate(80, 100))), faring((Rate(5, 20), Rate(80, 100)))),
    ("weak_decided_worse", faring((Rate(20, 50), Rate(80, 100))), faring((Rate(38, 50), Rate(80, 100)))),
    ("weak_decided_alike", faring((Rate(38, 50), Rate(80, 100))), faring((Rate(20, 50), Rate(80, 100)))),
    (
        "weak_accepted_worse",
        faring((Rate(), Rate()), (Rate(2, 38), Rate(30, 80))),
        faring((Rate(), Rate()), (Rate(12, 38), Rate(30, 80))),
    ),
    (
        "weak_accepted_alike",
        faring((Rate(), Rate()), (Rate(12, 38), Rate(30, 80))),
        faring((Rate(), Rate()), (Rate(2, 38), Rate(30, 80))),
    ),
)  # fmt: skip


def codes_of(room: object) -> set[str]:
    """The codes of the findings that a room says, as patterns; `symptom.code` is the table of symptoms."""
    found = set()
    for node in ast.walk(ast.parse(Path(str(room.__file__)).read_text())):  # type: ignore[attr-defined]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
            code = node.args[0]
            if isinstance(code, ast.Constant):
                found.add(re.escape(code.value))
            elif isinstance(code, ast.JoinedStr):
                parts = code.values
                found.add(
                    "".join(re.escape(p.value) if isinstance(p, ast.Constant) else r"\w+" for p in parts)
                )
            else:
                assert ast.unparse(code) == "symptom.code"
                found |= {re.escape(symptom.code) for symptom in SYMPTOMS}
    return found


def test_every_sentence_is_entered() -> None:
    entered = [code for code, _, _ in SENTENCES]
    assert len(entered) == len(set(entered))
    patterns = set().union(*(codes_of(room) for room in ROOMS))
    assert len(patterns) >= 28
    assert {each for each in patterns if not any(re.fullmatch(each, code) for code in entered)} == set()
    assert {code for code in entered if not any(re.fullmatch(each, code) for each in patterns)} == set()


@pytest.mark.parametrize(("code", "must", "must_not"), SENTENCES, ids=[row[0] for row in SENTENCES])
def test_it_stands_where_it_must_and_nowhere_else(code: str, must: Said, must_not: Said) -> None:
    [said] = [each for each in must() if each.code == code]
    assert said.sentence.endswith(".") and "{" not in said.sentence and "None" not in said.sentence
    assert code not in [each.code for each in must_not()]


# What is added to a sentence: its words, a sentence with it, a sentence without.
CLAUSES: tuple[tuple[str, Said, Said], ...] = (
    ("It may be chance", scoring(at(12, 20)), scoring(at(40, 100))),
    ("in the period before", scoring(at(40, 100, (80, 100))), scoring(at(40, 100))),
    ("Much as in the period before", scoring(at(12, 20, (12, 20))), scoring(at(40, 100, (80, 100)))),
    ("down from", scoring(at(90, 100), at(10, 80, (30, 80))), scoring(at(90, 100), at(1, 80))),
    ("fewer than 10 %", scoring(at(90, 100), at(1, 80)), scoring(at(90, 100), at(10, 80, (30, 80)))),
    (
        "1 proposal waits for the other side",
        lambda: [diagnosis.agreement(Agreed(2, "3 March", "O", "M", waiting=1), Rate())],
        signed("O", "M"),
    ),
    (
        "By a field that flips",
        signed("O", "M"),
        lambda: [diagnosis.agreement(Agreed(2, "3 March", "O", "M"), Rate())],
    ),
    (
        "mostly from Fair",
        lambda: rejecting.reasons({"timing": at(60, 100)}, {}, {"timing": [("Fair", 30)]}, {}),
        lambda: rejecting.reasons({"timing": at(60, 100)}, {}, {"timing": [("Fair", 29)]}, {}),
    ),
    (
        "most often it is timing (5 times)",
        lambda: rejecting.reasons({}, {}, {"timing": [("Fair", 5)]}, {"Fair": Rate(80, 100)}),
        lambda: rejecting.reasons({}, {}, {"timing": [("Web", 5)]}, {"Fair": Rate(80, 100)}),
    ),
)


@pytest.mark.parametrize(("words", "must", "must_not"), CLAUSES, ids=[row[0] for row in CLAUSES])
def test_a_clause_is_added_where_it_holds(words: str, must: Said, must_not: Said) -> None:
    assert any(words in each.sentence for each in must())
    assert must_not() and not any(words in each.sentence for each in must_not())
