"""Acts on builds and logs: chosen in a list or on a page, shown first, done when confirmed. Upkeep does them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst

from logviewer.admin.noun import MadeByIntake, Noun, Tools
from logviewer.models import Act, Actor, Build, LogFile
from logviewer.models.audit import MAX_REASON_CHARACTERS
from logviewer.resources.shapes import API_PATH, log_links
from logviewer.upkeep import acts
from logviewer.upkeep.acts import MAX_NOUNS, Outcome, Selection
from logviewer.upkeep.errors import TooMany

TITLES = {
    Act.SEAL: "seal",
    Act.VERIFY: "verify",
    Act.MOVE: "move to the other store",
    Act.PIN: "pin",
    Act.UNPIN: "unpin",
    Act.CLOSE: "close as abandoned",
    Act.EXPORT: "download",
    Act.DELETE: "delete",
}
DONE = {
    Act.SEAL: "sealed",
    Act.VERIFY: "found to be in order",
    Act.MOVE: "moved",
    Act.PIN: "pinned",
    Act.UNPIN: "unpinned",
    Act.CLOSE: "closed",
    Act.EXPORT: "handed out",
    Act.DELETE: "deleted",
}
WHAT = {
    Act.SEAL: "Their text is compressed for good, a file for each log. Upkeep does that by itself, sooner or later.",
    Act.VERIFY: "Their files are read from end to end and compared with what the database says. Nothing is changed.",
    Act.MOVE: "Their files go to the other store, and are read from there as before.",
    Act.PIN: "Until they are unpinned neither retention nor anybody else deletes them.",
    Act.UNPIN: "From then on they may be deleted, by retention as well.",
    Act.CLOSE: "What is still open of them is finished now, as it is; the builds end with the results exception.",
    Act.EXPORT: "As text: one log as a file, several as a zip.",
    Act.DELETE: "They are gone for good, with all of their files. Nothing brings them back.",
}
"""What an act means, before it is confirmed."""

LOOKING = frozenset({Act.VERIFY, Act.EXPORT})
"""Acts that change nothing: whoever may look may do them."""

MAX_ID_CHARACTERS = 19

FROM_PAGE, FROM_LIST = "page", "list"
"""Where an act was chosen, and is gone back to: on the page of one, or in the list, filtered as this query says."""


class ActingAdmin(MadeByIntake[Noun]):
    """An admin of builds or logs, with all acts in its list, and each at an address of its own."""

    noun: ClassVar[acts.Noun]

    def may(self, request: HttpRequest, act: Act) -> bool:
        """Whether the user may do that to these nouns."""
        right = "view" if act in LOOKING else "delete" if act is Act.DELETE else "change"
        return bool(request.user.has_perm(f"{self.opts.app_label}.{right}_{self.opts.model_name}"))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """The acts that the user may do. Django's own deleting, which knows of no files, is not among them."""
        noun = str(self.opts.verbose_name_plural)
        return {
            act.value: (self._chooser(act), act.value, capfirst(f"{TITLES[act]} the chosen {noun}"))
            for act in acts.ACTS
            if self.may(request, act)
        }

    def _chooser(self, act: Act) -> Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]:
        def choose(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
            ids = list(queryset.values_list("pk", flat=True)[: MAX_NOUNS + 1])
            return self._shown(request, act, ids, {FROM_LIST: request.GET.urlencode()})

        return choose

    def get_urls(self) -> list[URLPattern]:
        """Django's addresses, and `act/seal/` and so on."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        return [path("act/<slug:word>/", self.admin_site.admin_view(self.act_view), name=name), *super().get_urls()]

    def tools(self, request: HttpRequest, noun: Noun) -> Tools:
        """The acts that make sense as it stands, each by way of its preview; then the others' buttons."""
        assert isinstance(noun, (Build, LogFile))
        may = [act for act in acts.ACTS if self.may(request, act) and acts.makes_sense(act, noun)]
        return [
            *((f"{self._act_address(act)}?ids={noun.pk}&{FROM_PAGE}=1", capfirst(TITLES[act])) for act in may),
            *super().tools(request, noun),
        ]

    def act_view(self, request: HttpRequest, word: str) -> HttpResponse:
        """Show what the act would do to `?ids=1,2`; with POST and `confirmed`, do it."""
        act = next((act for act in acts.ACTS if act.value == word), None)
        if act is None or not self.may(request, act):
            raise PermissionDenied
        fields = request.POST if request.method == "POST" else request.GET
        ids = _ids(fields.get("ids", ""))
        if not ids:
            self.message_user(request, "Nothing was chosen.", messages.WARNING)
            return HttpResponseRedirect(self._list_address())
        if request.method == "POST" and "confirmed" in request.POST:
            return self._done(request, act, ids)
        return self._shown(request, act, ids, fields) or self._back(fields, ids)

    def _shown(self, request: HttpRequest, act: Act, ids: list[int], fields: Mapping[str, Any]) -> HttpResponse | None:
        """The page that asks; None where there is too much, which a message says."""
        if not self.may(request, act):
            raise PermissionDenied
        selection = self._selection(request, act, ids)
        if selection is None:
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{capfirst(TITLES[act])}?",
            "act": act.value,
            "button": capfirst(TITLES[act]),
            "what": WHAT[act],
            "is_final": act is Act.DELETE,
            "preview": acts.preview(selection),
            "ids": ",".join(map(str, ids)),
            "address": self._act_address(act),
            "list_address": self._list_address(),
            "back_address": self._back_address(fields, ids),
            "kept": [(name, fields[name]) for name in (FROM_PAGE, FROM_LIST) if fields.get(name)],
            "max_reason": MAX_REASON_CHARACTERS,
        }
        return TemplateResponse(request, "admin/act.html", context)

    def _done(self, request: HttpRequest, act: Act, ids: list[int]) -> HttpResponse:
        selection = self._selection(request, act, ids)
        if selection is None:
            return self._back(request.POST, ids)
        reason = request.POST.get("reason", "").replace("\0", "").strip()[:MAX_REASON_CHARACTERS]
        outcome = acts.perform(selection, actor_of(request), reason)
        if act is Act.EXPORT and outcome.done:
            return HttpResponseRedirect(_download(selection))
        self._tell(request, selection, outcome)
        return self._back(request.POST, ids)

    def _selection(self, request: HttpRequest, act: Act, ids: list[int]) -> Selection | None:
        try:
            return acts.select(act, self.noun, ids)
        except TooMany as error:
            self.message_user(request, nothing_done(error), messages.ERROR)
            return None

    def _tell(self, request: HttpRequest, selection: Selection, outcome: Outcome) -> None:
        """Say how many were done, which not, and why."""
        noun = selection.noun.value
        if outcome.done:
            said = f"{_count(outcome.done, noun)} {DONE[selection.act]}."
            self.message_user(request, said, messages.SUCCESS)
        if outcome.refused:
            told = "; ".join(f"{name}: {why}" for name, why in outcome.refusals)
            more = outcome.refused - len(outcome.refusals)
            told += f"; and {more} more" if more else ""
            said = f"{_count(outcome.refused, noun)} not {DONE[selection.act]}: {told}."
            self.message_user(request, said, messages.WARNING)
        if outcome.not_reached:
            self.message_user(request, out_of_time(_count(outcome.not_reached, noun)), messages.WARNING)

    def _act_address(self, act: Act) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_act", args=[act.value])

    def _list_address(self) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")

    def _back_address(self, fields: Mapping[str, Any], ids: list[int]) -> str:
        """Where the act was chosen: its filters are still there. What was deleted has no page any more."""
        if fields.get(FROM_PAGE) and len(ids) == 1 and self.model._default_manager.filter(pk=ids[0]).exists():
            return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=ids)
        query = QueryDict(fields.get(FROM_LIST, "")).urlencode()
        return f"{self._list_address()}?{query}" if query else self._list_address()

    def _back(self, fields: Mapping[str, Any], ids: list[int]) -> HttpResponse:
        return HttpResponseRedirect(self._back_address(fields, ids))


def _ids(text: str) -> list[int]:
    """The ids of `1,2,3`, one more than an act takes at most; what is no id is left out."""
    words = text.split(",", MAX_NOUNS + 1)[: MAX_NOUNS + 1]
    ids = {int(word) for word in words if word.isascii() and word.isdigit() and len(word) < MAX_ID_CHARACTERS}
    return sorted(ids)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def nothing_done(error: TooMany) -> str:
    """What is said where more was chosen than one act takes."""
    return f"Nothing was done: {error}."


def out_of_time(counted: str) -> str:
    """What is said of what an act had no time for."""
    return f"{counted} not reached in {acts.MAX_SECONDS:.0f} s: do it again."


def actor_of(request: HttpRequest) -> Actor:
    """The user, for the audit log."""
    return Actor(request.user.get_username(), user_id=request.user.pk)


def _download(selection: Selection) -> str:
    """Where the text is handed out: by the doors, which do that without holding it."""
    if len(selection.ids) == 1:
        return f"{log_links(selection.ids[0])['raw']}?download=1"
    return f"{API_PATH}/logs.zip?ids={','.join(map(str, selection.ids))}"
