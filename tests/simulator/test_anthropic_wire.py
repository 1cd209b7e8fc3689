"""The Messages protocol as the real SDK sees it: events, tools, thinking, limits, models."""

import anthropic
import pytest

TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}},
                                            "required": ["city"]}}  # fmt: skip
OPEN_EVENTS = ["message_start", "content_block_start", "ping", "content_block_delta", "content_block_delta",
               "content_block_stop", "message_delta", "message_stop"]  # fmt: skip


def user(content):
    return {"role": "user", "content": content}


def text(answer):
    return "".join(block.text for block in answer.content if block.type == "text")


def test_a_text_answer_streams_the_documented_events_in_order(sim):
    body = {"model": "claude-opus-4-8", "max_tokens": 100, "stream": True, "messages": [user("say exactly: one two")]}
    lines = sim.post("anthropic", "v1/messages", body).text.splitlines()
    assert [line.removeprefix("event: ") for line in lines if line.startswith("event: ")] == OPEN_EVENTS
    events = list(sim.ask_anthropic(messages=[user("say exactly: one two")], stream=True))
    assert [event.type for event in events] == [name for name in OPEN_EVENTS if name != "ping"]
    assert "".join(event.delta.text for event in events if event.type == "content_block_delta") == "one two"


def test_usage_comes_at_the_start_with_the_split_and_at_the_end_in_total(sim):
    start, *_, delta, _ = sim.ask_anthropic(stream=True)
    assert start.message.usage.cache_creation.ephemeral_5m_input_tokens == 0
    assert start.message.usage.output_tokens <= 1 < delta.usage.output_tokens
    assert delta.usage.input_tokens == start.message.usage.input_tokens
    assert delta.delta.stop_reason == "end_turn"


def test_thinking_is_shown_or_omitted_but_always_signed(sim):
    shown = sim.ask_anthropic(model="claude-sonnet-5-5", thinking={"type": "adaptive", "display": "summarized"})
    omitted = sim.ask_anthropic(model="claude-sonnet-5-5")
    assert [block.type for block in shown.content] == ["thinking", "text"]
    assert shown.content[0].thinking and shown.content[0].signature
    assert not omitted.content[0].thinking and omitted.content[0].signature
    assert 0 < shown.usage.output_tokens_details.thinking_tokens < shown.usage.output_tokens


def test_thinking_streams_its_signature_just_before_the_block_ends(sim):
    thinking = {"type": "adaptive", "display": "summarized"}
    events = list(sim.ask_anthropic(model="claude-sonnet-5-5", thinking=thinking, stream=True))
    first_block = [event for event in events if getattr(event, "index", None) == 0]
    kinds = [event.delta.type for event in first_block if event.type == "content_block_delta"]
    assert kinds[-1] == "signature_delta"
    assert set(kinds[:-1]) == {"thinking_delta"}


def test_a_tool_is_used_answered_and_continued(sim):
    question = user('call weather {"city": "Oslo"}')
    with sim.anthropic.messages.stream(
        model="claude-opus-4-8", max_tokens=1000, messages=[question], tools=[TOOL]
    ) as stream:
        first = stream.get_final_message()
    used = first.content[-1]
    assert (first.stop_reason, used.name, used.input) == ("tool_use", "weather", {"city": "Oslo"})
    assistant = {"role": "assistant", "content": [used.model_dump(exclude_none=True)]}
    result = user([{"type": "tool_result", "tool_use_id": used.id, "content": "3 degrees"}])
    second = sim.ask_anthropic(messages=[question, assistant, result], tools=[TOOL])
    assert "3 degrees" in text(second)


def test_a_forced_tool_is_used(sim):
    answer = sim.ask_anthropic(tools=[TOOL], tool_choice={"type": "tool", "name": "weather"})
    assert answer.content[0].input == {"city": ""}


def test_an_answer_beyond_its_limit_stops_there(sim):
    answer = sim.ask_anthropic(messages=[user("write 100 words")], max_tokens=10)
    assert (answer.stop_reason, answer.usage.output_tokens) == ("max_tokens", 10)


def test_a_stop_sequence_ends_the_answer(sim):
    answer = sim.ask_anthropic(messages=[user("say exactly: one END two")], stop_sequences=["END"])
    assert (answer.stop_reason, answer.stop_sequence, text(answer)) == ("stop_sequence", "END", "one ")


def test_prewarming_writes_the_cache_and_says_nothing(sim, filler):
    answer = sim.ask_anthropic(
        system=[{"type": "text", "text": filler(2_000), "cache_control": {"type": "ephemeral"}}], max_tokens=0
    )
    assert (answer.content, answer.stop_reason, answer.usage.output_tokens) == ([], "max_tokens", 0)
    assert answer.usage.cache_creation_input_tokens == 2_000


def test_the_prompt_can_be_counted_without_an_answer(sim):
    messages = [user("Hello"), {"role": "assistant", "content": "Hi"}, user("Next")]
    counted = sim.anthropic.messages.count_tokens(model="claude-opus-4-8", messages=messages, tools=[TOOL])
    assert counted.input_tokens == sim.ask_anthropic(messages=messages, tools=[TOOL]).usage.input_tokens


def test_consecutive_messages_of_a_role_are_one_turn(sim):
    answer = sim.ask_anthropic(messages=[user("Hello"), user("say exactly: again")])
    assert answer.stop_reason == "end_turn"


def test_system_messages_are_taken_mid_conversation_by_the_models_that_have_them(sim):
    messages = [user("Hello"), {"role": "system", "content": "Be brief"}, user("Next")]
    assert sim.ask_anthropic(messages=messages).stop_reason == "end_turn"
    with pytest.raises(anthropic.BadRequestError):
        sim.ask_anthropic(model="claude-sonnet-5", messages=messages)


def test_models_are_listed_with_their_limits(sim):
    models = {model.id: model for model in sim.anthropic.models.list()}
    assert models["claude-sonnet-5-5"].max_input_tokens == 1_000_000
    assert models["claude-haiku-4-5"].max_tokens == 64_000
    assert sim.anthropic.models.retrieve("claude-haiku-4-5-20251001").id == "claude-haiku-4-5"
    types = models["claude-sonnet-5-5"].capabilities.thinking.types
    assert types.between_tools.supported and not types.disabled.supported


def test_structured_output_is_json(sim):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    answer = sim.ask_anthropic(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert text(answer) == '{"n": 0}'
