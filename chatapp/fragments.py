"""Rows to what templates show: the only place that decides what a page says of a conversation.

Serves pages and the fragments they fetch; sockets carry JSON (`chatapp.live.frames`). The numbers' wording is
`chatapp.wording`'s.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone

from chatapp import wording
from chatapp.catalog.cost import Cost, cost
from chatapp.catalog.load import default_model, model_label, offered
from chatapp.catalog.load import model as catalog_model
from chatapp.live.frames import (
    conversation_total,
    divider,
    is_unread,
    turn_cost_line,
)
from chatapp.live.totals import as_sum, shown, sums, total_parts
from chatapp.turns.connections import LABELS, reachable_providers, wants_simulator
from chatapp.turns.outcome import text_crc32
from chatapp.vocab.items import answer_text, text_of
from chatapp.vocab.model import Price
from chatapp.vocab.usage import BUCKETS, Usage
from sessions_store import models as rows

LONG_QUESTION_CHARS = 400
LIST_LENGTH = 200
"""Conversations in the sidebar; older ones stay reachable by their address."""

REPLY_PURPOSES = (rows.Call.Purpose.REPLY, rows.Call.Purpose.TOOL_ROUND)


@dataclass(frozen=True, slots=True)
class FootView:
    """The line under an answer; every part is text as shown, '' to leave it out."""

    paid: str
    saved: str
    lost: bool
    tokens: str
    seconds: str
    read_share: float | None
    simulated: bool
    estimated: bool
    reason: str
    has_calls: bool


@dataclass(frozen=True, slots=True)
class TurnView:
    """One turn as the transcript shows it."""

    id: uuid.UUID
    client_id: uuid.UUID
    state: str
    text: str
    is_long: bool
    created_at: datetime
    model_label: str
    answer: list[dict[str, Any]]
    last_number: int
    crc32: str
    end: dict[str, Any] | None
    foot: FootView | None
    version: int
    versions: int
    earlier_id: uuid.UUID | None
    later_id: uuid.UUID | None
    divider: str | None


def transcript(conversation: rows.Conversation) -> list[TurnView]:
    """The turns on the path to the head, then those that wait; four queries however long it is."""
    turns = list(rows.Turn.objects.filter(conversation=conversation).order_by("number"))
    by_id = {turn.pk: turn for turn in turns}
    path: list[rows.Turn] = []
    at = by_id.get(conversation.head_id) if conversation.head_id else None
    while at is not None:
        path.append(at)
        at = by_id.get(at.parent_id) if at.parent_id else None
    path.reverse()
    waiting = [turn for turn in turns if turn.state == rows.Turn.State.QUEUED]
    return turn_views(conversation, [*path, *waiting], turns)


def turn_view(turn: rows.Turn) -> TurnView:
    """One turn, as the transcript shows it."""
    turns = list(rows.Turn.objects.filter(conversation_id=turn.conversation_id).order_by("number"))
    path = rows.Turn.path_to(turn)
    return turn_views(turn.conversation, path[-2:], turns)[-1]


def turn_views(
    conversation: rows.Conversation, shown: Sequence[rows.Turn], every: Sequence[rows.Turn]
) -> list[TurnView]:
    """Views of `shown`, oldest first; `every` turn of the conversation decides the versions."""
    ids = [turn.pk for turn in shown]
    items: dict[uuid.UUID, list[rows.Item]] = {turn_id: [] for turn_id in ids}
    for item in rows.Item.objects.filter(turn_id__in=ids).order_by("position"):
        items[item.turn_id].append(item)
    calls: dict[uuid.UUID, list[rows.Call]] = {turn_id: [] for turn_id in ids}
    for call in rows.Call.objects.filter(turn_id__in=ids).order_by("pk"):
        if call.turn_id:
            calls[call.turn_id].append(call)
    versions: dict[uuid.UUID | None, list[rows.Turn]] = {}
    for turn in every:
        if not (turn.state == rows.Turn.State.CANCELLED and turn.reason == "returned"):
            versions.setdefault(turn.parent_id, []).append(turn)
    views = []
    before: rows.Turn | None = None
    for turn in shown:
        views.append(_turn_view(turn, items[turn.pk], calls[turn.pk], versions.get(turn.parent_id, [turn]), before))
        before = turn
    return views


def _turn_view(
    turn: rows.Turn,
    items: Sequence[rows.Item],
    calls: Sequence[rows.Call],
    versions: Sequence[rows.Turn],
    before: rows.Turn | None,
) -> TurnView:
    question, answer = (text_of(items[0].data) if items else ""), items[1:]
    text = answer_text([item.data for item in answer])
    place = next((index for index, version in enumerate(versions) if version.pk == turn.pk), 0)
    return TurnView(
        id=turn.pk,
        client_id=turn.client_id,
        state=turn.state,
        text=question,
        is_long=len(question) > LONG_QUESTION_CHARS or "```" in question,
        created_at=turn.created_at,
        model_label=model_label(turn.provider, turn.model, short=True),
        answer=[part for part in map(_answer_part, range(len(answer)), answer) if part],
        last_number=turn.last_number,
        crc32=text_crc32(text),
        end=end_view(turn, bool(text)),
        foot=foot_view(turn, calls),
        version=place + 1,
        versions=len(versions),
        earlier_id=versions[place - 1].pk if place > 0 else None,
        later_id=versions[place + 1].pk if place + 1 < len(versions) else None,
        divider=divider(turn, before),
    )


def _answer_part(index: int, item: rows.Item) -> dict[str, Any] | None:
    data, kind = item.data, item.data.get("type")
    if kind == "message":
        text = text_of(data)
        return {"kind": "text", "text": text, "index": index} if text else None
    if kind == "reasoning":
        text = "\n\n".join(str(part.get("text", "")) for part in data.get("summary") or data.get("content") or [])
        return {"kind": "reasoning", "text": text, "seconds": item.seconds} if text.strip() else None
    if kind == "function_call":
        return {"kind": "tool", "name": data.get("name", ""), "arguments": data.get("arguments", "")}
    return None


def end_view(turn: rows.Turn, has_text: bool) -> dict[str, Any] | None:
    """What stands under an answer that did not simply end."""
    end = wording.end_of(
        turn.state,
        turn.reason,
        turn.error,
        provider=LABELS.get(turn.provider, turn.provider),
        model=model_label(turn.provider, turn.model, short=True),
        has_text=has_text,
    )
    if end is None:
        return None
    return {
        "tone": end.tone,
        "sentence": end.sentence,
        "detail": end.detail,
        "actions": [{"name": name, "label": label} for name, label in end.actions],
    }


def foot_view(turn: rows.Turn, calls: Sequence[rows.Call]) -> FootView | None:
    """The cost line; None while nothing has been sent."""
    closed = [call for call in calls if call.state != rows.Call.State.OPEN]
    if not closed:
        return None
    line = turn_cost_line(closed)
    spec = catalog_model(turn.provider, turn.model)
    last = closed[-1]
    reason = line.note
    if not reason and spec is not None and not last.estimated:
        reason = wording.miss_reason((last.plan or {}).get("expected"), last, spec.cache.minimum_tokens)
    return FootView(
        paid=line.paid,
        saved=line.saved,
        lost=line.lost,
        tokens=line.tokens,
        seconds=line.seconds,
        read_share=line.read_share,
        simulated=line.simulated,
        estimated=line.estimated,
        reason=reason,
        has_calls=True,
    )


# --- The ledger of a turn and the sums of a conversation ------------------------------------------

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


# --- The list, the picker, the account --------------------------------------------------------------


def sidebar_groups(owner_id: int, current: uuid.UUID | None) -> list[dict[str, Any]]:
    """The conversations of a person by day of their last message, newest first."""
    conversations = rows.Conversation.objects.of(owner_id).order_by("-changed_at")[:LIST_LENGTH]
    running = set(
        rows.Turn.objects.filter(
            owner_id=owner_id, state__in=[rows.Turn.State.QUEUED, rows.Turn.State.STREAMING]
        ).values_list("conversation_id", flat=True)
    )
    today = timezone.localdate()
    groups: dict[str, list[dict[str, Any]]] = {}
    for conversation in conversations:
        label = day_label(timezone.localtime(conversation.changed_at).date(), today)
        groups.setdefault(label, []).append(
            {
                "id": conversation.pk,
                "title": str(conversation),
                "current": conversation.pk == current,
                "unread": is_unread(conversation) and conversation.pk != current,
                "running": conversation.pk in running,
            }
        )
    return [{"label": label, "rows": listed} for label, listed in groups.items()]


def day_label(day: date, today: date) -> str:
    """The heading under which a day stands in the list."""
    if day >= today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    if day > today - timedelta(days=7):
        return "Last 7 days"
    return day.strftime("%B") if day.year == today.year else day.strftime("%B %Y")


def model_choices(provider: str, model_id: str) -> list[dict[str, Any]]:
    """What the picker offers: the models of every provider that can be reached."""
    providers = reachable_providers()
    return [
        {
            "provider": spec.provider,
            "provider_label": LABELS.get(spec.provider, spec.provider),
            "id": spec.id,
            "choice": f"{spec.provider}:{spec.id}",
            "label": spec.label,
            "short_label": spec.short_label,
            "current": (spec.provider, spec.id) == (provider, model_id),
        }
        for spec in offered(timezone.localdate())
        if spec.provider in providers
    ]


def first_choice(owner_id: int) -> tuple[str, str]:
    """Provider and model of a new conversation: those of the last one, else the catalog's default; ('', '') if
    no provider can be reached."""
    providers = reachable_providers()
    last = rows.Conversation.objects.of(owner_id).order_by("-created_at").first()
    if last and last.provider in providers and catalog_model(last.provider, last.model):
        return last.provider, last.model
    if not providers:
        return "", ""
    preferred = "anthropic" if "anthropic" in providers else providers[0]
    return preferred, default_model(preferred).id


def account_view(user: rows.User) -> dict[str, Any]:
    """The person, and what this month cost: real money if a real call has ended, else simulated."""
    start = timezone.localtime().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    total = total_parts(rows.Call.objects.of(user.pk).filter(started_at__gte=start))
    return {
        "name": user.display_name,
        "spend": f"{start:%B} {total['paid']}" if total else "Nothing spent yet",
        "saved": total["saved"] if total else "",
        "is_staff": user.is_staff,
    }


def page_context(
    user: rows.User, conversation: rows.Conversation, *, is_new: bool, turns: Iterable[TurnView] = ()
) -> dict[str, Any]:
    """Everything the chat page shows of a conversation, or of one that its first message will make."""
    return {
        "conversation": {
            "id": conversation.pk,
            "title": conversation.title,
            "is_new": is_new,
            "provider": conversation.provider,
            "model": conversation.model,
            "revision": conversation.revision,
            "instructions": conversation.instructions,
            "draft": conversation.draft,
            "total": None if is_new else conversation_total(conversation.pk),
        },
        "turns": list(turns),
        "sidebar": sidebar_groups(user.pk, None if is_new else conversation.pk),
        "models": model_choices(conversation.provider, conversation.model),
        "account": account_view(user),
        "client_id": uuid.uuid4(),
        "simulated": wants_simulator(),
        "model_label": model_label(conversation.provider, conversation.model) if conversation.model else "no model",
        "model_short_label": model_label(conversation.provider, conversation.model, short=True)
        if conversation.model
        else "no model",
    }
