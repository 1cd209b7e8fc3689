"""run_turn: the life of one turn, from its claimed row to its last event.

History is loaded, the planner plans, a call's row is opened before a byte is sent, the adapter streams, and
the last transaction writes items, closes the call and ends the turn. Every event is
added to the turn's feed, in order; who hears them is not known here.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings

from chatapp.catalog.load import model as catalog_model
from chatapp.context.planner import Plan
from chatapp.turns import commit
from chatapp.turns.connections import AdapterPool, Connection, connection_to
from chatapp.turns.feed import Feed
from chatapp.turns.hop import hop
from chatapp.turns.ledger import error_json, estimate, usage_of_failure
from chatapp.turns.outcome import Outcome, terminal_frame
from chatapp.vocab.assemble import assemble
from chatapp.vocab.errors import PreviousResponseNotFound, ProviderError, UnknownModel
from chatapp.vocab.events import Done, Failed, Frame, Reported
from chatapp.vocab.items import Item, answer_text
from sessions_store import models as rows

log = logging.getLogger(__name__)

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
    turn: rows.Turn,
    stop: Stop,
    feed: Feed,
    cost_frame: Callable[[Sequence[rows.Call]], Frame],
) -> Outcome:
    """Run a turn that this process has claimed to its end, and return how it ended.

    `cost_frame` words the cost of the turn's calls for the reader. Never raises for anything a provider
    does; a fault of our own ends the turn as failed with code `server_error`.
    """
    try:
        return await _run(engine, turn, stop, feed, cost_frame)
    except Exception:
        log.exception("turn %s ended by a fault of ours", turn.pk)
        outcome = Outcome("failed", error={"code": "server_error", "message": "", "status": None})
        return await _end_now(engine, turn, outcome, feed)


async def _run(
    engine: Engine,
    turn: rows.Turn,
    stop: Stop,
    feed: Feed,
    cost_frame: Callable[[Sequence[rows.Call]], Frame],
) -> Outcome:
    response = {"id": f"resp_{turn.pk.hex}", "status": "in_progress", "model": turn.model}
    feed.add({"type": "response.created", "response": response})
    connection, spec = connection_to(turn.provider), catalog_model(turn.provider, turn.model)
    if connection is None or spec is None:
        error = UnknownModel("No key is set for this provider, or the model is no longer known.")
        return await _end_now(engine, turn, Outcome("failed", error=error_json(error)), feed)

    chain, number, call = True, 0, None
    while True:
        number += 1
        job = call.job if call else None
        call = await hop(commit.begin_call, turn, job, connection, spec, chain, number, engine.clock())
        if number == 1:
            feed.add({"type": "response.in_progress", "response": response})
        attempt = await _call(engine, connection, call.planned, stop, feed)
        end = attempt.end
        if not isinstance(end, Failed) or end.first_byte or stop.reason:
            break
        if isinstance(end.error, PreviousResponseNotFound) and call.planned.request.previous_response_id:
            chain, wait = False, 0.0  # our own transcript is the truth: replay it, once
        elif (seconds := _wait_before_retry(end.error, number, engine.retry_base_seconds)) is not None:
            wait = seconds
            feed.add(_retrying_frame(end.error, number + 1, wait))
        else:
            break
        await commit.kept(commit.close_failed, call.call_id, end, engine.clock())
        if await _stopped_within(stop, wait):
            return await _end_now(engine, turn, _stopped_outcome(stop), feed)

    ending = _conclude(attempt, feed.frames[attempt.frames_before :], stop, call.planned)
    if stop.reason == "lost":
        await commit.kept(commit.close_lost, call.call_id, ending, engine.clock())
        return ending.outcome
    calls = await commit.kept(commit.finish, turn, call, connection, ending, feed.frames, engine.clock())
    feed.add(cost_frame(calls))
    feed.add(terminal_frame(turn.pk, turn.model, ending.outcome, answer_text([item.data for item in ending.items])))
    return ending.outcome


async def _end_now(engine: Engine, turn: rows.Turn, outcome: Outcome, feed: Feed) -> Outcome:
    """End a turn whose last call is closed, was never made, or cannot be told; what had arrived is kept."""
    items = tuple(Item(data) for data in assemble(feed.frames))
    await commit.kept(commit.end_without_call, turn, outcome, items, feed.frames, engine.clock())
    feed.add(terminal_frame(turn.pk, turn.model, outcome, answer_text([item.data for item in items])))
    return outcome


def _retrying_frame(error: ProviderError, attempt: int, wait_seconds: float) -> Frame:
    return {
        "type": "stet:retrying",
        "attempt": attempt,
        "wait_seconds": round(wait_seconds, 1),
        "error": {"code": error.code, "message": error.message},
    }


async def _call(engine: Engine, connection: Connection, planned: Plan, stop: Stop, feed: Feed) -> _Attempt:
    """One attempt, read in a task of its own so that Stop is heard while the provider is silent.

    Only this task touches the upstream, and it touches nothing else: cancelling it closes the connection
    at once and can leave no transaction half done.
    """

    attempt = _Attempt(frames_before=len(feed.frames))
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
    return attempt


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


def _conclude(attempt: _Attempt, frames: Sequence[Frame], stop: Stop, planned: Plan) -> commit.Ending:
    """The end of a turn from what its last call gave; `frames` are the events of that call."""
    end = attempt.end
    seen: dict[str, Any] = {"report": attempt.report, "first_token_at": attempt.first_token_at}
    if isinstance(end, Done):
        cut = end.incomplete_reason
        outcome = Outcome("incomplete", reason=cut[:40]) if cut else Outcome("completed")
        return commit.Ending(outcome, end.items, end.report.usage, **seen)
    partial = tuple(Item(data) for data in assemble(frames))
    guess = estimate(attempt.report.usage, planned.note()["expected"], frames)
    if isinstance(end, Failed):
        outcome = Outcome("failed", error=error_json(end.error))
        if end.first_byte and end.error.code != "refused":
            return commit.Ending(outcome, partial, guess, **seen, estimated=True, error=end.error)
        usage = usage_of_failure(end.error, end.report, end.first_byte)
        return commit.Ending(outcome, partial, usage, **seen, error=end.error)
    if attempt.first_token_at is None and attempt.report.response_id is None:
        # Stopped before the provider had said a word: it may or may not have begun to read.
        return commit.Ending(_stopped_outcome(stop), partial, None, **seen)
    return commit.Ending(_stopped_outcome(stop), partial, guess, **seen, estimated=True)
