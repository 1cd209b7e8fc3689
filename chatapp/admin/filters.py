"""Filters of the lists: person, provider, model and day."""

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter
from unfold.utils import parse_date_str

from chatapp.catalog.load import model_label
from chatapp.turns.connections import LABELS


class ProviderFilter(DropdownFilter):
    title = "provider"
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(LABELS.items(), key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(provider=self.value()) if self.value() else queryset


class ModelFilter(DropdownFilter):
    """The models that rows name, so that one which is no longer offered can still be found."""

    title = "model"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        pairs = model_admin.model.objects.order_by().values_list("provider", "model").distinct()
        return sorted({(model, model_label(provider, model)) for provider, model in pairs}, key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(model=self.value()) if self.value() else queryset


class DeletedFilter(DropdownFilter):
    title = "deletion"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "Kept"), ("yes", "Deleted by their owner")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(deleted_at__isnull=self.value() == "no") if self.value() else queryset


class DayFilter(RangeDateFilter):
    """Whole days in the server's time zone, the last one included.

    unfold compares a time with the bare date, which leaves out all of the last day but its first instant.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "day"

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        for name, lookup, days in (("from", "gte", 0), ("to", "lt", 1)):
            text = self.used_parameters.get(f"{self.parameter_name}_{name}")
            if not text:
                continue
            start = _start_of(text, days)
            if start is None:
                messages.warning(request, f"“{text}” is not a day, so nothing was left out by it.")
            else:
                queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": start})
        return queryset


def _start_of(text: str, days_later: int) -> datetime | None:
    """The first instant of the day named by `text`, or of one after it; None if it names none."""
    day = parse_date_str(text)
    try:
        return day and timezone.make_aware(datetime.combine(day + timedelta(days=days_later), time.min))
    except OverflowError:  # the last day there is
        return None
