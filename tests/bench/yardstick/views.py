"""The bare views: an empty answer, the same behind the sign-in, 25 rows through a template, one INSERT."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from tests.bench.yardstick.models import Bare


@login_not_required
def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"")


def session(request: HttpRequest) -> HttpResponse:
    """The login wall asks who it is: the session and the person."""
    return HttpResponse(b"")


@login_not_required
def rows(request: HttpRequest) -> HttpResponse:
    return render(request, "yardstick/rows.html", {"rows": Bare.objects.order_by("-created_at")[:25]})


@csrf_exempt
@login_not_required
def insert(request: HttpRequest) -> HttpResponse:
    row = Bare.objects.create(
        name="Adaeze Okonkwo",
        email="a.okonkwo@halvorsen.example",
        company="Halvorsen & Brandt",
        state="assigned",
        score=81,
        created_at=timezone.now(),
    )
    return HttpResponse(str(row.pk))
