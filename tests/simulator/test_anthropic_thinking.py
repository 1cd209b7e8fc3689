"""Thinking that comes back: unchanged, changed, moved, on another model, in another conversation."""

from typing import Any

import anthropic
import pytest

NEW = "claude-sonnet-5-5"


def user(text):
    return {"role": "user", "content": text}


def turn(answer) -> dict[str, Any]:
    return {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]}


@pytest.fixture
def talk(sim):
    """Two turns with thinking, ready to be continued."""
    messages: list[Any] = [user("one")]
    for text in ("two", "three"):
        messages += [turn(sim.ask_anthropic(model=NEW, messages=messages)), user(text)]
    return messages


def refusal(sim, messages, **fields):
    with pytest.raises(anthropic.BadRequestError) as caught:
        sim.ask_anthropic(**{"model": NEW, "messages": messages, **fields})
    return caught.value.message


def test_thinking_returned_unchanged_is_accepted(sim, talk):
    assert sim.ask_anthropic(model=NEW, messages=talk).stop_reason == "end_turn"


def test_marks_and_string_shorthand_do_not_count_as_changes(sim, talk):
    marked = {"type": "text", "text": "one", "cache_control": {"type": "ephemeral"}}
    talk[0] = {"role": "user", "content": [marked]}
    assert sim.ask_anthropic(model=NEW, messages=talk).stop_reason == "end_turn"


def test_thinking_of_the_latest_turn_cannot_be_modified(sim, talk):
    talk[3]["content"][0]["thinking"] = "I thought of something else"
    assert "cannot be modified" in refusal(sim, talk)


def test_thinking_of_an_earlier_turn_cannot_be_modified_either(sim, talk):
    talk[1]["content"][0]["thinking"] = "I thought of something else"
    assert "messages.1.content.0: Invalid `signature` in `thinking` block" in refusal(sim, talk)


@pytest.mark.parametrize("change", ["system", "tools", "messages"])
def test_a_changed_prefix_binds_the_block_to_a_different_conversation(sim, talk, change):
    fields: dict[str, Any] = {"system": "new"}
    if change == "tools":
        fields = {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}
    if change == "messages":
        talk[0], fields = user("something else"), {}
    assert "The block is bound to a different conversation." in refusal(sim, talk, **fields)


def test_thinking_left_out_at_the_start_is_accepted_but_not_from_between(sim, talk):
    talk += [turn(sim.ask_anthropic(model=NEW, messages=talk)), user("four")]
    between = [*talk]
    between[3] = {"role": "assistant", "content": between[3]["content"][1:]}
    assert "bound to a different conversation" in refusal(sim, between)
    talk[1] = {"role": "assistant", "content": talk[1]["content"][1:]}
    assert sim.ask_anthropic(model=NEW, messages=talk).stop_reason == "end_turn"


def test_another_model_drops_the_blocks_without_an_error(sim, talk):
    with_blocks = sim.ask_anthropic(model="claude-opus-5", messages=talk)
    for at in (1, 3):
        talk[at] = {"role": "assistant", "content": talk[at]["content"][1:]}
    assert sim.ask_anthropic(model="claude-opus-5", messages=talk).usage.input_tokens == with_blocks.usage.input_tokens


def test_another_account_cannot_use_the_blocks(account):
    one, two = account(), account()
    messages = [user("one"), turn(one.ask_anthropic(model=NEW, messages=[user("one")])), user("two")]
    assert "Invalid `signature`" in refusal(two, messages)


def test_an_older_model_accepts_its_blocks_in_an_edited_conversation(sim):
    model = "claude-opus-5"
    messages = [user("one"), turn(sim.ask_anthropic(model=model, messages=[user("one")])), user("two")]
    assert messages[1]["content"][0]["type"] == "thinking"
    assert sim.ask_anthropic(model=model, messages=messages, system="new").stop_reason == "end_turn"


def test_with_manual_thinking_a_tool_loop_begins_with_its_thinking(sim):
    use = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
    messages = [user("one"), {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    thinking = {"type": "enabled", "budget_tokens": 1_024}
    message = refusal(sim, messages, model="claude-haiku-4-5", tools=tools, thinking=thinking)
    assert "Expected `thinking` or `redacted_thinking`, but found `tool_use`" in message
