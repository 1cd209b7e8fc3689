"""Rows for tests: plain functions that fill in what a test does not care about. Scenes belong to fixtures."""

import itertools
import uuid
from datetime import datetime
from typing import Any

from django.utils import timezone

from sessions_store.models import Call, Conversation, Item, Turn, User

_numbers = itertools.count(1)

PROVIDER = "openai"
MODEL = "gpt-6.1-sol"


def make_user(username: str = "", **fields: Any) -> User:
    """Somebody with the password "secret"."""
    user = User(username=username or f"user{next(_numbers)}", **fields)
    user.set_password("secret")
    user.save()
    return user


def make_conversation(owner: User, **fields: Any) -> Conversation:
    now = timezone.now()
    filled = {"provider": PROVIDER, "model": MODEL, "created_at": now, "changed_at": now, "touched_at": now}
    return Conversation.objects.create(owner=owner, **{**filled, **fields})


def make_turn(
    conversation: Conversation,
    state: str = Turn.State.COMPLETED,
    text: str = "How are you?",
    answer: str | None = "Fine.",
    **fields: Any,
) -> Turn:
    """A turn with its message and, unless it is queued or `answer` is None, an answer; the new head."""
    now = timezone.now()
    last = conversation.turns.order_by("-number").first()
    ended: datetime | None = None if state in {Turn.State.QUEUED, Turn.State.STREAMING} else now
    filled: dict[str, Any] = {
        "owner_id": conversation.owner_id,
        "client_id": uuid.uuid4(),
        "number": last.number + 1 if last else 1,
        "parent": conversation.head,
        "provider": conversation.provider,
        "model": conversation.model,
        "created_at": now,
        "started_at": None if state == Turn.State.QUEUED else now,
        "ended_at": ended,
    }
    turn = Turn.objects.create(conversation=conversation, state=state, **{**filled, **fields})
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    Item.objects.create(turn=turn, position=0, data=message)
    if answer is not None and state != Turn.State.QUEUED:
        part = {"type": "output_text", "text": answer, "annotations": []}
        reply = {"type": "message", "role": "assistant", "status": "completed", "content": [part]}
        Item.objects.create(turn=turn, position=1, data=reply, provider=turn.provider, model=turn.model)
    if state != Turn.State.QUEUED:
        conversation.head = turn
        conversation.save(update_fields=["head"])
    return turn


def make_call(turn: Turn, state: str = Call.State.COMPLETED, **fields: Any) -> Call:
    """A call of the turn; completed ones with usage: 800 of 1,000 tokens read, 50 out, $0.0003 for $0.0006."""
    now = timezone.now()
    filled: dict[str, Any] = {
        "owner_id": turn.owner_id,
        "conversation_id": turn.conversation_id,
        "turn": turn,
        "purpose": Call.Purpose.REPLY,
        "provider": turn.provider,
        "model": turn.model,
        "started_at": now,
        "ended_at": None if state == Call.State.OPEN else now,
    }
    if state == Call.State.COMPLETED:
        filled |= {
            "uncached_tokens": 200,
            "read_tokens": 800,
            "output_tokens": 50,
            "reasoning_tokens": 0,
            "cost_nanousd": 300_000,
            "without_cache_nanousd": 600_000,
            "first_token_at": now,
        }
    return Call.objects.create(state=state, **{**filled, **fields})
