"""The calls behind a cost line, and what a conversation cost by purpose."""

from collections.abc import Sequence
from typing import Any

from chatapp import wording
from chatapp.catalog.cost import Cost, cost
from chatapp.catalog.load import model_label
from chatapp.live.totals import as_sum, shown, sums
from chatapp.vocab.model import Price
from chatapp.vocab.usage import BUCKETS, Usage
from sessions_store import models as rows

_COLUMNS = (
    ("uncached_tokens", "uncached", "uncached"),
    ("read_tokens", "read", "read"),
    ("written_5m_tokens", "written_5m", "written 5 min"),
    ("written_30m_tokens", "written_30m", "written 30 min"),
    ("written_1h_tokens", "written_1h", "written 1 h"),
    ("written_12h_tokens", "written_12h", "written 12 h"),
    ("output_tokens", "output", "output"),
)
"""(column of Call, name in a stored price, heading)."""

_ALWAYS = {"uncached_tokens", "read_tokens", "output_tokens"}


def ledger_view(turn: rows.Turn) -> dict[str, Any]:
    """The calls of a turn, a column per bucket that was used, prices above and dollars below."""
    calls = [call for call in rows.Call.objects.filter(turn=turn).order_by("pk")]
    columns = [column for column in _COLUMNS if column[0] in _ALWAYS or any(getattr(call, column[0]) for call in calls)]
    groups: list[dict[str, Any]] = []
    for number, call in enumerate(calls, start=1):
        price = call.price or {}
        key = (call.provider, call.model_returned or call.model, tuple(sorted(price.items(), key=str)))
        if not groups or groups[-1]["key"] != key:
            groups.append(
                {
                    "key": key,
                    "price_label": f"{model_label(call.provider, call.model)}, per million",
                    "prices": [wording.per_million(price.get(name)) if price else "–" for _, name, _ in columns],
                    "without_cache_price": wording.per_million(price.get("uncached")) if price else "–",
                    "source": price.get("source", "") if price else "no price",
                    "rows": [],
                }
            )
        groups[-1]["rows"].append(_ledger_row(number, call, columns))
    return {
        "columns": [{"key": name, "label": label} for _, name, label in columns],
        "groups": groups,
        "totals": _ledger_totals(calls, columns),
        "notes": _ledger_notes(calls),
    }


def _ledger_row(number: int, call: rows.Call, columns: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    return {
        "label": f"{number} {_call_label(call)}",
        "state": call.state,
        "cells": [_cell(column, getattr(call, column)) for column, _, _ in columns],
        "paid": wording.paid_words(wording.sum_of([call])) if call.cost_nanousd is not None else "–",
        "without_cache": wording.money(call.without_cache_nanousd) if call.without_cache_nanousd is not None else "–",
        "error": (call.error or {}).get("message", ""),
    }


def _cell(column: str, tokens: int | None) -> dict[str, str]:
    if tokens is None:
        return {"text": "–", "tone": "zero"}
    tone = "zero" if tokens == 0 else "read" if column == "read_tokens" else ""
    return {"text": wording.count(tokens), "tone": tone}


_STATE_WORDS = {
    rows.Call.State.OPEN: "is running",
    rows.Call.State.COMPLETED: "answers",
    rows.Call.State.INCOMPLETE: "answers, cut off",
    rows.Call.State.FAILED: "failed",
    rows.Call.State.CANCELLED: "was stopped",
    rows.Call.State.INTERRUPTED: "was interrupted",
}


def _call_label(call: rows.Call) -> str:
    words = _STATE_WORDS[rows.Call.State(call.state)]
    code = (call.error or {}).get("code", "").replace("_", " ")
    return f"{words}: {code}" if code else words


def _ledger_totals(calls: Sequence[rows.Call], columns: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    """Dollars per bucket, from the same prices and the same rounding as the calls themselves."""
    sum_ = wording.sum_of(calls)
    cells = []
    lines = [line for line in map(_lines, calls) if line is not None] if sum_.known else []
    for column, name, _ in columns:
        total = sum(getattr(line, name) or 0 for line in lines)
        tone = "zero" if not total else "read" if column == "read_tokens" else ""
        cells.append({"text": wording.money(total) if lines else "–", "tone": tone})
    return {
        "cells": cells,
        "paid": wording.paid_words(sum_) or "–",
        "without_cache": wording.money(sum_.whole_nanousd) if sum_.known else "–",
        "saved": wording.money(sum_.saved_nanousd) if sum_.known else "",
        "lost": sum_.lost,
    }


def _lines(call: rows.Call) -> Cost | None:
    """What each bucket of a call cost, by the arithmetic and the prices it was closed with."""
    if not call.price:
        return None
    return cost(Usage(**{bucket: getattr(call, f"{bucket}_tokens") for bucket in BUCKETS}), Price(**call.price))


def _ledger_notes(calls: Sequence[rows.Call]) -> list[str]:
    notes = []
    for number, call in enumerate(calls, start=1):
        if call.estimated:
            notes.append(f"Call {number} is estimated: it ended before the provider reported its final count.")
        elif call.state != rows.Call.State.OPEN and call.input_tokens is None:
            notes.append(f"Call {number} ended before the provider reported anything; nobody knows what it was billed.")
        if call.reasoning_tokens:
            notes.append(f"{wording.count(call.reasoning_tokens)} tokens of call {number}'s output were thinking.")
        if call.previous_response_id:
            notes.append(
                f"Call {number} was chained: only the new message was sent, but the provider bills the whole context."
            )
    return notes


_PURPOSES = {
    rows.Call.Purpose.TOOL_ROUND: "Tool rounds",
    rows.Call.Purpose.COMPACTION: "Compaction",
    rows.Call.Purpose.TITLE: "Title",
}


def sums_view(conversation: rows.Conversation) -> dict[str, Any]:
    """What a conversation cost, by purpose: real money if a real call has ended, with a line on the simulated beside
    it; else simulated."""
    calls = rows.Call.objects.filter(conversation=conversation)
    found = sums(calls)
    total = shown(found)
    if total is None:
        return {"rows": [], "total": None, "simulated": False, "besides": "", "notes": []}
    turns = calls.filter(simulated=total.simulated).exclude(turn=None).values("turn").distinct().count()
    named = {rows.Call.Purpose.REPLY: f"{turns} {'turn' if turns == 1 else 'turns'}, every version", **_PURPOSES}
    by_purpose = calls.filter(simulated=total.simulated).totals("purpose")
    besides = [other for other in found if other.simulated and not total.simulated and other.ended]
    return {
        "rows": [
            {"label": named[rows.Call.Purpose(row["purpose"])], **_sum_cells(as_sum(row))}
            for row in sorted(by_purpose, key=lambda row: str(row["purpose"]))
        ],
        "total": _sum_cells(total),
        "simulated": total.simulated,
        "besides": f"and simulated {wording.cost_words(besides[0])}, never billed" if besides else "",
        "notes": wording.sum_notes(total),
    }


def _sum_cells(total: wording.Sum) -> dict[str, str]:
    saved = total.saved_nanousd if total.known else 0
    return {
        "paid": wording.paid_words(total) or "–",
        "saved": wording.money(saved) if total.known else "–",
        "tone": "lost" if saved < 0 else "saved" if saved else "",
    }
