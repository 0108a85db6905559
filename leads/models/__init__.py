"""Everything that leads stores. Foreign keys point down to routing, never up."""

from leads.models.activity import Activity, Score
from leads.models.agreement import Agreement, MqlDefinition, PreflightSettings, RejectionReason
from leads.models.backtest import Backtest, BacktestMove
from leads.models.company import Company
from leads.models.event import Event, FiredStep, RedactionDoor, RoutingDecision
from leads.models.handoff import ContactAttempt, Deferral, Handoff, Note, Rejection
from leads.models.imports import ImportFailure, ImportPart, ImportPreset, LeadImport
from leads.models.intake import ApiKey, Receipt, RememberedAnswer, TriageItem
from leads.models.lead import DuplicatePair, ExternalId, Lead, LeadAlias, Merge
from leads.models.lists import BulkRow, BulkRun, DefaultView, SavedView
from leads.models.notification import Notification, Preference, UsedLink
from leads.models.preflight import Complaint, EnrichmentAttempt, Inspection, Waiver
from leads.models.privacy import ErasedKey, PrivacyAct
from leads.models.proposal import Proposal, ProposalComment, Signature
from leads.models.search import SearchWord

__all__ = [
    "Activity",
    "Agreement",
    "ApiKey",
    "Backtest",
    "BacktestMove",
    "BulkRow",
    "BulkRun",
    "Company",
    "Complaint",
    "ContactAttempt",
    "DefaultView",
    "Deferral",
    "DuplicatePair",
    "EnrichmentAttempt",
    "ErasedKey",
    "Event",
    "ExternalId",
    "FiredStep",
    "Handoff",
    "ImportFailure",
    "ImportPart",
    "ImportPreset",
    "Inspection",
    "Lead",
    "LeadAlias",
    "LeadImport",
    "Merge",
    "MqlDefinition",
    "Note",
    "Notification",
    "Preference",
    "PreflightSettings",
    "PrivacyAct",
    "Proposal",
    "ProposalComment",
    "Receipt",
    "RedactionDoor",
    "Rejection",
    "RejectionReason",
    "RememberedAnswer",
    "RoutingDecision",
    "SavedView",
    "Score",
    "SearchWord",
    "Signature",
    "TriageItem",
    "UsedLink",
    "Waiver",
]
