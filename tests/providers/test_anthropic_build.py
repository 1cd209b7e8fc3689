"""A request in Anthropic's words."""

import base64
import json
from typing import Any

import pytest

from chatapp.providers.anthropic_messages import build
from chatapp.vocab.items import Item, Origin, assistant_message, user_message
from chatapp.vocab.request import Mark, Request

MODEL = "claude-sonnet-5-5"
HERE = Origin("anthropic", MODEL)
ELSEWHERE = [Origin("openai", "gpt-6.1-sol"), Origin("anthropic", "claude-opus-5-5")]
FIVE, HOUR = {"type": "ephemeral", "ttl": "5m"}, {"type": "ephemeral", "ttl": "1h"}
TOOL = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}, "strict": True}
WIRE_TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}, "strict": True}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "sig=="}


def request(*items: Item, **fields: Any) -> Request:
    return Request(**{"model": MODEL, "items": items or (user_message("Hi"),), "max_output_tokens": 100, **fields})


def said(role: str, *blocks: dict[str, Any] | str) -> dict[str, Any]:
    return {"role": role, "content": [text(block) if isinstance(block, str) else block for block in blocks]}


def text(words: str, **extra: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **extra}


def reasoning(origin: Origin | None = HERE) -> Item:
    return Item({"type": "reasoning", "id": "r", "summary": []}, THOUGHT, origin)


def call(call_id: str = "toolu_1", arguments: str = '{"b":1,"a":2}', origin: Origin | None = None) -> Item:
    data = {"type": "function_call", "id": "x", "call_id": call_id, "name": "look", "arguments": arguments}
    native = {
        "type": "tool_use",
        "id": call_id,
        "name": "look",
        "input": {"a": 2, "b": 1},
        "caller": {"type": "direct"},
    }
    return Item(data, native if origin == HERE else None, origin)


def output(call_id: str = "toolu_1", said: object = "seen") -> Item:
    return Item({"type": "function_call_output", "call_id": call_id, "output": said})


def use(call_id: str = "toolu_1", **extra: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "look", "input": {"b": 1, "a": 2}, **extra}


