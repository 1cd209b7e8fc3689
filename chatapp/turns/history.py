"""Rows to the vocabulary and back: the only file that speaks both."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chatapp.context.planner import PastTurn
from chatapp.vocab.events import Frame
from chatapp.vocab.items import Item, Origin, assistant_message, text_of
from sessions_store import models as rows

CANNOT_GO_ON = "refused"
"""A turn that the model declined is left out of what is sent: it would be declined again."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the engine must know of a turn to run it."""

    turn: rows.Turn
    conversation: rows.Conversation
    past: tuple[PastTurn, ...]
    new: tuple[Item, ...]


def load_job(turn_id: uuid.UUID) -> Job:
    """The turn, its conversation and everything before it on its branch, oldest first."""
    turn = rows.Turn.objects.select_related("conversation").get(pk=turn_id)
    path = rows.Turn.path_to(turn)
    ids = [step.pk for step in path]
    items: dict[uuid.UUID, list[Item]] = {step: [] for step in ids}
    for row in rows.Item.objects.filter(turn_id__in=ids).order_by("position"):
        items[row.turn_id].append(from_row(row))
    calls: dict[uuid.UUID, rows.Call] = {}
    for call in rows.Call.objects.filter(
        turn_id__in=ids, purpose__in=[rows.Call.Purpose.REPLY, rows.Call.Purpose.TOOL_ROUND]
    ).order_by("pk"):
        if call.turn_id is not None:
            calls[call.turn_id] = call
    past = tuple(
        _past_turn(step, items[step.pk], calls.get(step.pk))
        for step in path[:-1]
        if (step.error or {}).get("code") != CANNOT_GO_ON
    )
    return Job(turn, turn.conversation, past, tuple(items[turn.pk]))


def _past_turn(turn: rows.Turn, items: Sequence[Item], last_call: rows.Call | None) -> PastTurn:
    """One turn as the planner sees it. A turn whose process died never wrote who answered it; its call did."""
    whole = turn.state == rows.Turn.State.COMPLETED
    answered = last_call is not None and bool(last_call.first_token_at or last_call.output_tokens)
    counted = None
    if last_call and whole and not last_call.estimated and last_call.input_tokens is not None:
        counted = last_call.input_tokens + (last_call.output_tokens or 0)
    return PastTurn(
        items=tuple(items) if whole else _what_stands(items),
        provider=turn.provider or (last_call.provider if last_call else ""),
        model=turn.model or (last_call.model if last_call else ""),
        account=turn.account or (last_call.account if last_call else ""),
        response_id=turn.response_id if whole else "",
        context_tokens=counted,
        sent_at=last_call.started_at if last_call and answered else None,
        front=(last_call.plan or {}).get("front", "") if last_call else "",
    )


def _what_stands(items: Sequence[Item]) -> tuple[Item, ...]:
    """Of a turn that did not end well: the question, and the text of the answer as far as it came.

    Unfinished tool calls and reasoning cannot be sent back to any provider.
    """
    question, *answer = items
    text = "\n\n".join(
        filter(None, (text_of(item.data) for item in answer if item.type == "message" and item.role == "assistant"))
    )
    return (question, assistant_message(text)) if text else (question,)


def from_row(row: rows.Item) -> Item:
    """An item as it was stored."""
    origin = Origin(row.provider, row.model) if row.provider else None
    return Item(row.data, row.native, origin)


def save_items(turn_id: uuid.UUID, call_id: int | None, items: Iterable[Item], events: Iterable[Frame] = ()) -> None:
    """Append items to a turn, behind those it has. The turn's `events` tell how long the thinking took."""
    seconds = {event["item"].get("id"): event["stet:seconds"] for event in events if "stet:seconds" in event}
    start = rows.Item.objects.filter(turn_id=turn_id).count()
    rows.Item.objects.bulk_create(
        rows.Item(
            turn_id=turn_id,
            call_id=call_id,
            position=start + offset,
            data=dict(item.data),
            native=dict(item.native) if item.native is not None else None,
            seconds=seconds.get(item.data.get("id")),
            provider=item.origin.provider if item.origin else "",
            model=item.origin.model if item.origin else "",
        )
        for offset, item in enumerate(items)
    )
