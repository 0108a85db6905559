"""The words of the domain as enums, with their named sets.

Owns states, kinds, reasons and channels. Holds no behaviour: what a move may do is `leads.lifecycle`.
"""

from django.db.models import TextChoices


class State(TextChoices):
    INCOMPLETE = "incomplete", "Incomplete"
    QUEUED = "queued", "Queued"
    ASSIGNED = "assigned", "Assigned"
    ACCEPTED = "accepted", "Accepted"
    DEFERRED = "deferred", "Deferred"
    WORKING = "working", "Working"
    CONVERTED = "converted", "Converted"
    DISQUALIFIED = "disqualified", "Disqualified"
    REJECTED = "rejected", "Rejected"
    DISCARDED = "discarded", "Discarded"
    SUPERSEDED = "superseded", "Superseded"
    MERGED = "merged", "Merged"
    ERASED = "erased", "Erased"


OPEN = (State.INCOMPLETE, State.QUEUED, State.ASSIGNED, State.ACCEPTED, State.DEFERRED, State.WORKING)
CLOSED = tuple(state for state in State if state not in OPEN)
# In sales' hands, the answer or the first contact still owed.
WAITING = (State.QUEUED, State.ASSIGNED, State.ACCEPTED)
# A rep in one of these holds a turn: it counts in load and caps. Working counts in neither.
HOLDS_TURN = (State.ASSIGNED, State.ACCEPTED, State.DEFERRED)


class LeadType(TextChoices):
    DEMO = "demo", "Demo"
    STANDARD = "standard", "Standard"


class TriggerKind(TextChoices):
    SCORE_THRESHOLD = "score_threshold", "Score threshold"
    DEMO_REQUEST = "demo_request", "Demo request"
    PRICING_INQUIRY = "pricing_inquiry", "Pricing inquiry"
    MANUAL_FLAG = "manual_flag", "Flagged by marketing"


# As texts, which are asked for by the row: `TriggerKind.values` is made anew each time.
TRIGGERS = frozenset(TriggerKind.values)
DEFAULT_HIGH_INTENT = (TriggerKind.DEMO_REQUEST, TriggerKind.PRICING_INQUIRY)


class Side(TextChoices):
    """The two sides of the agreement. Each signs by one person."""

    MARKETING = "marketing", "Marketing"
    SALES = "sales", "Sales"

    @property
    def other(self) -> "Side":
        return Side.SALES if self is Side.MARKETING else Side.MARKETING


class ProposalState(TextChoices):
    OPEN = "open", "Open"
    ADOPTED = "adopted", "Adopted"
    DECLINED = "declined", "Declined"
    WITHDRAWN = "withdrawn", "Withdrawn"


class ActivityKind(TextChoices):
    PAGE_VIEW = "page_view", "Page viewed"
    PRICING_VIEW = "pricing_view", "Pricing viewed"
    FORM_SUBMISSION = "form_submission", "Form sent"
    DEMO_REQUEST = "demo_request", "Demo requested"
    PRICING_INQUIRY = "pricing_inquiry", "Pricing inquiry"
    EMAIL_SENT = "email_sent", "E-mail sent to them"
    EMAIL_OPEN = "email_open", "E-mail opened"
    EMAIL_CLICK = "email_click", "E-mail link clicked"
    EMAIL_REPLY = "email_reply", "E-mail answered"
    ASSET_DOWNLOAD = "asset_download", "Downloaded"
    EVENT_REGISTRATION = "event_registration", "Registered for an event"
    EVENT_ATTENDANCE = "event_attendance", "Attended an event"
    WEBINAR_ATTENDANCE = "webinar_attendance", "Attended a webinar"
    CHAT = "chat", "Chat"
    TRIAL_SIGNUP = "trial_signup", "Signed up for a trial"
    PRODUCT_USAGE = "product_usage", "Used the product"
    AD_CLICK = "ad_click", "Ad clicked"
    CALL = "call", "Call"
    MEETING_BOOKED = "meeting_booked", "Meeting booked"
    INTENT_SIGNAL = "intent_signal", "Intent signal"
    UNSUBSCRIBE = "unsubscribe", "Unsubscribed"
    OTHER = "other", "Other"


# Lead and company exchanged information: the touchpoints a rep should refer to first.
DIRECT_INTERACTIONS = frozenset(
    {
        ActivityKind.CHAT,
        ActivityKind.DEMO_REQUEST,
        ActivityKind.PRICING_INQUIRY,
        ActivityKind.EVENT_ATTENDANCE,
        ActivityKind.WEBINAR_ATTENDANCE,
        ActivityKind.MEETING_BOOKED,
        ActivityKind.CALL,
        ActivityKind.EMAIL_REPLY,
    }
)
# Opens are inflated by mail proxies; sends and unsubscribes say nothing about interest.
NOT_A_SIGNAL = frozenset({ActivityKind.EMAIL_SENT, ActivityKind.EMAIL_OPEN, ActivityKind.UNSUBSCRIBE})
WEAK_SIGNALS = NOT_A_SIGNAL | {ActivityKind.PAGE_VIEW}


