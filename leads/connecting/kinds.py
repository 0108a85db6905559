"""What each kind of connection is made of: its roles, its address, its options and secrets, what it can do.

Owns the table of what stands with no connector (whether there is an address to type, and whose it is) and
asks the connector's class for the rest. Opens no connection and calls nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leads.connectors.base import Connector
from leads.connectors.kinds import CONNECTORS
from leads.connectors.options import Option
from leads.models import Connection

Kind, Role = Connection.Kind, Connection.Role
# What a connector may do, by the names of the interface.
ABILITIES = ("push", "post", "fetch", "changes", "offered", "identify", "check")


@dataclass(frozen=True, slots=True)
class Shape:
    """`address` is what the address is called, "" where there is none to type; `is_needed` whether it has to
    be there; `usual` what it is mostly. `note` is what whoever runs it should know. `rate` and `burst` are
    the pace that a new one begins with. `has_ids` whether leads keep ids of it although it keeps no state;
    `needs_secret` whether it runs only with a secret of its own, else with an address for its calls."""

    roles: Sequence[Connection.Role]
    words: str
    address: str = ""
    help: str = ""
    is_needed: bool = False
    usual: str = ""
    note: str = ""
    rate: float = 10
    burst: int = 20
    has_ids: bool = False
    needs_secret: bool = True


SHAPES: Mapping[Connection.Kind, Shape] = {
    Kind.WEBHOOK: Shape(
        (Role.OTHER, Role.MAP, Role.CRM, Role.BOTH),
        "Tells any system of each event, signed by Standard Webhooks 1.0, and takes events in the same form.",
        "Address that is called",
        "Empty where this connection only calls us.",
    ),
    Kind.MAUTIC: Shape(
        (Role.MAP, Role.BOTH),
        "Takes contacts, points and forms from Mautic and writes the status of each handoff back.",
        "Address of your Mautic",
        "Such as https://mautic.example.com, without /api.",
        is_needed=True,
    ),
    Kind.HUBSPOT: Shape(
        (Role.MAP, Role.CRM, Role.BOTH),
        "As marketing platform, as CRM or as both: contacts, their lifecycle stage, leads and deals.",
        "Address of the API",
        "Only another one where your account has a server of its own.",
        is_needed=True,
        usual="https://api.hubapi.com",
    ),
    Kind.SALESFORCE: Shape(
        (Role.CRM, Role.BOTH),
        "As CRM: leads, their status, tasks, and the opportunities that come of them.",
        "Address where it signs in",
        "Your own domain, such as https://company.my.salesforce.com.",
        is_needed=True,
    ),
    Kind.SEGMENT: Shape(
        (Role.MAP, Role.OTHER),
        "Takes what people do from Segment, RudderStack, Jitsu and their like.",
        note="Enter the address for its calls as that of a webhook, or its last part as the write key of an"
        " SDK on a server. Browsers are not let in: a write key that stands in a page is everybody’s, and"
        " whoever has it could ask for demos in anybody’s name.",
        has_ids=True,
        needs_secret=False,
    ),
    Kind.SLACK: Shape(
        (Role.OTHER,),
        "Tells a channel of escalations and of new demo leads.",
        note="A channel is told at any hour: quiet hours are for the mail of people. Slack takes about one"
        " message a second.",
        rate=1,
        burst=1,
    ),
    Kind.TEAMS: Shape(
        (Role.OTHER,),
        "Tells a Teams channel of escalations and of new demo leads.",
        note="Teams answers before its workflow has run: when the flow fails, nothing is heard of it here."
        " Send a test event and look into the channel; failures stand in the flow’s own run history. A"
        " channel is told at any hour: quiet hours are for the mail of people.",
        rate=1,
        burst=1,
    ),
}


def offered() -> list[Connection.Kind]:
    """The kinds that can be connected, in the order of the table."""
    return [kind for kind in SHAPES if kind in CONNECTORS]


def connector(kind: str) -> type[Connector]:
    return CONNECTORS[Kind(kind)]


def options(kind: str) -> Sequence[Option]:
    return connector(kind).OPTIONS


def secrets(kind: str) -> Sequence[Option]:
    return connector(kind).SECRETS


def does(kind: str, ability: str) -> bool:
    """Whether this kind does one of ABILITIES: its connector has a verb of its own for it."""
    if Kind(kind) not in CONNECTORS:
        return False
    own: object = getattr(connector(kind), ability)
    return own is not getattr(Connector, ability)
