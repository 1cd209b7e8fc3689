"""The socket: client frame to verb, owed frames to the browser. Protocol: docs/protocol.md.

A consumer owns no turn. It hands frames to the engine's doors and to the hub, and one sender task of its own
sends what its viewer is owed, so that Stop is heard while an answer streams.
"""

import asyncio
import json
import logging
import time
from datetime import datetime
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError
from django.utils import timezone

from chatapp import forms
from chatapp.live import frames
from chatapp.live.hub import FAULT, NOT_FOUND, NOT_READY, NOT_SIGNED_IN, TOO_MUCH, valid_sessions
from chatapp.live.runtime import runtime
from chatapp.live.viewers import Viewer
from chatapp.turns.ask import AskError, NotYours, Question, ask, own_turn, take_back
from chatapp.turns.hop import hop
from chatapp.vocab.events import DELTA_TYPES, Frame
from sessions_store.models import Turn

log = logging.getLogger(__name__)

SEND_EVERY_SECONDS = 0.02
"""After deltas were sent to a tab: what comes meanwhile is joined. A screen shows no more than that."""


FRAMES_PER_SECOND, FRAMES_AT_ONCE = 20.0, 200.0
"""What one tab may send: far more than a person needs, and little enough for the database that checks each."""


class ChatConsumer(AsyncWebsocketConsumer):
    """One tab."""

    viewer: Viewer | None = None
    sender: "asyncio.Task[None] | None" = None
    frames_left = 0.0
    counted_at = 0.0
    flooded = False

    async def connect(self) -> None:
        # Accepted first: a close before that would reach the browser as HTTP 403 without a code.
        await self.accept()
        user, session = self.scope["user"], self.scope["session"]
        if not user.is_authenticated or not runtime.running:
            await self.close(NOT_SIGNED_IN if not user.is_authenticated else NOT_READY)
            return
        self.frames_left, self.counted_at = FRAMES_AT_ONCE, time.monotonic()
        self.viewer = Viewer(user.pk, session.session_key or "", self._close_soon)
        if not await self._still_signed_in():
            return
        runtime.hub.join(self.viewer)
        self.sender = asyncio.create_task(self._send_owed())

    async def disconnect(self, code: int) -> None:
        if self.viewer:
            runtime.hub.leave(self.viewer)
        if self.sender:
            self.sender.cancel()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.viewer is None or self.flooded:
            return
        if self._flooded():
            self.flooded = True
            await self.close(TOO_MUCH)
            return
        client_id = None
        try:
            frame = forms.read_frame(text_data)
            if isinstance(frame.get("stet:client_id"), str):
                client_id = frame["stet:client_id"][:40]
            self._check_pace()
            if not await self._still_signed_in():
                return
            handle = _HANDLERS.get(frame["type"])
            if handle is None:
                raise AskError("unknown_type", f"There is no frame of type {frame['type'][:60]!r}.", "type")
            await handle(self, self.viewer, frame)
        except NotYours:
            await self.close(NOT_FOUND)
        except AskError as error:
            self.viewer.tell(frames.error_frame(error.code, error.sentence, error.param, client_id))
        except DatabaseError:
            log.exception("a client frame could not be carried out")
            self.viewer.tell(
                frames.error_frame(
                    "server_error", "The database did not answer. Nothing was lost; try again.", None, client_id
                )
            )

    async def _create(self, viewer: Viewer, frame: dict[str, Any]) -> None:
        question = forms.question_from_frame(frame)
        if runtime.draining:
            raise AskError("shutting_down", "The server is about to restart. This is sent again in a moment.")
        turn, new, added = await hop(_ask, viewer.user_id, question, timezone.now())
        if viewer.conversation_id != turn.conversation_id and not await runtime.hub.watch(viewer, turn.conversation_id):
            raise NotYours
        viewer.turns.add(turn.pk)
        viewer.tell(added)
        if new:
            runtime.news()
        if not new or turn.pk in viewer.begun:  # known before, or the runner was quicker than this frame
            await runtime.hub.follow(viewer, turn.pk)

    async def _watch(self, viewer: Viewer, frame: dict[str, Any]) -> None:
        if not await runtime.hub.watch(viewer, forms.uuid_field(frame, "stet:conversation")):
            raise NotYours

    async def _resume(self, viewer: Viewer, frame: dict[str, Any]) -> None:
        turn_id, after = forms.uuid_field(frame, "stet:turn"), forms.number_field(frame, "starting_after")
        if not await runtime.hub.resume(viewer, turn_id, after):
            raise NotYours

    async def _cancel(self, viewer: Viewer, frame: dict[str, Any]) -> None:
        turn = await hop(own_turn, viewer.user_id, forms.uuid_field(frame, "stet:turn"))
        if turn.state == Turn.State.QUEUED:
            viewer.returned.add(turn.pk)  # before it is so, lest the hub tell it as well
            text = await hop(take_back, turn, timezone.now())
            if text is not None:
                viewer.tell(frames.returned_frame(turn, text))
                runtime.news()
                return
            viewer.returned.discard(turn.pk)
        if not await hop(request_stop, turn):
            raise AskError("turn_ended", "This answer has ended already.", "stet:turn")
        runtime.runner.stop_turn(turn.pk)

    async def _ping(self, viewer: Viewer, frame: dict[str, Any]) -> None:
        viewer.tell({"type": "stet:pong"})

    def _flooded(self) -> bool:
        """Count a frame, whatever it holds, against what a tab may send; whether it is far beyond that. The answers
        to so many would pile up here for a tab that may not even read them."""
        now = time.monotonic()
        self.frames_left = min(FRAMES_AT_ONCE, self.frames_left + (now - self.counted_at) * FRAMES_PER_SECOND) - 1
        self.counted_at = now
        return self.frames_left < -FRAMES_AT_ONCE

    def _check_pace(self) -> None:
        """Refuse a frame that is one too many before it costs anything, but after it has said what it answers to."""
        if self.frames_left < 0:
            raise AskError("rate_limited", "This tab sends too much at once. What it sent now was not carried out.")

    async def _still_signed_in(self) -> bool:
        assert self.viewer is not None
        pair = (self.viewer.session_key, self.viewer.user_id)
        if pair in await hop(valid_sessions, {pair}):
            return True
        await self.close(NOT_SIGNED_IN)
        return False

    def _close_soon(self, code: int) -> None:
        task = asyncio.ensure_future(self.close(code))
        task.add_done_callback(lambda done: done.exception())

    async def _send_owed(self) -> None:
        """Send what is owed, for as long as the socket stands. A browser that does not read holds up only this."""
        viewer = self.viewer
        assert viewer is not None
        try:
            while True:
                await viewer.wake.wait()
                viewer.wake.clear()
                owed, untold = viewer.collect()
                for frame in owed:
                    await self._send_frame(frame)
                for turn_id, cursor in untold:
                    await runtime.hub.tell_end(viewer, turn_id, cursor)
                if any(frame["type"] in DELTA_TYPES for frame in owed):
                    await asyncio.sleep(SEND_EVERY_SECONDS)  # nothing but deltas can be joined
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("a tab could not be served; it will connect again")
            await self.close(FAULT)

    async def _send_frame(self, frame: Frame) -> None:
        await self.send(json.dumps(frame, separators=(",", ":")))


_HANDLERS = {
    "response.create": ChatConsumer._create,
    "stet:watch": ChatConsumer._watch,
    "stet:resume": ChatConsumer._resume,
    "stet:cancel": ChatConsumer._cancel,
    "stet:ping": ChatConsumer._ping,
}


def _ask(owner_id: int, question: Question, now: datetime) -> tuple[Turn, bool, Frame]:
    """Save a question in one hop: its turn, whether that is new, and the frame that answers."""
    turn, new = ask(owner_id, question, now)
    return turn, new, frames.added_frame(turn)


def request_stop(turn: Turn) -> bool:
    """Write down that a running turn shall stop, for whichever process runs it; False if none does."""
    running = Turn.objects.filter(pk=turn.pk, state=Turn.State.STREAMING)
    return running.update(stop_requested_at=timezone.now()) == 1
