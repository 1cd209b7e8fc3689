"""The ledger: every call, what it used and what it cost."""

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from chatapp import wording
from chatapp.admin import base
from chatapp.admin.filters import DayFilter, ModelFilter, ProviderFilter
from chatapp.admin.totals import totals
from chatapp.catalog.cost import Cost, cost
from chatapp.vocab.model import Price
from chatapp.vocab.usage import BUCKETS, Usage
from sessions_store.models import Call

BUCKET_WORDS = {
    "uncached": "Uncached input",
    "read": "Read from cache",
    "written_5m": "Written for 5 minutes",
    "written_30m": "Written for 30 minutes",
    "written_1h": "Written for 1 hour",
    "written_12h": "Written for 12 hours",
    "output": "Output",
    "reasoning": "of which reasoning",
}
LONGEST_ID = 2**63 - 1
"""A number beyond this is no key of any row, and the database would refuse to look."""


@admin.register(Call)
class CallAdmin(base.ReadOnlyAdmin):
    list_display = (
        "time",
        "owner",
        "what",
        "how_it_ended",
        "cost",
        "saved",
        "served_by",
        "uncached",
        "read",
        "written",
        "output",
        "said_in",
    )
    list_display_links = ("time",)
    list_select_related = ("owner", "conversation")
    list_filter = (
        ("owner", RelatedDropdownFilter),
        ProviderFilter,
        ModelFilter,
        ("started_at", DayFilter),
        ("purpose", ChoicesDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("simulated", BooleanRadioFilter),
    )
    list_before_template = "admin/records/totals.html"
    search_fields = ("response_id",)  # opens the box; what is searched stands in get_search_results
    search_help_text = "Any id that stands in a row"
    ordering = ("-started_at", "-pk")
    fieldsets = (
        (None, {"fields": ("owner", "conversation", "turn", "purpose", "attempt", "state")}),
        ("Who answered", {"fields": ("provider_name", "model", "model_returned", "service_tier", "was_simulated")}),
        ("Cost", {"fields": ("cost", "saved", "without_cache", "was_estimated")}),
        ("When", {"fields": ("started", "first_token", "ended", "took")}),
        (
            "Ids",
            {"fields": ("id", "response_id", "previous_response_id", "request_id", "account")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Call]:
        calls = super().get_queryset(request)
        if request.resolver_match and request.resolver_match.url_name == "sessions_store_call_changelist":
            # Long texts that no list shows.
            calls = calls.defer("plan", "usage", "price", "conversation__instructions", "conversation__draft")
        return calls

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Call], search_term: str
    ) -> tuple[QuerySet[Call], bool]:
        """By whole ids, each by its own kind, so that an index can be used."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q(response_id=term) | Q(request_id=term) | Q(previous_response_id=term)
        if term.isascii() and term.isdigit() and int(term) <= LONGEST_ID:
            wanted |= Q(pk=int(term))
        try:
            row_id = uuid.UUID(term)
        except ValueError:
            pass
        else:
            wanted |= Q(conversation_id=row_id) | Q(turn_id=row_id)
        return queryset.filter(wanted), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context and "cl" in context:
            context["totals"] = totals(context["cl"].queryset)
        return response

    def sections(self, row: Call) -> list[base.Section]:
        texts = [
            base.Text(title, base.pretty(data), is_code=True)
            for title, data in (
                ("Error", row.error),
                ("Usage, as the provider reported it", row.usage),
                ("Prices used, in nano-dollars per million tokens", row.price),
                ("Plan: marks, and what was expected of the cache", row.plan),
            )
            if data is not None
        ]
        return [bucket_section(row), *([base.Section("As stored", texts=texts)] if texts else [])]

    # --- Columns --------------------------------------------------------------------------------
    @display(description="Time", ordering="started_at")
    def time(self, call: Call) -> str:
        return base.when(call.started_at)

    @display(description="Purpose", ordering="purpose")
    def what(self, call: Call) -> str:
        return base.with_note(
            call.get_purpose_display(), f"attempt{wording.NBSP}{call.attempt}" if call.attempt > 1 else ""
        )

    @display(description="State", ordering="state")
    def how_it_ended(self, call: Call) -> str:
        return base.state_words(call.get_state_display(), (call.error or {}).get("code"))

    @display(description="Model", ordering="model")
    def served_by(self, call: Call) -> str:
        return base.model_words(call.provider, call.model)

    @display(description="Provider")
    def provider_name(self, call: Call) -> str:
        return base.provider_words(call.provider)

    @display(description="Uncached", ordering="uncached_tokens")
    def uncached(self, call: Call) -> str:
        return base.tokens(call.uncached_tokens)

    @display(description="Read", ordering="read_tokens")
    def read(self, call: Call) -> str:
        return base.tokens(call.read_tokens)

    @display(description="Written")
    def written(self, call: Call) -> str:
        known = any(getattr(call, f"{bucket}_tokens") is not None for bucket in BUCKETS if bucket.startswith("written"))
        return base.tokens(call.written_tokens if known else None)

    @display(description="Output", ordering="output_tokens")
    def output(self, call: Call) -> str:
        return base.tokens(call.output_tokens)

    @display(description="Cost", ordering="cost_nanousd")
    def cost(self, call: Call) -> str:
        notes = [word for word, said in (("simulated", call.simulated), ("estimated", call.estimated)) if said]
        return base.with_note(base.paid_words(call), ", ".join(notes))

    @display(description="Saved")
    def saved(self, call: Call) -> str:
        return base.saved_words(call)

    @display(description="Conversation")
    def said_in(self, call: Call) -> str:
        return base.title_words(call.conversation)

    # --- Fields of the page ---------------------------------------------------------------------
    @display(description="Simulated")
    def was_simulated(self, call: Call) -> str:
        return base.yes_or_no(call.simulated)

    @display(description="Estimated")
    def was_estimated(self, call: Call) -> str:
        return base.yes_or_no(call.estimated)

    @display(description="Without a cache")
    def without_cache(self, call: Call) -> str:
        return base.NONE if call.without_cache_nanousd is None else wording.money(call.without_cache_nanousd)

    @display(description="Started")
    def started(self, call: Call) -> str:
        return base.when(call.started_at)

    @display(description="First token")
    def first_token(self, call: Call) -> str:
        after = base.duration(call.started_at, call.first_token_at)
        return base.with_note(base.when(call.first_token_at), f"after {after}" if call.first_token_at else "")

    @display(description="Ended")
    def ended(self, call: Call) -> str:
        return base.when(call.ended_at)

    @display(description="Took")
    def took(self, call: Call) -> str:
        return base.duration(call.started_at, call.ended_at)


def bucket_section(call: Call) -> base.Section:
    """Tokens, price and dollars, bucket by bucket, by the arithmetic the call was closed with."""
    price = _price(call)
    usage = Usage(**{bucket: getattr(call, f"{bucket}_tokens") for bucket in BUCKETS})
    lines = cost(usage, price) if price else None
    rows = [
        (words, base.tokens(getattr(usage, bucket)), *_priced(bucket, price, lines))
        for bucket, words in BUCKET_WORDS.items()
        if getattr(usage, bucket) is not None or bucket in {"uncached", "read", "output"}
    ]
    rows.append(("All input", base.tokens(usage.total_input), "", ""))
    rows.append(("Cost of the call", "", "", base.paid_words(call)))
    if price:
        note = f"Prices: {price.source}, tier {price.tier}."
    else:
        note = "The stored prices cannot be read by this version." if call.price else "No price was used."
    if call.estimated:
        note += " Estimated: the call ended before the provider reported its final count."
    return base.Section("Bucket by bucket", ("Bucket", "Tokens", "Per million", "Cost"), rows, note=note)


def _price(call: Call) -> Price | None:
    """The stored price; None where there is none, or one that this version cannot read."""
    try:
        return Price(**call.price) if call.price else None
    except TypeError:
        return None


def _priced(bucket: str, price: Price | None, lines: Cost | None) -> tuple[str, str]:
    if bucket == "reasoning":  # a part of the output, paid with it
        return "", ""
    per_million = wording.per_million(getattr(price, bucket)) if price else base.NONE
    amount = getattr(lines, bucket) if lines else None
    return per_million, base.NONE if amount is None else wording.money(amount)
