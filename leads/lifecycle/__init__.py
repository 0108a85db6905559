"""The only writer of handoff state. Views, tasks, the API and importers call these verbs.

Each verb is one transaction: lock the lead then the handoff, check the move, write the event and the
columns it sets, take or release the rotation turn. `Refused` and `Invalid` write nothing.
"""

from leads.lifecycle.act import Act, Invalid, Refused
from leads.lifecycle.adopting import adopt, resend
from leads.lifecycle.answering import accept, claim, defer, note, reject, resume, view
from leads.lifecycle.completing import clear_complaint, discard, recheck, recheck_leads, waive
from leads.lifecycle.draining import drain, drain_soon
from leads.lifecycle.erasing import erase
from leads.lifecycle.lifting import lift
from leads.lifecycle.mending import mend
from leads.lifecycle.merging import different, merge, reopen
from leads.lifecycle.moving import change_team, reassign, release, reroute
from leads.lifecycle.reclocking import affected, move_deadlines
from leads.lifecycle.reporting import report
from leads.lifecycle.rounds import Round
from leads.lifecycle.settling import hand_on, recycle, send_back, suppress
from leads.lifecycle.steps import fire
from leads.lifecycle.undoing import undo
from leads.lifecycle.unmerging import stands_on, unmerge
from leads.lifecycle.working import contact, disqualify, opportunity

__all__ = [
    "Act",
    "Invalid",
    "Refused",
    "Round",
    "accept",
    "adopt",
    "affected",
    "change_team",
    "claim",
    "clear_complaint",
    "contact",
    "defer",
    "different",
    "discard",
    "disqualify",
    "drain",
    "drain_soon",
    "erase",
    "fire",
    "hand_on",
    "lift",
    "mend",
    "merge",
    "move_deadlines",
    "note",
    "opportunity",
    "reassign",
    "recheck",
    "recheck_leads",
    "recycle",
    "reject",
    "release",
    "reopen",
    "report",
    "reroute",
    "resend",
    "resume",
    "send_back",
    "stands_on",
    "suppress",
    "undo",
    "unmerge",
    "view",
    "waive",
]
