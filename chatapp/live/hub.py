"""The hub: tells every viewer of this process what is new, whichever process made it.

Turns that run here are followed directly. For the rest, one look at the database a second, or at once when
another process says (in a message without content) that it has written: conversations that changed, events
in the log of turns that somebody here watches.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.db.models import Q

from chatapp.live import frames
from chatapp.live.viewers import Viewer
from chatapp.turns.ask import question_text
from chatapp.turns.feed import Feed
from chatapp.turns.hop import hop
from chatapp.turns.recovery import logged_events
from chatapp.vocab.events import Frame
from sessions_store import models as rows

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
SETTLE_SECONDS = 0.05
SESSIONS_SECONDS = 30.0
OVERLAP = timedelta(seconds=10)
"""Clocks of several machines differ, and a transaction commits after it took its time."""

FAULT, RESTARTING, NOT_READY = 1011, 1012, 1013
NOT_SIGNED_IN = 4401
NOT_FOUND = 4404
TOO_MUCH = 4429


@dataclass(frozen=True, slots=True)
class _News:
    """A conversation that changed, its frame for the lists, and where somebody watches it the turns that may have
    changed with it."""

    conversation_id: uuid.UUID
    owner_id: int
    revision: int
    deleted: bool
    frame: Frame
    turns: tuple[tuple[uuid.UUID, str, str, Frame], ...]
    """(id, state, reason, added frame), oldest first."""


class Hub:
    """`local` finds the feed of a turn that runs (or has just ended) in this process."""

    def __init__(self, clock: Callable[[], datetime], local: Callable[[uuid.UUID], Feed | None]) -> None:
        self._clock = clock
        self._local = local
        self._viewers: set[Viewer] = set()
        self._mirrors: dict[uuid.UUID, Feed] = {}
        self._revisions: dict[uuid.UUID, int] = {}
        self._since: datetime | None = None
        self._wake = asyncio.Event()

    # --- What consumers call -------------------------------------------------------------------

    def join(self, viewer: Viewer) -> None:
        self._viewers.add(viewer)

    def leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        viewer.leave()

    def wake(self) -> None:
        """Something was written: look now. To be called in the event loop."""
        self._wake.set()

    async def watch(self, viewer: Viewer, conversation_id: uuid.UUID) -> bool:
        """Turn a viewer to a conversation; False if it is not theirs."""
        found = await hop(_look_at, viewer.user_id, conversation_id, self._clock())
        if found is None:
            return False
        frame, turns = found
        waited = viewer.turns - viewer.begun - viewer.returned if viewer.conversation_id == conversation_id else set()
        viewer.watch(conversation_id)
        for turn_id, state, reason in turns:
            viewer.turns.add(turn_id)
            if state != rows.Turn.State.QUEUED:
                viewer.begun.add(turn_id)
            elif feed := self._local(turn_id):  # it has begun here since its row was read
                viewer.attach(feed, -1)
            if _was_returned(state, reason):
                viewer.returned.add(turn_id)
        viewer.tell(frame)
        # The page knew these as waiting, and looked again before the news of their return had come to it.
        for returned in await hop(_returned_frames, waited & viewer.returned) if waited & viewer.returned else ():
            viewer.tell(returned)
        return True

    async def resume(self, viewer: Viewer, turn_id: uuid.UUID, after: int) -> bool:
        """Owe a viewer the events behind `after`, or a snapshot; False if the turn is not theirs."""
        turn = await hop(_own, viewer.user_id, turn_id)
        if turn is None:
            return False
        viewer.turns.add(turn_id)
        await self._owe(viewer, turn, after)
        return True

    async def follow(self, viewer: Viewer, turn_id: uuid.UUID) -> None:
        """Owe every event of a turn, unless this socket has been promised them already."""
        turn = await hop(_own, viewer.user_id, turn_id)
        if turn is not None and turn_id not in viewer.streams:
            await self._owe(viewer, turn, -1)

    async def tell_end(self, viewer: Viewer, turn_id: uuid.UUID, after: int) -> None:
        """Owe a viewer the end of a turn whose events ended without it: its rows tell, as soon as they know.

        A turn that was taken from this process runs on in its row until another process ends it.
        """
        turn = await hop(_own, viewer.user_id, turn_id)
        if turn is not None and turn.state == rows.Turn.State.STREAMING:
            viewer.attach(await self._mirror(turn_id, turn.conversation_id), after)
        elif turn is not None:
            viewer.tell(await hop(frames.snapshot_of_rows, turn))

    def started(self, feed: Feed, added: Frame) -> None:
        """A turn begins here: whoever watches its conversation follows from the first event."""
        if self._mirrors.pop(feed.turn_id, None):  # somebody was quicker: its row said so before this
            for viewer in self._viewers:
                viewer.follow_instead(feed)
        for viewer in self._watching(feed.conversation_id):
            if feed.turn_id not in viewer.turns:
                viewer.turns.add(feed.turn_id)
                viewer.tell(added)
            if feed.turn_id not in viewer.streams:
                viewer.attach(feed, -1)
        self._wake.set()

    # --- Loops ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look for news for ever."""
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
                # A turn that is about to start goes first; one look then serves all that changed.
                await asyncio.sleep(SETTLE_SECONDS)
            except TimeoutError:
                pass
            self._wake.clear()
            if not self._viewers:
                continue
            try:
                await self._tell_news()
                await self._feed_mirrors()
            except DatabaseError:
                log.warning("cannot look for news; trying again", exc_info=True)
            except Exception:
                # Whatever it is, everybody must still hear the next news.
                log.exception("looking for news failed; trying again")

    async def check_sessions(self) -> None:
        """Every 30 seconds, close the sockets of those who may no longer listen."""
        while True:
            await asyncio.sleep(SESSIONS_SECONDS)
            viewers = list(self._viewers)
            if not viewers:
                continue
            try:
                valid = await hop(valid_sessions, {(viewer.session_key, viewer.user_id) for viewer in viewers})
            except DatabaseError:
                log.warning("cannot check sessions; trying again", exc_info=True)
                continue
            for viewer in viewers:
                if (viewer.session_key, viewer.user_id) not in valid:
                    viewer.close(NOT_SIGNED_IN)

    def _watching(self, conversation_id: uuid.UUID) -> list[Viewer]:
        return [viewer for viewer in self._viewers if viewer.conversation_id == conversation_id]

    async def _tell_news(self) -> None:
        users = {viewer.user_id for viewer in self._viewers}
        watched = {viewer.conversation_id for viewer in self._viewers if viewer.conversation_id}
        started_at = self._clock()
        since = (self._since or started_at) - OVERLAP
        news = await hop(_changed, users, watched, since, dict(self._revisions), started_at)
        self._since = started_at
        for item in news:
            self._revisions[item.conversation_id] = item.revision
            for viewer in list(self._viewers):
                if viewer.user_id != item.owner_id:
                    continue
                viewer.tell(item.frame, key=item.conversation_id)
                if viewer.conversation_id == item.conversation_id:
                    if item.deleted:
                        viewer.close(NOT_FOUND)
                    else:
                        await self._tell_turns(viewer, item)
        if len(self._revisions) > 10_000:
            self._revisions = {key: self._revisions[key] for key in list(self._revisions)[-1_000:]}

    async def _tell_turns(self, viewer: Viewer, news: _News) -> None:
        for turn_id, state, reason, added in news.turns:
            if _was_returned(state, reason):
                if turn_id in viewer.turns and turn_id not in viewer.returned:
                    viewer.returned.add(turn_id)
                    viewer.tell({**added, "type": "stet:queue.returned"})
                continue
            if turn_id not in viewer.turns:
                viewer.turns.add(turn_id)
                viewer.tell(added)
            if state != rows.Turn.State.QUEUED and turn_id not in viewer.begun:
                await self.follow(viewer, turn_id)

    # --- Turns that run elsewhere ---------------------------------------------------------------

    async def _mirror(self, turn_id: uuid.UUID, conversation_id: uuid.UUID) -> Feed:
        if turn_id not in self._mirrors:
            events = await hop(logged_events, turn_id)
            # Known only from here on: one that nobody watches yet would be forgotten while it is read.
            feed = self._mirrors.setdefault(turn_id, Feed(turn_id, conversation_id))
            feed.extend(events)
        return self._mirrors[turn_id]

    async def _feed_mirrors(self) -> None:
        for turn_id, feed in list(self._mirrors.items()):
            if not feed.watchers:
                self._mirrors.pop(turn_id, None)
                continue
            ended, last_number, events = await hop(_progress, turn_id, feed.last_number)
            feed.extend(events)
            if ended and (feed.last_number >= last_number or not events):
                feed.end()
                self._mirrors.pop(turn_id, None)

    async def _owe(self, viewer: Viewer, turn: rows.Turn, after: int) -> None:
        if turn.state != rows.Turn.State.QUEUED:
            viewer.streams.add(turn.pk)
        feed = self._local(turn.pk)
        if feed is None and turn.state == rows.Turn.State.STREAMING:
            mirror = await self._mirror(turn.pk, turn.conversation_id)
            feed = self._local(turn.pk) or mirror
        if feed is not None and feed.ended and after > feed.last_number:
            await self.tell_end(viewer, turn.pk, feed.last_number)
            return
        if feed is not None:
            self._resume_feed(viewer, turn, feed, after)
            return
        events = await hop(logged_events, turn.pk, after) if turn.ended else []
        if events and (events[0]["sequence_number"], events[-1]["sequence_number"]) == (after + 1, turn.last_number):
            ended = Feed(turn.pk, turn.conversation_id)
            ended.frames = [*([{}] * (after + 1)), *events]
            ended.ended = True
            viewer.attach(ended, after)
        elif turn.ended or after >= 0:
            viewer.tell(await hop(frames.snapshot_of_rows, turn))

    def _resume_feed(self, viewer: Viewer, turn: rows.Turn, feed: Feed, after: int) -> None:
        if after > feed.last_number:
            viewer.tell(frames.snapshot_of_feed(turn.pk, turn.model, feed.frames))
            after = feed.last_number
        viewer.attach(feed, after)


