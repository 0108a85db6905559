"""Past decisions replayed through another ruleset: who would have got what, and how full they would be.

`records` is what goes in and comes out, `crowd` the people, pools and queues as a replay knows them, `load`
the open work of one world, `replaying` decides anew and walks the targets, `tally` adds up. Pure: plain
values in, plain values out; what is between two slices of a long run is plain JSON. Never reads the
database or a clock, and never knows what a decision was about (`ref` is opaque).
"""

from routing.backtest.crowd import Crowd, Person, PoolFacts, QueueFacts, Seat
from routing.backtest.records import KINDS, Holder, Past, TurnTaken, Verdict
from routing.backtest.replaying import Replay, Windows
from routing.backtest.tally import Tally

__all__ = [
    "KINDS",
    "Crowd",
    "Holder",
    "Past",
    "Person",
    "PoolFacts",
    "QueueFacts",
    "Replay",
    "Seat",
    "Tally",
    "TurnTaken",
    "Verdict",
    "Windows",
]
