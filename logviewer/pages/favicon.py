"""Where browsers look for an icon that a page does not name: Django's admin, the API's docs, plain text."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.views.decorators.http import require_safe


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Lead to the site's icon."""
    return HttpResponseRedirect(static("logviewer/favicon.svg"))
