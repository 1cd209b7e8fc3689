"""The stream log's writer: one row per running turn and flush, by one thread with its own connection."""

import logging
import threading
import time
import uuid
from collections.abc import Callable

from django.db import DatabaseError, connection, transaction

from chatapp.turns.feed import Feed
from sessions_store.models import StreamLog

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.25


class LogWriter:
    """Writes what feeds have gained since the last flush. `flushed` is called after every flush that wrote.

    Its thread never waits for the event loop, and while the database is away the events stay in their feeds.
    """

    def __init__(self, flushed: Callable[[], None]) -> None:
        self._feeds: dict[uuid.UUID, Feed] = {}
        self._written: dict[uuid.UUID, int] = {}
        self._lock = threading.Lock()
        self._flushed = flushed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stet-log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what is left and end. Blocks for one flush at most."""
        self._stop.set()
        self._thread.join(timeout=10)

    def add(self, feed: Feed) -> None:
        """Log this feed until it has ended and all of it is written."""
        with self._lock:
            self._feeds[feed.turn_id] = feed
            self._written[feed.turn_id] = 0

    def feed(self, turn_id: uuid.UUID) -> Feed | None:
        """A feed that runs here, or has ended and is not wholly in the log yet."""
        return self._feeds.get(turn_id)

    def flush(self) -> int:
        """Write one row per feed that has news; how many rows."""
        with self._lock:
            feeds = list(self._feeds.values())
        slices = []
        finished = []
        for feed in feeds:
            ended = feed.ended
            start = self._written[feed.turn_id]
            events = feed.frames[start:]
            if events:
                slices.append((feed, start, events))
            if ended:
                finished.append(feed.turn_id)
        if slices:
            with transaction.atomic():
                StreamLog.objects.bulk_create(
                    StreamLog(
                        turn_id=feed.turn_id, first_number=start, last_number=start + len(events) - 1, events=events
                    )
                    for feed, start, events in slices
                )
            for feed, start, events in slices:
                self._written[feed.turn_id] = start + len(events)
        with self._lock:
            for turn_id in finished:
                self._feeds.pop(turn_id, None)
                self._written.pop(turn_id, None)
        return len(slices)

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            stopping = self._stop.wait(max(0.0, due - time.monotonic()))
            due = time.monotonic() + FLUSH_SECONDS
            try:
                if self.flush():
                    self._flushed()
            except DatabaseError:
                log.warning("the stream log could not be written; the next flush tries again", exc_info=True)
                connection.close()
            if stopping:
                connection.close()
                return