class Channel(TextChoices):
    PHONE = "phone", "Phone"
    EMAIL = "email", "E-mail"
    DIRECT_MESSAGE = "direct_message", "Direct message"
    MEETING = "meeting", "Meeting"


class Outcome(TextChoices):
    REACHED = "reached", "Reached"
    VOICEMAIL = "voicemail", "Left voicemail"
    NO_ANSWER = "no_answer", "No answer"
    AUTO_REPLY = "auto_reply", "Auto-reply"


class Disposition(TextChoices):
    ACCEPTED_CONTACTED = "accepted_contacted", "Accepted and contacted"
    ACCEPTED_ATTEMPTED = "accepted_attempted", "Accepted and attempted"
    DEFERRED = "deferred", "Deferred"
    REJECTED = "rejected", "Rejected"


class NextStep(TextChoices):
    """What follows a rejection. Kept on the rejection, never a state."""

    RECYCLED = "recycled", "Back to marketing"
    REROUTED = "rerouted", "Routed again"
    COMPLETION = "completion", "Someone puts the data right"
    SUPPRESSED = "suppressed", "Never again"
    TRIAGE = "triage", "Marketing decides"


class Stage(TextChoices):
    TRIGGER = "trigger", "Trigger"
    ENRICHMENT = "enrichment", "Enrichment pass"
    ROUTING = "routing", "Routing"
    ACCEPTANCE = "acceptance", "Acceptance"
    CONTACT = "contact", "First contact"
    AFTER = "after", "After"


class EventKind(TextChoices):
    OPENED = "opened", "MQL conversion"
    TRIGGERED_AGAIN = "triggered_again", "Another trigger"
    RAISED = "raised", "Raised to demo"
    HELD = "held", "Held for data"
    PASSED = "passed", "Pre-flight passed"
    WAIVED = "waived", "Check waived"
    RECHECKED = "rechecked", "Checked again"
    DISCARDED = "discarded", "Discarded"
    ASSIGNED = "assigned", "Assigned"
    QUEUED = "queued", "Queued"
    CLAIMED = "claimed", "Claimed"
    REASSIGNED = "reassigned", "Reassigned"
    ACCEPTED = "accepted", "Accepted"
    REJECTED = "rejected", "Rejected"
    FOLLOWED_UP = "followed_up", "Rejection followed up"
    DEFERRED = "deferred", "Deferred"
    RESUMED = "resumed", "Resumed"
    CONTACTED = "contacted", "Contact attempt"
    CONVERTED = "converted", "Opportunity"
    DISQUALIFIED = "disqualified", "Disqualified"
    NOTED = "noted", "Note"
    SUPERSEDED = "superseded", "Superseded"
    MERGED = "merged", "Merged"
    ERASED = "erased", "Erased"
    ESCALATED = "escalated", "Escalated"
    FLAGGED = "flagged", "No activity"
    BLACK_HOLE = "black_hole", "Black hole"
    UNFLAGGED = "unflagged", "Flag withdrawn"
    REPAIRED = "repaired", "Repaired"
    RECLOCKED = "reclocked", "Deadlines moved"
    CANCELLED = "cancelled", "Escalation cancelled"
    VIEWED = "viewed", "Viewed"
    UNDONE = "undone", "Undone"


class Why(TextChoices):
    """Why a person was erased. The first two are a human's to give."""

    ASKED = "asked", "The person asked for it"
    NO_BASIS = "no_basis", "It should never have been stored"
    SENDER = "sender", "Erased in another system"
    RETENTION = "retention", "Kept for long enough"


class Check(TextChoices):
    BUSINESS_EMAIL = "business_email", "Business e-mail"
    FULL_NAME = "full_name", "First and last name"
    COMPANY_NAME = "company_name", "Company name"
    COMPANY_SIZE_BAND = "company_size_band", "Company size band"
    TRIGGER_EVENT = "trigger_event", "Trigger event"
    SCORE_BREAKDOWN = "score_breakdown", "Score breakdown"
    BEHAVIORAL_SIGNAL = "behavioral_signal", "Behavioural signal"
    ROUTING_RULE = "routing_rule", "Routing rule"
    DEDUPLICATION = "deduplication", "Deduplication"


class CompanyStage(TextChoices):
    PROSPECT = "prospect", "Prospect"
    OPPORTUNITY = "open_opportunity", "Open opportunity"
    CUSTOMER = "customer", "Customer"
    PARTNER = "partner", "Partner"
    COMPETITOR = "competitor", "Competitor"


SIZE_BANDS = (
    ("1-10", 1, 10),
    ("11-50", 11, 50),
    ("51-200", 51, 200),
    ("201-500", 201, 500),
    ("501-1000", 501, 1000),
    ("1001-5000", 1001, 5000),
    ("5001-10000", 5001, 10000),
    ("10001+", 10001, None),
)
SIZE_BAND_NAMES = tuple(name for name, _, _ in SIZE_BANDS)
SCORE_BANDS = (("0-49", 0, 49), ("50-64", 50, 64), ("65-79", 65, 79), ("80+", 80, None))


def size_band(employees: int) -> str:
    """The band an employee count falls in; "" for a count below one."""
    for name, low, high in SIZE_BANDS:
        if employees >= low and (high is None or employees <= high):
            return name
    return ""
