"""Weeks of finished handoffs, written as a history file and imported like one.

Owns the story that the figures tell: acceptance between 75 and 80 %, one bought source that sales mostly
rejects, first contacts that get quicker, and black holes that fall from 30 to 9 %. Nothing in it lies
after `now`.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from handoff_site.demo import rules
from handoff_site.demo.events import Origin, Sender, firm_json, origin_json
from handoff_site.demo.names import PLACES, Crowd, Firm, Place, Somebody
from handoff_site.demo.people import DOMAIN
from handoff_site.demo.scenes import Before, Scene, ScriptFailed
from leads import history
from leads.intake import receive
from leads.models import ApiKey

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BLACK_HOLES = (0.30, 0.09)  # share of a week's handoffs, in the first week and in the last
# Minutes from the conversion to the first contact: median in the first week and in the last.
PACE = {"demo": (11.0, 4.0), "standard": (105.0, 46.0)}
# The newest hours belong to the living inbox.
UNTIL = 18 * HOUR
LEADS_A_FIRM = 3
# Some answer worse than others; whom it concerns is for the manager's page to show.
NEGLECT = {"femke": 0.4, "giulia": 1.8, "kenji": 1.6, "mateo": 1.3, "zofia": 0.6}


@dataclass(frozen=True)
class Source:
    """A lead source: its share, how often sales says no, how often it wins, and what triggers there."""

    name: str
    channel: str
    share: float
    rejected: float
    won: float
    triggers: tuple[tuple[str, float], ...]


SCORE, DEMO, PRICE, FLAG = "score_threshold", "demo_request", "pricing_inquiry", "manual_flag"
SOURCES = (
    Source("Webinar", "Event", 0.21, 0.13, 0.24, ((SCORE, 0.85), (DEMO, 0.15))),
    Source("Website", "Organic", 0.17, 0.09, 0.33, ((DEMO, 0.5), (PRICE, 0.2), (SCORE, 0.3))),
    Source(rules.SYNDICATION, "Bought list", 0.16, 0.68, 0.05, ((SCORE, 1.0),)),
    Source("Paid search", "Paid", 0.14, 0.24, 0.18, ((SCORE, 0.6), (DEMO, 0.3), (PRICE, 0.1))),
    Source("LinkedIn", "Paid social", 0.11, 0.22, 0.16, ((SCORE, 0.9), (DEMO, 0.1))),
    Source("Trade fair", "Event", 0.08, 0.15, 0.28, ((FLAG, 0.6), (SCORE, 0.4))),
    Source("Newsletter", "E-mail", 0.08, 0.19, 0.14, ((SCORE, 1.0),)),
    Source(rules.PARTNER, "Partner", 0.05, 0.05, 0.44, ((FLAG, 0.5), (DEMO, 0.5))),
)
BAD_REASONS = (
    ("wrong_title", 42), ("not_icp", 22), ("student_or_jobseeker", 16), ("wrong_person", 10),
    ("bad_data", 10),
)  # fmt: skip
REASONS = (
    ("timing", 30), ("not_icp", 19), ("wrong_title", 14), ("out_of_territory", 9), ("existing_customer", 7),
    ("bad_data", 7), ("competitor", 5), ("wrong_person", 5), ("duplicate", 4),
)  # fmt: skip
CONTACTS = (
    (("phone", "reached"), 27), (("phone", "voicemail"), 19), (("phone", "no_answer"), 16),
    (("email", "reached"), 12), (("email", "no_answer"), 10), (("email", "auto_reply"), 5),
    (("direct_message", "reached"), 5), (("meeting", "reached"), 6),
)  # fmt: skip
# How many of a hundred leads come from where.
CROWDED = {"DE": 17, "GB": 11, "FR": 10, "NL": 9, "IT": 6, "US": 7, "PL": 6, "SE": 6, "IN": 5, "ES": 4}


@dataclass
class Told:
    """One handoff of the past, before it is a row."""

    who: Somebody
    firm: Firm
    source: Source
    trigger: str
    mql_at: datetime
    week: int
    holder: str
    is_black_hole: bool = False
    is_rejected: bool = False

    @property
    def kind(self) -> str:
        return "demo" if self.trigger in (DEMO, PRICE) else "standard"


def begin(now: datetime, weeks: int) -> datetime:
    """Midnight of the Monday on which the history begins: so many whole weeks before this one."""
    monday = (now - now.weekday() * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    return monday - 7 * weeks * DAY


class Past:
    """Tells `count` handoffs over the weeks before `now` and brings them in."""

    def __init__(self, rng: random.Random, crowd: Crowd, now: datetime, weeks: int) -> None:
        self.rng, self.crowd, self.now = rng, crowd, now
        self.weeks = weeks
        self.start = begin(now, weeks)

    def write(self, count: int, scenes: Sequence[Scene], sender: Sender, key: ApiKey) -> history.Result:
        """The people come through intake, as a first sync of the platform brings them; then the import."""
        told = self._tell(count)
        contacts = self._contacts(told, sender)
        for begin_at in range(0, len(contacts), 500):
            for answer in receive(contacts[begin_at : begin_at + 500], key, self.start):
                if answer["status"] != "processed":
                    raise ScriptFailed(f"{answer['id']}: {answer['reason']} {answer['errors']}")
        rows = [self._row(number, item) for number, item in enumerate(told, start=1)]
        rows += [self._earlier(scene, scene.earlier) for scene in scenes if scene.earlier is not None]
        file = io.StringIO(newline="")
        writer = csv.DictWriter(file, fieldnames=sorted({name for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(rows)
        file.seek(0)
        return history.import_history(file, self.now)

    # Who and when

    def _tell(self, count: int) -> list[Told]:
        rng = self.rng
        weights = [CROWDED.get(place.country, 2) for place in PLACES]
        firms: list[tuple[Place, Firm]] = []
        for _ in range(max(1, count // LEADS_A_FIRM)):
            place = rng.choices(PLACES, weights)[0]
            firms.append((place, self.crowd.firm(place)))
        told = []
        for _ in range(count):
            place, firm = rng.choice(firms)
            source = rng.choices(SOURCES, [source.share for source in SOURCES])[0]
            trigger = rng.choices([row[0] for row in source.triggers], [row[1] for row in source.triggers])[0]
            mql_at = self._moment()
            told.append(
                Told(
                    who=self.crowd.person(place, firm),
                    firm=firm,
                    source=source,
                    trigger=trigger,
                    mql_at=mql_at,
                    week=(mql_at - self.start) // (7 * DAY),
                    holder=self._holder(place, firm, source),
                )
            )
        told.sort(key=lambda item: (item.mql_at, item.who.number))
        for week in range(self.weeks + 1):
            self._fates([item for item in told if item.week == week], week)
        return told

    def _moment(self) -> datetime:
        """Mostly in office hours of a weekday, some in the evening; never in the newest hours."""
        rng = self.rng
        last = self.now - UNTIL
        for _ in range(200):
            day = self.start + rng.randrange(7 * (self.weeks + 1)) * DAY
            if day.weekday() < 5:
                evening = rng.random() < 0.07 and day.weekday() < 4
                hour = rng.uniform(17.5, 22.5) if evening else rng.triangular(6.5, 17.0, 9.5)
            elif day.weekday() == 6 and rng.random() < 0.15:
                hour = rng.uniform(14, 21)
            else:
                continue
            at = day + timedelta(seconds=round(hour * 3600))
            if at < last:
                return at
        return self.start + 9 * HOUR

    def _holder(self, place: Place, firm: Firm, source: Source) -> str:
        """Who would get it by the rules of today."""
        pool = _pool_of(place.country)
        if source.name == rules.PARTNER:
            return "aarav"
        if firm.band in rules.LARGE:
            pool = "enterprise"
        seats = next(row[3] for row in rules.POOLS if row[0] == pool)
        return self.rng.choices([seat[0] for seat in seats], [seat[1] for seat in seats])[0]

    def _fates(self, items: list[Told], week: int) -> None:
        """Which of a week's handoffs become black holes, and which are rejected.

        As many as the story wants, so that a week's rates do not jump; who and what it hits is drawn.
        """
        if not items:
            return
        first, last = BLACK_HOLES
        share = first + (last - first) * min(1.0, week / max(1, self.weeks - 1))
        leaning = [NEGLECT.get(item.holder, 1.0) * (0.4 if item.kind == "demo" else 1.0) for item in items]
        mean = sum(leaning) / len(leaning)
        for item in self._drawn(items, [share * lean / mean for lean in leaning]):
            item.is_black_hole = True
        for item in self._drawn(items, [item.source.rejected for item in items]):
            item.is_rejected = True

    def _drawn(self, items: list[Told], chances: list[float]) -> list[Told]:
        """A systematic sample: each item with its own chance, and the sum of them in all."""
        order = list(range(len(items)))
        self.rng.shuffle(order)
        mark, passed, drawn = self.rng.random(), 0.0, []
        for place in order:
            passed += min(chances[place], 0.97)
            if passed > mark:
                mark += 1
                drawn.append(items[place])
        return drawn

    def _contacts(self, told: Sequence[Told], sender: Sender) -> list[dict[str, Any]]:
        return [
            sender.event(
                "lead.updated",
                self.start,
                item.who,
                company=firm_json(item.firm, self.start),
                source=origin_json(Origin(item.source.name, item.source.channel)),
            )
            for item in told
        ]

    # What happened

    def _row(self, number: int, item: Told) -> dict[str, Any]:
        row = self._head(f"demo-{number}", item.who, item.firm, item.source.name, item.trigger, item.mql_at)
        row |= self._scores(item)
        held = self.rng.random() < 0.11
        wait = self.rng.uniform(20, 300) * MINUTE if held else self.rng.uniform(2, 40) * MINUTE / 60
        self._set(row, "assigned_at", item.mql_at + wait)
        if "assigned_at" in row:
            row["assignee"] = f"{item.holder}@{DOMAIN}"
            self._answered(row, item, item.mql_at + wait)
        return row

    def _answered(self, row: dict[str, Any], item: Told, assigned: datetime) -> None:
        rng = self.rng
        if item.is_black_hole:
            if rng.random() < 0.3:
                return
            answer = assigned + DAY + rng.uniform(1, 60) * HOUR
            contact = answer + rng.uniform(5, 90) * MINUTE
        else:
            minutes = self._pace(item)
            # Demos have a duty roster, the rest waits for the morning.
            opens = assigned if item.kind == "demo" else _opens(assigned)
            answer = opens + minutes * rng.uniform(0.2, 0.7) * MINUTE
            contact = opens + minutes * MINUTE
        if item.is_rejected:
            self._set(row, "rejected_at", answer)
            if "rejected_at" in row:
                table = BAD_REASONS if item.source.name == rules.SYNDICATION else REASONS
                row["rejection_reason"] = rng.choices([code for code, _ in table], [n for _, n in table])[0]
            return
        self._set(row, "accepted_at", answer)
        if rng.random() < 0.05:
            self._set(row, "deferred_at", answer + 10 * MINUTE)
            contact = answer + rng.uniform(4, 20) * DAY
        elif rng.random() < 0.04:
            return  # accepted, and never contacted
        self._set(row, "first_contact_at", contact)
        if "first_contact_at" not in row:
            return
        channel, outcome = rng.choices([pair for pair, _ in CONTACTS], [n for _, n in CONTACTS])[0]
        row |= {"contact_channel": channel, "contact_outcome": outcome}
        if rng.random() < 0.03:
            self._set(row, "rejected_at", contact + rng.uniform(1, 4) * DAY)
            if "rejected_at" in row:
                row["rejection_reason"] = "timing"
        elif rng.random() < item.source.won * (1.15 if row["score_total"] >= 80 else 0.95):
            self._won(row, item, contact)

    def _won(self, row: dict[str, Any], item: Told, contact: datetime) -> None:
        self._set(row, "opportunity_at", contact + self.rng.triangular(1, 40, 9) * DAY)
        if "opportunity_at" in row:
            row["opportunity_amount"] = round(self.rng.lognormvariate(9.6, 0.8) / 100) * 100
            row["opportunity_currency"] = "EUR"

    def _pace(self, item: Told) -> float:
        """Minutes to the first contact: quicker by the week, with a long tail."""
        first, last = PACE[item.kind]
        median = first + (last - first) * min(1.0, item.week / max(1, self.weeks - 1))
        return min(self.rng.lognormvariate(0, 0.75) * median, 20 * 60)

    def _scores(self, item: Told) -> dict[str, int]:
        rng = self.rng
        total = rng.choices((rng.randint(65, 72), rng.randint(73, 81), rng.randint(82, 97)), (5, 4, 3))[0]
        if item.trigger != SCORE and rng.random() < 0.35:
            total = rng.randint(38, 64)
        fit = min(40, round(total * rng.uniform(0.36, 0.5)))
        behavior = min(20, round(total * rng.uniform(0.12, 0.22)))
        intent = min(40, total - fit - behavior)
        return {
            "score_fit": fit,
            "score_intent": intent,
            "score_behavior": behavior,
            "score_total": fit + intent + behavior,
        }

    def _earlier(self, scene: Scene, before: Before) -> dict[str, Any]:
        """A conversion of somebody who is back in the living inbox."""
        mql_at = self.now - before.days * DAY
        name = f"demo-earlier-{scene.key}"
        row = self._head(name, scene.who, scene.firm, scene.origin.source, SCORE, mql_at)
        self._set(row, "assigned_at", mql_at + MINUTE)
        self._set(row, "rejected_at", mql_at + 41 * MINUTE)
        return row | {
            "assignee": f"{before.holder}@{DOMAIN}",
            "rejection_reason": before.reason,
            "score_fit": 30,
            "score_intent": 22,
            "score_behavior": 15,
            "score_total": 67,
        }

    def _head(
        self, name: str, who: Somebody, firm: Firm | None, source: str, trigger: str, mql_at: datetime
    ) -> dict[str, Any]:
        return {
            "external_id": name,
            "email": who.email,
            "first_name": who.first,
            "last_name": who.last,
            "company": firm.name if firm is not None else "",
            "lead_source": source,
            "trigger": trigger,
            "mql_at": mql_at.isoformat(),
        }

    def _set(self, row: dict[str, Any], name: str, at: datetime) -> None:
        """A moment of the row, unless it has not come yet."""
        if at < self.now:
            row[name] = at.replace(microsecond=0).isoformat()


def _pool_of(country: str) -> str:
    for pool, countries in (("central", rules.CENTRAL), ("west", rules.WEST), ("north", rules.NORTHERN)):
        if country in countries:
            return pool
    return "overseas"


def _opens(at: datetime) -> datetime:
    """When somebody is at work: at once in office hours, else the next morning."""
    if at.weekday() < 5 and 6 <= at.hour < 18:
        return at
    day = at if at.hour < 6 else at + DAY
    while day.weekday() > 4:
        day += DAY
    return max(at, day.replace(hour=7, minute=0, second=0))
