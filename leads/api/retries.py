"""Idempotency-Key: a call that is sent again answers as the first time and does nothing.

Owns the remembered answers. The row is written in the act's own transaction, before the act: a crash leaves
neither, and a second call with the same key waits for the first. It could be sent away (409) instead, but an
act takes milliseconds, and whoever waits has an answer where whoever is sent away has to ask a third time.
Never remembers a refusal, for nothing was done then. Rows are dropped after a week (`leads.tasks`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction

from leads.api.auth import Caller
from leads.api.errors import Problem, error
from leads.models import RememberedAnswer

Answer = dict[str, Any]

# The draft of the header says a quoted string (RFC 9651); most send it bare.
LONGEST_KEY = 200
PATTERN = r'^(?:"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])+"|[\x21\x23-\x7e][\x21-\x7e]*)$'
_ESCAPED = re.compile(r"\\(.)")


def bare(key: str) -> str:
    """The key that a header of the form PATTERN means, quoted or not."""
    return _ESCAPED.sub(r"\1", key[1:-1]) if key.startswith('"') else key


def once(by: Caller, key: str | None, path: str, body: Any, act: Callable[[], Answer]) -> Answer:
    """What `act` answers, or what it answered when this key was used first (200 then as now).

    Raises Problem 422 when the key was used for another call. Without a key it just acts.
    """
    if key is None:
        return act()
    key = bare(key)
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
