"""A conversation's title: a side call to the provider's cheap model, in the ledger like any other."""

import asyncio
import logging
import uuid
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from chatapp.catalog.load import side_model
from chatapp.context.budget import items_tokens, prefix_tokens
from chatapp.context.planner import Expectation, Plan, front_of
from chatapp.turns.commit import kept
from chatapp.turns.connections import connection_to
from chatapp.turns.engine import Engine
from chatapp.turns.ledger import close_call, open_call, usage_of_failure
from chatapp.vocab.events import Done, Failed, Reported
from chatapp.vocab.items import answer_text, text_of, user_message
from chatapp.vocab.request import Request
from sessions_store import models as rows
from sessions_store.models.conversation import TITLE_CHARS

log = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Write a title for this conversation: three to six words in its own language, no quotation marks, "
    "no full stop. Answer with the title alone."
)
EXCERPT_CHARS = 1_500
"""How much of question and answer the title is made from."""

TITLE_TOKENS = 1_024
"""Room for a short title, and for the thinking that some cheap models do first."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    owner_id: int
    provider: str
    excerpt: str


async def make_title(engine: Engine, conversation_id: uuid.UUID) -> bool:
    """Give an untitled conversation a title; whether it got one. One attempt: its first words do as well."""
    wanted = await kept(_wanted, conversation_id)
    if wanted is None:
        return False
    connection = connection_to(wanted.provider)
    if connection is None:
        return False
    spec = side_model(wanted.provider)
    items = (user_message(wanted.excerpt),)
    tokens = prefix_tokens(INSTRUCTIONS, ()) + items_tokens(items)
    planned = Plan(
        Request(
            model=spec.id,
            instructions=INSTRUCTIONS,
            items=items,
            max_output_tokens=TITLE_TOKENS,
            store=False,
            cache=False,
            options=spec.side_options,
        ),
        Expectation(tokens, 0, 0, "below_minimum", None, "", spec.cache.minimum_tokens),
        front_of(INSTRUCTIONS, ()),
    )
    call_id = await kept(
        open_call,
        owner_id=wanted.owner_id,
        conversation_id=conversation_id,
        turn_id=None,
        purpose=rows.Call.Purpose.TITLE,
        attempt=1,
        connection=connection,
        plan=planned,
        now=engine.clock(),
    )
    heard = _Heard()
    try:
        async with aclosing(engine.adapters.get(connection).stream(planned.request)) as stream:
            async for event in stream:
                if isinstance(event, Done | Failed):
                    heard.end, heard.report = event, event.report
                elif isinstance(event, Reported):
                    heard.report = event
                elif heard.first_token_at is None and "delta" in event:
                    heard.first_token_at = engine.clock()
    finally:
        # Also when this process is about to end: a call that was opened is closed.
        title = await asyncio.shield(kept(_close, conversation_id, call_id, heard, engine.clock()))
    return bool(title)


@dataclass
class _Heard:
    """What has come of a call; `end` is None if it was cut off by our own end."""

    end: Done | Failed | None = None
    report: Reported = field(default_factory=Reported)
    first_token_at: datetime | None = None


@transaction.atomic
def _close(conversation_id: uuid.UUID, call_id: int, heard: _Heard, now: datetime) -> str:
    """Close the call and set the title, if one came and nobody was quicker; the title."""
    end, title, state = heard.end, "", rows.Call.State.INTERRUPTED
    usage = heard.report.usage
    if isinstance(end, Failed):
        state, usage = rows.Call.State.FAILED, usage_of_failure(end.error, end.report, end.first_byte)
    elif isinstance(end, Done):
        state = rows.Call.State.INCOMPLETE if end.incomplete_reason else rows.Call.State.COMPLETED
        title = clean_title(answer_text([item.data for item in end.items]))
    close_call(
        call_id,
        state=state,
        report=heard.report,
        usage=usage,
        estimated=False,
        now=now,
        first_token_at=heard.first_token_at,
        error=end.error if isinstance(end, Failed) else None,
    )
    untitled = rows.Conversation.objects.filter(pk=conversation_id, titled_by=rows.Conversation.TitledBy.NOBODY)
    if title:
        untitled.update(title=title, titled_by=rows.Conversation.TitledBy.MODEL)  # its owner may have been quicker
    rows.Conversation.touch(conversation_id, now)  # the total has changed in any case
    return title


def clean_title(text: str) -> str:
    """The first line of an answer as a title: no quotes, no marks of Markdown, not too long."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line.strip("#*_`\"'“”„«» ").rstrip(".")[:TITLE_CHARS]


def _wanted(conversation_id: uuid.UUID) -> _Wanted | None:
    """What a title is made from: the first turn; None where there is a title or one was tried before."""
    conversation = rows.Conversation.objects.filter(
        pk=conversation_id, titled_by=rows.Conversation.TitledBy.NOBODY, deleted_at=None
    ).first()
    if (
        conversation is None
        or rows.Call.objects.filter(conversation=conversation, purpose=rows.Call.Purpose.TITLE).exists()
    ):
        return None
    turn = (
        rows.Turn.objects.filter(conversation=conversation, state=rows.Turn.State.COMPLETED).order_by("number").first()
    )
    if turn is None:
        return None
    question, *answer = [item.data for item in rows.Item.objects.filter(turn=turn).order_by("position")]
    excerpt = f"{text_of(question)[:EXCERPT_CHARS]}\n\n---\n\n{answer_text(answer)[:EXCERPT_CHARS]}"
    return _Wanted(conversation.owner_id, turn.provider, excerpt)
