"""Lists that cost the same however many rows there are: the first MAX_LISTED of what was asked for, and no counting.

Which rows those are is asked of indexes alone, in one query for ids; the rows of the page that is shown are fetched by
id. What lies beyond is found by filters, dates and search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import InvalidPage, Paginator
from django.http import HttpRequest
from django.utils.text import capfirst

MAX_LISTED = 1000

if TYPE_CHECKING:
    from django.db.models import QuerySet


class BoundedChangeList(ChangeList):
    """Django's list, without its two counts; `is_cut` says that there is more than it shows."""

    is_cut = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = capfirst(str(self.opts.verbose_name_plural))  # not "Select build to view"

    def get_results(self, request: HttpRequest) -> None:
        """Fetch the page, and what the admin adds to its rows (`dress`)."""
        ids: list[Any] = list(self.queryset.values_list("pk", flat=True)[: MAX_LISTED + 1])
        self.is_cut = len(ids) > MAX_LISTED
        paginator: Paginator[Any] = Paginator(ids[:MAX_LISTED], self.list_per_page)
        try:
            shown = list(paginator.page(self.page_num))
        except InvalidPage:
            raise IncorrectLookupParameters from None
        related = self.list_select_related
        rows = self.root_queryset.filter(pk__in=shown)
        if isinstance(related, (list, tuple)):
            rows = rows.select_related(*related)
        by_id = {row.pk: row for row in rows}
        self.result_list: Any = [by_id[row_id] for row_id in shown if row_id in by_id]
        self.model_admin.dress(request, self.result_list)  # type: ignore[attr-defined]  # of admins with such a list
        self.result_count = paginator.count
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.full_result_count = None
        self.can_show_all = False
        self.multi_page = paginator.num_pages > 1
        self.paginator = paginator

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """Sort by a column only where nothing else is asked for: no index has every order of every choice."""
        if self.query or self.has_active_filters:
            self.params.pop(ORDER_VAR, None)
        return list(super().get_ordering(request, queryset))
