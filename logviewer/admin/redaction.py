"""Redacting lines of a log: which ones, then what they say, then for good."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from logviewer.admin.acting import actor_of
from logviewer.admin.noun import NounAdmin, Tools
from logviewer.chunkstore import ChunkStoreError
from logviewer.models import LogFile, LogState
from logviewer.models.audit import MAX_REASON_CHARACTERS, target_text
from logviewer.resources.access import MAX_ID
from logviewer.upkeep.errors import UpkeepError
from logviewer.upkeep.excerpt import excerpt
from logviewer.upkeep.redacting import redact_lines

# What a terminal would obey is shown as Unicode's pictures of it (U+2400 and following).
PICTURES = {code: 0x2400 + code for code in range(0x20) if code != ord("\t")} | {0x7F: 0x2421}


class RedactionForm(forms.Form):
    """Lines from 1, both ends included, and why."""

    start = forms.IntegerField(label="First line", min_value=1, max_value=MAX_ID)
    end = forms.IntegerField(label="Last line", min_value=1, max_value=MAX_ID)
    reason = forms.CharField(label="Reason, for the audit log", max_length=MAX_REASON_CHARACTERS)

    def clean(self) -> dict[str, Any]:
        """Refuse lines the wrong way round."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and cleaned["end"] < cleaned["start"]:
            self.add_error("end", "The last line lies before the first.")
        return cleaned


class RedactingAdmin(NounAdmin[LogFile]):
    """The page that redacts lines of a log."""

    def get_urls(self) -> list[URLPattern]:
        """Django's addresses, and `ID/redact/`."""
        view = self.admin_site.admin_view(self.redact_view)
        return [path("<int:log_id>/redact/", view, name="logviewer_logfile_redact"), *super().get_urls()]

    def _may_redact(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("logviewer.change_logfile"))

    def tools(self, request: HttpRequest, noun: LogFile) -> Tools:
        """The way here, where there is something to redact; then the others' buttons."""
        may = noun.state == LogState.FINISHED and self._may_redact(request)
        here = [(reverse("admin:logviewer_logfile_redact", args=[noun.pk]), "Redact lines")] if may else []
        return [*here, *super().tools(request, noun)]

    def redact_view(self, request: HttpRequest, log_id: int) -> HttpResponse:
        """Ask which lines; show them; with `confirmed`, redact them."""
        if not self._may_redact(request):
            raise PermissionDenied
        logs = LogFile.objects.select_related("step__build__builder__project")
        log = logs.filter(pk=log_id).first() if log_id <= MAX_ID else None
        if log is None:
            raise Http404
        form = RedactionForm(request.POST if request.method == "POST" else None)
        lines: list[tuple[int, str]] = []
        if form.is_valid():
            start, end = form.cleaned_data["start"], form.cleaned_data["end"]
            try:
                if "confirmed" in request.POST:
                    return self._redact(request, log, start, end, form.cleaned_data["reason"])
                lines = [(number, text.translate(PICTURES)) for number, text in excerpt(log, start, end)]
            except (UpkeepError, ChunkStoreError) as error:
                form.add_error(None, f"{error}")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Redact lines",
            "subtitle": target_text(log),
            "list_address": reverse("admin:logviewer_logfile_changelist"),
            "back_address": reverse("admin:logviewer_logfile_change", args=[log.pk]),
            "original": log,
            "log": log,
            "form": form,
            "lines": lines,
            "hidden_lines": form.cleaned_data["end"] - lines[-1][0] if lines else 0,
        }
        return TemplateResponse(request, "admin/redact.html", context)

    def _redact(self, request: HttpRequest, log: LogFile, start: int, end: int, reason: str) -> HttpResponse:
        """Redact, and go back to the log's page. What is held up will be done, and is said to be."""
        lines = f"Lines {start} to {end}" if end > start else f"Line {start}"
        try:
            redact_lines(log.pk, start, end, actor_of(request), reason)
        except ChunkStoreError as error:
            held_up = f"{lines}: noted, and redacted as soon as that is over: {error}."
            self.message_user(request, held_up, messages.WARNING)
        else:
            self.message_user(request, f"{lines} redacted.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:logviewer_logfile_change", args=[log.pk]))
