"""Salesforce, as the CRM: Leads, what becomes of them, and the Tasks on them.

`connector` is the one interface; `sessions` signs in, `calling` makes the calls, `soql` quotes; `usual` is
the mapping, `records` reads a Lead; `finding` and `writing` keep states there, `noting` Tasks and erasures;
`following` polls, `people` and `opportunities` say what was read. Tried against a double that was made from
Salesforce's documentation; not run against a live org.
"""

from leads.connectors.salesforce.connector import Salesforce
from leads.connectors.salesforce.usual import USUAL

__all__ = ["USUAL", "Salesforce"]
