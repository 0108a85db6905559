"""HubSpot, as marketing platform and as CRM.

`connector` is the one interface; `calling` makes the calls, `records` reads and writes many at once, `usual`
is the mapping; `finding`, `writing`, `sales_leads` and `noting` keep states, Lead objects and notes there;
`hooks` and `following` hear of changes, `people` and `deals` say what they mean.
"""

from leads.connectors.hubspot.connector import HubSpot
from leads.connectors.hubspot.usual import USUAL

__all__ = ["USUAL", "HubSpot"]
