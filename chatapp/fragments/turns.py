"""The turns of a conversation as the transcript shows them, with what stands under each answer."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import F

from chatapp import wording
from chatapp.catalog.load import model as catalog_model
from chatapp.catalog.load import model_label
from chatapp.live.frames import (
    divider,
    turn_cost_line,
)
from chatapp.turns.connections import LABELS
from chatapp.turns.outcome import text_crc32
from chatapp.vocab.items import answer_text, text_of
from sessions_store import models as rows

LONG_QUESTION_CHARS = 400


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
    foot: wording.CostLine | None
    version: int
    versions: int
    earlier_id: uuid.UUID | None
    later_id: uuid.UUID | None
    divider: str | None


def transcript(conversation: rows.Conversation) -> list[TurnView]:
    """The turns on the path to the head, then those that wait; four queries however long it is."""
    # Head and turns in one statement: a waiting turn that begins between two would be neither waiting nor on the path.
    found = rows.Turn.objects.filter(conversation=conversation).annotate(head_id=F("conversation__head_id"))
    turns = list(found.order_by("number"))
    by_id = {turn.pk: turn for turn in turns}
    path: list[rows.Turn] = []
    head_id = turns[0].head_id if turns else None
    at = by_id.get(head_id) if head_id else None
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


def foot_view(turn: rows.Turn, calls: Sequence[rows.Call]) -> wording.CostLine | None:
    """The cost line, its note saying also why the cache was missed; None while nothing has been sent."""
    closed = [call for call in calls if call.state != rows.Call.State.OPEN]
    if not closed:
        return None
    line = turn_cost_line(closed)
    spec = catalog_model(turn.provider, turn.model)
    last = closed[-1]
    reason = line.note
    if not reason and spec is not None and not last.estimated:
        reason = wording.miss_reason((last.plan or {}).get("expected"), last, spec.cache.minimum_tokens)
    return replace(line, note=reason)
