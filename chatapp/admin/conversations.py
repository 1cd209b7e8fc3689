"""Conversations: whose, how long and what they cost. Deleted ones stand here until they are erased."""

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.html import format_html_join
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.views import ChangeList

from chatapp.admin import base
from chatapp.admin.filters import DayFilter, DeletedFilter, ModelFilter, ProviderFilter
from chatapp.admin.totals import Total, totals, totals_by_conversation
from chatapp.catalog.load import model_label
from sessions_store.models import Call, Conversation, Turn

LATEST_TURNS = 200
"""Turns named on a conversation's page; the list of turns, searched by the conversation's id, has them all."""


class ConversationList(ChangeList):
    """Adds turns and sums to the rows of one page: two queries, however long the table is."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found: list[Any] = list(self.result_list)
        ids = [conversation.pk for conversation in found]
        sums = totals_by_conversation(ids)
        turns = dict(
            Turn.objects.filter(conversation_id__in=ids)
            .order_by()
            .values("conversation_id")
            .annotate(turns=Count("pk"))
            .values_list("conversation_id", "turns")
        )
        for conversation in found:
            conversation.sums = sums.get(conversation.pk, [])
            conversation.number_of_turns = turns.get(conversation.pk, 0)
        self.result_list = found


def _cost(*, simulated: bool) -> Subquery:
    """What a conversation cost, for sorting only: the database works it out if somebody asks for that order."""
    calls = Call.objects.filter(conversation=OuterRef("pk"), simulated=simulated).order_by().values("conversation")
    return Subquery(calls.annotate(paid=Sum("cost_nanousd")).values("paid"))


@admin.register(Conversation)
class ConversationAdmin(base.ReadOnlyAdmin):
    list_display = ("titled", "owner", "served_by", "turns", "cost", "saved", "changed", "deleted_on")
    list_display_links = ("titled",)
    list_select_related = ("owner",)
    list_filter = (
        ("owner", RelatedDropdownFilter),
        ProviderFilter,
        ModelFilter,
        ("changed_at", DayFilter),
        DeletedFilter,
    )
    list_before_template = "admin/records/totals.html"
    search_fields = ("title",)
    search_help_text = "Title, or id of a conversation"
    ordering = ("-changed_at", "-pk")
    fieldsets = (
        (None, {"fields": ("title", "titled_by", "owner", "provider_name", "model", "head")}),
        ("Cost", {"fields": ("cost", "saved", "its_calls", "its_turns")}),
        ("When", {"fields": ("created", "changed", "seen", "deleted_on")}),
        ("Ids", {"fields": ("id", "revision")}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ConversationList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        return super().get_queryset(request).defer("instructions", "draft")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Conversation], search_term: str
    ) -> tuple[QuerySet[Conversation], bool]:
        try:
            return queryset.filter(pk=uuid.UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context and "cl" in context:
            listed = context["cl"].queryset.order_by().values("pk")
            context["totals"] = totals(Call.objects.filter(conversation__in=listed))
            context["totals_note"] = "Every call of these conversations, on any day and to any model."
        return response

    def sections(self, row: Conversation) -> list[base.Section]:
        turns = Turn.objects.filter(conversation=row).order_by("-number")[:LATEST_TURNS]
        listed = base.Section(
            "Turns, latest first",
            ("Turn", "Asked", "State", "Model", "Took"),
            [
                (
                    base.link(turn, turn),
                    base.when(turn.created_at),
                    turn.get_state_display(),
                    model_label(turn.provider, turn.model),
                    base.duration(turn.started_at, turn.ended_at),
                )
                for turn in turns
            ],
        )
        texts = [
            base.Text(title, base.plain(text))
            for title, text in (("Instructions", row.instructions), ("Draft", row.draft))
            if text
        ]
        return [listed, *([base.Section("Words kept with it", texts=texts)] if texts else [])]

    @display(description="Title", ordering="title")
    def titled(self, conversation: Conversation) -> str:
        return str(conversation)

    @display(description="Model", ordering="model")
    def served_by(self, conversation: Conversation) -> str:
        return base.model_words(conversation.provider, conversation.model)

    @display(description="Provider")
    def provider_name(self, conversation: Conversation) -> str:
        return base.provider_words(conversation.provider)

    @display(description="Turns")
    def turns(self, conversation: Any) -> int:
        return conversation.number_of_turns

    @display(description="Cost", ordering=Coalesce(_cost(simulated=False), _cost(simulated=True)))
    def cost(self, conversation: Conversation) -> str:
        return _lines([total.short for total in _sums(conversation)])

    @display(description="Saved")
    def saved(self, conversation: Conversation) -> str:
        return _lines([total.saved for total in _sums(conversation)])

    @display(description="Last message", ordering="changed_at")
    def changed(self, conversation: Conversation) -> str:
        return base.when(conversation.changed_at)

    @display(description="Calls")
    def its_calls(self, conversation: Conversation) -> str:
        return base.search_link(Call, conversation.pk, "In the ledger")

    @display(description="Turns")
    def its_turns(self, conversation: Conversation) -> str:
        return base.search_link(Turn, conversation.pk, "In the list of turns")

    @display(description="Begun")
    def created(self, conversation: Conversation) -> str:
        return base.when(conversation.created_at)

    @display(description="Seen by its owner")
    def seen(self, conversation: Conversation) -> str:
        return base.when(conversation.seen_at)

    @display(description="Deleted")
    def deleted_on(self, conversation: Conversation) -> str:
        return base.when(conversation.deleted_at)


def _sums(conversation: Any) -> list[Total]:
    """Those that the list brought along; a conversation's page asks for its own."""
    if not hasattr(conversation, "sums"):
        conversation.sums = totals(Call.objects.filter(conversation=conversation))
    return conversation.sums


def _lines(words: list[str]) -> str:
    """Real money above simulated, which is never added to it."""
    return format_html_join("", '<span class="block">{}</span>', ((word,) for word in words)) or base.NONE
