"""Which connector speaks to which kind of system: the one table.

Owns nothing else; a new system is a room of its own and a line here.
"""

from __future__ import annotations

from collections.abc import Mapping

from leads.connectors.base import Connector
from leads.connectors.hubspot import HubSpot
from leads.connectors.mautic import Mautic
from leads.connectors.salesforce import Salesforce
from leads.connectors.segment import Segment
from leads.connectors.slack import Slack
from leads.connectors.standard_webhooks import StandardWebhooks
from leads.connectors.teams import Teams
from leads.models import Connection

CONNECTORS: Mapping[Connection.Kind, type[Connector]] = {
    Connection.Kind.MAUTIC: Mautic,
    Connection.Kind.SALESFORCE: Salesforce,
    Connection.Kind.WEBHOOK: StandardWebhooks,
    Connection.Kind.HUBSPOT: HubSpot,
    Connection.Kind.SEGMENT: Segment,
    Connection.Kind.SLACK: Slack,
    Connection.Kind.TEAMS: Teams,
}
