"""Tables of metrics: what pages have counted, and the weekly reports. Nothing of a handoff is written."""

from metrics.models.report import CallEntry, Report, ReportMail, ReportSchedule, ReportSubscription
from metrics.models.snapshot import Ledger, Snapshot

__all__ = [
    "CallEntry",
    "Ledger",
    "Report",
    "ReportMail",
    "ReportSchedule",
    "ReportSubscription",
    "Snapshot",
]
