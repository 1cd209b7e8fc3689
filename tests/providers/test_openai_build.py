"""A request in OpenAI's words."""

import json
from types import MappingProxyType
from typing import Any

import pytest

from chatapp.providers.openai_responses import build
from chatapp.vocab.items import Item, Origin, assistant_message, user_message
from chatapp.vocab.request import Mark, Request

MODEL = "gpt-6.1-sol"
HERE = Origin("openai", MODEL)
BREAK = {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}
TOOL = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}, "strict": False}
REASONING: dict[str, Any] = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [],
    "encrypted_content": "abc",
    "status": None,
}
CALL: dict[str, Any] = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "look",
    "arguments": '{"b":1,"a":2}',
}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}
ANSWER: dict[str, Any] = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "phase": "final_answer",
    "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}],
}


def request(*items: Item, **fields: Any) -> Request:
    return Request(**{"model": MODEL, "items": items or (user_message("Hi"),), "max_output_tokens": 100, **fields})


def said(text: str, **extra: Any) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text, **extra}]}


def test_a_plain_request_says_no_more_than_it_must() -> None:
    assert build(request()) == {
        "model": MODEL,
        "input": [said("Hi")],
        "max_output_tokens": 100,
        "store": True,
        "stream": True,
        "stream_options": {"include_obfuscation": False},
    }


def test_a_full_request_says_everything() -> None:
    kwargs = build(
        request(
            instructions="Be kind.",
            tools=(TOOL,),
            previous_response_id="resp_0",
            cache_key="c1",
            user_key="u1",
            options={"reasoning": {"effort": "low"}, "service_tier": "flex", "invented": {"a": 1}, "model": "other"},
        )
    )

    assert kwargs == {
        "model": MODEL,
        "instructions": "Be kind.",
        "input": [said("Hi")],
        "tools": [TOOL],
        "previous_response_id": "resp_0",
        "prompt_cache_key": "c1",
        "safety_identifier": "u1",
        "reasoning": {"effort": "low"},
        "service_tier": "flex",
        "extra_body": {"invented": {"a": 1}},
        "max_output_tokens": 100,
        "store": True,
        "stream": True,
        "stream_options": {"include_obfuscation": False},
    }


def test_what_is_not_stored_brings_its_reasoning_along() -> None:
    kwargs = build(request(store=False, options={"include": ["web_search_call.results"]}))

    assert (kwargs["store"], kwargs["include"]) == (False, ["web_search_call.results", "reasoning.encrypted_content"])


def test_items_of_this_model_go_back_as_they_came() -> None:
    items: list[dict[str, Any]] = [
        REASONING,
        ANSWER,
        CALL,
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    ]

    assert build(request(*(Item(data, origin=HERE) for data in items)))["input"] == items


@pytest.mark.parametrize("origin", [Origin("anthropic", "claude"), Origin("openai", "gpt-6-luna"), None])
def test_items_from_elsewhere_become_plain_ones(origin: Origin | None) -> None:
    items: list[dict[str, Any]] = [REASONING, ANSWER, CALL, OUTPUT, {"type": "anthropic:server_tool_use", "id": "x"}]

    assert build(request(*(Item(data, {"type": "thinking"}, origin) for data in items)))["input"] == [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
            "phase": "final_answer",
        },
        {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"b":1,"a":2}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "seen"},
    ]


def test_an_empty_answer_from_elsewhere_is_left_out() -> None:
    assert build(request(user_message("Hi"), assistant_message("")))["input"] == [said("Hi")]


def test_marks_stand_on_the_last_input_part_of_their_items() -> None:
    image = {"type": "input_image", "image_url": "https://example.org/a.png"}
    two = Item({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "See"}, image]})
    output = Item({**OUTPUT, "output": [{"type": "input_text", "text": "seen"}]})

    marked = build(request(two, output, user_message("Hi"), marks=(Mark(0, "30m"), Mark(1, "30m"), Mark(2, "12h"))))

    assert marked["input"] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "See"}, {**image, **BREAK}]},
        {**OUTPUT, "output": [{"type": "input_text", "text": "seen", **BREAK}]},
        said("Hi", prompt_cache_breakpoint={"mode": "explicit", "ttl": "12h"}),
    ]
    assert two.data["content"][1] == image, "the conversation itself stays unmarked"


def test_marks_stand_on_nothing_else() -> None:
    items = (Item(ANSWER, origin=HERE), assistant_message("x"), Item(OUTPUT), Item(REASONING, origin=HERE))
    marks = tuple(Mark(after, "30m") for after in range(-1, 4))

    marked = build(request(*items, instructions="Be kind.", tools=(TOOL,), marks=marks))

    assert marked == build(request(*items, instructions="Be kind.", tools=(TOOL,)))


@pytest.mark.parametrize("lifetimes", [("30m", "12h"), ("12h", "30m")])
def test_of_two_marks_on_one_part_the_longer_stays(lifetimes: tuple[str, str]) -> None:
    marked = build(request(marks=tuple(Mark(0, lifetime) for lifetime in lifetimes)))

    assert marked["input"][0]["content"][0]["prompt_cache_breakpoint"]["ttl"] == "12h"


@pytest.mark.parametrize("mark", [Mark(1, "30m"), Mark(-2, "30m"), Mark(0, "5m")])
def test_a_mark_that_cannot_be_is_an_error(mark: Mark) -> None:
    with pytest.raises(ValueError, match="after item|lifetime"):
        build(request(marks=(mark,)))


def test_a_side_call_writes_no_cache_where_the_model_can_be_told() -> None:
    told = build(request(cache=False, marks=(Mark(0, "30m"),), options={"prompt_cache_options": {"ttl": "30m"}}))
    untold = build(request(cache=False, marks=(Mark(0, "30m"),)))

    assert told["prompt_cache_options"] == {"ttl": "30m", "mode": "explicit"}
    assert "prompt_cache_options" not in untold
    assert told["input"] == untold["input"] == [said("Hi")]


def test_equal_requests_are_equal_bytes_and_share_nothing_with_the_request() -> None:
    def one() -> Request:
        items = (user_message("Hi"), Item(REASONING, origin=HERE), Item(CALL, origin=HERE), Item(OUTPUT))
        return request(*items, tools=(TOOL,), options={"reasoning": {"effort": "low"}}, marks=(Mark(0, "30m"),))

    assert json.dumps(build(one())) == json.dumps(build(one()))


def test_what_cannot_be_encoded_is_replaced() -> None:
    kwargs = build(request(user_message("a\ud83d"), instructions="\udc00", tools=(MappingProxyType(TOOL),)))

    assert (kwargs["input"], kwargs["instructions"], kwargs["tools"]) == ([said("a�")], "�", [TOOL])
