"""What every read-only page shares: nobody may change anything, and words are shown as plain text."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from unfold.admin import ModelAdmin
from unfold.utils import display_for_label

from chatapp import wording
from chatapp.catalog.load import model_label
from chatapp.turns.connections import LABELS
from sessions_store.models import Call, Conversation

NONE = "–"
TITLE_CHARS = 60

STATE_COLOURS = {
    "Open": "info",
    "Queued": "info",
    "Streaming": "info",
    "Incomplete": "warning",
    "Cancelled": "warning",
    "Interrupted": "warning",
    "Failed": "danger",
}
"""unfold's colour for each state that is not simply "completed"."""


class ReadOnlyAdmin(ModelAdmin):
    """A list and a page for each row, and no way to change one.

    The rows are what happened and what it cost: a ledger that can be edited proves nothing.
    """

    actions = None
    list_filter_submit = True
    list_fullwidth = True
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER  # a count for every choice of every filter
    change_form_template = "admin/records/record.html"
    empty_value_display = NONE

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def sections(self, row: Any) -> "list[Section]":
        """What stands under the fields of a row's page."""
        return []

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        response = super().change_view(request, object_id, form_url, extra_context)
        context = getattr(response, "context_data", None)
        if context is not None and context.get("original") is not None:
            context["sections"] = self.sections(context["original"])
        return response


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a row's page: a table (headers and rows) or texts, each with a heading of its own."""

    title: str
    headers: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    texts: "Sequence[Text]" = ()
    note: str = ""

    @property
    def table(self) -> dict[str, Any]:
        """As unfold's table component takes it."""
        return {"headers": self.headers, "rows": self.rows}


@dataclass(frozen=True, slots=True)
class Text:
    """Something that was said or stored; `raw` is the whole of it, folded away."""

    title: str
    text: str
    raw: str = ""
    is_code: bool = False


def plain(text: str) -> str:
    """Text that can be sent: lone surrogates, which UTF-8 refuses, are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def pretty(data: Any) -> str:
    """Stored JSON for reading, in the order it was written in."""
    return plain(json.dumps(data, indent=2, ensure_ascii=False))


def when(moment: datetime | None) -> str:
    """A moment to the second, in the server's time zone."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" if moment else NONE


def duration(start: datetime | None, end: datetime | None) -> str:
    """How long something took."""
    return wording.seconds((end - start).total_seconds()) if start and end else NONE


def tokens(number: int | None) -> str:
    """A bucket; a dash where it is not known, which is not zero."""
    return NONE if number is None else wording.count(number)


def with_note(words: object, note: str) -> SafeString | str:
    """A cell with a quieter second line (on a narrow screen, beside it)."""
    if not note:
        return str(words)
    quiet = format_html('<span class="text-base-500 dark:text-base-400 lg:block">{}</span>', note)
    return format_html('<span class="text-right lg:text-left">{} {}</span>', words, quiet)


def model_words(provider: str, model: str) -> SafeString | str:
    """Model, and below it who serves it; wide enough that names do not break at every space."""
    words = with_note(model_label(provider, model), provider_words(provider))
    return format_html(
        '<span class="block text-right lg:text-left" style="min-width: 8rem; overflow-wrap: anywhere">{}</span>', words
    )


def title_words(conversation: Conversation | None) -> SafeString | str:
    """A conversation's title, cut to what a row can hold."""
    if conversation is None:
        return NONE
    title = Truncator(str(conversation)).chars(TITLE_CHARS)
    return format_html(
        '<span class="block text-right lg:text-left" style="min-width: 12rem; overflow-wrap: anywhere">{}</span>', title
    )


def provider_words(provider: str) -> str:
    """How a provider calls itself."""
    return LABELS.get(provider, provider)


def state_words(words: str, why: object) -> SafeString | str:
    """A state in its colour, and below it the code that says why."""
    return with_note(display_for_label(words, NONE, STATE_COLOURS), str(why or "").replace("_", " "))


def yes_or_no(value: bool) -> str:
    """In words: unfold's red cross would make an ordinary call look broken."""
    return "Yes" if value else "No"


def paid_words(call: Call) -> str:
    """What a call cost. Never $0 for what nobody knows."""
    if call.cost_nanousd is not None:
        return f"about {wording.money(call.cost_nanousd)}" if call.estimated else wording.money(call.cost_nanousd)
    if call.state == Call.State.OPEN:
        return NONE
    return "no price" if call.uncached_tokens is not None else "unknown"


def saved_words(call: Call) -> str:
    """What the cache saved; negative where it lost money."""
    return NONE if call.saved_nanousd is None else wording.money(call.saved_nanousd)


def link(row: Model, words: object) -> SafeString:
    """To the row's page."""
    return _anchor(reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]), words)


def search_link(model: type[Model], term: object, words: object) -> SafeString:
    """To the rows that a search finds."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return _anchor(f"{url}?{urlencode({'q': term})}", words)


def _anchor(url: str, words: object) -> SafeString:
    return format_html('<a href="{}" class="text-primary-600 underline dark:text-primary-500">{}</a>', url, words)
