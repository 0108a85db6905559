"""Errors told to Sentry, where SENTRY_DSN says so and the extra `sentry` is installed.

Owns what may leave: where in the source, what kind of error, which request by its id; chosen by name, so that
what a later version of the library adds stays here. Never a lead's data: no body, address, header, value of a
variable or breadcrumb, and of an error's words what `logs` would write down.
"""

from __future__ import annotations

from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured

from handoff_site import logs

try:
    import sentry_sdk
except ModuleNotFoundError:  # it is an extra
    sentry_sdk = None  # type: ignore[assignment]

KEPT = ("event_id", "timestamp", "level", "platform", "release", "environment", "logger", "sdk")
FRAME = ("filename", "function", "module", "lineno", "in_app")
CONTEXTS = ("runtime", "os")


def start(dsn: str, environment: str, **more: Any) -> None:
    """Tell errors to this address from now on. Raises ImproperlyConfigured without the package."""
    if sentry_sdk is None:
        raise ImproperlyConfigured("SENTRY_DSN needs the extra: pip install 'handoff[sentry]'")
    try:
        sentry_sdk.init(
            dsn=dsn,
            environment=environment,
            before_send=reduced,  # type: ignore[arg-type]
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            server_name="",
            **more,
        )
    except sentry_sdk.utils.BadDsn:
        raise ImproperlyConfigured(
            "SENTRY_DSN must be an address such as https://key@sentry.example.com/1"
        ) from None


def reduced(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """The event with nothing in it but what is named here."""
    kept = {name: event[name] for name in KEPT if name in event}
    kept["contexts"] = {
        name: value for name, value in (event.get("contexts") or {}).items() if name in CONTEXTS
    }
    if "exception" in event:
        kept["exception"] = {"values": [_raised(one) for one in event["exception"].get("values") or ()]}
    record = hint.get("log_record")
    if record is not None:
        # The words of a message without what was filled in, which may be anybody's.
        words = record.msg.get("event", "") if isinstance(record.msg, dict) else record.msg
        kept["logentry"] = {"message": logs.without(str(words))[: logs.LONGEST]}
    # The request's id and the handoff's number, as in every line of the log.
    kept["tags"] = {name: str(value) for name, value in structlog.contextvars.get_contextvars().items()}
    return kept


def _raised(one: dict[str, Any]) -> dict[str, Any]:
    frames = (one.get("stacktrace") or {}).get("frames") or ()
    return {
        "type": one.get("type"),
        "module": one.get("module"),
        "value": logs.bare(str(one.get("value") or ""), str(one.get("type"))),
        "stacktrace": {"frames": [{name: frame.get(name) for name in FRAME} for frame in frames]},
    }