# --- Looks at the database: one function each ----------------------------------------------------


def _returned_frames(turn_ids: set[uuid.UUID]) -> list[Frame]:
    turns = rows.Turn.objects.filter(pk__in=turn_ids).order_by("number")
    return [frames.returned_frame(turn, question_text(turn)) for turn in turns]


def _was_returned(state: str, reason: str) -> bool:
    return state == rows.Turn.State.CANCELLED and reason == "returned"


def _look_at(
    user_id: int, conversation_id: uuid.UUID, now: datetime
) -> tuple[Frame, list[tuple[uuid.UUID, str, str]]] | None:
    conversation = rows.Conversation.objects.of(user_id).filter(pk=conversation_id).first()
    if conversation is None:
        return None
    frames.seen(conversation_id, now)
    turns = rows.Turn.objects.filter(conversation=conversation).values_list("pk", "state", "reason")
    return frames.watching_frame(conversation), list(turns)


def _own(user_id: int, turn_id: uuid.UUID) -> rows.Turn | None:
    return rows.Turn.objects.of(user_id).filter(pk=turn_id).first()


def _progress(turn_id: uuid.UUID, after: int) -> tuple[bool, int, list[Frame]]:
    """Whether a turn has ended, its last number, and its logged events behind `after` (read in that order)."""
    turn = rows.Turn.objects.filter(pk=turn_id).first()
    return turn is None or turn.ended, turn.last_number if turn else -1, logged_events(turn_id, after)


