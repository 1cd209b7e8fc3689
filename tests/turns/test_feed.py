"""Numbering, cursors and joining: what a viewer gets is what was said, however often it looks."""

import asyncio
import json
import uuid

from hypothesis import given
from hypothesis import strategies as st

from chatapp.turns.feed import Feed, join
from chatapp.vocab.assemble import assemble

ITEM = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}


def delta(text: str, part: int = 0, kind: str = "response.output_text.delta") -> dict[str, object]:
    return {"type": kind, "item_id": "msg_1", "output_index": 0, "content_index": part, "delta": text}


def feed_of(*frames: dict[str, object]) -> Feed:
    feed = Feed(uuid.uuid4(), uuid.uuid4())
    for frame in frames:
        feed.add(dict(frame))
    return feed


def test_events_are_numbered_from_zero_before_anything_is_joined() -> None:
    feed = feed_of({"type": "response.created"}, delta("a"), delta("b"), delta("c"))
    assert [frame["sequence_number"] for frame in feed.frames] == [0, 1, 2, 3]
    assert [(frame["type"], frame["sequence_number"]) for frame in feed.after(-1)] == [
        ("response.created", 0),
        ("response.output_text.delta", 3),
    ]


def test_deltas_of_different_parts_and_kinds_stay_apart() -> None:
    feed = feed_of(delta("a"), delta("b", part=1), delta("c", part=1), delta("d", kind="response.refusal.delta"))
    assert [frame["delta"] for frame in feed.after(-1)] == ["a", "bc", "d"]


def test_joining_leaves_the_feed_as_it_was() -> None:
    feed = feed_of(delta("a"), delta("b"))
    before = json.dumps(feed.frames)
    join(feed.frames)
    assert json.dumps(feed.frames) == before


def test_what_a_mirror_knows_already_is_passed_over() -> None:
    origin = feed_of(delta("a"), delta("b"), delta("c"))
    mirror = Feed(origin.turn_id, origin.conversation_id)
    mirror.extend(origin.frames[:2])
    mirror.extend(origin.frames[1:])
    assert mirror.frames == origin.frames


async def test_a_watcher_is_woken_by_an_event_and_by_the_end() -> None:
    feed, wake = feed_of(), asyncio.Event()
    feed.watchers.add(wake)
    feed.add(delta("a"))
    assert wake.is_set()
    wake.clear()
    feed.end()
    assert wake.is_set() and feed.ended


@given(st.lists(st.tuples(st.text(max_size=5), st.integers(0, 2)), max_size=40), st.data())
def test_any_cursors_through_a_feed_assemble_to_the_same_text(
    pieces: list[tuple[str, int]], data: st.DataObject
) -> None:
    feed = feed_of({"type": "response.output_item.added", "output_index": 0, "item": ITEM})
    received, cursor = [], -1
    for text, part in pieces:
        feed.add(delta(text, part))
        if data.draw(st.booleans()):
            new = feed.after(cursor)
            received += new
            cursor = new[-1]["sequence_number"]
    received += feed.after(cursor)
    assert assemble(received) == assemble(feed.frames)
    numbers = [frame["sequence_number"] for frame in received]
    assert numbers == sorted(set(numbers)) and numbers[-1] == feed.last_number
