"""The copy of the database that pages of figures may be read from, as the environment names it.

Owns what is asked of DATABASE_REPLICA_URL and how its connections are made: quick to give up, and read-only,
so that an address of the primary by mistake loses nothing. When it is read is `routing.reading`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from handoff_site import limits
from handoff_site.environment import env, understood

_POSTGRESQL = "django.db.backends.postgresql"
# Seconds until a connection that is not made is given up, and milliseconds until what was sent and is not
# acknowledged counts as lost: no page waits longer for a machine that is gone.
_GIVES_UP = {"connect_timeout": 2, "tcp_user_timeout": 3000}


def replica(primary: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any] | None:
    """The settings of the copy, those of the primary but for where it is; None when there is none. `names`
    are PostgreSQL's settings for this process. Raises ImproperlyConfigured, without the address in it."""
    if not env.str("DATABASE_REPLICA_URL", default="").strip():
        return None
    found = understood(
        "DATABASE_REPLICA_URL", lambda: env.db_url("DATABASE_REPLICA_URL"), "a postgres:// address"
    )
    if found.get("ENGINE") != _POSTGRESQL or not found.get("NAME"):
        raise ImproperlyConfigured("DATABASE_REPLICA_URL must be a postgres:// address")
    if primary.get("ENGINE") != _POSTGRESQL:
        raise ImproperlyConfigured(
            "DATABASE_REPLICA_URL is for PostgreSQL, and DATABASE_URL is no postgres:// address"
        )
    given = dict(found.get("OPTIONS") or {})
    wanted = dict(names) | {"default_transaction_read_only": "on"}
    options = _GIVES_UP | {"prepare_threshold": primary["OPTIONS"].get("prepare_threshold")} | given
    options["options"] = limits.options(wanted, given.get("options", ""))
    return {
        **found,
        "CONN_MAX_AGE": primary["CONN_MAX_AGE"],
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
        # A test run has one database; the copy is then another way to it.
        "TEST": {"MIRROR": "default"},
    }
