"""Frames about turns and conversations that no adapter makes: see docs/protocol.md, which names them all."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from chatapp.catalog.load import model_label
from chatapp.live.totals import total_parts
from chatapp.turns.ask import question_text
from chatapp.turns.outcome import Outcome, terminal_frame
from chatapp.vocab.assemble import assemble
from chatapp.vocab.events import FRAME_TYPES, Frame
from chatapp.vocab.items import answer_text
from chatapp.wording import CostLine, cost_line
from sessions_store import models as rows

CLIENT_FRAMES = frozenset({"response.create", "stet:watch", "stet:resume", "stet:cancel", "stet:ping"})

SERVER_FRAMES = FRAME_TYPES | {
    "response.created",
    "response.in_progress",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "stet:retrying",
    "stet:turn.cost",
    "stet:snapshot",
    "stet:turn.added",
    "stet:queue.returned",
    "stet:watching",
    "stet:conversation",
    "stet:pong",
    "error",
}

ERROR_CODES = {
    "malformed_frame": 400,
    "unknown_type": 400,
    "invalid_field": 400,
    "empty_message": 400,
    "invalid_text": 400,
    "message_too_long": 413,
    "frame_too_large": 413,
    "unknown_model": 404,
    "turn_ended": 409,
    "rate_limited": 429,
    "server_error": 500,
    "shutting_down": 503,
}
"""HTTP-like status by code."""


def error_frame(code: str, message: str, param: str | None = None, client_id: object = None) -> Frame:
    """An error that answers a client frame."""
    frame: Frame = {
        "type": "error",
        "status": ERROR_CODES[code],
        "error": {"code": code, "message": message, "param": param},
    }
    if client_id is not None:
        frame["stet:client_id"] = str(client_id)
    return frame


def cost_frame(calls: Sequence[rows.Call]) -> Frame:
    """The cost of a turn as the line under its answer says it, once its calls are closed."""
    return {"type": "stet:turn.cost", "cost": {**_cost(turn_cost_line(calls)), "final": True}}


def turn_cost_line(calls: Sequence[rows.Call]) -> CostLine:
    """The cost line of a turn's calls; its seconds run from the first request to the last byte."""
    ends = [call.ended_at for call in calls if call.ended_at]
    took = (max(ends) - min(call.started_at for call in calls)).total_seconds() if ends else None
    return cost_line(calls, took)


def _cost(line: CostLine) -> dict[str, Any]:
    return {name: value for name, value in asdict(line).items() if name != "note"} | {"saved": line.saved or None}


def added_frame(turn: rows.Turn) -> Frame:
    """A turn that a page may not know yet."""
    return {
        "type": "stet:turn.added",
        "stet:turn": str(turn.pk),
        "stet:conversation": str(turn.conversation_id),
        "stet:client_id": str(turn.client_id),
        "stet:parent": str(turn.parent_id) if turn.parent_id else None,
        "stet:state": str(turn.state),
        "text": question_text(turn),
        "created_at": turn.created_at.isoformat(),
        "model_label": model_label(turn.provider, turn.model, short=True),
        "divider": divider(turn, turn.parent),
    }


def divider(turn: rows.Turn, before: rows.Turn | None) -> str | None:
    """What stands between two turns that different models answer; None where the model stayed."""
    if before is None or (before.provider, before.model) == (turn.provider, turn.model):
        return None
    return f"Switched from {model_label(before.provider, before.model)} to {model_label(turn.provider, turn.model)}"


def returned_frame(turn: rows.Turn, text: str) -> Frame:
    """A queued message that was taken back."""
    return {
        "type": "stet:queue.returned",
        "stet:turn": str(turn.pk),
        "stet:conversation": str(turn.conversation_id),
        "text": text,
    }


def watching_frame(conversation: rows.Conversation) -> Frame:
    """What a page has to know of a conversation to see whether it is up to date."""
    unfinished = rows.Turn.objects.filter(
        conversation=conversation, state__in=[rows.Turn.State.QUEUED, rows.Turn.State.STREAMING]
    ).order_by("number")
    running = [turn for turn in unfinished if turn.state == rows.Turn.State.STREAMING]
    return {
        "type": "stet:watching",
        "stet:conversation": str(conversation.pk),
        "revision": conversation.revision,
        "head": str(conversation.head_id) if conversation.head_id else None,
        "running": str(running[0].pk) if running else None,
        "queued": [str(turn.pk) for turn in unfinished if turn.state == rows.Turn.State.QUEUED],
    }


def conversation_frame(conversation: rows.Conversation) -> Frame:
    """What the list and the header say of a conversation."""
    running = rows.Turn.objects.filter(
        conversation=conversation, state__in=[rows.Turn.State.QUEUED, rows.Turn.State.STREAMING]
    ).exists()
    return {
        "type": "stet:conversation",
        "stet:conversation": str(conversation.pk),
        "revision": conversation.revision,
        "title": conversation.title,
        "running": running,
        "unread": is_unread(conversation),
        "deleted": conversation.deleted_at is not None,
        "total": conversation_total(conversation.pk),
    }


def is_unread(conversation: rows.Conversation) -> bool:
    """Whether something ended after its owner last looked."""
    return conversation.seen_at is None or conversation.changed_at > conversation.seen_at


def conversation_total(conversation_id: uuid.UUID) -> dict[str, Any] | None:
    """What a conversation has cost, as the header says it; None before a call of it has ended."""
    return total_parts(rows.Call.objects.filter(conversation_id=conversation_id))


def snapshot_of_feed(turn_id: uuid.UUID, model: str, events: Sequence[Frame]) -> Frame:
    """Where a running turn stands, in one frame."""
    return {
        "type": "stet:snapshot",
        "stet:turn": str(turn_id),
        "sequence_number": events[-1]["sequence_number"] if events else -1,
        "stet:state": str(rows.Turn.State.STREAMING),
        "response": {
            "id": f"resp_{turn_id.hex}",
            "status": "in_progress",
            "model": model,
            "output": assemble(events),
        },
    }


def snapshot_of_rows(turn: rows.Turn) -> Frame:
    """A turn that has ended (or waits), as its rows say it."""
    output = [item.data for item in rows.Item.objects.filter(turn=turn, position__gt=0).order_by("position")]
    response: dict[str, Any] = {"id": f"resp_{turn.pk.hex}", "status": "in_progress", "model": turn.model}
    frame: Frame = {
        "type": "stet:snapshot",
        "stet:turn": str(turn.pk),
        "sequence_number": turn.last_number,
        "stet:state": str(turn.state),
    }
    if turn.ended:
        end = terminal_frame(turn.pk, turn.model, Outcome(turn.state, turn.reason, turn.error), answer_text(output))
        response = end["response"]
        frame["stet:text_crc32"] = end["stet:text_crc32"]
    frame["response"] = {**response, "output": output}
    return frame


def seen(conversation_id: uuid.UUID, now: datetime) -> None:
    """Its owner has it open: what ended until now is read."""
    rows.Conversation.objects.filter(pk=conversation_id).update(seen_at=now)
