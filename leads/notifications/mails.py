"""A message as an e-mail: text and HTML of one content, in one column, with one main link.

Owns subject, headers and the two bodies; the templates are in `templates/mail`. A subject says what happened
and at which company, and nothing else about a lead. Hostile names stay words: subjects are one plain line,
HTML is escaped. Never sends, and fetches nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import css_inline
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from leads.models import Notification
from leads.notifications import links
from leads.notifications.wordings import Todo
from leads.notifications.words import Words, one_line, words
from routing.people import User

MOST_LINES = 50
# Mail programs drop style sheets; what only a style sheet can say (dark mode, phones) is left in one.
_inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)


def single(notification: Notification, now: datetime) -> EmailMultiAlternatives:
    """The mail of one message (with its context loaded). One-tap links hold from `now`."""
    said, user, handoff = words(notification), notification.user, notification.handoff
    values: dict[str, Any] = {"said": said, "main": absolute(said.url)}
    if handoff is not None and links.offers(notification.kind, user, handoff):
        values["taps"] = [
            (verb.capitalize(), absolute(reverse("leads:one_tap", args=[token])))
            for verb in links.VERBS
            for token in [links.token(user, handoff, verb, now)]
        ]
    about = f"{said.head}: {said.company}" if said.company else said.head
    return compose(user, about, "message", values, f"message-{notification.pk}")


def digest(user: User, notifications: Sequence[Notification]) -> EmailMultiAlternatives:
    """One mail of several messages, grouped by what to do: at most fifty lines, and how many more."""
    groups: dict[Todo, list[Words]] = {}
    for notification in notifications[:MOST_LINES]:
        said = words(notification)
        groups.setdefault(said.todo, []).append(said)
    count = len(notifications)
    values = {
        "groups": [(todo, groups[todo]) for todo in Todo if todo in groups],
        "count": count,
        "more": count - min(count, MOST_LINES),
        "main": absolute(reverse("leads:notifications")),
    }
    about = f"Your digest: {count} message{'' if count == 1 else 's'}"
    return compose(user, about, "digest", values, f"digest-{notifications[0].pk}")


def absolute(path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}"


def compose(
    user: User, about: str, template: str, values: dict[str, Any], name: str
) -> EmailMultiAlternatives:
    """A mail to one person from the templates mail/<template>.txt and .html; `about` is one plain line and
    `name` tells it from every other mail."""
    org = one_line(settings.ORG_NAME, 40)
    values = values | {"about": about, "org": org}
    mail = EmailMultiAlternatives(
        subject=f"[{org}] {about}",
        body=render_to_string(f"mail/{template}.txt", values),
        to=[user.email],
        headers={
            # Nobody's out-of-office answers this.
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
            # The same however often it is tried: a second copy is known for one.
            "Message-ID": f"<{name}@{urlsplit(settings.PUBLIC_URL).hostname or 'localhost'}>",
        },
    )
    mail.attach_alternative(_inliner.inline(render_to_string(f"mail/{template}.html", values)), "text/html")
    return mail
