"""The one way in: events from other systems become leads and handoffs."""

from leads.intake.joining import receive_one
from leads.intake.receiving import receive

__all__ = ["receive", "receive_one"]
