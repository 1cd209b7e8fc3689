"""What both adapters do alike with a whole answer, over a real socket."""

import asyncio
from typing import Any

import pytest

from chatapp.providers.registry import ADAPTERS
from chatapp.vocab.events import DELTA_TYPES, FRAME_TYPES, Done, Reported
from chatapp.vocab.items import Origin, text_of
from chatapp.vocab.usage import Usage


async def test_an_answer_is_frames_in_order_and_one_end(call: Any, wire: Any, examples: Any) -> None:
    events = await call.run(wire, *wire.answer("Hel", "lo"))

    frames = examples.frames(events)
    assert [frame["type"].removeprefix("response.") for frame in frames] == [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
    ]
    item_id = frames[0]["item"]["id"]
    place = {"item_id": item_id, "output_index": 0, "content_index": 0}
    assert frames[0]["item"]["content"] == []
    assert frames[2] == {"type": "response.output_text.delta", **place, "delta": "Hel"}
    assert frames[4] == {"type": "response.output_text.done", **place, "text": "Hello"}
    assert frames[6]["item"]["status"] == "completed"
    assert all(frame["type"] in FRAME_TYPES and "sequence_number" not in frame for frame in frames)
    assert [type(event) for event in events if not isinstance(event, dict)] == [Reported, Done]


async def test_a_done_answer_holds_its_items_and_its_report(server: Any, call: Any, wire: Any) -> None:
    server.headers |= {"x-request-id": "req_7", "request-id": "req_7"}

    done = await call.succeeds(wire, *wire.answer("Hello"))

    (item,) = done.items
    assert (item.role, text_of(item.data), item.origin) == ("assistant", "Hello", Origin(wire.provider, wire.model))
    assert (done.incomplete_reason, done.needs_tools) == (None, False)
    assert (done.report.request_id, done.report.usage.total_input, done.report.usage.output) == ("req_7", 100, 5)
    assert done.report.response_id in ("resp_1", "msg_01")
    assert done.report.model in ("gpt-6.1-sol-2026", "claude-sonnet-5-5-2026")
    assert done.report.service_tier in ("default", "standard")
    assert done.report.usage_raw["input_tokens"] == 100


async def test_what_is_known_is_reported_before_the_answer(call: Any, wire: Any, examples: Any) -> None:
    events = await call.run(wire, *wire.answer("Hello"))

    first = events[0]
    assert isinstance(first, Reported)
    assert first.response_id is not None
    assert first.model is not None
    counted = Usage(uncached=100, read=0, written_5m=0, written_1h=0) if wire.usage_seen else None
    assert first.usage == counted, "the output has only begun"


async def test_unknown_events_are_ignored(call: Any, wire: Any, examples: Any) -> None:
    strange = [{"type": "acme:trace_event", "sequence_number": 3}, {"type": "response.audio.delta", "delta": "x"}]

    events = await call.run(wire, *strange, *wire.start, *strange, wire.delta("Hello"), *wire.end[:-1], *strange,
                            wire.end[-1])  # fmt: skip

    assert isinstance(events[-1], Done)
    assert examples.text(events) == "Hello"
    assert {frame["type"] for frame in examples.frames(events)} <= FRAME_TYPES


async def test_nothing_is_read_after_the_end(call: Any, wire: Any) -> None:
    events = await call.run(wire, *wire.answer("Hello"), "[DONE]", "{", wire.error("server_error", "late"))

    assert isinstance(events[-1], Done)


async def test_a_late_break_does_not_undo_an_answer(server: Any, call: Any, wire: Any) -> None:
    server.ending = "cut"

    assert (await call.succeeds(wire, *wire.answer("Hello"))).report.usage is not None


async def test_an_end_that_the_server_does_not_close_is_an_end(server: Any, call: Any, wire: Any) -> None:
    server.ending = "open"

    await asyncio.wait_for(call.succeeds(wire, *wire.answer("Hello")), 2)

    await asyncio.wait_for(server.hung_up.wait(), 2)


async def test_the_connection_is_used_again(server: Any, call: Any, wire: Any, examples: Any) -> None:
    server.chunks = [examples.sse(*wire.answer("Hello"))]
    adapter = call.adapter(wire)

    for _ in range(3):
        assert isinstance([event async for event in adapter.stream(wire.request())][-1], Done)

    assert (len(server.received), server.connections) == (3, 1)


