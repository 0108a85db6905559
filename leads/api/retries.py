"""Idempotency-Key: a call that is sent again answers as the first time and does nothing.

Owns the remembered answers. The row is written in the act's own transaction, before the act: a second call
with the same key waits for the first, and a crash leaves neither. Never remembers a refusal, for nothing
was done then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction

from leads.api.auth import Caller
from leads.api.errors import Problem, error
from leads.models import RememberedAnswer

Answer = dict[str, Any]


def once(by: Caller, key: str | None, path: str, body: Any, act: Callable[[], Answer]) -> Answer:
    """What `act` answers, or what it answered when this key was used first (200 then as now).

    Raises Problem 422 when the key was used for another call. Without a key it just acts.
    """
    if key is None:
        return act()
    canonical = json.dumps([path, body], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    with transaction.atomic():
        row = RememberedAnswer(
            api_key=by.key, idempotency_key=key, request_digest=digest, status=200, answer={}, at=by.now
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            return _remembered(RememberedAnswer.objects.get(api_key=by.key, idempotency_key=key), digest)
        row.answer = act()
        row.save(update_fields=["answer"])
        return row.answer


def _remembered(row: RememberedAnswer, digest: str) -> Answer:
    if row.request_digest != digest:
        words = "This key was used for another call. A new call needs a new key."
        raise Problem(422, words, [error("/header/Idempotency-Key", "key_reused", words)])
    return row.answer
