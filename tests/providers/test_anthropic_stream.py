"""What only Anthropic's streams hold, and how their blocks become items."""

from typing import Any

import pytest

from chatapp.providers.anthropic_messages import build
from chatapp.vocab.errors import Refused
from chatapp.vocab.events import Done
from chatapp.vocab.items import Item, Origin, text_of, user_message
from chatapp.vocab.request import Request
from chatapp.vocab.usage import Usage

ORIGIN = Origin("anthropic", "claude-sonnet-5-5")


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{kind}_delta", **fields}}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def kinds(events: list[Any]) -> list[tuple[str, int]]:
    frames = [event for event in events if isinstance(event, dict)]
    return [(frame["type"].removeprefix("response."), frame["output_index"]) for frame in frames]


THINKING = [
    start(0, type="thinking", thinking="", signature=""),
    delta(0, "thinking", thinking="Let me"),
    delta(0, "thinking", thinking=" see."),
    delta(0, "signature", signature="sig=="),
    stop(0),
]
TEXT = [start(1, type="text", text=""), delta(1, "text", text="I look."), stop(1)]
USE = [
    start(2, type="tool_use", id="toolu_1", name="look", input={}),
    delta(2, "input_json", partial_json=""),
    delta(2, "input_json", partial_json='{"b": 1,'),
    delta(2, "input_json", partial_json=' "a": 2.0}'),
    stop(2),
]


async def test_blocks_become_items_in_order(call: Any, anthropic_wire: Any, examples: Any) -> None:
    events = await call.run(
        anthropic_wire, examples.message_start(), *THINKING, *TEXT, *USE, *examples.message_end("tool_use")
    )

    assert kinds(events) == [
        ("output_item.added", 0),
        ("reasoning_summary_part.added", 0),
        ("reasoning_summary_text.delta", 0),
        ("reasoning_summary_text.delta", 0),
        ("reasoning_summary_text.done", 0),
        ("reasoning_summary_part.done", 0),
        ("output_item.done", 0),
        ("output_item.added", 1),
        ("content_part.added", 1),
        ("output_text.delta", 1),
        ("output_text.done", 1),
        ("content_part.done", 1),
        ("output_item.done", 1),
        ("output_item.added", 2),
        ("function_call_arguments.delta", 2),
        ("function_call_arguments.delta", 2),
        ("function_call_arguments.done", 2),
        ("output_item.done", 2),
    ]
    added = [frame["item"] for frame in examples.frames(events) if frame["type"] == "response.output_item.added"]
    assert added == [
        {"id": "msg_01_0", "status": "in_progress", "type": "reasoning", "summary": []},
        {"id": "msg_01_1", "status": "in_progress", "type": "message", "role": "assistant", "content": []},
        {
            "id": "msg_01_2",
            "status": "in_progress",
            "type": "function_call",
            "call_id": "toolu_1",
            "name": "look",
            "arguments": "",
        },
    ]
    done = events[-1]
    assert isinstance(done, Done)
    assert (done.stop_reason, done.incomplete_reason, done.needs_tools) == ("tool_use", None, True)
    assert done.items == (
        Item(
            {**added[0], "status": "completed", "summary": [{"type": "summary_text", "text": "Let me see."}]},
            {"type": "thinking", "thinking": "Let me see.", "signature": "sig=="},
            ORIGIN,
        ),
        Item(
            {
                **added[1],
                "status": "completed",
                "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
            },
            {"type": "text", "text": "I look."},
            ORIGIN,
        ),
        Item(
            {**added[2], "status": "completed", "arguments": '{"b": 1, "a": 2.0}'},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"b": 1, "a": 2.0}},
            ORIGIN,
        ),
    )


async def test_an_answer_goes_back_as_it_came(call: Any, anthropic_wire: Any, examples: Any) -> None:
    done = await call.succeeds(
        anthropic_wire, examples.message_start(), *THINKING, *TEXT, *USE, *examples.message_end("tool_use")
    )

    output = Item({"type": "function_call_output", "call_id": "toolu_1", "output": "seen"})
    items = (user_message("Hi"), *done.items, output)
    _, answer, _ = build(Request(ORIGIN.model, items, 100))["messages"]

    assert answer["content"] == [
        {"type": "thinking", "thinking": "Let me see.", "signature": "sig=="},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"b": 1, "a": 2.0}},
    ]


