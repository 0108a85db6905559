"""Everything that leads stores. Foreign keys point down to routing, never up."""

from leads.models.access import AccessEntry
from leads.models.activity import Activity, Score
from leads.models.agreement import Agreement, MqlDefinition, PreflightSettings, RejectionReason
from leads.models.audit import Finding, SyncRun
from leads.models.backtest import Backtest, BacktestMove
from leads.models.company import Company
from leads.models.connection import Connection, FieldConflict, InboundCall, RemoteRecord
from leads.models.event import Event, FiredStep, RedactionDoor, RoutingDecision
from leads.models.handoff import ContactAttempt, Deferral, Handoff, Note, Rejection
from leads.models.imports import ImportFailure, ImportPart, ImportPreset, LeadImport
from leads.models.intake import ApiKey, Receipt, RememberedAnswer, TriageItem
from leads.models.lead import DuplicatePair, ExternalId, Lead, LeadAlias, Merge
from leads.models.lists import BulkRow, BulkRun, DefaultView, SavedView
from leads.models.notification import Notification, Preference, UsedLink
from leads.models.outbox import Delivery, DeliveryAttempt
from leads.models.preflight import Complaint, EnrichmentAttempt, Inspection, Waiver
from leads.models.privacy import ErasedKey, PrivacyAct
from leads.models.proposal import Proposal, ProposalComment, Signature
from leads.models.search import SearchWord

__all__ = [
    "AccessEntry",
    "Activity",
    "Agreement",
    "ApiKey",
    "Backtest",
    "BacktestMove",
    "BulkRow",
    "BulkRun",
    "Company",
    "Complaint",
    "Connection",
    "ContactAttempt",
    "DefaultView",
    "Deferral",
    "Delivery",
    "DeliveryAttempt",
    "DuplicatePair",
    "EnrichmentAttempt",
    "ErasedKey",
    "Event",
    "ExternalId",
    "FieldConflict",
    "Finding",
    "FiredStep",
    "Handoff",
    "ImportFailure",
    "ImportPart",
    "ImportPreset",
    "InboundCall",
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
    "RemoteRecord",
    "RoutingDecision",
    "SavedView",
    "Score",
    "SearchWord",
    "Signature",
    "SyncRun",
    "TriageItem",
    "UsedLink",
    "Waiver",
]
