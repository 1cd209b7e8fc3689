"""What some rows of the ledger cost together, in words. Real and simulated money are never added up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from chatapp import wording
from chatapp.admin.base import NONE
from sessions_store.models import Call

_PRICED = Q(cost_nanousd__isnull=False)
_ENDED = ~Q(state=Call.State.OPEN)
_COLUMNS = {
    "calls": Count("pk"),
    "paid": Sum("cost_nanousd"),
    "whole": Sum("without_cache_nanousd", filter=_PRICED),
    "priced": Count("pk", filter=_PRICED),
    "no_price": Count("pk", filter=~_PRICED & _ENDED & Q(uncached_tokens__isnull=False)),
    "unknown": Count("pk", filter=~_PRICED & _ENDED & Q(uncached_tokens__isnull=True)),
    "open": Count("pk", filter=Q(state=Call.State.OPEN)),
    "estimated": Count("pk", filter=_PRICED & Q(estimated=True)),
}


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of the real or of the simulated calls. `left_out` says what the sum lacks."""

    simulated: bool
    calls: str
    paid: str
    saved: str
    lost: bool
    left_out: tuple[str, ...]

    @property
    def label(self) -> str:
        return "Simulated" if self.simulated else "Real"

    @property
    def short(self) -> str:
        """For a cell of a list."""
        return f"simulated {self.paid}" if self.simulated else self.paid


def totals(calls: QuerySet[Call]) -> list[Total]:
    """One line for real money, one for simulated, each only if there are such calls; one query."""
    found = calls.order_by().values("simulated").annotate(**_COLUMNS)
    return [_total(row) for row in sorted(found, key=lambda row: row["simulated"])]


def totals_by_conversation(ids: Iterable[Any]) -> dict[Any, list[Total]]:
    """As `totals`, for each of some conversations; one query."""
    found = (
        Call.objects.filter(conversation_id__in=list(ids))
        .order_by()
        .values("conversation_id", "simulated")
        .annotate(**_COLUMNS)
    )
    by_id: dict[Any, list[Total]] = {}
    for row in sorted(found, key=lambda row: row["simulated"]):
        by_id.setdefault(row["conversation_id"], []).append(_total(row))
    return by_id


def _total(row: Mapping[str, Any]) -> Total:
    paid, whole = int(row["paid"] or 0), int(row["whole"] or 0)
    saved = whole - paid
    if row["priced"]:
        paid_words = f"about {wording.money(paid)}" if row["estimated"] else wording.money(paid)
        share = f" ({_percent(saved, whole)})" if whole else ""
        saved_words = f"{wording.money(saved)}{share}"
    else:
        paid_words = "no price" if row["no_price"] else "unknown" if row["unknown"] else NONE
        saved_words = NONE
    return Total(
        simulated=row["simulated"],
        calls=_counted(row["calls"], "call", "calls"),
        paid=paid_words,
        saved=saved_words,
        lost=saved < 0,
        left_out=tuple(
            f"{wording.count(row[name])} {words}"
            for name, words in (
                ("no_price", "with no price"),
                ("unknown", "of unknown cost"),
                ("open", "still open"),
                ("estimated", "estimated"),
            )
            if row[name]
        ),
    )


def _percent(part: int, whole: int) -> str:
    share = round(100 * part / whole)
    return f"{wording.MINUS if share < 0 else ''}{abs(share)}{wording.NBSP}%"


def _counted(number: int, one: str, many: str) -> str:
    return f"{wording.count(number)} {one if number == 1 else many}"
