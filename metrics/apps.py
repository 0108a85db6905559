"""App configuration: a connection to SQLite learns the aggregate that the figures need."""

from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from metrics import spans


def _teach(connection: Any, **_: Any) -> None:
    if connection.vendor == "sqlite":
        spans.teach(connection.connection)


class MetricsConfig(AppConfig):
    name = "metrics"

    def ready(self) -> None:
        connection_created.connect(_teach, dispatch_uid="metrics.spans")
