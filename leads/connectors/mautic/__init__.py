"""Mautic: contacts with points, stages and tags; signed webhooks that may be lost; polling to make up for it.

`connector` is what the rest sees, `calls` signs in, `contacts` reads one contact, `writing` writes states,
`hooks` reads webhooks, `streams` polls. Tested against a double that copies its documentation and source;
not run against a live one.
"""

from leads.connectors.mautic.connector import USUAL, Mautic

__all__ = ["USUAL", "Mautic"]
