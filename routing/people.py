"""People: users who sign in by e-mail, their team, their absences.

Owns who somebody is and whether they can take work at a moment. Never knows a lead or a handoff;
what happens to somebody's open work when they leave is `leads.lifecycle.release`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import Group, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from simple_history.models import HistoricalRecords

from routing.lean import Lean
from routing.prepared import prepared

# Roles are Django groups with these names; `setup` makes them.
REP, MANAGER, MARKETING, VIEWER, ADMIN = "rep", "sales manager", "marketing ops", "viewer", "admin"
ROLES = (REP, MANAGER, MARKETING, VIEWER, ADMIN)

# Written by signing in and by the person's own taste: no edit that anybody asks about later.
UNRECORDED = ("password", "last_login", "single_keys", "theme")


class UserManager(BaseUserManager["User"]):
    """Creates users; the e-mail is stored trimmed and lower-cased, so look-ups are exact."""

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> User:
        """A user with this e-mail. Without a password the account cannot sign in by password."""
        if not email:
            raise ValueError("a user needs an e-mail address")
        user = self.model(email=email.strip().lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **extra)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class Team(Lean):
    """A sales team. Its manager leads it; the calendar is the default for its members."""

    name = models.CharField(max_length=100, unique=True)
    manager = models.ForeignKey(
        "routing.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="teams_led"
    )
    calendar = models.ForeignKey(
        "routing.Calendar", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    history = HistoricalRecords()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class User(Lean, AbstractBaseUser, PermissionsMixin):
    """Someone who signs in. Roles are groups; a person belongs to at most one team and may lead several."""

    email = models.EmailField("e-mail", max_length=254, unique=True)
    name = models.CharField(max_length=150, blank=True)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="members")
    calendar = models.ForeignKey(
        "routing.Calendar", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    time_zone = models.CharField(max_length=64, blank=True)
    country = models.CharField(max_length=2, blank=True)
    subdivision = models.CharField(max_length=10, blank=True)
    single_keys = models.BooleanField(
        "single-key shortcuts", default=True, help_text="WCAG 2.1.4: single keys can be switched off"
    )
    theme = models.CharField(
        max_length=5, blank=True, choices=[("", "As the system"), ("light", "Light"), ("dark", "Dark")]
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(auto_now_add=True)

    objects = UserManager()
    history = HistoricalRecords(excluded_fields=list(UNRECORDED), m2m_fields=["groups"])
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        ordering = ["name", "email"]
        constraints = [models.UniqueConstraint(Lower("email"), name="one_user_per_email")]

    def __str__(self) -> str:
        return self.name or self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = self.email.strip().lower()
        written = kwargs.get("update_fields")
        if written is not None and set(written) <= set(UNRECORDED):
            self.skip_history_when_saving = True
        try:
            super().save(*args, **kwargs)
        finally:
            self.__dict__.pop("skip_history_when_saving", None)

    @property
    def roles(self) -> frozenset[str]:
        """Names of the groups this person is in; one query per instance, then remembered."""
        if "_roles" not in self.__dict__:
            loaded = "groups" in getattr(self, "_prefetched_objects_cache", {})
            names = (group.name for group in self.groups.all()) if loaded else _groups_of(self.pk)
            self._roles = frozenset(names)
        return self._roles

    @property
    def initials(self) -> str:
        words = (self.name or self.email.split("@")[0].replace(".", " ")).split()
        return "".join(word[0] for word in (words[:1] + words[1:][-1:]))[:2].upper()

    def get_short_name(self) -> str:
        return self.name.split()[0] if self.name else self.email


def with_roles(user: int) -> User | None:
    """The person of this id with their roles at hand; one query."""
    return _with(_once_a_role(user))


def of_address(email: str) -> User | None:
    """The person of this address, as it is stored, with their roles at hand; one query."""
    return _with(_of_address(email))


def know_roles(user: User, roles: Iterable[str | None]) -> None:
    """These, without None, are the roles of this person as they were just read."""
    user._roles = frozenset(role for role in roles if role is not None)


def _with(rows: list[Any]) -> User | None:
    if not rows:
        return None
    know_roles(rows[0], [row.role for row in rows])
    found: User = rows[0]
    return found


@prepared
def _once_a_role(user: int) -> models.QuerySet[Any, Any]:
    return User.objects.filter(pk=user).annotate(role=models.F("groups__name")).order_by()


@prepared
def _of_address(email: str) -> models.QuerySet[Any, Any]:
    return User.objects.filter(email=email).annotate(role=models.F("groups__name")).order_by()


@prepared
def _groups_of(user: int) -> models.QuerySet[Group, str]:
    return Group.objects.filter(user=user).order_by().values_list("name", flat=True)


class AbsenceQuerySet(models.QuerySet["Absence"]):
    def at(self, moment: datetime) -> AbsenceQuerySet:
        """Absences that cover the moment."""
        return self.filter(starts_at__lte=moment, ends_at__gt=moment)


class Absence(Lean):
    """A span in which somebody takes no new work; `cover` answers for them meanwhile."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="absences")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    cover = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    note = models.CharField(max_length=200, blank=True)

    objects = AbsenceQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at")), name="absence_ends_after_start"
            ),
        ]
        indexes = [
            # rotation.Desk: who of these people is away now
            models.Index(fields=["user", "ends_at", "starts_at"], name="absence_by_user"),
        ]

    def __str__(self) -> str:
        return f"{self.user} away {self.starts_at:%Y-%m-%d} to {self.ends_at:%Y-%m-%d}"
