"""The site with three holes in it: a page without its guard, an act that is done before it is refused, and an
address that nobody has decided on. For the test that they are found."""

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from handoff_site import urls
from routing.models import Absence


@require_safe
def unguarded(request: HttpRequest) -> HttpResponse:
    days = int(request.GET.get("days", "7"))
    return HttpResponse(f"How the installation is, and what everybody earned in {days} days.")


@require_POST
def late(request: HttpRequest, pk: int) -> HttpResponse:
    hours = int(request.POST.get("hours", "8"))
    Absence.objects.filter(user=pk).update(note=f"Moved by {hours} hours")
    if request.user.email != "ada@handoff.example.com":  # type: ignore[union-attr]
        raise Http404("not yours")
    return HttpResponse(status=204)


urlpatterns = [
    path("status/", unguarded),
    path("team/<int:pk>/absences/", late),
    path("team/salaries/", unguarded),
    *urls.urlpatterns,
]
