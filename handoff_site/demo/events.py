"""The marketing platform's side: leads as the CloudEvents that `leads.intake.receive` takes.

Owns the wire form of what the demo tells. Pure; what is received and when is `living` and `past`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from handoff_site.demo.names import Firm, Somebody
from leads import identity

SOURCE = "/demo/marketing"
MAXIMA = {"fit": 40, "intent": 40, "behavior": 20}
Reasons = tuple[tuple[str, int], ...]  # label, points


@dataclass(frozen=True)
class Rating:
    """A score by its reasons. `only_total` leaves the parts out, as a platform does that has none."""

    fit: Reasons
    intent: Reasons
    behavior: Reasons
    only_total: bool = False

    @property
    def total(self) -> int:
        return sum(points for part in (self.fit, self.intent, self.behavior) for _, points in part)

    def to_json(self, at: datetime) -> dict[str, Any]:
        body: dict[str, Any] = {"total": self.total, "scored_at": at.isoformat()}
        if self.only_total:
            return body
        for name, reasons in (("fit", self.fit), ("intent", self.intent), ("behavior", self.behavior)):
            body[name] = {
                "score": sum(points for _, points in reasons),
                "max": MAXIMA[name],
                "reasons": [
                    {
                        "code": identity.text_key(label).replace(" ", "_")[:60],
                        "label": label,
                        "points": points,
                    }
                    for label, points in reasons
                ],
            }
        return body


@dataclass(frozen=True)
class Deed:
    """One thing that a lead did, so long before they qualified."""

    before: timedelta
    kind: str
    title: str
    points: int | None = None
    message: str = ""
    campaign: str = ""
    page: str = ""

    def to_json(self, name: str, mql_at: datetime) -> dict[str, Any]:
        return {
            "id": name,
            "kind": self.kind,
            "occurred_at": (mql_at - self.before).isoformat(),
            "title": self.title,
            "url": f"https://www.handoff.example.com/{self.page}" if self.page else "",
            "campaign": self.campaign,
            "points": self.points,
            "properties": {"message": self.message} if self.message else {},
        }


@dataclass(frozen=True)
class Origin:
    """Where a lead came from."""

    source: str
    channel: str = ""
    campaign: str = ""


class Sender:
    """Numbers the events it makes, so that each has an identity of its own."""

    def __init__(self) -> None:
        self._sent = 0

    def event(self, kind: str, at: datetime, who: Somebody, **data: Any) -> dict[str, Any]:
        """One event about this person; `data` are further members of its body."""
        self._sent += 1
        body: dict[str, Any] = {
            "external_ids": [{"system": "mautic", "object": "contact", "id": str(who.number)}],
            "email": who.email,
            "first_name": who.first,
            "last_name": who.last,
            "job_title": who.title,
            "phone": who.phone,
            "country_code": who.country,
            "region": who.region,
            "timezone": who.zone,
            "language": who.language,
        }
        return {
            "specversion": "1.0",
            "id": f"demo-{self._sent}",
            "source": SOURCE,
            "type": kind,
            "time": at.isoformat(),
            "data": {"lead": {name: value for name, value in body.items() if value}, **data},
        }

    def qualified(
        self,
        at: datetime,
        who: Somebody,
        firm: Firm | None,
        origin: Origin,
        *,
        rating: Rating | None,
        trigger: str,
        reason: str = "",
        deeds: Sequence[Deed] = (),
    ) -> dict[str, Any]:
        """A conversion at that moment. An empty `trigger` is a platform that does not say what fired."""
        data: dict[str, Any] = {
            "source": origin_json(origin),
            "activities": [
                deed.to_json(f"{who.number}-{number}-{self._sent}", at) for number, deed in enumerate(deeds)
            ],
        }
        if firm is not None:
            data["company"] = firm_json(firm, at)
        if rating is not None:
            data["score"] = rating.to_json(at)
        if trigger:
            data["trigger"] = {"kind": trigger, "reason": reason, "occurred_at": at.isoformat()}
        return self.event("lead.qualified", at, who, **data)


def origin_json(origin: Origin) -> dict[str, Any]:
    body = {"lead_source": origin.source, "channel": origin.channel, "utm_campaign": origin.campaign}
    return {name: value for name, value in body.items() if value}


def firm_json(firm: Firm, at: datetime) -> dict[str, Any]:
    body: dict[str, Any] = {
        "name": firm.name,
        "domain": firm.domain,
        "website": f"https://www.{firm.domain}/",
        "industry": firm.industry,
        "employee_count": firm.employees,
        "country_code": firm.country,
        "technologies": list(firm.technologies),
        "news": news_json(firm.news, firm, at),
    }
    if firm.revenue:
        body["annual_revenue"] = {"amount": str(firm.revenue), "currency": firm.currency}
    return body


def news_json(news: Iterable[tuple[str, int]], firm: Firm, at: datetime) -> list[dict[str, str]]:
    return [
        {
            "title": title,
            "url": f"https://www.{firm.domain}/news",
            "date": (at - timedelta(days=ago)).date().isoformat(),
        }
        for title, ago in news
    ]
