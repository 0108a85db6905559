"""One plain table with an index, for 25 rows to be read from and one to be written to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models

ROWS = 10_000


class Bare(models.Model):
    name = models.CharField(max_length=200)
    email = models.CharField(max_length=200)
    company = models.CharField(max_length=200)
    state = models.CharField(max_length=20)
    score = models.IntegerField()
    created_at = models.DateTimeField(db_index=True)

    # Said for the type checker, whose settings do not have this app.
    objects: ClassVar[models.Manager[Bare]] = models.Manager()

    def __str__(self) -> str:
        return self.name


def fill(now: datetime) -> None:
    """The rows that the page of 25 is read from."""
    Bare.objects.bulk_create(
        [
            Bare(
                name=f"Adaeze Okonkwo {number}",
                email=f"person{number}@bare.example.com",
                company=f"Halvorsen & Brandt {number}",
                state="assigned",
                score=number % 100,
                created_at=now - timedelta(minutes=number),
            )
            for number in range(ROWS)
        ],
        batch_size=1000,
    )