async def test_neighbouring_texts_are_one_message_with_its_citations(
    call: Any, anthropic_wire: Any, examples: Any
) -> None:
    web = {
        "type": "web_search_result_location",
        "url": "https://example.org",
        "title": "T",
        "cited_text": "c",
        "encrypted_index": "e",
    }
    file = {"type": "page_location", "file_id": "file_1", "document_title": "D", "cited_text": "c"}
    plain = {"type": "char_location", "document_index": 0, "document_title": "D", "cited_text": "c"}
    events = await call.run(
        anthropic_wire,
        examples.message_start(),
        start(0, type="text", text=""),
        delta(0, "text", text="It is "),
        stop(0),
        start(1, type="text", text="", citations=[]),
        delta(1, "citations", citation=web),
        delta(1, "text", text="so"),
        delta(1, "citations", citation=file),
        delta(1, "citations", citation=plain),
        stop(1),
        *examples.message_end("end_turn"),
    )

    notes = [
        {"type": "url_citation", "url": "https://example.org", "title": "T", "start_index": 0, "end_index": 2},
        {"type": "file_citation", "file_id": "file_1", "filename": "D", "index": 2},
    ]
    (item,) = events[-1].items
    assert text_of(item.data) == "It is so"
    assert [part["annotations"] for part in item.data["content"]] == [[], notes]
    assert item.native == {
        "content": [
            {"type": "text", "text": "It is "},
            {"type": "text", "text": "so", "citations": [web, file, plain]},
        ]
    }
    assert kinds(events) == [
        ("output_item.added", 0),
        ("content_part.added", 0),
        ("output_text.delta", 0),
        ("output_text.done", 0),
        ("content_part.done", 0),
        ("content_part.added", 0),
        ("output_text.delta", 0),
        ("output_text.annotation.added", 0),
        ("output_text.annotation.added", 0),
        ("output_text.done", 0),
        ("content_part.done", 0),
        ("output_item.done", 0),
    ]
    assert [frame.get("content_index") for frame in examples.frames(events)][1:-1] == [0] * 4 + [1] * 6


async def test_thinking_without_words_is_reasoning_without_text(call: Any, anthropic_wire: Any, examples: Any) -> None:
    events = await call.run(
        anthropic_wire,
        examples.message_start(),
        start(0, type="thinking", thinking="", signature=""),
        delta(0, "signature", signature="sig"),
        delta(0, "signature", signature="=="),
        stop(0),
        start(1, type="redacted_thinking", data="opaque"),
        stop(1),
        *examples.message_end("end_turn"),
    )

    assert kinds(events) == [(kind, index) for index in (0, 1) for kind in ("output_item.added", "output_item.done")]
    assert [item.data["summary"] for item in events[-1].items] == [[], []]
    assert [item.native for item in events[-1].items] == [
        {"type": "thinking", "thinking": "", "signature": "sig=="},
        {"type": "redacted_thinking", "data": "opaque"},
    ]


async def test_blocks_without_a_word_in_open_responses_are_kept(call: Any, anthropic_wire: Any, examples: Any) -> None:
    results = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [{"encrypted_content": "x"}]}

    events = await call.run(
        anthropic_wire,
        examples.message_start(),
        start(0, type="server_tool_use", id="srv_1", name="web_search", input={}),
        delta(0, "input_json", partial_json='{"query":"x"}'),
        stop(0),
        start(1, **results),
        stop(1),
        start(2, type="text", text="Found"),
        delta(2, "unheard_of", text="ignored"),
        stop(2),
        *examples.message_end("pause_turn"),
    )

    done = events[-1]
    assert [item.type for item in done.items] == [
        "anthropic:server_tool_use",
        "anthropic:web_search_tool_result",
        "message",
    ]
    assert done.items[0].native == {
        "type": "server_tool_use",
        "id": "srv_1",
        "name": "web_search",
        "input": {"query": "x"},
    }
    assert done.items[1].native == results
    assert examples.text(events) == "Found"
    assert (done.incomplete_reason, done.needs_tools) == ("pause_turn", False)


async def test_a_call_without_arguments_has_an_empty_object(call: Any, anthropic_wire: Any, examples: Any) -> None:
    use = start(0, type="tool_use", id="toolu_1", name="look", input={})

    done = await call.succeeds(
        anthropic_wire, examples.message_start(), use, stop(0), *examples.message_end("tool_use")
    )

    assert (done.items[0].data["arguments"], done.items[0].native["input"]) == ("{}", {})


