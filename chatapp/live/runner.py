"""The runner: finds queued turns and runs each as a task that no socket owns."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import DatabaseError, IntegrityError, transaction

from chatapp.live.frames import added_frame, cost_frame
from chatapp.turns.engine import Engine, Stop, run_turn
from chatapp.turns.feed import Feed
from chatapp.turns.hop import hop
from chatapp.turns.recovery import interrupt
from chatapp.turns.titles import make_title
from chatapp.vocab.events import Frame
from sessions_store import models as rows

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often the table is looked at without being woken: for turns that another process saved or left."""

LEFT_TO_OTHERS = timedelta(seconds=2)
"""How long a queued turn that nobody here saved is left to the process that saved it."""

AT_ONCE = 64
"""Turns claimed in one look."""


class Runner:
    """Claims turns under this process's lease and runs them. `started` hears of each before its first event."""

    def __init__(
        self, engine: Engine, lease_id: Callable[[], uuid.UUID], started: Callable[[Feed, Frame], None]
    ) -> None:
        self._engine = engine
        self._lease_id = lease_id
        self._started = started
        self._stops: dict[uuid.UUID, Stop] = {}
        self._running: dict[uuid.UUID, asyncio.Task[None]] = {}
        self._titles: set[asyncio.Task[bool]] = set()
        self._wake = asyncio.Event()
        self._closing = False
        self._ended = asyncio.Event()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    def stop_turn(self, turn_id: uuid.UUID) -> bool:
        """Stop a turn that runs here; False if it does not."""
        stop = self._stops.get(turn_id)
        if stop:
            stop.set("stopped")
        return stop is not None

    def lose_all(self) -> None:
        """Another process has taken our turns: end the calls, leave the rows."""
        for stop in self._stops.values():
            stop.set("lost")

    async def run(self) -> None:
        """Look for work until drained. Faults of the database are waited out."""
        tidy_at = 0.0
        while not self._closing:
            # What was saved here begins at once; what another process saved is left to it for a moment.
            ours, now = self._wake.is_set(), self._engine.clock()
            self._wake.clear()
            try:
                for turn, added in await hop(_claim, self._lease_id(), now, now if ours else now - LEFT_TO_OTHERS):
                    self._begin(turn, added)
                if time.monotonic() >= tidy_at:  # after claiming: somebody waits for that
                    tidy_at = time.monotonic() + LOOK_SECONDS
                    await self._tidy()
            except DatabaseError:
                log.warning("cannot look for queued turns; trying again", exc_info=True)
            except Exception:
                # Whatever it is, the next turns must still find a runner.
                log.exception("looking for queued turns failed; trying again")
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
        self._ended.set()

    async def _tidy(self) -> None:
        """Stop what was stopped through another process, and end what a fault left without a task."""
        stops, interrupted = await hop(_look_after, self._lease_id(), list(self._running), self._engine.clock())
        for turn_id in stops:
            self.stop_turn(turn_id)
        if interrupted:
            self._wake.set()

    async def drain(self, seconds: float) -> None:
        """Start nothing new, wait for what runs, then end it as interrupted with everything kept."""
        self._closing = True
        self._wake.set()
        await self._ended.wait()  # what it is claiming at this moment is begun, and waited for as well
        tasks = [*self._running.values(), *self._titles]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        for stop in self._stops.values():
            stop.set("draining")
        for title in self._titles:
            title.cancel()
        tasks = [*self._running.values(), *self._titles]
        if tasks:
            await asyncio.wait(tasks, timeout=10)

    def _begin(self, turn: rows.Turn, added: Frame) -> None:
        feed, stop = Feed(turn.pk, turn.conversation_id), Stop()
        self._stops[turn.pk] = stop
        self._started(feed, added)
        task = asyncio.create_task(self._run_one(turn, feed, stop), name=f"turn {turn.pk}")
        self._running[turn.pk] = task

    async def _run_one(self, turn: rows.Turn, feed: Feed, stop: Stop) -> None:
        try:
            outcome = await run_turn(self._engine, turn, stop, feed, cost_frame)
        except Exception:
            # Not even its end could be written. The next look that reaches the database interrupts it.
            log.exception("turn %s could not be ended", turn.pk)
            return
        finally:
            feed.end()
            self._stops.pop(turn.pk, None)
            self._running.pop(turn.pk, None)
            self._wake.set()  # the next one in this conversation may go
        if outcome.state == "completed" and not self._closing:
            title = asyncio.create_task(make_title(self._engine, turn.conversation_id))
            self._titles.add(title)
            title.add_done_callback(self._title_done)

    def _title_done(self, task: asyncio.Task[bool]) -> None:
        self._titles.discard(task)
        if not task.cancelled() and task.exception():
            log.warning("no title could be made", exc_info=task.exception())


def _claim(lease_id: uuid.UUID, now: datetime, saved_until: datetime) -> list[tuple[rows.Turn, Frame]]:
    """Make claimable turns ours that were saved until then; each with the frame that tells of it."""
    claimed: list[tuple[rows.Turn, Frame]] = []
    waiting = rows.Turn.objects.claimable().filter(created_at__lte=saved_until)
    for turn in waiting.order_by("created_at")[:AT_ONCE]:
        try:
            with transaction.atomic():
                rows.Conversation.locked(turn.conversation_id)
                if not rows.Turn.claim(turn, rows.ProcessLease(pk=lease_id), now):
                    continue
                rows.Conversation.touch(turn.conversation_id, now, head=turn)
                turn.refresh_from_db()
                claimed.append((turn, added_frame(turn)))
        except IntegrityError:
            continue  # another process began one in this conversation at this very moment
        except DatabaseError:
            if not claimed:
                raise
            break  # what was claimed must be begun
    return claimed


def _look_after(lease_id: uuid.UUID, running: list[uuid.UUID], now: datetime) -> tuple[list[uuid.UUID], int]:
    """Those of our running turns that were stopped through another process, and how many had no task and were
    ended: a fault kept their begin or their end from being written."""
    ours = rows.Turn.objects.filter(lease_id=lease_id, state=rows.Turn.State.STREAMING)
    stops = ours.filter(stop_requested_at__isnull=False).values_list("pk", flat=True)
    return list(stops), sum(interrupt(turn, now) for turn in ours.exclude(pk__in=running))
