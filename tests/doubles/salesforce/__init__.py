"""Salesforce's double: Lead and what belongs to it over REST v68.0, tokens, limits, a subset of SOQL.

`org` answers calls, `leads` holds the rules of writing one, `collections` does many, `soql` reads queries,
`refusals` the error bodies. Copied from section 3 of the notes on integrations; each room names its marks.
There is no conversion over REST; `Salesforce.convert` does what a user does.
"""

from tests.doubles.salesforce.org import Salesforce

__all__ = ["Salesforce"]
