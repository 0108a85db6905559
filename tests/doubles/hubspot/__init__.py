"""HubSpot's double: date-versioned CRM objects, properties, owners, tokens, limits, webhooks.

`portal` answers calls, `objects` reads and writes one record, `batches` many, `searching` finds, `schema`
knows the properties and what they refuse, `refusals` the error bodies, `events` the webhooks. Copied from
section 2 of the notes on integrations; each room names its marks.
"""

from tests.doubles.hubspot.portal import HubSpot

__all__ = ["HubSpot"]
