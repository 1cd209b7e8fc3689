"""The Responses protocol as the real SDK sees it: events, chaining, stored responses, tools, limits."""

import json
from typing import Any

import openai
import pytest

TOOL = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                   "additionalProperties": False},
    "strict": True,
}  # fmt: skip


def test_a_text_answer_streams_the_documented_events_in_order(sim):
    stream = sim.ask_openai(input="say exactly: one two", stream=True)
    events = list(stream)
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(10))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "one two"
    assert events[0].response.usage is None
    assert events[-1].response.usage.total_tokens > 0
    assert events[-1].response.output_text == "one two"


def test_reasoning_streams_before_the_message_and_its_content_is_complete_only_when_done(sim):
    events = list(sim.ask_openai(reasoning={"effort": "low", "summary": "auto"}, stream=True))
    types = list(dict.fromkeys(event.type for event in events))
    assert types[2:8] == [
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
    ]
    added = next(event for event in events if event.type == "response.output_item.added").item
    done = next(event for event in events if event.type == "response.output_item.done").item
    assert len(added.encrypted_content) < len(done.encrypted_content)
    usage = events[-1].response.usage
    assert 0 < usage.output_tokens_details.reasoning_tokens < usage.output_tokens


def test_a_function_call_is_streamed_answered_and_continued(sim):
    events = list(sim.ask_openai(input='call weather {"city": "Oslo"}', tools=[TOOL], stream=True))
    done = next(event for event in events if event.type == "response.function_call_arguments.done")
    assert json.loads(done.arguments) == {"city": "Oslo"}
    first = events[-1].response
    call = first.output[0]
    assert (call.type, call.name) == ("function_call", "weather")
    output = [{"type": "function_call_output", "call_id": call.call_id, "output": "3 degrees"}]
    second = sim.ask_openai(input=output, tools=[TOOL], previous_response_id=first.id)
    assert "3 degrees" in second.output_text


def test_a_forced_tool_is_called(sim):
    answer = sim.ask_openai(tools=[TOOL], tool_choice="required")
    assert json.loads(answer.output[0].arguments) == {"city": ""}


def test_a_chain_loads_earlier_input_and_output_but_not_the_instructions(sim):
    first = sim.ask_openai(input="say exactly: four", instructions="A long instruction. " * 20)
    second = sim.ask_openai(input="Next", previous_response_id=first.id)
    third = sim.ask_openai(
        input=[
            {"role": "user", "content": "say exactly: four"},
            {"role": "assistant", "content": "four"},
            {"role": "user", "content": "Next"},
        ],
        store=False,
    )
    assert second.usage.input_tokens == third.usage.input_tokens
    assert second.instructions is None


def test_any_stored_response_can_be_a_parent_so_a_chain_can_branch(sim):
    first = sim.ask_openai()
    one = sim.ask_openai(input="left", previous_response_id=first.id)
    two = sim.ask_openai(input="right", previous_response_id=first.id)
    assert one.previous_response_id == two.previous_response_id == first.id


def test_a_response_that_is_not_stored_cannot_be_retrieved_or_built_on(sim):
    answer = sim.ask_openai(store=False)
    with pytest.raises(openai.NotFoundError):
        sim.openai.responses.retrieve(answer.id)
    with pytest.raises(openai.BadRequestError) as caught:
        sim.ask_openai(previous_response_id=answer.id)
    assert caught.value.code == "previous_response_not_found"


def test_an_unknown_parent_has_the_exact_error_body(sim):
    answer = sim.post("openai", "responses", {"model": "gpt-6.2-sol", "input": "a", "previous_response_id": "resp_1"})
    assert answer.status_code == 400
    assert answer.json() == {
        "error": {
            "message": "Previous response with id 'resp_1' not found.",
            "type": "invalid_request_error",
            "param": "previous_response_id",
            "code": "previous_response_not_found",
        }
    }
    assert answer.headers["x-request-id"].startswith("req_")


def test_another_account_s_response_is_unknown(account):
    one, two = account(), account()
    answer = one.ask_openai()
    with pytest.raises(openai.BadRequestError) as caught:
        two.ask_openai(previous_response_id=answer.id)
    assert caught.value.code == "previous_response_not_found"


def test_a_stored_response_lives_thirty_days(sim):
    answer = sim.ask_openai()
    sim.advance(30 * 86_400 - 60)
    assert sim.openai.responses.retrieve(answer.id).id == answer.id
    sim.advance(61)
    with pytest.raises(openai.NotFoundError):
        sim.openai.responses.retrieve(answer.id)


def test_a_deleted_response_is_gone_but_its_children_stay(sim):
    first = sim.ask_openai()
    second = sim.ask_openai(input="Next", previous_response_id=first.id)
    sim.openai.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        sim.openai.responses.retrieve(first.id)
    assert sim.ask_openai(input="More", previous_response_id=second.id).status == "completed"


