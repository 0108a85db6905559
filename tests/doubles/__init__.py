"""Doubles of Mautic, HubSpot, Salesforce, Slack and Teams, and a receiver of Standard Webhooks, on one port.

The vendors cannot be reached from a test. The doubles copy what their documentation, specifications and
source say, each room naming its sources and how sure they are: [V] read there, [2] second-hand, [R] recalled.
Nothing here has run against a live account.

**Starting.** `python -m tests.doubles --port 8300 [--webhooks-to mautic=URL]`, or in a test as below. `GET /`
is a page for people: the records, a form to change one as a user there, and buttons to let a system fail.

    with doubles.start() as outer:          # port 0; `.url`, `.stop()`, `.reset()`
        base = outer.url + "/hubspot"       # /mautic /hubspot /salesforce /slack/hook /teams/hook /hooks/NAME

A client's base URL is `outer.url + "/<system>"`, and all vendor paths follow it unchanged. What Salesforce
gives as `nextRecordsUrl` is to be put after the `instance_url` it gave, as with the real one (joining by URL
rules would lose the prefix).

**Credentials** as each system's SETTINGS have them. HubSpot: Bearer `pat-eu1-double`, or client
`hubspot-client` / `hubspot-secret` with the refresh token `hubspot-refresh`; webhooks are signed with the
client's secret. Mautic: client `mautic-client` / `mautic-secret`, or basic `handoff` / `mautic-password`;
webhooks `mautic-webhook-secret`. Salesforce: `salesforce-key` / `salesforce-secret`, or an assertion for
`handoff@salesforce.example` (`keys.PRIVATE` signs, with `outer.salesforce.configure(public_key=keys.PUBLIC)`
it is checked).

**Records.** `outer.hubspot.contacts`, `outer.mautic.contacts`, `outer.salesforce.leads` are Books:
`book["101"].values` what it is now, `.history` every write that reached it as (at, by, values, was),
`.written("hs_lead_status")` the values written by API calls, oldest first. `outer.slack.messages`,
`outer.teams.messages`, `outer.hooks.received`, `outer.mautic.notes`. Over HTTP: `GET
/__state/{system}[/contacts/101]`.

**Seeding** makes records without webhooks: `outer.hubspot.seed({"contacts": [{"email": ...}], "owners":
[...], "webhooks": URL, "settings": {"search_lag": 5}})`, likewise `mautic` and `salesforce` (`leads`,
`users`); `"generate": n` makes n people. `outer.hubspot.configure(search_lag=5)` changes settings; each
system's SETTINGS lists them. `POST /__seed {"system", ...}`.

**What a user does there**, webhooks included: `outer.hubspot.act({"id": "101", "values": {...}})`, `"do"`:
edit, create, delete, merge and more (each `act` says); `outer.salesforce.convert(lead_id, {"Amount": 10})`.
`POST /__record {"system", ...}`.

**Faults**: `outer.fault(system="hubspot", match="PATCH .*contacts", kind="locked", times=2)`; see
`faults.Fault` for all there is (drop before or after the effect, delay, vendor's refusals by kind, verbatim
answers, tokens ended, spoilt items of a batch, chance, and what befalls a webhook). `POST /__fault {...}`,
`GET` and `DELETE /__fault`.

**Counts**: `GET /__counts`, records of people by system.

**Log**: `outer.log.of("hubspot", "contacts")` entries with method, path, status (0: closed without an
answer), ms, request, response; `outer.log.counts`, `outer.log.peak` (most at once). `GET
/__log?system=&path=&method=&last=`.

**Webhooks**: sent by a thread in order; `outer.settle()` waits until all are sent; `outer.emitter.sent` is
every attempt. `outer.mautic.emit({"process": True})` sends Mautic's queue, `outer.hubspot.emit({"events":
[...]})` raw events. `POST /__emit {"system", ..., "wait": 5}`, `GET /__sent`.

**Time**: `outer.clock.advance(3600)`, `POST /__clock {"offset"|"advance": seconds}`; token lives, lag, stamps
follow it. `outer.reset()` / `POST /__reset` puts everything back.
"""

from __future__ import annotations

from tests.doubles.running import Doubles

__all__ = ["Doubles", "start"]


def start(host: str = "127.0.0.1", port: int = 0, seed: int = 1) -> Doubles:
    """The doubles, answering from now on; port 0 takes a free one. To be stopped, or used as a context."""
    return Doubles(host, port, seed)
