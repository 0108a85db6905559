"""How long one decision takes: 200 rules, 50 territories, leads of every kind.

Needs no database. The rules are of the shapes that people write (a country and a score, a territory, a
named list, alternatives, exclusions, a few that nest deeper), the last is the catch-all; about half of the
leads meet an earlier one.
"""

from __future__ import annotations

import statistics
import time
from random import Random
from typing import Any

from routing.engine import Ruleset, decide
from routing.facts import SIZE_BANDS, TRIGGERS, Facts, score_band

RULES, TERRITORIES, LEADS, ROUNDS = 200, 50, 2000, 5
COUNTRIES = [
    "DE", "AT", "CH", "US", "CA", "GB", "FR", "NL", "BE", "ES", "IT", "SE", "NO", "DK", "PL", "IN", "JP",
    "AU", "BR", "MX",
]  # fmt: skip
INDUSTRIES = [f"Industry {number}" for number in range(40)]
SOURCES = ["webinar", "ads", "content", "partner", "event", "referral"]
DOMAINS = [f"company-{number}.com" for number in range(4000)]


def measure() -> dict[str, Any]:
    """Median and 95th percentile of one decision in microseconds, and what the leads met. Each lead counts
    with its best of some rounds: what else the machine does is not the engine's."""
    document, leads = world(Random(1))
    ruleset = Ruleset(document)
    best = [float("inf")] * len(leads)
    for _ in range(ROUNDS):
        for place, facts in enumerate(leads):
            start = time.perf_counter()
            decide(ruleset, facts)
            best[place] = min(best[place], time.perf_counter() - start)
    met = [decide(ruleset, facts).rule_id for facts in leads]
    return {
        "rules": RULES,
        "territories": TERRITORIES,
        "leads": len(leads),
        "median_us": round(statistics.median(best) * 1e6, 1),
        "p95_us": round(statistics.quantiles(best, n=20)[-1] * 1e6, 1),
        "met_the_catch_all": met.count(str(RULES)),
        "rules_met": len(set(met)),
    }


def world(rng: Random) -> tuple[dict[str, Any], list[Facts]]:
    """A document and leads for it."""
    rules = [_rule(number, _conditions(number, rng)) for number in range(1, RULES)]
    document = {
        "rules": [*rules, _rule(RULES, {"all": []})],
        "territories": {f"t{number}": _territory(number, rng) for number in range(TERRITORIES)},
        "lists": {f"list{number}": rng.sample(DOMAINS, 300) for number in range(5)},
        "overflow": {"kind": "queue", "id": "1"},
        "account_first": "owned",
    }
    return document, [_lead(rng) for _ in range(LEADS)]


def _rule(number: int, when: dict[str, Any]) -> dict[str, Any]:
    place = {"kind": "pool", "id": str(number % 20)}
    return {
        "id": str(number),
        "name": f"Rule {number}",
        "when": when,
        "target": place,
        "fallback": None,
        "policy": None,
    }


def _leaf(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def _conditions(number: int, rng: Random) -> dict[str, Any]:
    countries = _leaf("country", "in", rng.sample(COUNTRIES, 3))
    score = _leaf("score_total", "range", {"min": rng.randint(30, 95)})
    size = _leaf("size_band", "in", rng.sample(SIZE_BANDS, 2))
    industry = _leaf("industry", "equals", rng.choice(INDUSTRIES))
    trigger = _leaf("trigger", "equals", rng.choice(TRIGGERS))
    source = _leaf("source", "equals", rng.choice(SOURCES))
    territory = {"op": "in_territory", "value": f"t{rng.randrange(TERRITORIES)}"}
    named = _leaf("company_domain", "in_list", f"list{rng.randrange(5)}")
    employees = _leaf("employees", "range", {"min": rng.choice([10, 50, 200, 1000]), "max": 5000})
    word = _leaf("industry", "contains_word", str(rng.randrange(40)))
    shapes: list[dict[str, Any]] = [
        {"all": [countries, score, industry]},
        {"all": [trigger, size, countries, score]},
        {"all": [territory, score, size]},
        {"all": [named, countries]},
        {"all": [score, industry, {"any": [territory, source]}]},
        {"all": [trigger, industry, {"none": [countries, source]}]},
        {"all": [employees, word, source]},
        {"any": [{"all": [industry, territory]}, {"all": [named, territory]}]},
    ]
    return shapes[number % len(shapes)]


def _territory(number: int, rng: Random) -> dict[str, Any]:
    return {
        "name": f"Territory {number}",
        "when": {
            "all": [
                _leaf("country", "in", rng.sample(COUNTRIES, 2)),
                _leaf("postal_code", "starts_with", [str(rng.randint(10, 99)) for _ in range(10)]),
            ]
        },
        "owner": number + 1,
    }


def _lead(rng: Random) -> Facts:
    total, domain = rng.randint(20, 100), rng.choice(DOMAINS)
    return Facts(
        trigger=rng.choice(TRIGGERS),
        lead_type=rng.choice(["demo", "standard"]),
        score_total=total,
        score_fit=total // 3,
        score_intent=total // 3,
        score_behavior=total - 2 * (total // 3),
        score_band=score_band(total),
        country=rng.choice(COUNTRIES),
        postal_code=str(rng.randint(10_000, 99_999)),
        language="en",
        source=rng.choice(SOURCES),
        channel="web",
        email_domain=domain,
        company_domain=domain,
        company_name="A Company Ltd",
        industry=rng.choice([None, *INDUSTRIES]),
        size_band=rng.choice(SIZE_BANDS),
        employees=rng.choice([None, 12, 80, 420, 2400, 9000]),
        company_stage="prospect",
        account_owner=rng.choice([None, None, None, 5]),
        technologies=("Salesforce", "HubSpot"),
        custom={"plan": "gold"},
    )
