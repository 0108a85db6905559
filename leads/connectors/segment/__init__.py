"""Segment and whatever sends the same bodies (RudderStack, Jitsu, most customer data platforms): incoming.

Owns what their events mean here. It writes nothing there, and nothing in it decides that a lead is qualified:
that is our own definition's, over the activities that come of it.
"""

from leads.connectors.segment.connector import BATCH, Segment
from leads.connectors.segment.reading import LONGEST_EVENT, TYPES

__all__ = ["BATCH", "LONGEST_EVENT", "TYPES", "Segment"]
