"""run_turn: the life of one turn, from its claimed row to its last event.

History is loaded, the planner plans, a call's row is opened before a byte is sent, the adapter streams, and
the last transaction writes items, closes the call and ends the turn. Every event is
added to the turn's feed, in order; who hears them is not known here.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from chatapp.catalog.load import model as catalog_model
from chatapp.context.budget import text_tokens
from chatapp.context.planner import Plan, plan
from chatapp.turns.ask import return_queue
from chatapp.turns.connections import AdapterPool, Connection, connection_to
from chatapp.turns.feed import Feed
from chatapp.turns.history import Job, load_job, save_items
from chatapp.turns.hop import hop
from chatapp.turns.ledger import close_call, error_json, open_call, usage_of_failure
from chatapp.turns.outcome import Outcome, terminal_frame
from chatapp.vocab.assemble import assemble
from chatapp.vocab.errors import PreviousResponseNotFound, ProviderError, UnknownModel
from chatapp.vocab.events import Done, Failed, Frame, Reported
from chatapp.vocab.items import Item, answer_text
from chatapp.vocab.usage import Usage
from sessions_store import models as rows

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

LONGEST_WAIT_SECONDS = 60.0
"""A provider that asks for a longer pause than this is reported as failing: nobody waits that long in a chat."""


@dataclass
class Stop:
    """How a running turn is told to end: once, with the first reason given.

    `stopped`: its reader said so. `draining`: this process is about to end. `lost`: another process has
    taken the turn because this one looked dead; its rows are no longer ours.
    """

    reason: str = ""
    event: asyncio.Event = field(default_factory=asyncio.Event)

    def set(self, reason: str) -> None:
        if not self.reason:
            self.reason = reason
            self.event.set()


@dataclass(frozen=True, slots=True)
class Engine:
    """What turns need from their process: adapters, a clock, and how long to wait before trying again."""

    adapters: AdapterPool
    clock: Callable[[], datetime]
    retry_base_seconds: float = 1.0


@dataclass
class _Attempt:
    """What has been seen of one call so far. `end` is None while it runs and after a stop."""

    frames_before: int
    report: Reported = field(default_factory=Reported)
    first_token_at: datetime | None = None
    end: Done | Failed | None = None


async def run_turn(
    engine: Engine,
    turn_id: uuid.UUID,
    lease_id: uuid.UUID | None,
    stop: Stop,
    feed: Feed,
    cost_frame: Callable[[Sequence[rows.Call]], Frame],
) -> Outcome:
    """Run a claimed turn to its end and return how it ended.

    `cost_frame` words the cost of the turn's calls for the reader. Never raises for anything a provider
    does; a fault of our own ends the turn as failed with code `server_error`.
    """
    job: Job | None = None
    try:
        job = await hop(load_job, turn_id)
        return await _run(engine, job, lease_id, stop, feed, cost_frame)
    except Exception:
        log.exception("turn %s ended by a fault of ours", turn_id)
        outcome = Outcome("failed", error={"code": "server_error", "message": "", "status": None})
        items = tuple(Item(data) for data in assemble(feed.frames))
        await kept(_end_without_call, turn_id, lease_id, outcome, engine.clock(), items)
        text = answer_text([item.data for item in items])
        feed.add(terminal_frame(turn_id, job.turn.model if job else "", outcome, text))
        return outcome


async def _run(
    engine: Engine,
    job: Job,
    lease_id: uuid.UUID | None,
    stop: Stop,
    feed: Feed,
    cost_frame: Callable[[Sequence[rows.Call]], Frame],
) -> Outcome:
    turn = job.turn
    response = {"id": f"resp_{turn.pk.hex}", "status": "in_progress", "model": turn.model}
    feed.add({"type": "response.created", "response": response})
    connection, spec = connection_to(turn.provider), catalog_model(turn.provider, turn.model)
    if connection is None or spec is None:
        error = UnknownModel("No key is set for this provider, or the model is no longer known.")
        outcome = Outcome("failed", error=error_json(error))
        await kept(_end_without_call, turn.pk, lease_id, outcome, engine.clock())
        feed.add(terminal_frame(turn.pk, turn.model, outcome, ""))
        return outcome

    chain, attempt_number = True, 0
    while True:
        attempt_number += 1
        planned = plan(
            instructions=job.conversation.instructions,
            past=job.past,
            new=job.new,
            spec=spec,
            account=connection.account,
            now=engine.clock(),
            max_output_tokens=settings.STET_MAX_OUTPUT_TOKENS,
            cache_key=job.conversation.pk.hex,
            chain=chain,
        )
        call_id = await hop(_open, job, connection, planned, attempt_number, engine.clock())
        if attempt_number == 1:
            feed.add({"type": "response.in_progress", "response": response})
        attempt = _Attempt(frames_before=len(feed.frames))
        await _call(engine, connection, planned, stop, feed, attempt)
        end = attempt.end
        if isinstance(end, Failed) and not end.first_byte and not stop.reason:
            if isinstance(end.error, PreviousResponseNotFound) and planned.request.previous_response_id:
                await kept(_close_failed, call_id, end, engine.clock())
                chain = False  # our own transcript is the truth: replay it, once
                continue
            wait = _wait_before_retry(end.error, attempt_number, engine.retry_base_seconds)
            if wait is not None:
                await kept(_close_failed, call_id, end, engine.clock())
                feed.add(
                    {
                        "type": "stet:retrying",
                        "attempt": attempt_number + 1,
                        "wait_seconds": round(wait, 1),
                        "error": {"code": end.error.code, "message": end.error.message},
                    }
                )
                if not await _stopped_within(stop, wait):
                    continue
                outcome = _stopped_outcome(stop)
                await kept(_end_without_call, turn.pk, lease_id, outcome, engine.clock())
                feed.add(terminal_frame(turn.pk, turn.model, outcome, ""))
                return outcome
        break

    now = engine.clock()
    end_of_turn = _conclude(attempt, feed.frames[attempt.frames_before :], stop, planned)
    outcome = end_of_turn.outcome
    if stop.reason == "lost":
        await kept(_close_lost, call_id, attempt, end_of_turn, now)
        return outcome
    calls = await kept(_finish, job, lease_id, call_id, connection, attempt, end_of_turn, feed.frames, now)
    feed.add(cost_frame(calls))
    feed.add(terminal_frame(turn.pk, turn.model, outcome, answer_text([item.data for item in end_of_turn.items])))
    return outcome


async def _call(
    engine: Engine, connection: Connection, planned: Plan, stop: Stop, feed: Feed, attempt: _Attempt
) -> None:
    """One attempt, read in a task of its own so that Stop is heard while the provider is silent.

    Only this task touches the upstream, and it touches nothing else: cancelling it closes the connection
    at once and can leave no transaction half done.
    """

    thinking_since: dict[int, datetime] = {}

    def time_thinking(event: Frame) -> None:
        if event["type"] == "response.output_item.added" and event["item"]["type"] == "reasoning":
            thinking_since[event["output_index"]] = engine.clock()
        elif event["type"] == "response.output_item.done" and event["output_index"] in thinking_since:
            took = engine.clock() - thinking_since[event["output_index"]]
            event["stet:seconds"] = round(took.total_seconds(), 1)

    async def read() -> None:
        async with aclosing(engine.adapters.get(connection).stream(planned.request)) as stream:
            async for event in stream:
                if isinstance(event, dict):
                    if "delta" not in event:
                        time_thinking(event)
                    elif attempt.first_token_at is None:
                        attempt.first_token_at = engine.clock()
                    feed.add(event)
                elif isinstance(event, Reported):
                    attempt.report = event
                else:
                    attempt.end = event
                    attempt.report = event.report

    reading, stopping = asyncio.create_task(read()), asyncio.create_task(stop.event.wait())
    try:
        await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not reading.done():
            reading.cancel()
        await asyncio.gather(reading, stopping, return_exceptions=True)
    if not reading.cancelled() and (fault := reading.exception()):
        raise fault


def _wait_before_retry(error: ProviderError, attempt_number: int, base_seconds: float) -> float | None:
    """Seconds to wait before the same request is sent again, with jitter; None to give up."""
    if not error.retryable or attempt_number >= settings.STET_MAX_ATTEMPTS:
        return None
    if error.retry_after_seconds is not None:
        wait = error.retry_after_seconds
        return wait if wait <= LONGEST_WAIT_SECONDS else None
    return min(base_seconds * 2 ** (attempt_number - 1), LONGEST_WAIT_SECONDS) * random.uniform(0.5, 1.0)


async def _stopped_within(stop: Stop, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await stop.event.wait()
    except TimeoutError:
        return False
    return True


def _stopped_outcome(stop: Stop) -> Outcome:
    return Outcome("cancelled", reason="stopped") if stop.reason == "stopped" else Outcome("interrupted")


@dataclass(frozen=True, slots=True)
class _End:
    """How a turn ends: its outcome, its items, the usage of its last call and whether that is our estimate."""

    outcome: Outcome
    items: tuple[Item, ...]
    usage: Usage | None
    estimated: bool = False


def _conclude(attempt: _Attempt, frames: Sequence[Frame], stop: Stop, planned: Plan) -> _End:
    """The end of a turn from what its last call gave; `frames` are the events of that call."""
    end = attempt.end
    if isinstance(end, Done):
        if end.incomplete_reason:
            return _End(Outcome("incomplete", reason=end.incomplete_reason[:40]), end.items, end.report.usage)
        return _End(Outcome("completed"), end.items, end.report.usage)
    partial = tuple(Item(data) for data in assemble(frames))
    if isinstance(end, Failed):
        outcome = Outcome("failed", error=error_json(end.error))
        usage = usage_of_failure(end.error, end.report, end.first_byte)
        if end.first_byte and end.error.code != "refused":
            return _End(outcome, partial, estimate(attempt.report, planned, frames), estimated=True)
        return _End(outcome, partial, usage)
    if not attempt.first_token_at and attempt.report.response_id is None:
        # Stopped before the provider had said a word: it may or may not have begun to read.
        return _End(_stopped_outcome(stop), partial, None)
    return _End(_stopped_outcome(stop), partial, estimate(attempt.report, planned, frames), estimated=True)


def estimate(report: Reported, planned: Plan, frames: Sequence[Frame]) -> Usage:
    """Usage of a call that ended before its report: reported input where there is some, else the planner's
    expectation; output from what had arrived."""
    arrived = sum(len(frame["delta"]) for frame in frames if "delta" in frame)
    output = text_tokens("x" * arrived)
    if report.usage is not None and report.usage.uncached is not None:
        return replace(report.usage, output=max(output, report.usage.output or 0))
    expected = planned.expected
    return Usage(uncached=expected.uncached + expected.written, read=expected.read, output=output)


async def kept(transaction_: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """A hop that must not be lost: while the database is away, it is tried again for as long as a restart takes.

    Every transaction given here is guarded by the state it changes, so that doing it twice does nothing twice.
    """
    for pause in (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0):
        try:
            return await hop(transaction_, *args, **kwargs)
        except (OperationalError, InterfaceError):
            log.warning("the database is away; trying again in %s s", pause)
            await asyncio.sleep(pause)
    return await hop(transaction_, *args, **kwargs)


# --- Transactions: one function each ------------------------------------------------------------


def _open(job: Job, connection: Connection, planned: Plan, attempt_number: int, now: datetime) -> int:
    return open_call(
        owner_id=job.turn.owner_id,
        conversation_id=job.conversation.pk,
        turn_id=job.turn.pk,
        purpose=rows.Call.Purpose.REPLY,
        attempt=attempt_number,
        connection=connection,
        plan=planned,
        now=now,
    )


@transaction.atomic
def _close_failed(call_id: int, end: Failed, now: datetime) -> None:
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
def _close_lost(call_id: int, attempt: _Attempt, end: _End, now: datetime) -> None:
    """The turn is another process's now; what its call cost is still ours to say."""
    close_call(
        call_id,
        state=rows.Call.State.INTERRUPTED,
        report=attempt.report,
        usage=end.usage,
        estimated=end.estimated,
        now=now,
        first_token_at=attempt.first_token_at,
    )


