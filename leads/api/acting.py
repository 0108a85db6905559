"""Acting on a handoff for a person: a POST for each verb.

Owns the way from a body to a lifecycle verb: for whom, whether that person sees the handoff and may, whether
it is still what the caller saw, what is answered when the state refuses. State is moved by `leads.lifecycle`
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from ninja import Header, Router
from pydantic import ValidationError

from leads import lifecycle, permissions
from leads.api import bodies, etags, retries, schemas
from leads.api.auth import BearerKey, Caller, caller
from leads.api.detail import detail_json
from leads.api.errors import Problem, error, from_pydantic
from leads.api.handoffs import number, unknown
from leads.api.schemas import Acting
from leads.lifecycle import guard
from leads.models import Handoff
from leads.permissions import ANSWERING
from leads.querysets import sees
from leads.representation import handoff_json, time
from routing import people
from routing.people import User
from routing.prepared import prepared

router = Router(tags=["acting"])

KEY: Any = Header(
    None,
    alias="Idempotency-Key",
    max_length=retries.LONGEST_KEY,
    pattern=retries.PATTERN,
    description="the same key and body again answer as the first time and do nothing, for a week. Sent while "
    "the first call still runs, the second waits for it. Quoted or not; each API key has its own",
)
MATCH: Any = Header(
    None,
    alias="If-Match",
    max_length=1000,
    description="the `ETag` that reading the handoff gave: refused (412) when anything shown there changed "
    "since, even an escalation. `revision` in the body minds only what others moved",
)


@dataclass(frozen=True)
class Verb:
    """A verb as the API offers it: its place in the URL, its body, what it calls, and by whom."""

    name: str
    body: type[Acting]
    do: Callable[..., Handoff]
    summary: str
    words: str


VERBS = (
    Verb(
        "accept",
        schemas.Accept,
        lifecycle.accept,
        "Accept",
        "By the holder, or a member of its queue, who claims it thereby.",
    ),
    Verb("claim", schemas.Claim, lifecycle.claim, "Claim from a queue", "By a member of the queue."),
    Verb(
        "reject",
        schemas.Reject,
        lifecycle.reject,
        "Reject",
        "By the holder. The reason decides what follows.",
    ),
    Verb(
        "defer",
        schemas.Defer,
        lifecycle.defer,
        "Defer",
        "By the holder. The third time needs the manager.",
    ),
    Verb(
        "contact",
        schemas.Contact,
        lifecycle.contact,
        "Log a contact attempt",
        "By the holder. Accepts first if need be. Each call with an `at` of its own is an attempt: send an "
        "Idempotency-Key. Without `at`, the same again within ten seconds is one attempt.",
    ),
    Verb(
        "opportunity",
        schemas.Opportunity,
        lifecycle.opportunity,
        "Record an opportunity",
        "By the holder. Another report updates amount and stage; the first `at` stays.",
    ),
    Verb(
        "disqualify",
        schemas.Disqualify,
        lifecycle.disqualify,
        "Disqualify",
        "By the holder, after a contact.",
    ),
    Verb(
        "note",
        schemas.NoteText,
        lifecycle.note,
        "Write a note",
        "By whoever sees it, but viewers. Each call is a note: send an Idempotency-Key.",
    ),
    Verb(
        "reassign",
        schemas.Reassign,
        lifecycle.reassign,
        "Reassign",
        "By the holder's manager, the queue's owner, marketing ops or an admin; to nobody who is away.",
    ),
    Verb(
        "resume",
        schemas.Resume,
        lifecycle.resume,
        "Resume a deferred handoff",
        "By the holder or their manager.",
    ),
    Verb("waive", schemas.Waive, lifecycle.waive, "Waive a check", "By marketing ops."),
    Verb("recheck", schemas.Recheck, lifecycle.recheck, "Check again", "By marketing ops."),
    Verb(
        "discard",
        schemas.Discard,
        lifecycle.discard,
        "Discard an incomplete handoff",
        "By marketing ops.",
    ),
)
_RULES = (
    "Scope `act`. `on_behalf_of` must see the handoff (404 otherwise) and may do this (403). A move that the "
    "state does not allow, or that others overtook, is refused with who did what when (409). The same act by "
    "the same holder again answers 200 and writes nothing."
)


def _act(
    request: HttpRequest, verb: Verb, handoff_id: str, idempotency_key: str | None, if_match: str | None
) -> HttpResponse:
    by = caller(request)
    bodies.media_type(request, (bodies.JSON,))
    raw = bodies.parse(bodies.read(request, bodies.MIB))
    try:
        body = verb.body.model_validate(raw)
    except ValidationError as wrong:
        found = from_pydantic(wrong.errors(include_url=False, include_input=False))
        raise Problem(422, "Some fields are not valid.", found) from None
    pk = number(handoff_id)
    arguments = body.model_dump(exclude={"on_behalf_of"}, exclude_none=True)

    def act() -> dict[str, Any]:
        return _done(by, verb, pk, body.on_behalf_of, arguments, if_match)

    return etags.told(retries.once(by, idempotency_key, request.path, raw, act))


def _done(
    by: Caller, verb: Verb, pk: int, email: str, arguments: dict[str, Any], if_match: str | None
) -> dict[str, Any]:
    """HANDOFF after the verb. Raises Problem when the person may not, or the state or the input refuses."""
    user = people.of_address(email.lower())
    if user is None or not user.is_active:
        words = "There is no such person, or they are no longer active."
        raise Problem(403, words, [error("/on_behalf_of", "nobody", words)])
    handoff = _handoff.first(pk)
    if handoff is None or not sees(user, handoff):
        raise unknown()
    try:
        _check(user, verb.name, handoff)
        act = lifecycle.Act(by.now, user, by.key)
        if if_match is None:
            return handoff_json(verb.do(pk, act, **arguments))
        with transaction.atomic():
            _match(pk, verb.name, if_match, by)
            return handoff_json(verb.do(pk, act, **arguments))
    except Handoff.DoesNotExist:
        raise unknown() from None
    except lifecycle.Refused as refused:
        raise _problem(409, refused, handoff) from None
    except lifecycle.Invalid as invalid:
        found = [error(f"/{name}", "invalid", words) for name, words in invalid.errors.items()]
        raise Problem(422, "Some fields are not valid.", found) from None


@prepared
def _handoff(pk: int) -> QuerySet[Handoff]:
    return Handoff.objects.filter(pk=pk).select_related("assignee", "queue")


def _match(pk: int, verb: str, if_match: str, by: Caller) -> None:
    """Lock the handoff and raise Problem 412 when it is no longer what the caller saw."""
    handoff = guard.locked(pk)
    if not etags.holds(if_match, etags.strong(detail_json(handoff, by.now))):
        raise _problem(412, guard.refusal(handoff, verb, code="changed"), handoff)


def _problem(status: int, refused: lifecycle.Refused, handoff: Handoff) -> Problem:
    """The refusal as it is told. One that is about a person says besides where the handoff stands."""
    moved = refused if refused.at is not None else guard.refusal(handoff, "")
    return Problem(
        status,
        refused.message,
        code=refused.code,
        state=refused.state or str(handoff.state),
        by=refused.by,
        at=time(moved.at),
    )


def _check(user: User, verb: str, handoff: Handoff) -> None:
    """Raise Problem 403 for a person who may not, and Refused for one who could when it was theirs."""
    if permissions.may(user, verb, handoff):
        return
    # Asked again by whoever did it: the verb answers as done, or says what came between.
    if verb == "claim" and handoff.assignee_id == user.pk:
        return
    if verb == "reject" and handoff.rejected_by_id == user.pk:
        return
    had_it = user.pk in (handoff.accepted_by_id, handoff.rejected_by_id, handoff.first_contact_by_id)
    if had_it and verb in ANSWERING:
        raise guard.refusal(handoff, verb)
    raise Problem(403, f"{user.email} may not {verb} this handoff.")


def _offer(verb: Verb) -> None:
    def view(
        request: HttpRequest,
        handoff_id: str,
        idempotency_key: str | None = KEY,
        if_match: str | None = MATCH,
    ) -> HttpResponse:
        return _act(request, verb, handoff_id, idempotency_key, if_match)

    schema = {"$ref": f"#/components/schemas/{verb.body.__name__}"}
    router.post(
        f"/handoffs/{{handoff_id}}/{verb.name}",
        auth=BearerKey("act"),
        response={200: schemas.Handoff},
        operation_id=verb.name,
        summary=verb.summary,
        description=f"{verb.words} {_RULES}",
        url_name=f"api-{verb.name}",
        openapi_extra={
            "requestBody": {"required": True, "content": {bodies.JSON: {"schema": schema}}},
        },
    )(view)


for _verb in VERBS:
    _offer(_verb)
