"""Who a provider's word makes of somebody here: found, or made on their first sign-in, with their roles.

Owns the tie between a provider's subject and a person. An address is looked at once, when the tie is made;
afterwards the subject counts, so that an address that goes to somebody else opens nothing. A role that is
lost lets go of what it holds, as an edit in the admin does.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group
from django.db import transaction

from handoff_site.people_import import STAFF_ROLES
from handoff_site.signing_in.claims import Refused, Said
from leads import access_log, escalation, lifecycle
from routing.people import ADMIN, User

OFF = ("deactivated", "Your account here is switched off. Your administrator can switch it on again.")
NO_ROLE = ("no role", "You are known to the provider, but none of your groups has a role here.")
OTHER = (
    "address of another",
    "Your address belongs to somebody else's sign-in here. Tell your administrator.",
)


def join(said: Said, issuer: str, now: datetime) -> User:
    """The person whom this is, with the roles that were said. Raises Refused; roles are lost all the same."""
    with transaction.atomic():
        user, is_changed = _store(said, issuer, now)
    if is_changed:
        escalation.let_go(user, lifecycle.Act(now))
        lifecycle.drain_soon(now)
    if said.roles is not None and not said.roles:
        raise Refused(*NO_ROLE)
    return user


def _store(said: Said, issuer: str, now: datetime) -> tuple[User, bool]:
    """The person, and whether their roles are others now."""
    tie = SocialAccount.objects.filter(provider=issuer, uid=said.subject).select_related("user").first()
    user = tie.user if tie else User.objects.filter(email=said.email).first()
    if user is not None and tie is None and SocialAccount.objects.filter(provider=issuer, user=user).exists():
        raise Refused(*OTHER)
    if user is None:
        if said.roles is not None and not said.roles:
            raise Refused(*NO_ROLE)
        # Two first sign-ins at once: the second finds the first one's.
        user, is_new = User.objects.get_or_create(email=said.email, defaults={"name": said.name})
        if is_new:
            user.set_unusable_password()
            user.save(update_fields=["password"])
    if not user.is_active:
        raise Refused(*OFF)
    if tie is None:
        SocialAccount.objects.get_or_create(provider=issuer, uid=said.subject, defaults={"user": user})
    is_same = said.roles == user.roles and (not user.is_superuser or ADMIN in user.roles)
    if said.roles is None or is_same:
        return user, False
    was = access_log.Standing.of(user)
    # What the provider does not give is not kept beside it.
    user.is_superuser = user.is_superuser and ADMIN in said.roles
    user.is_staff = user.is_superuser or bool(said.roles & STAFF_ROLES)
    why: Any = user
    why._change_reason = "Roles by single sign-on"
    user.groups.set(Group.objects.filter(name__in=said.roles))
    user.save(update_fields=["is_superuser", "is_staff"])
    user = User.objects.get(pk=user.pk)
    access_log.record_roles(user, was, now)
    return user, True
