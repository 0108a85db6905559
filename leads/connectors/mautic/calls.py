"""Calls of Mautic's REST API: signing in, once more where a token has ended, and its lists.

Owns the credentials' use (OAuth2 client credentials, or basic auth) and what PHP makes of lists. A refusal
that stays is `Denied`; what any other status means is whoever called's.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from leads.connectors import base
from leads.connectors.base import Denied
from leads.connectors.client import Answer, Http, Unreachable
from leads.models import Connection

TOKEN_PATH = "/oauth/v2/token"  # noqa: S105
# What a token lives where the answer does not say.
USUAL_LIFE = timedelta(minutes=60)
PAGE, MOST_PAGES = 100, 50


class Caller:
    """Signed-in calls for one connection. `secrets` has client_id and client_secret, or username and
    password."""

    def __init__(self, connection: Connection, http: Http, secrets: Mapping[str, str]) -> None:
        self.connection, self.http, self.secrets = connection, http, secrets

    def call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, data: Any = None
    ) -> Answer:
        """One call of /api. Raises Unreachable, and Denied when fresh credentials are refused as well."""
        answer = self._once(method, path, params, data, fresh=False)
        if answer.status == 401 and not self._is_basic:
            answer = self._once(method, path, params, data, fresh=True)
        if answer.status == 401:
            raise Denied("it answers 401 to what we sign in with.")
        if answer.status == 403 and b"api_disabled" in answer.body:
            raise Denied("its API is switched off.")
        return answer

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON of what is read. Raises Unreachable for anything but 200."""
        answer = self.call("GET", path, params=params)
        if answer.status != 200:
            raise Unreachable(f"{path} answered {answer.status}.")
        return answer.json()

    def listed(self, path: str, name: str) -> Iterator[dict[str, Any]]:
        """All entries of a list, page by page."""
        for page in range(MOST_PAGES):
            found = entries(self.get(path, {"start": str(page * PAGE), "limit": str(PAGE)}).get(name))
            yield from found
            if len(found) < PAGE:
                return

    @property
    def _is_basic(self) -> bool:
        return bool(self.secrets.get("username"))

    def _once(
        self, method: str, path: str, params: Mapping[str, str] | None, data: Any, *, fresh: bool
    ) -> Answer:
        if self._is_basic:
            pair = f"{self.secrets['username']}:{self.secrets.get('password', '')}"
            signed = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            signed = f"Bearer {base.token(self.connection, self._fetch, fresh=fresh)[0]}"
        headers = {"Authorization": signed, "Accept": "application/json"}
        return self.http.call(method, f"/api{path}", headers=headers, params=params, data=data)

    def _fetch(self) -> tuple[str, timedelta, Mapping[str, str]]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.secrets.get("client_id", ""),
            "client_secret": self.secrets.get("client_secret", ""),
        }
        answer = self.http.call("POST", TOKEN_PATH, form=form)
        if answer.status in (400, 401, 403):
            raise Denied(f"{TOKEN_PATH} answers {answer.status}.")
        if answer.status != 200:
            raise Unreachable(f"{TOKEN_PATH} answered {answer.status}.")
        given = answer.json()
        life = given.get("expires_in")
        return (
            str(given["access_token"]),
            timedelta(seconds=int(life)) if str(life or "").isdigit() else USUAL_LIFE,
            {},
        )


def entries(value: Any) -> list[dict[str, Any]]:
    """The entries of what PHP gives for a list: an array, or an object by id or index; [] for none."""
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [entry for entry in found if isinstance(entry, dict)]


def by_index(value: Any) -> dict[int, Any]:
    """The same with its places kept: an array with gaps comes as an object."""
    if isinstance(value, dict):
        return {int(key): entry for key, entry in value.items() if str(key).isdigit()}
    return dict(enumerate(value)) if isinstance(value, list) else {}
