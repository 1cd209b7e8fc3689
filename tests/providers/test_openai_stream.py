"""What only OpenAI's streams hold."""

from typing import Any

import pytest

from chatapp.vocab.errors import Refused
from chatapp.vocab.items import Item, Origin

ORIGIN = Origin("openai", "gpt-6.1-sol")
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Hm."}],
    "encrypted_content": "whole",
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "look",
    "arguments": '{"a":1}',
    "status": "completed",
}


def created(examples: Any) -> dict[str, Any]:
    return {"type": "response.created", "sequence_number": 0, "response": examples.response("in_progress")}


def end(examples: Any, kind: str = "completed", **fields: Any) -> dict[str, Any]:
    usage = fields.pop("usage", examples.OPENAI_USAGE)
    return {
        "type": f"response.{kind}",
        "sequence_number": 9,
        "response": examples.response(kind, usage=usage, **fields),
    }


async def test_frames_pass_through_without_numbers_and_padding(call: Any, openai_wire: Any, examples: Any) -> None:
    summary = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    part = {"type": "summary_text", "text": ""}
    refusal = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    frames = [
        {"type": "response.output_item.added", "output_index": 0, "item": {**REASONING, "encrypted_content": "ha"}},
        {"type": "response.reasoning_summary_part.added", **summary, "part": part},
        {"type": "response.reasoning_summary_text.delta", **summary, "delta": "Hm."},
        {"type": "response.reasoning_summary_text.done", **summary, "text": "Hm."},
        {"type": "response.reasoning_summary_part.done", **summary, "part": REASONING["summary"][0], "status": "x"},
        {
            "type": "response.reasoning_text.delta",
            "item_id": "rs_1",
            "output_index": 0,
            "content_index": 0,
            "delta": "h",
        },
        {"type": "response.reasoning_text.done", "item_id": "rs_1", "output_index": 0, "content_index": 0, "text": "h"},
        {"type": "response.output_item.done", "output_index": 0, "item": REASONING},
        {"type": "response.refusal.delta", **refusal, "delta": "No"},
        {"type": "response.refusal.done", **refusal, "refusal": "No"},
        {"type": "response.output_text.delta", **refusal, "delta": "x", "logprobs": [{"token": "x"}]},
        {
            "type": "response.output_text.annotation.added",
            **refusal,
            "annotation_index": 0,
            "annotation": {"type": "url_citation", "url": "https://example.org"},
        },
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 2, "delta": "{"},
        {"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 2, "arguments": "{}"},
    ]
    sent = [{**frame, "sequence_number": number, "obfuscation": "abc"} for number, frame in enumerate(frames)]

    events = await call.run(openai_wire, created(examples), *sent, end(examples))

    assert examples.frames(events) == frames


async def test_items_are_those_of_their_done_events_and_the_rest_of_the_end(
    call: Any, openai_wire: Any, examples: Any
) -> None:
    output = [{**REASONING, "encrypted_content": "other"}, CALL]
    done_event = {"type": "response.output_item.done", "output_index": 0, "item": REASONING}

    done = await call.succeeds(openai_wire, created(examples), done_event, end(examples, output=output))

    assert done.items == (Item(REASONING, None, ORIGIN), Item(CALL, None, ORIGIN))
    assert (done.stop_reason, done.incomplete_reason, done.needs_tools) == ("completed", None, True)


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter", "steered"])
async def test_an_answer_that_was_cut_off_is_incomplete(
    call: Any, openai_wire: Any, examples: Any, reason: str
) -> None:
    last = end(examples, "incomplete", incomplete_details={"reason": reason}, output=[CALL])

    done = await call.succeeds(openai_wire, created(examples), last)

    assert (done.stop_reason, done.incomplete_reason, done.needs_tools) == (reason, reason, False)


async def test_an_answer_may_be_incomplete_for_no_reason(call: Any, openai_wire: Any, examples: Any) -> None:
    done = await call.succeeds(openai_wire, created(examples), end(examples, "incomplete"))

    assert done.incomplete_reason == "incomplete"


async def test_a_refusal_is_an_error_that_costs(call: Any, openai_wire: Any, examples: Any) -> None:
    part = {"type": "refusal", "refusal": "I will not."}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    delta = {"type": "response.refusal.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "I"}

    events = await call.run(openai_wire, created(examples), delta, end(examples, output=[message]))

    assert examples.frames(events) == [delta]
    failed = events[-1]
    assert (type(failed.error), failed.error.message, failed.first_byte) == (Refused, "I will not.", True)
    assert failed.report.usage.output == 5


async def test_the_last_word_on_model_and_tier_counts(call: Any, openai_wire: Any, examples: Any) -> None:
    done = await call.succeeds(openai_wire, created(examples), end(examples, service_tier="flex", model=None))

    assert (done.report.service_tier, done.report.model) == ("flex", "gpt-6.1-sol-2026")


async def test_an_answer_may_come_without_usage(call: Any, openai_wire: Any, examples: Any) -> None:
    done = await call.succeeds(openai_wire, created(examples), end(examples, usage=None))

    assert (done.report.usage, done.report.usage_raw) == (None, None)


async def test_the_request_on_the_wire_is_the_one_that_was_built(server: Any, call: Any, openai_wire: Any) -> None:
    await call.run(openai_wire, *openai_wire.answer("Hello"), options={"invented": True}, instructions="Be kind.")

    (received,) = server.received
    assert received.line == "POST /v1/responses HTTP/1.1"
    assert received.json == {
        "model": "gpt-6.1-sol",
        "instructions": "Be kind.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        "max_output_tokens": 100,
        "store": True,
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "invented": True,
    }
