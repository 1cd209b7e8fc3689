"""What OpenAI refuses, with the error's fields as the SDK shows them."""

import openai
import pytest

USER = {"role": "user", "content": "Hello"}
CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
MARKED = {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}

REFUSED = {
    "an unknown field": ({"foo": 1}, "unknown_parameter", "foo"),
    "an unknown field of an option": ({"reasoning": {"depth": 1}}, "unknown_parameter", "reasoning.depth"),
    "an unknown field of an item": ({"input": [{**USER, "name": "x"}]}, "unknown_parameter", "input[0].name"),
    "a wrong type": ({"store": "yes"}, "invalid_type", "store"),
    "null where there must be a value": ({"tools": None}, "invalid_type", "tools"),
    "null in an item": ({"input": [{"type": "reasoning", "id": "rs_1", "summary": [], "content": None}]},
                        "invalid_type", "input[0].content"),
    "a wrong value": ({"truncation": "middle"}, "invalid_value", "truncation"),
    "a wrong value of an option": ({"reasoning": {"effort": "huge"}}, "invalid_value", "reasoning.effort"),
    "no input": ({"input": None}, "invalid_type", "input"),
    "an empty input": ({"input": []}, "empty_array", "input"),
    "an unknown role": ({"input": [{"role": "tool", "content": "a"}]}, "invalid_value", "input[0].role"),
    "output text from a user": ({"input": [{"role": "user", "content": [{"type": "output_text", "text": "a"}]}]},
                                "invalid_value", "input[0].content[0]"),
    "input text from an assistant": ({"input": [{"role": "assistant", "content": [{"type": "input_text",
                                     "text": "a"}]}]}, "invalid_value", "input[0].content[0]"),
    "a mark on an assistant's text": ({"input": [{"role": "assistant", "content": [{"type": "output_text", "text": "a",
                                       "annotations": [], "prompt_cache_breakpoint": {"mode": "explicit"}}]}]},
                                      "unknown_parameter", "input[0].content[0].prompt_cache_breakpoint"),
    "a result without a call": ({"input": [USER, RESULT]}, None, "input"),
    "a call without a result": ({"input": [USER, CALL, USER]}, None, "input"),
    "temperature": ({"temperature": 1}, "unsupported_parameter", "temperature"),
    "top_p": ({"top_p": 0.5}, "unsupported_parameter", "top_p"),
    "effort none": ({"reasoning": {"effort": "none"}}, "unsupported_value", "reasoning.effort"),
    "a malformed parent": ({"previous_response_id": "abc"}, "invalid_value", "previous_response_id"),
    "both kinds of cache options": ({"prompt_cache_options": {}, "prompt_cache_retention": "24h"},
                                    "mutually_exclusive_parameters", "prompt_cache_retention"),
    "in-memory retention on a new model": ({"prompt_cache_retention": "in_memory"}, "invalid_value",
                                           "prompt_cache_retention"),
    "cache options on an old model": ({"model": "gpt-5.5", "prompt_cache_options": {"ttl": "30m"}},
                                      "unsupported_parameter", "prompt_cache_options"),
    "a mark on an old model": ({"model": "gpt-5.4", "input": [{"role": "user", "content": [MARKED]}]},
                               "unsupported_parameter", "input[0].content[0].prompt_cache_breakpoint"),
    "reasoning on a model without": ({"model": "gpt-4.1", "reasoning": {"effort": "low"}}, "unsupported_parameter",
                                     "reasoning.effort"),
    "a short limit": ({"max_output_tokens": 5}, "integer_below_min_value", "max_output_tokens"),
    "a long identifier": ({"safety_identifier": "x" * 129}, "string_above_max_length", "safety_identifier"),
    "too much metadata": ({"metadata": {str(n): "x" for n in range(17)}}, "object_above_max_properties", "metadata"),
    "stream options without a stream": ({"stream_options": {}}, None, "stream_options"),
    "a strict function that is open": ({"tools": [{"type": "function", "name": "f", "strict": True, "parameters":
                                        {"type": "object", "properties": {}}}]}, "invalid_function_parameters",
                                       "tools[0].parameters"),
    "background mode, which is not simulated": ({"background": True}, "simulator_unsupported", "background"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_openai_refuses(sim, case):
    fields, code, param = REFUSED[case]
    with pytest.raises(openai.BadRequestError) as caught:
        sim.openai.responses.create(extra_body={"model": "gpt-6.2-sol", "input": "Hello", **fields})
    error = caught.value
    assert (error.status_code, error.code, error.param, error.type) == (400, code, param, "invalid_request_error")


def test_missing_fields_are_named(sim):
    for body, param in (({"input": "a"}, "model"), ({"model": "gpt-6.2-sol"}, "input")):
        error = sim.post("openai", "responses", body).json()["error"]
        assert (error["code"], error["param"]) == ("missing_required_parameter", param)


def test_an_unknown_model_is_404(sim):
    with pytest.raises(openai.NotFoundError) as caught:
        sim.ask_openai(model="gpt-9")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_body_that_is_no_json_is_refused(sim):
    url = f"{sim.openai_base_url}/responses"
    answer = sim.raw.post(url, content=b"{", headers={"authorization": f"Bearer {sim.key}"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_temperature_is_taken_without_effort_where_the_model_allows_it(sim):
    assert sim.ask_openai(model="gpt-6-luna", temperature=1, reasoning={"effort": "none"}).status == "completed"
    assert sim.ask_openai(model="gpt-4.1", temperature=1).status == "completed"


def test_null_is_taken_where_the_sdk_says_optional(sim):
    assert sim.ask_openai(extra_body={"previous_response_id": None, "instructions": None}).status == "completed"


@pytest.mark.parametrize(("key", "message"), [("", "didn't provide"), ("Bearer sk-invalid", "Incorrect API key")])
def test_a_missing_or_bad_key_is_401(sim, key, message):
    answer = sim.raw.get(f"{sim.openai_base_url}/models", headers={"authorization": key} if key else {})
    assert answer.status_code == 401
    assert message in answer.json()["error"]["message"]
