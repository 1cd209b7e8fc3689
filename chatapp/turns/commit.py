"""What the engine commits: one function, one transaction, each guarded so that doing it twice does nothing twice."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from chatapp.context.planner import Plan, plan
from chatapp.turns.ask import return_queue
from chatapp.turns.connections import Connection
from chatapp.turns.history import Job, load_job, save_items
from chatapp.turns.hop import hop
from chatapp.turns.ledger import close_call, open_call, usage_of_failure
from chatapp.turns.outcome import Outcome
from chatapp.vocab.errors import ProviderError
from chatapp.vocab.events import Failed, Frame, Reported
from chatapp.vocab.items import Item
from chatapp.vocab.model import ModelSpec
from chatapp.vocab.usage import Usage
from sessions_store import models as rows

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between tries while the database is away: as long as a restart of it takes."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A call whose row is open and whose request may be sent."""

    job: Job
    planned: Plan
    call_id: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ends: its outcome and items, and what is known of its last call.

    `usage` None: nobody knows. `estimated`: the usage is ours, not the provider's.
    """

    outcome: Outcome
    items: tuple[Item, ...]
    usage: Usage | None
    report: Reported
    first_token_at: datetime | None
    estimated: bool = False
    error: ProviderError | None = None


async def kept(commit: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """A hop that must not be lost: while the database is away, it is tried again."""
    for pause in PAUSES_SECONDS:
        try:
            return await hop(commit, *args, **kwargs)
        except (OperationalError, InterfaceError):
            log.warning("the database is away; trying again in %s s", pause)
            await asyncio.sleep(pause)
    return await hop(commit, *args, **kwargs)


def begin_call(
    turn: rows.Turn,
    job: Job | None,
    connection: Connection,
    spec: ModelSpec,
    chain: bool,
    number: int,
    now: datetime,
) -> Begun:
    """Load what came before (`job` None: for the first attempt), plan, and open the call's row."""
    job = job or load_job(turn.pk)
    planned = plan(
        instructions=job.conversation.instructions,
        past=job.past,
        new=job.new,
        spec=spec,
        account=connection.account,
        now=now,
        max_output_tokens=settings.STET_MAX_OUTPUT_TOKENS,
        cache_key=job.conversation.pk.hex,
        chain=chain,
    )
    call_id = open_call(
        owner_id=turn.owner_id,
        conversation_id=turn.conversation_id,
        turn_id=turn.pk,
        purpose=rows.Call.Purpose.REPLY,
        attempt=number,
        connection=connection,
        plan=planned,
        now=now,
    )
    return Begun(job, planned, call_id)


@transaction.atomic
def close_failed(call_id: int, end: Failed, now: datetime) -> None:
    """A call that will be tried again."""
    close_call(
        call_id,
        state=rows.Call.State.FAILED,
        report=end.report,
        usage=usage_of_failure(end.error, end.report, end.first_byte),
        estimated=False,
        now=now,
        error=end.error,
    )


@transaction.atomic
def close_lost(call_id: int, ending: Ending, now: datetime) -> None:
    """The turn is another process's now; what its call cost is still ours to say."""
    _close(call_id, rows.Call.State.INTERRUPTED, ending, now)


@transaction.atomic
def finish(
    turn: rows.Turn, call: Begun, connection: Connection, ending: Ending, events: Sequence[Frame], now: datetime
) -> list[rows.Call]:
    """The turn's last commit: its items, its call with usage and cost, and its end; all its calls.

    Two events follow it, the cost and the end; their numbers are given already.
    """
    _close(call.call_id, ending.outcome.state, ending, now)
    completed = ending.outcome.state == rows.Turn.State.COMPLETED
    ended = end_turn(
        turn.pk,
        turn.lease_id,
        ending.outcome,
        now,
        account=connection.account,
        response_id=(ending.report.response_id or "") if completed else "",
        first_token_at=ending.first_token_at,
        last_number=len(events) + 1,
    )
    if ended:
        save_items(turn.pk, call.call_id, ending.items, events)
    return list(rows.Call.objects.filter(turn_id=turn.pk).order_by("pk"))


@transaction.atomic
def end_without_call(
    turn: rows.Turn, outcome: Outcome, items: Sequence[Item], events: Sequence[Frame], now: datetime
) -> None:
    """End a turn whose last call is closed, was never made, or cannot be told. One event follows: the end."""
    for call in rows.Call.objects.filter(turn_id=turn.pk, state=rows.Call.State.OPEN):
        close_call(call.pk, state=rows.Call.State.FAILED, report=Reported(), usage=None, estimated=False, now=now)
    if end_turn(turn.pk, turn.lease_id, outcome, now, last_number=len(events)):
        save_items(turn.pk, None, items, events)


def _close(call_id: int, state: str, ending: Ending, now: datetime) -> None:
    close_call(
        call_id,
        state=state,
        report=ending.report,
        usage=ending.usage,
        estimated=ending.estimated,
        now=now,
        first_token_at=ending.first_token_at,
        error=ending.error,
    )


def end_turn(
    turn_id: uuid.UUID, lease_id: uuid.UUID | None, outcome: Outcome, now: datetime, **changes: object
) -> bool:
    """Move a running turn to its end, if it is still ours; the queue behind it comes back unless all is well.

    To be called inside a transaction. False if another process has ended it.
    """
    turn = rows.Turn.objects.filter(pk=turn_id).only("conversation_id", "lease_id").get()
    rows.Conversation.locked(turn.conversation_id)
    if turn.lease_id != lease_id:
        return False
    moved = rows.Turn.objects.move(
        turn_id,
        rows.Turn.State.STREAMING,
        outcome.state,
        reason=outcome.reason,
        error=outcome.error,
        ended_at=now,
        **changes,
    )
    if moved:
        rows.Conversation.touch(turn.conversation_id, now, changed_at=now)
        if outcome.state in ("failed", "cancelled", "interrupted"):
            return_queue(turn.conversation_id, now)
    return moved