def result(call_id: str = "toolu_1", **extra: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": "seen", **extra}


def marks_of(kwargs: dict[str, Any]) -> list[tuple[str, str]]:
    """(text or type, lifetime) of every marked block in the order of the wire."""
    blocks = kwargs.get("tools", []) + kwargs.get("system", [])
    blocks = blocks + [block for message in kwargs["messages"] for block in message["content"]]
    return [
        (block.get("text") or block.get("type") or block["name"], block["cache_control"]["ttl"])
        for block in blocks
        if "cache_control" in block
    ]


def test_a_plain_request_says_no_more_than_it_must() -> None:
    assert build(request()) == {
        "model": MODEL,
        "max_tokens": 100,
        "messages": [said("user", "Hi")],
        "stream": True,
    }


def test_a_full_request_says_everything() -> None:
    kwargs = build(
        request(
            instructions="Be kind.",
            tools=(TOOL, {"type": "function", "name": "bare"}, {"type": "web_search_20260318", "name": "web_search"}),
            user_key="u1",
            cache_key="not a word of theirs",
            options={"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}, "new": 1, "stream": False},
        )
    )

    assert kwargs == {
        "model": MODEL,
        "max_tokens": 100,
        "messages": [said("user", "Hi")],
        "system": [text("Be kind.")],
        "tools": [
            WIRE_TOOL,
            {"name": "bare", "input_schema": {"type": "object", "properties": {}}},
            {"type": "web_search_20260318", "name": "web_search"},
        ],
        "metadata": {"user_id": "u1"},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "low"},
        "extra_body": {"new": 1},
        "stream": True,
    }


def test_neighbours_of_one_side_share_a_message() -> None:
    items = [user_message("a"), user_message("b"), assistant_message("c"), assistant_message("d"), user_message("e")]

    assert build(request(*items))["messages"] == [
        said("user", "a", "b"),
        said("assistant", "c", "d"),
        said("user", "e"),
    ]


def test_tool_results_lead_one_user_message() -> None:
    items = [user_message("a"), call("1"), call("2"), user_message("wait"), output("1"), output("2"), user_message("b")]

    assert build(request(*items))["messages"] == [
        said("user", "a"),
        said("assistant", use("1"), use("2")),
        said("user", result("1"), result("2"), "wait", "b"),
    ]


def test_blocks_of_this_model_go_back_as_they_came() -> None:
    cited = [text("It is ", citations=None), text("so", citations=[{"type": "char_location"}])]
    message = Item({"type": "message", "role": "assistant", "content": []}, {"content": cited}, HERE)
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
    other = Item({"type": "anthropic:server_tool_use", "id": "x"}, search, HERE)

    messages = build(request(user_message("a"), reasoning(), other, message, call(origin=HERE), output()))["messages"]

    called = {**use(), "caller": {"type": "direct"}}
    assert messages == [
        said("user", "a"),
        said("assistant", THOUGHT, search, *cited, called),
        said("user", result()),
    ]
    # jsonb sorts the keys of an object; the model wrote them in this order.
    assert list(messages[1]["content"][-1]["input"]) == ["b", "a"]


@pytest.mark.parametrize("origin", ELSEWHERE)
def test_blocks_from_elsewhere_become_plain_ones(origin: Origin) -> None:
    answer = Item(assistant_message("Hello").data, text("Hello", citations=[{"type": "x"}]), origin)
    search = Item({"type": "web_search_call", "id": "ws_1"}, {"type": "server_tool_use"}, origin)

    messages = build(request(user_message("a"), reasoning(origin), search, answer, call(origin=origin), output()))

    assert messages["messages"] == [said("user", "a"), said("assistant", "Hello", use()), said("user", result())]


def test_ids_of_calls_become_valid_and_stay_different() -> None:
    items = [user_message("a"), call("a|b"), call("a.b"), output("a|b"), output("a.b")]

    _, calls, results = build(request(*items))["messages"]

    ids = [block["id"] for block in calls["content"]]
    assert ids == [block["tool_use_id"] for block in results["content"]]
    assert len(set(ids)) == 2
    assert all(character.isalnum() or character in "_-" for one in ids for character in one)


@pytest.mark.parametrize(
    ("arguments", "expected"), [("", {}), ("{", {"INVALID_JSON": "{"}), ("[1]", {"INVALID_JSON": "[1]"})]
)
def test_arguments_that_are_no_object_are_wrapped(arguments: str, expected: dict[str, Any]) -> None:
    messages = build(request(user_message("a"), call(arguments=arguments), output()))["messages"]

    assert messages[1]["content"][0]["input"] == expected


def test_blank_texts_are_left_out() -> None:
    blank = Item(assistant_message("\n").data, text("\n\n"), HERE)

    messages = build(request(user_message("a"), blank, user_message(""), user_message("b"), instructions=" "))

    assert messages["messages"] == [said("user", "a", "b")]
    assert "system" not in messages


def test_a_history_that_begins_with_an_answer_is_opened() -> None:
    messages = build(request(assistant_message("Hello"), user_message("a")))["messages"]

    assert messages == [said("user", "(The beginning of this conversation is not shown.)"), said("assistant", "Hello"),
                        said("user", "a")]  # fmt: skip


@pytest.mark.parametrize("items", [(user_message("a"), assistant_message("b")), (user_message("a"), call()),
                                   (user_message("a"), reasoning()), (user_message(" "),)])  # fmt: skip
def test_a_request_with_nothing_to_answer_is_an_error(items: tuple[Item, ...]) -> None:
    with pytest.raises(ValueError, match="answer"):
        build(request(*items))


def test_a_paused_answer_goes_back_last() -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    paused = Item({"type": "anthropic:server_tool_use", "id": "x"}, search, HERE)

    assert build(request(user_message("a"), paused))["messages"][-1] == said("assistant", search)


def test_images_and_files_become_blocks() -> None:
    plain = base64.b64encode("Grüße".encode()).decode()
    parts = [
        {"type": "input_image", "image_url": "https://example.org/a.png"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"},
        {"type": "input_file", "filename": "a.txt", "file_data": f"data:text/plain;base64,{plain}"},
        {"type": "input_text", "text": "What is this?"},
    ]

    messages = build(request(Item({"type": "message", "role": "user", "content": parts})))["messages"]

    assert messages == [
        said(
            "user",
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "BBBB"},
                "title": "a.pdf",
            },
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"},
                "title": "a.txt",
            },
            "What is this?",
        )
    ]


def test_a_part_that_cannot_be_said_is_an_error() -> None:
    with pytest.raises(ValueError, match="input_audio"):
        build(request(Item({"type": "message", "role": "user", "content": [{"type": "input_audio"}]})))