@transaction.atomic
def _finish(
    job: Job,
    lease_id: uuid.UUID | None,
    call_id: int,
    connection: Connection,
    attempt: _Attempt,
    end: _End,
    events: Sequence[Frame],
    now: datetime,
) -> list[rows.Call]:
    """The turn's last commit: its items, its call with usage and cost, and its end.

    Two events follow it, the cost and the end; their numbers are given already.
    """
    close_call(
        call_id,
        state=end.outcome.state,
        report=attempt.report,
        usage=end.usage,
        estimated=end.estimated,
        now=now,
        first_token_at=attempt.first_token_at,
        error=attempt.end.error if isinstance(attempt.end, Failed) else None,
    )
    completed = end.outcome.state == "completed"
    ended = end_turn(
        job.turn.pk,
        lease_id,
        end.outcome,
        now,
        account=connection.account,
        response_id=(attempt.report.response_id or "") if completed else "",
        first_token_at=attempt.first_token_at,
        last_number=len(events) + 1,
    )
    if ended:
        save_items(job.turn.pk, call_id, end.items, events)
    return list(rows.Call.objects.filter(turn_id=job.turn.pk).order_by("pk"))


@transaction.atomic
def _end_without_call(
    turn_id: uuid.UUID, lease_id: uuid.UUID | None, outcome: Outcome, now: datetime, items: Sequence[Item] = ()
) -> None:
    """End a turn whose last call is closed, was never made, or cannot be told."""
    for call in rows.Call.objects.filter(turn_id=turn_id, state=rows.Call.State.OPEN):
        close_call(call.pk, state=rows.Call.State.FAILED, report=Reported(), usage=None, estimated=False, now=now)
    if end_turn(turn_id, lease_id, outcome, now):
        save_items(turn_id, None, items)


def end_turn(
    turn_id: uuid.UUID, lease_id: uuid.UUID | None, outcome: Outcome, now: datetime, **changes: object
) -> bool:
    """Move a running turn to its end, if it is still ours; the queue behind it comes back unless all is well.

    To be called inside a transaction. False if another process has ended it.
    """
    turn = rows.Turn.objects.filter(pk=turn_id).only("conversation_id", "lease_id").get()
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