def _changed(
    users: Iterable[int],
    watched: Iterable[uuid.UUID],
    since: datetime,
    revisions: dict[uuid.UUID, int],
    now: datetime,
) -> list[_News]:
    news = []
    for conversation in rows.Conversation.objects.filter(owner_id__in=users, touched_at__gte=since).order_by(
        "touched_at"
    ):
        if revisions.get(conversation.pk) == conversation.revision:
            continue
        turns: tuple[tuple[uuid.UUID, str, str, Frame], ...] = ()
        if conversation.pk in watched:
            # An answer may have ended since `now`: whoever watches has seen that too.
            conversation.seen_at = max(now, conversation.changed_at)
            frames.seen(conversation.pk, conversation.seen_at)
            changed = rows.Turn.objects.filter(
                Q(created_at__gte=since) | Q(ended_at__gte=since) | Q(ended_at=None), conversation=conversation
            )
            turns = tuple(
                (turn.pk, turn.state, turn.reason, frames.added_frame(turn))
                for turn in changed.select_related("parent").order_by("number")
            )
        news.append(
            _News(
                conversation.pk,
                conversation.owner_id,
                conversation.revision,
                conversation.deleted_at is not None,
                frames.conversation_frame(conversation),
                turns,
            )
        )
    return news


def valid_sessions(pairs: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those (session key, user id) that are still signed in: session unexpired, user active, password unchanged."""
    sessions = Session.objects.filter(pk__in=[key for key, _ in pairs], expire_date__gt=datetime.now().astimezone())
    data = {session.pk: SessionStore().decode(session.session_data) for session in sessions}
    users = rows.User.objects.filter(is_active=True).in_bulk({user for _, user in pairs})
    return {
        (key, user_id)
        for key, user_id in pairs
        if key in data
        and user_id in users
        and data[key].get("_auth_user_id") == str(user_id)
        and data[key].get("_auth_user_hash") == users[user_id].get_session_auth_hash()
    }
