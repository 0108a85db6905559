"""Mautic's double: contacts, stages, points, do-not-contact, notes, tokens, webhooks.

`instance` answers calls, `contacts` reads and writes one contact, `listing` finds, `fields` knows the custom
fields, `refusals` the error bodies, `events` the webhooks. Copied from section 4 of the notes on
integrations; each room names its marks, and what was read in the source of Mautic itself besides.
"""

from tests.doubles.mautic.instance import Mautic

__all__ = ["Mautic"]