def test_tool_results_may_hold_blocks_or_nothing() -> None:
    items = [
        user_message("a"),
        call("1"),
        call("2"),
        output("1", [{"type": "input_text", "text": "x"}]),
        output("2", ""),
    ]

    results = build(request(*items))["messages"][-1]["content"]

    assert results == [
        {"type": "tool_result", "tool_use_id": "1", "content": [text("x")]},
        {"type": "tool_result", "tool_use_id": "2"},
    ]


ITEMS = (user_message("a"), reasoning(), assistant_message("b"), user_message("c"))


def test_marks_stand_on_the_last_cacheable_block_of_their_items() -> None:
    kwargs = build(
        request(
            *ITEMS, instructions="S", tools=(TOOL,), marks=(Mark(-1, "1h"), Mark(0, "1h"), Mark(2, "5m"), Mark(3, "5m"))
        )
    )

    assert marks_of(kwargs) == [("S", "1h"), ("a", "1h"), ("b", "5m"), ("c", "5m")]
    assert kwargs["system"] == [text("S", cache_control=HOUR)]
    assert kwargs["messages"][-1] == said("user", text("c", cache_control=FIVE))


def test_a_mark_on_tools_and_instructions_stands_on_the_last_of_them() -> None:
    other = {**TOOL, "name": "other"}

    assert marks_of(build(request(tools=(TOOL, other), marks=(Mark(-1, "5m"),)))) == [("other", "5m")]
    assert marks_of(build(request(marks=(Mark(-1, "5m"),)))) == []


def test_a_mark_without_a_block_moves_back() -> None:
    assert marks_of(build(request(*ITEMS, marks=(Mark(1, "5m"),)))) == [("a", "5m")]
    blank = (user_message(" "), *ITEMS)
    assert marks_of(build(request(*blank, instructions="S", marks=(Mark(0, "5m"),)))) == [("S", "5m")]


@pytest.mark.parametrize("lifetimes", [("5m", "1h"), ("1h", "5m")])
def test_of_two_marks_on_one_block_the_longer_stays(lifetimes: tuple[str, str]) -> None:
    marks = (Mark(0, lifetimes[0]), Mark(1, lifetimes[1]))

    assert marks_of(build(request(*ITEMS, marks=marks))) == [("a", "1h")]


def test_there_are_never_more_than_four_marks() -> None:
    items = tuple(user_message(letter) for letter in "abcdef")
    marks = tuple(Mark(after, "5m") for after in range(6))

    assert marks_of(build(request(*items, marks=marks))) == [(letter, "5m") for letter in "cdef"]
    automatic = build(request(*items, marks=marks, options={"cache_control": FIVE}))
    assert marks_of(automatic) == [(letter, "5m") for letter in "def"]


def test_long_marks_come_before_short_ones() -> None:
    kwargs = build(request(*ITEMS, instructions="S", marks=(Mark(-1, "5m"), Mark(2, "1h"), Mark(3, "5m"))))

    assert marks_of(kwargs) == [("S", "1h"), ("b", "1h"), ("c", "5m")]


def test_a_tool_result_can_be_marked() -> None:
    kwargs = build(request(user_message("a"), call(), output(), marks=(Mark(1, "5m"), Mark(2, "5m"))))

    assert marks_of(kwargs) == [("tool_use", "5m"), ("tool_result", "5m")]


def test_a_side_call_writes_no_cache() -> None:
    assert marks_of(build(request(*ITEMS, cache=False, marks=(Mark(0, "5m"),)))) == []


@pytest.mark.parametrize("mark", [Mark(1, "5m"), Mark(-2, "5m"), Mark(0, "30m")])
def test_a_mark_that_cannot_be_is_an_error(mark: Mark) -> None:
    with pytest.raises(ValueError, match="after item|lifetime"):
        build(request(marks=(mark,)))


def test_equal_requests_are_equal_bytes_and_leave_the_conversation_alone() -> None:
    conversation = (*ITEMS, call(origin=HERE), output())
    before = repr(conversation)

    def one() -> Request:
        return request(*conversation, tools=(TOOL,), instructions="S", marks=(Mark(-1, "1h"), Mark(5, "5m")))

    assert json.dumps(build(one())) == json.dumps(build(one()))
    assert repr(conversation) == before


def test_what_cannot_be_encoded_is_replaced() -> None:
    kwargs = build(request(user_message("a\ud83d"), instructions="\udc00"))

    assert (kwargs["messages"], kwargs["system"]) == ([said("user", "a�")], [text("�")])
