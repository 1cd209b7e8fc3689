"""A turn's events: one append-only list that everybody who watches has a cursor into."""

import asyncio
import uuid
from collections.abc import Sequence

from chatapp.vocab.events import DELTA_TYPES, Frame

_SAME_PART = ("type", "item_id", "output_index", "content_index", "summary_index")


class Feed:
    """The events of one running turn, numbered from 0 before anything is joined.

    `add` is called in the event loop only; other threads may read slices of `frames`, which never change.
    """

    def __init__(self, turn_id: uuid.UUID, conversation_id: uuid.UUID) -> None:
        self.turn_id = turn_id
        self.conversation_id = conversation_id
        self.frames: list[Frame] = []
        self.ended = False
        """No further event will come. Without a terminal event at the end, the rows tell how it ended."""
        self.watchers: set[asyncio.Event] = set()
        self._turn = str(turn_id)

    def add(self, frame: Frame) -> None:
        """Number an event and wake whoever watches."""
        frame["sequence_number"] = len(self.frames)
        frame["stet:turn"] = self._turn
        self.frames.append(frame)
        for watcher in self.watchers:
            watcher.set()

    def extend(self, logged: Sequence[Frame]) -> None:
        """Append events that another process numbered and logged; what is known already is passed over."""
        self.frames.extend(frame for frame in logged if frame["sequence_number"] >= len(self.frames))
        for watcher in self.watchers:
            watcher.set()

    def end(self) -> None:
        self.ended = True
        for watcher in self.watchers:
            watcher.set()

    @property
    def last_number(self) -> int:
        """-1 while empty."""
        return len(self.frames) - 1

    def after(self, number: int) -> list[Frame]:
        """The events behind `number`, adjacent deltas of one part joined."""
        return join(self.frames[number + 1 :])


def join(frames: Sequence[Frame]) -> list[Frame]:
    """Join adjacent deltas of the same part; a joined event carries the last number. The input is not changed."""
    joined: list[Frame] = []
    pieces: list[str] = []
    open_key: tuple[object, ...] | None = None
    for frame in frames:
        key = tuple(frame.get(name) for name in _SAME_PART) if frame["type"] in DELTA_TYPES else None
        if key is not None and key == open_key and "logprobs" not in frame:
            pieces.append(frame["delta"])
            joined[-1]["sequence_number"] = frame["sequence_number"]
            continue
        if len(pieces) > 1:
            joined[-1]["delta"] = "".join(pieces)
        open_key = key
        pieces = [frame["delta"]] if key is not None else []
        joined.append(dict(frame) if key is not None else frame)
    if len(pieces) > 1:
        joined[-1]["delta"] = "".join(pieces)
    return joined
