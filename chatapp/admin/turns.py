"""Turns: how each ended. What was said stands on a turn's own page only, never in the list."""

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from chatapp.admin import base
from chatapp.admin.filters import DayFilter, ModelFilter, ProviderFilter
from chatapp.catalog.load import model_label
from chatapp.vocab.items import text_of
from sessions_store.models import Call, Item, Turn

ITEM_WORDS = {
    "reasoning": "Reasoning",
    "function_call": "Call of a tool",
    "function_call_output": "Output of a tool",
}
ROLE_WORDS = {"user": "Message", "assistant": "Answer"}


@admin.register(Turn)
class TurnAdmin(base.ReadOnlyAdmin):
    list_display = (
        "asked",
        "number",
        "owner",
        "said_in",
        "how_it_ended",
        "served_by",
        "began",
        "ended",
        "took",
    )
    list_display_links = ("asked",)
    list_select_related = ("owner", "conversation")
    list_filter = (
        ("owner", RelatedDropdownFilter),
        ProviderFilter,
        ModelFilter,
        ("created_at", DayFilter),
        ("state", ChoicesDropdownFilter),
    )
    search_fields = ("response_id",)  # opens the box; what is searched stands in get_search_results
    search_help_text = "Id of a turn, conversation or response"
    ordering = ("-created_at", "-number")
    fieldsets = (
        (None, {"fields": ("owner", "conversation", "number", "parent", "state", "reason", "error_words")}),
        ("Who answered", {"fields": ("provider_name", "model")}),
        ("When", {"fields": ("asked", "began", "first_token", "ended", "took", "stop_requested")}),
        ("Ids", {"fields": ("id", "client_id", "response_id", "account", "lease", "last_number")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Turn]:
        return super().get_queryset(request).defer("conversation__instructions", "conversation__draft")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Turn], search_term: str
    ) -> tuple[QuerySet[Turn], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            row_id = uuid.UUID(term)
        except ValueError:
            return queryset.filter(response_id=term), False
        return (queryset.filter(pk=row_id) | queryset.filter(conversation_id=row_id)), False

    def sections(self, row: Turn) -> list[base.Section]:
        items = Item.objects.filter(turn=row).order_by("position")
        calls = Call.objects.filter(turn=row).order_by("pk")
        return [
            base.Section("What was said", texts=[item_text(item) for item in items]),
            base.Section(
                "Calls",
                ("Time", "Purpose", "Attempt", "State", "Model", "Cost", "Saved"),
                [_call_row(call) for call in calls],
            ),
        ]

    @display(description="Asked", ordering="created_at")
    def asked(self, turn: Turn) -> str:
        return base.when(turn.created_at)

    @display(description="Conversation")
    def said_in(self, turn: Turn) -> str:
        return base.title_words(turn.conversation)

    @display(description="Started", ordering="started_at")
    def began(self, turn: Turn) -> str:
        return base.when(turn.started_at)

    @display(description="First token")
    def first_token(self, turn: Turn) -> str:
        return base.when(turn.first_token_at)

    @display(description="Ended", ordering="ended_at")
    def ended(self, turn: Turn) -> str:
        return base.when(turn.ended_at)

    @display(description="Took")
    def took(self, turn: Turn) -> str:
        return base.duration(turn.started_at, turn.ended_at)

    @display(description="Stop asked for")
    def stop_requested(self, turn: Turn) -> str:
        return base.when(turn.stop_requested_at)

    @display(description="State", ordering="state")
    def how_it_ended(self, turn: Turn) -> str:
        return base.state_words(turn.get_state_display(), (turn.error or {}).get("code") or turn.reason)

    @display(description="Model", ordering="model")
    def served_by(self, turn: Turn) -> str:
        return base.model_words(turn.provider, turn.model)

    @display(description="Provider")
    def provider_name(self, turn: Turn) -> str:
        return base.provider_words(turn.provider)

    @display(description="Error")
    def error_words(self, turn: Turn) -> str:
        error = turn.error or {}
        return base.plain(": ".join(str(error[key]) for key in ("code", "message") if error.get(key))) or base.NONE


def item_text(item: Item) -> base.Text:
    """One piece of a turn: the words if it has some, and always the whole of it as stored."""
    kind, role = str(item.data.get("type", "")), str(item.data.get("role", ""))
    title = (ROLE_WORDS.get(role) or role) if kind == "message" else ITEM_WORDS.get(kind, kind)
    raw = base.pretty(item.data)
    if item.native is not None:
        raw += "\n\n" + base.pretty(item.native)
    return base.Text(f"{item.position}. {title}", _words(kind, item.data), raw)


def _words(kind: str, data: dict[str, Any]) -> str:
    if kind == "message":
        return base.plain(text_of(data))
    if kind == "reasoning":
        parts = data.get("summary") or data.get("content") or []
        return base.plain("\n\n".join(str(part.get("text", "")) for part in parts if isinstance(part, dict)))
    if kind == "function_call":
        return base.plain(f"{data.get('name', '')} {data.get('arguments', '')}")
    if kind == "function_call_output":
        return base.plain(str(data.get("output", "")))
    return ""


def _call_row(call: Call) -> tuple[object, ...]:
    code = (call.error or {}).get("code")
    state = call.get_state_display()
    paid = base.paid_words(call)
    return (
        base.link(call, base.when(call.started_at)),
        call.get_purpose_display(),
        call.attempt,
        f"{state}: {str(code).replace('_', ' ')}" if code else state,
        model_label(call.provider, call.model),
        f"simulated {paid}" if call.simulated else paid,
        base.saved_words(call),
    )