@pytest.mark.parametrize(
    ("stop_reason", "incomplete_reason", "status"),
    [
        ("end_turn", None, "completed"),
        ("stop_sequence", None, "completed"),
        ("max_tokens", "max_output_tokens", "incomplete"),
        ("model_context_window_exceeded", "context_window", "incomplete"),
        ("pause_turn", "pause_turn", "completed"),
        ("something_new", "something_new", "completed"),
    ],
)
async def test_a_stop_reason_says_whether_the_answer_is_whole(
    call: Any, anthropic_wire: Any, examples: Any, stop_reason: str, incomplete_reason: str | None, status: str
) -> None:
    events = await call.run(
        anthropic_wire,
        *anthropic_wire.start,
        anthropic_wire.delta("Hello"),
        stop(0),
        *examples.message_end(stop_reason),
    )

    done = events[-1]
    assert (done.stop_reason, done.incomplete_reason, done.needs_tools) == (stop_reason, incomplete_reason, False)
    assert done.items[0].data["status"] == examples.frames(events)[-1]["item"]["status"] == status


async def test_a_call_that_was_cut_off_is_kept_but_not_wanted(call: Any, anthropic_wire: Any, examples: Any) -> None:
    done = await call.succeeds(
        anthropic_wire,
        examples.message_start(),
        start(0, type="tool_use", id="toolu_1", name="look", input={}),
        delta(0, "input_json", partial_json='{"a": '),
        stop(0),
        *examples.message_end("max_tokens"),
    )

    (item,) = done.items
    assert (item.data["arguments"], item.data["status"], done.needs_tools) == ('{"a": ', "incomplete", False)


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"type": "refusal", "category": "bio", "explanation": "Too risky."}, "Too risky."),
        ({"type": "refusal", "category": "bio", "explanation": None}, "bio"),
        (None, ""),
    ],
)
async def test_a_refusal_is_an_error_that_costs(
    call: Any, anthropic_wire: Any, examples: Any, details: dict[str, Any] | None, words: str
) -> None:
    events = await call.run(
        anthropic_wire,
        *anthropic_wire.start,
        anthropic_wire.delta("I"),
        stop(0),
        *examples.message_end("refusal", stop_details=details),
    )

    failed = events[-1]
    assert (type(failed.error), failed.error.message, failed.first_byte) == (Refused, words, True)
    assert failed.report.usage.output == 5
    assert examples.text(events) == "I"


async def test_the_last_counts_replace_the_first(call: Any, anthropic_wire: Any, examples: Any) -> None:
    split = {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 500}
    begin = examples.message_start(input_tokens=2_679, cache_creation_input_tokens=510, cache_creation=split)
    last, end = examples.message_end("end_turn")
    last["usage"] = {
        "input_tokens": 10_682,
        "cache_creation_input_tokens": 600,
        "cache_read_input_tokens": None,
        "output_tokens": 510,
        "output_tokens_details": {"thinking_tokens": 200},
    }

    events = await call.run(anthropic_wire, begin, last, end)

    assert examples.reports(events)[0].usage == Usage(uncached=2_679, read=0, written_5m=10, written_1h=500)
    report = events[-1].report
    assert report.usage == Usage(uncached=10_682, read=0, written_5m=100, written_1h=500, output=510, reasoning=200)
    assert report.usage_raw == {
        "input_tokens": 10_682,
        "cache_creation_input_tokens": 600,
        "cache_read_input_tokens": 0,
        "cache_creation": split,
        "output_tokens": 510,
        "output_tokens_details": {"thinking_tokens": 200},
        "service_tier": "standard",
    }


async def test_a_message_with_a_block_left_open_is_malformed(call: Any, anthropic_wire: Any, examples: Any) -> None:
    failed = await call.fails(anthropic_wire, *anthropic_wire.start, *examples.message_end("end_turn"))

    assert failed.error.code == "malformed_data"


async def test_the_request_on_the_wire_is_the_one_that_was_built(server: Any, call: Any, anthropic_wire: Any) -> None:
    await call.run(anthropic_wire, *anthropic_wire.answer("Hello"), options={"invented": True}, instructions="Be kind.")

    (received,) = server.received
    assert received.line == "POST /v1/messages HTTP/1.1"
    assert received.headers["anthropic-version"] == "2026-10-21"
    assert received.json == {
        "model": "claude-sonnet-5-5",
        "system": [{"type": "text", "text": "Be kind."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "max_tokens": 100,
        "stream": True,
        "invented": True,
    }
