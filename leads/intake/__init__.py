"""The one way in: events from other systems become leads and handoffs."""

from leads.intake.receiving import receive

__all__ = ["receive"]