async def test_events_are_whole_however_they_arrive(server: Any, call: Any, wire: Any, examples: Any) -> None:
    stream = examples.sse(*wire.answer("Grüße, ", "😀")).replace(b"\n", b"\r\n")
    server.chunks = [stream[start : start + 7] for start in range(0, len(stream), 7)]

    assert examples.text(await call.run(wire)) == "Grüße, 😀"


async def test_half_a_character_does_not_break_an_answer(call: Any, wire: Any, examples: Any) -> None:
    events = await call.run(wire, *wire.answer("a\ud83d", "b"))

    assert isinstance(events[-1], Done)
    assert examples.text(events) == "a�b"


async def test_twenty_thousand_deltas_are_one_answer(server: Any, call: Any, wire: Any, examples: Any) -> None:
    deltas = [f"word{number} " for number in range(20_000)]
    events = wire.answer(*deltas)
    server.chunks = (examples.sse(*events[start : start + 40]) for start in range(0, len(events), 40))

    received = await call.run(wire)

    assert isinstance(received[-1], Done)
    assert sum(frame["type"] in DELTA_TYPES for frame in examples.frames(received)) == 20_000
    assert examples.text(received) == "".join(deltas)


async def test_closing_the_stream_closes_the_connection(server: Any, call: Any, wire: Any, examples: Any) -> None:
    server.ending, server.chunks = "open", [examples.sse(*wire.start, wire.delta("Hel"))]
    stream = call.adapter(wire).stream(wire.request())
    async for event in stream:
        if isinstance(event, dict) and event["type"] in DELTA_TYPES:
            break

    await stream.aclose()

    await asyncio.wait_for(server.hung_up.wait(), 2)


@pytest.mark.parametrize("ending", ["open", "silent"])
async def test_cancelling_the_task_closes_the_connection(
    server: Any, call: Any, wire: Any, examples: Any, ending: str
) -> None:
    server.ending, server.chunks = ending, [examples.sse(*wire.start)]

    async def listen() -> None:
        async for _ in call.adapter(wire).stream(wire.request()):
            pass

    task = asyncio.create_task(listen())
    await asyncio.wait_for(server.answered.wait(), 2)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(server.hung_up.wait(), 2)


async def test_a_stream_that_was_never_asked_sends_nothing(server: Any, call: Any, wire: Any) -> None:
    await call.adapter(wire).stream(wire.request()).aclose()

    assert server.received == []


async def test_the_environment_decides_nothing(
    server: Any, call: Any, wire: Any, examples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for vendor in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{vendor}_BASE_URL", "http://127.0.0.1:1")
        monkeypatch.setenv(f"{vendor}_API_KEY", "sk-from-the-environment")
        monkeypatch.setenv(f"{vendor}_AUTH_TOKEN", "token-from-the-environment")
        monkeypatch.setenv(f"{vendor}_ADMIN_KEY", "admin-from-the-environment")
        monkeypatch.setenv(f"{vendor}_ORG_ID", "org-from-the-environment")
        monkeypatch.setenv(f"{vendor}_PROJECT_ID", "proj-from-the-environment")
        monkeypatch.setenv(f"{vendor}_CUSTOM_HEADERS", "X-Odd: from-the-environment\nAuthorization: Bearer environment")

    await call.succeeds(wire, *wire.answer("Hello"))

    (received,) = server.received
    assert received.headers["authorization"] == f"Bearer {examples.KEY}"
    assert not [value for value in received.headers.values() if "environment" in value]


def test_without_a_base_url_it_is_the_providers_own(monkeypatch: pytest.MonkeyPatch, call: Any, wire: Any) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")

    adapter = call.adapter(wire, base_url=None)

    expected = {"openai": "https://api.openai.com/v1/", "anthropic": "https://api.anthropic.com"}
    assert str(adapter._client.base_url) == expected[wire.provider]


def test_every_adapter_is_tested_here(openai_wire: Any, anthropic_wire: Any) -> None:
    assert ADAPTERS.keys() == {openai_wire.provider, anthropic_wire.provider}
