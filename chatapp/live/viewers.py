"""A viewer: one tab's cursors into feeds, and the few frames that are not events of a turn."""

import asyncio
import uuid
from collections.abc import Callable

from chatapp.turns.feed import Feed
from chatapp.turns.outcome import TERMINAL_TYPES
from chatapp.vocab.events import Frame

_ENDS = frozenset(TERMINAL_TYPES.values())


class Viewer:
    """What one socket is owed. No events are queued here: a slow reader only has an older cursor.

    `notes` holds frames about conversations, the newest per conversation, and answers to the client.
    """

    def __init__(self, user_id: int, session_key: str, on_close: Callable[[int], None]) -> None:
        self.user_id = user_id
        self.session_key = session_key
        self.wake = asyncio.Event()
        self.conversation_id: uuid.UUID | None = None
        self.turns: set[uuid.UUID] = set()
        """Turns of the watched conversation that the page has been told of."""
        self.streams: set[uuid.UUID] = set()
        """Turns whose events this socket has been promised; never attached twice."""
        self.begun: set[uuid.UUID] = set()
        """Turns that had begun when the page turned here: it shows them, and resumes the running one by itself."""
        self.returned: set[uuid.UUID] = set()
        """Queued messages that are known to have been taken back: each is told of once."""
        self._notes: dict[object, Frame] = {}
        self._cursors: dict[uuid.UUID, tuple[Feed, int]] = {}
        self.close = on_close

    def tell(self, frame: Frame, key: object = None) -> None:
        """Owe a frame; with `key`, one that stands in for an earlier one of the same key."""
        self._notes.pop(key, None)
        self._notes[key if key is not None else object()] = frame
        self.wake.set()

    def watch(self, conversation_id: uuid.UUID) -> None:
        """Turn to a conversation, and away from the one before."""
        for feed, _ in self._cursors.values():
            feed.watchers.discard(self.wake)
        self._cursors.clear()
        self.turns.clear()
        self.streams.clear()
        self.begun.clear()
        self.returned.clear()
        self.conversation_id = conversation_id

    def attach(self, feed: Feed, after: int) -> None:
        """Follow a feed from behind event `after`."""
        self.streams.add(feed.turn_id)
        self._cursors[feed.turn_id] = (feed, after)
        feed.watchers.add(self.wake)
        self.wake.set()

    def follow_instead(self, feed: Feed) -> None:
        """Go on in this feed, where another one of the same turn was followed."""
        if feed.turn_id in self._cursors:
            before, cursor = self._cursors[feed.turn_id]
            before.watchers.discard(self.wake)
            self.attach(feed, cursor)

    def leave(self) -> None:
        """The socket is gone."""
        for feed, _ in self._cursors.values():
            feed.watchers.discard(self.wake)
        self._cursors.clear()

    def collect(self) -> tuple[list[Frame], list[tuple[uuid.UUID, int]]]:
        """Everything owed now, and the turns that ended without saying so, each with the last number that was
        sent: their rows tell the rest."""
        frames = list(self._notes.values())
        self._notes.clear()
        untold = []
        for turn_id, (feed, cursor) in list(self._cursors.items()):
            ended = feed.ended  # before reading: an event may come in between
            new = feed.after(cursor)
            frames += new
            if new:
                cursor = new[-1]["sequence_number"]
                self._cursors[turn_id] = (feed, cursor)
            if ended:
                feed.watchers.discard(self.wake)
                del self._cursors[turn_id]
                if not feed.frames or feed.frames[-1]["type"] not in _ENDS:
                    untold.append((turn_id, cursor))
        return frames, untold
