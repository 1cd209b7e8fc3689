"""What many calls cost together: the one sum behind header, sums, account and admin. Real and simulated never mix."""

from collections.abc import Iterable, Mapping
from typing import Any

from chatapp.wording import Sum, cost_words, money
from sessions_store.models.call import CallQuerySet


def as_sum(row: Mapping[str, Any]) -> Sum:
    """A row of `CallQuerySet.totals`, whatever else it was grouped by."""
    return Sum(**{name: row[name] for name in Sum.__dataclass_fields__})


def sums(calls: CallQuerySet) -> list[Sum]:
    """The real calls together and the simulated ones, each only if there are such calls; one query."""
    return [as_sum(row) for row in calls.totals()]


def shown(found: Iterable[Sum]) -> Sum | None:
    """The one that a place for a single sum shows: real money if a real call has ended, else simulated."""
    return next((total for total in sorted(found, key=lambda total: total.simulated) if total.ended), None)


def total_parts(calls: CallQuerySet) -> dict[str, Any] | None:
    """The cost of some calls in one line: {paid, saved, lost, simulated, text}; None before one has ended."""
    total = shown(sums(calls))
    if total is None:
        return None
    paid = ("simulated " if total.simulated else "") + cost_words(total)
    saved = f"saved {money(total.saved_nanousd)}" if total.known and total.saved_nanousd else ""
    return {
        "paid": paid,
        "saved": saved,
        "lost": total.lost,
        "simulated": total.simulated,
        "text": f"{paid} · {saved}" if saved else paid,
    }
