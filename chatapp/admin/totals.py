"""What some rows of the ledger cost together, in words. Real and simulated money are never added up."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from chatapp import wording
from chatapp.admin.base import NONE
from chatapp.live.totals import as_sum, sums
from sessions_store.models import Call
from sessions_store.models.call import CallQuerySet


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


def totals(calls: CallQuerySet) -> list[Total]:
    """One line for real money, one for simulated, each only if there are such calls; one query."""
    return [_total(found) for found in sums(calls)]


def totals_by_conversation(ids: Iterable[Any]) -> dict[Any, list[Total]]:
    """As `totals`, for each of some conversations; one query."""
    by_id: dict[Any, list[Total]] = {}
    for row in Call.objects.filter(conversation_id__in=list(ids)).totals("conversation_id"):
        by_id.setdefault(row["conversation_id"], []).append(_total(as_sum(row)))
    return by_id


def _total(found: wording.Sum) -> Total:
    saved = NONE
    if found.known:
        share = f" ({wording.percent(found.saved_nanousd, found.whole_nanousd)})" if found.whole_nanousd else ""
        saved = f"{wording.money(found.saved_nanousd)}{share}"
    return Total(
        simulated=found.simulated,
        calls=f"{wording.count(found.calls)} {'call' if found.calls == 1 else 'calls'}",
        paid=wording.paid_words(found) or NONE,
        saved=saved,
        lost=found.lost,
        left_out=tuple(
            f"{wording.count(number)} {words}"
            for number, words in (
                (found.no_price, "with no price"),
                (found.unknown, "of unknown cost"),
                (found.running, "still open"),
                (found.guessed, "estimated"),
            )
            if number
        ),
    )
