"""Who calls: a bearer key with the scope that the operation asks for.

Owns the way from the header to the key, and the moment of the call, taken once. What a person on whose
behalf a key acts may do is `leads.permissions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpRequest
from django.utils import timezone
from ninja.security.http import HttpAuthBase

from leads import keys
from leads.api import limits
from leads.api.errors import Problem
from leads.models import ApiKey


@dataclass(frozen=True)
class Caller:
    """The key that calls, and when: the one `now` of the request."""

    key: ApiKey
    now: datetime


class BearerKey(HttpAuthBase):
    """Lets a key of this scope in, or with "" any key. 401 without a key in force, 403 without the scope.

    `cost` is what a call takes from the key's bucket at the door, in events; 0 when the view counts.
    """

    openapi_scheme = "bearer"

    def __init__(self, scope: str = "", cost: int = 1) -> None:
        super().__init__()
        self.scope, self.cost = scope, cost
        self.openapi_security_schema["description"] = (
            "A key made with `manage.py create_api_key NAME --scope SCOPE`, shown once. Its scopes are among "
            "`intake` (send events), `read` (read handoffs and figures) and `act` (act for a person)."
        )

    def __call__(self, request: HttpRequest) -> Caller | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        now = timezone.now()
        key = keys.authenticate(token.strip(), now) if scheme.lower() == "bearer" else None
        if key is None:
            return None
        if self.scope and self.scope not in key.scopes:
            raise Problem(403, f"This key lacks the scope {self.scope}.", scope=self.scope)
        if self.cost:
            limits.spend(key, self.cost, now)
        return Caller(key, now)


def caller(request: HttpRequest) -> Caller:
    """Who called, in a view behind a `BearerKey`."""
    return request.auth  # type: ignore[attr-defined]
