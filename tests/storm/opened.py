"""Copies of an open handoff by the thousand: rows that intake would make one by one, only faster.

Lead, handoff, events and turn of each copy agree with each other as the model's do; all its times are moved
by the same span.
"""

from __future__ import annotations

import copy
import re
from datetime import datetime, timedelta
from typing import Any

from django.db import models

from leads import identity
from leads.lifecycle.book import turn_ref
from leads.models import Event, Handoff, Lead
from routing.models import Turn

CHUNK = 1000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)")


def clone_open(count: int, at: datetime) -> None:
    """So many copies of the oldest assigned handoff, as if they had come at this moment."""
    mould = Handoff.objects.filter(state="assigned").select_related("lead").order_by("pk").first()
    if mould is None or not count:
        return
    log, span = list(mould.events.order_by("number")), at - mould.mql_at
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        leads = Lead.objects.bulk_create([_lead(mould.lead, number) for number in numbers])
        handoffs = Handoff.objects.bulk_create([_moved(mould, span, lead=lead) for lead in leads])
        Event.objects.bulk_create([_event(event, handoff, span) for handoff in handoffs for event in log])
        Turn.objects.bulk_create(
            [Turn(user_id=row.assignee_id, ref=turn_ref(row), taken_at=row.held_since) for row in handoffs]
        )


def _lead(mould: Lead, number: int) -> Lead:
    lead = _moved(mould, timedelta(0))
    lead.email = f"copy{number}@copies-{number}.example.com"
    lead.email_key = identity.normalise_email(lead.email)
    return lead


def _moved(row: Any, span: timedelta, **fields: Any) -> Any:
    """An unsaved copy of this row with every time moved on."""
    made = copy.copy(row)
    made._state = models.base.ModelState()
    made.pk = None
    for column in type(row)._meta.concrete_fields:
        value = getattr(row, column.attname)
        if isinstance(value, datetime):
            setattr(made, column.attname, value + span)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _event(event: Event, handoff: Handoff, span: timedelta) -> Event:
    made = _moved(event, span, handoff=handoff)
    made.data = _inside(event.data, span)
    if "lead_id" in made.data.get("set", {}):
        made.data["set"]["lead_id"] = handoff.lead_id
    return made


def _inside(value: Any, span: timedelta) -> Any:
    if isinstance(value, dict):
        return {name: _inside(item, span) for name, item in value.items()}
    if isinstance(value, list):
        return [_inside(item, span) for item in value]
    if isinstance(value, str) and _TIME.fullmatch(value):
        return (datetime.fromisoformat(value) + span).isoformat()
    return value
