"""What is said: deterministic, marked, special on request, or as recorded."""

import anthropic
import pytest


def user(text):
    return {"role": "user", "content": text}


def test_the_same_conversation_gets_the_same_answer_and_another_gets_another(sim):
    assert sim.ask_openai().output_text == sim.ask_openai().output_text
    assert sim.ask_openai().output_text != sim.ask_openai(input="Hello you").output_text


def test_ordinary_answers_are_marked_as_simulated_at_both_providers(sim):
    assert sim.ask_openai().output_text.startswith("*Simulated answer.*\n\n")
    assert sim.ask_anthropic().content[0].text.startswith("*Simulated answer.*\n\n")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("say exactly: <script>alert(1)</script>\n# x", "<script>alert(1)</script>\n# x"),
        ("[Sunday]\nsay exactly: dated", "dated"),
        ("count to 5", "*Simulated answer.*\n\n1 2 3 4 5"),
    ],
)
def test_a_user_can_ask_for_exact_words(sim, asked, found):
    assert sim.ask_openai(input=asked).output_text == found


def test_a_user_can_ask_for_length_tables_and_code(sim):
    assert len(sim.ask_openai(input="write 500 words").output_text.split()) == 502
    assert "| :-- |" in sim.ask_openai(input="table").output_text
    assert sim.ask_openai(input="code").output_text.count("```") == 6


def test_the_pace_can_set_the_length_of_ordinary_answers(sim):
    sim.control("POST", "pace", {"answer_words": 900})
    assert len(sim.ask_openai().output_text.split()) > 850


def test_a_title_is_short_and_unmarked(sim):
    instructions = "Write a short title for this conversation."
    title = sim.ask_openai(instructions=instructions, input="how do I bake bread in a cold kitchen?").output_text
    assert title == "How do I bake bread in"
    assert sim.ask_openai(instructions=instructions, input="hi").output_text == "Hi about something"
    messages = [user("how do I bake bread?"), {"role": "assistant", "content": "So."},
                user("Now write a title for this conversation.")]  # fmt: skip
    assert sim.ask_anthropic(messages=messages).content[0].text == "How do I bake bread"


def test_a_summary_lists_what_was_asked(sim):
    messages = [user("What is yeast?"), {"role": "assistant", "content": "Alive."}, user("Summarize the conversation")]
    assert "- The user asked: What is yeast?" in sim.ask_anthropic(messages=messages).content[0].text


RECORDED = {
    "id": "r",
    "messages": [
        user("Hi"),
        {"role": "assistant", "content": "First hello."},
        user("Hi"),
        {"role": "assistant", "content": "Looking.", "tool_calls": [{"id": "a 1", "name": "f", "arguments": {"q": 1}}]},
        {"role": "tool", "content": "found", "tool_call_id": "a 1"},
        {"role": "assistant", "content": "Done."},
    ],
}
TOOLS = [{"type": "function", "name": "f", "parameters": {}, "strict": False}]


def test_a_recorded_conversation_is_answered_as_recorded_over_openai(sim):
    sim.control("POST", "script", RECORDED)
    first = sim.ask_openai(input="Hi", tools=TOOLS)
    assert first.output_text == "First hello."
    second = sim.ask_openai(input="Hi", tools=TOOLS, previous_response_id=first.id)
    assert [item.type for item in second.output] == ["message", "function_call"]
    assert [item.phase for item in second.output[:1]] == ["commentary"]
    call = second.output[1]
    result = [{"type": "function_call_output", "call_id": call.call_id, "output": "found"}]
    third = sim.ask_openai(input=result, tools=TOOLS, previous_response_id=second.id)
    assert third.output_text == "Done."
    assert sim.ask_openai(input="Not recorded").output_text.startswith("*Simulated answer.*")


def test_a_recorded_conversation_is_answered_as_recorded_over_anthropic(sim):
    sim.control("POST", "script", RECORDED)
    messages = [user("Hi"), {"role": "assistant", "content": "First hello."}, user("[Sunday]\nHi")]
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    answer = sim.ask_anthropic(messages=messages, tools=tools)
    assert answer.stop_reason == "tool_use"
    use = answer.content[1]
    assert (answer.content[0].text, use.id, use.input) == ("Looking.", "a_1", {"q": 1})
    messages += [
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "found"}]},
    ]
    final = sim.ask_anthropic(messages=messages, tools=tools)
    assert isinstance(final, anthropic.types.Message)
    assert final.content[0].text == "Done."


def test_an_unknown_fault_in_a_message_gets_the_list(sim):
    assert "`simulate: cut_unclean`" in sim.ask_openai(input="simulate: what").output_text