def test_input_items_are_listed_newest_first(sim):
    answer = sim.ask_openai(input=[{"role": "user", "content": "one"}, {"role": "user", "content": "two"}])
    items = list(sim.openai.responses.input_items.list(answer.id))
    assert [item.content[0].text for item in items] == ["two", "one"]


def test_a_foreground_response_cannot_be_cancelled(sim):
    answer = sim.ask_openai()
    with pytest.raises(openai.BadRequestError):
        sim.openai.responses.cancel(answer.id)


def test_an_answer_beyond_its_limit_is_incomplete_and_may_be_a_parent(sim):
    events = list(sim.ask_openai(input="write 100 words", max_output_tokens=16, stream=True))
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details.reason == "max_output_tokens"
    assert last.response.usage.output_tokens == 16
    assert last.response.output[0].status == "incomplete"
    assert sim.ask_openai(previous_response_id=last.response.id).status == "completed"


def test_the_input_can_be_counted_without_an_answer(sim):
    counted = sim.openai.responses.input_tokens.count(model="gpt-6.2-sol", input="Hello", instructions="Be brief")
    assert counted.input_tokens == sim.ask_openai(instructions="Be brief").usage.input_tokens


def test_compacting_returns_the_user_messages_and_one_opaque_item_that_can_be_sent_on(sim, filler):
    first = sim.ask_openai(input=filler(2_000))
    compacted = sim.openai.responses.compact(model="gpt-6.2-sol", previous_response_id=first.id)
    assert compacted.usage.input_tokens > 2_000
    wanted = {"model": "gpt-6.2-sol", "previous_response_id": first.id}
    output = sim.post("openai", "responses/compact", wanted).json()["output"]
    assert [item["type"] for item in output] == ["message", "compaction"]
    answer = sim.ask_openai(input=[*output, {"role": "user", "content": "And now?"}], store=False)
    assert answer.status == "completed"


def test_prewarming_writes_the_cache_and_says_nothing(sim, filler):
    answer = sim.ask_openai(input=filler(2_000), prompt_cache_options={"prewarm": True})
    assert answer.output == []
    assert answer.usage.output_tokens == 0
    assert answer.usage.input_tokens_details.cache_write_tokens == 2_000


def test_models_are_listed_and_found_by_snapshot_name(sim):
    assert "gpt-6.2-sol" in [model.id for model in sim.openai.models.list()]
    assert sim.openai.models.retrieve("gpt-5.5-2026-04-23").id == "gpt-5.5"


def test_padding_is_left_out_on_request(sim):
    body = {"model": "gpt-6.2-sol", "input": "say exactly: hi", "stream": True}
    assert '"obfuscation"' in sim.post("openai", "responses", body).text
    body["stream_options"] = {"include_obfuscation": False}
    assert '"obfuscation"' not in sim.post("openai", "responses", body).text


def test_the_tier_that_served_is_named_and_not_the_one_asked_for(sim):
    assert sim.ask_openai(service_tier="fast").service_tier == "priority"
    assert sim.ask_openai().service_tier == "default"


def test_reasoning_resent_unmodified_is_accepted(sim):
    first = sim.ask_openai(store=False, reasoning={"summary": "auto"})
    sent: list[Any] = [item.model_dump(exclude_none=True) for item in first.output]
    answer = sim.ask_openai(store=False, input=[{"role": "user", "content": "Hello"}, *sent,
                                                {"role": "user", "content": "Next"}])  # fmt: skip
    assert answer.status == "completed"


@pytest.mark.parametrize("part", ["summary", "encrypted_content", "id"])
def test_reasoning_that_was_changed_is_refused(sim, part):
    first = sim.ask_openai(store=False, reasoning={"summary": "auto"})
    sent: list[Any] = [item.model_dump(exclude_none=True) for item in first.output]
    sent[0][part] = {
        "summary": [{"type": "summary_text", "text": "I thought of something else"}],
        "encrypted_content": sent[0]["encrypted_content"][:-6] + "AAAAAA",
        "id": "rs_1",
    }[part]
    with pytest.raises(openai.BadRequestError) as caught:
        sim.ask_openai(store=False, input=[*sent, {"role": "user", "content": "Next"}])
    assert caught.value.code == "invalid_encrypted_content"


def test_reasoning_of_another_model_is_dropped_and_reported(sim):
    first = sim.ask_openai(model="gpt-6.1-sol", reasoning={"summary": "auto"})
    second = sim.ask_openai(previous_response_id=first.id)
    assert [(one.id, one.reason) for one in second.input_transformations] == [(first.output[0].id, "model_mismatch")]


def test_a_prompt_longer_than_the_window_is_refused(sim):
    with pytest.raises(openai.BadRequestError) as caught:
        sim.ask_openai(model="gpt-4o", input="word " * 110_000)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")


def test_structured_output_is_json(sim):
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    wanted = {"format": {"type": "json_schema", "name": "title", "schema": schema}}
    assert list(json.loads(sim.ask_openai(text=wanted).output_text)) == ["title"]
