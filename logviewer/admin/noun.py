"""What the admins have in common: a link to the noun's page, and no making of what only intake makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from logviewer.models import Build, Builder, LogFile, Project, Step

Noun = TypeVar("Noun", bound=models.Model)


if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin
else:

    class _ModelAdmin(admin.ModelAdmin, Generic[Noun]):
        """Django's class takes no type in brackets while it runs; its type stubs ask for one."""


class NounAdmin(_ModelAdmin[Noun]):
    """An admin with the column or field `page`."""

    @admin.display(description="page")
    def page(self, noun: Project | Builder | Build | Step | LogFile) -> SafeString:
        """A link to the noun's page."""
        return format_html('<a href="{0}">{0}</a>', noun.get_absolute_url())


class MadeByIntake(NounAdmin[Noun]):
    """Builds, steps and logs come from intake alone: here they are looked at, never made and never changed."""

    actions: Sequence[str] | None = None
    show_full_result_count = False  # counting all of a big table costs more than the page

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may; Django then shows the noun read-only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may: deleting a row would leave the log's bytes on disk."""
        return False
