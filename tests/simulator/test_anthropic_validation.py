"""What Anthropic refuses, with the messages it words them in."""

import anthropic
import pytest

SONNET_55, OPUS_55, OPUS_48, HAIKU_45 = "claude-sonnet-5-5", "claude-opus-5-5", "claude-opus-4-8", "claude-haiku-4-5"
MARK = {"type": "ephemeral"}
LONG_MARK = {"type": "ephemeral", "ttl": "1h"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "x"}
UNSIGNED = {"type": "thinking", "thinking": "x", "signature": "x"}


def user(*content):
    return {"role": "user", "content": list(content)}


def assistant(*content):
    return {"role": "assistant", "content": list(content)}


def said(text="a", mark=None):
    return {"type": "text", "text": text, **({"cache_control": mark} if mark else {})}


REFUSED = {
    "an unknown field": ({"foo": 1}, "foo: Extra inputs are not permitted"),
    "an unknown field of a block": ({"messages": [user({**said(), "foo": 1})]},
                                    "messages.0.content.0.text.foo: Extra inputs are not permitted"),
    "temperature": ({"temperature": 1}, "temperature: Extra inputs are not permitted"),
    "a wrong type": ({"stream": "yes"}, "stream: Input should be a valid boolean"),
    "no messages": ({"messages": []}, "at least one message is required"),
    "an assistant first": ({"messages": [assistant(said()), user(said())]}, 'must use the "user" role'),
    "an unknown role": ({"messages": [{"role": "tool", "content": "a"}]}, "messages.0.role: Input should be"),
    "empty content": ({"messages": [user()]}, "all messages must have non-empty content"),
    "an empty text": ({"messages": [user(said(""))]}, "text content blocks must be non-empty"),
    "a blank text": ({"messages": [user(said(" "))]}, "must contain non-whitespace text"),
    "a marked empty text": ({"messages": [user(said("", MARK))]}, "cache_control cannot be set for empty text blocks"),
    "a prefill": ({"messages": [user(said()), assistant(said())]}, "does not support assistant message prefill"),
    "five marks": ({"messages": [user(*[said("a", MARK)] * 5)]},
                   "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    "four marks and the automatic one": ({"messages": [user(*[said("a", MARK)] * 4, said())], "cache_control": MARK},
                                         "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    "a short lifetime before a long one": ({"system": [said("a", MARK)], "messages": [user(said("a", LONG_MARK))]},
                                           "a ttl='1h' cache_control block must not come after a ttl='5m'"),
    "the automatic mark on another lifetime": ({"messages": [user(said("a", MARK))], "cache_control": LONG_MARK},
                                               "already has a cache_control with ttl='5m'"),
    "an unknown lifetime": ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "Input should be '5m' or '1h'"),
    "a marked thinking block": ({"messages": [user(said()), assistant({**UNSIGNED, "cache_control": MARK}, said()),
                                              user(said())]}, "cache_control: Extra inputs are not permitted"),
    "an invented signature": ({"messages": [user(said()), assistant(UNSIGNED, said()), user(said())]},
                              "messages.1.content.0: Invalid `signature` in `thinking` block"),
    "a tool use without a result": ({"messages": [user(said()), assistant(USE), user(said())]},
                                    "`tool_use` ids were found without `tool_result` blocks immediately after"),
    "a result without a use": ({"messages": [user(RESULT)]}, "unexpected `tool_use_id` found in `tool_result` blocks"),
    "a result after text": ({"messages": [user(said()), assistant(USE), user(said(), RESULT)]},
                            "`tool_result` blocks must come before"),
    "a document from the assistant": ({"messages": [user(said()), assistant({"type": "document", "source": {}}),
                                                    user(said())]}, "does not match any of the expected tags"),
    "too large a limit": ({"max_tokens": 200_000}, "max_tokens: 200000 > 128000, which is the maximum"),
    "adaptive thinking on an old model": ({"model": HAIKU_45, "thinking": {"type": "adaptive"}}, "is not supported"),
    "a thinking budget on a new model": ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "is not supported"),
    "a small thinking budget": ({"model": HAIKU_45, "thinking": {"type": "enabled", "budget_tokens": 9}},
                                "greater than or equal to 1024"),
    "no thinking where it is always on": ({"model": OPUS_55, "thinking": {"type": "disabled"}}, "is not supported"),
    "no thinking where it is between tools": ({"model": SONNET_55, "thinking": {"type": "disabled"}}, "between_tools"),
    "between tools at full effort": ({"model": SONNET_55, "thinking": {"type": "between_tools"},
                                      "output_config": {"effort": "max"}}, 'not supported at effort "max"'),
    "a forced tool where that is an error": ({"model": OPUS_55, "tools": [TOOL], "tool_choice": {"type": "any"}},
                                             "forced tool use is not supported"),
    "a choice of an unknown tool": ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "not found"),
    "a streamed pre-warming": ({"max_tokens": 0, "stream": True}, "not permitted when max_tokens is 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_anthropic_refuses(sim, case):
    fields, message = REFUSED[case]
    body = {"model": OPUS_48, "max_tokens": 4_000, "messages": [user(said())], **fields}
    answer = sim.post("anthropic", "v1/messages", body)
    assert answer.status_code == 400
    found = answer.json()
    assert found["type"] == "error"
    assert found["error"]["type"] == "invalid_request_error"
    assert found["request_id"] == answer.headers["request-id"]
    assert message in found["error"]["message"]


def test_the_sdk_sees_type_status_and_request_id(sim):
    with pytest.raises(anthropic.NotFoundError) as caught:
        sim.ask_anthropic(model="claude-9")
    assert (caught.value.status_code, caught.value.type) == (404, "not_found_error")
    assert caught.value.request_id


@pytest.mark.parametrize("name", ["model", "messages", "max_tokens"])
def test_missing_fields_are_named(sim, name):
    body = {"model": OPUS_48, "max_tokens": 10, "messages": [user(said())]}
    del body[name]
    answer = sim.post("anthropic", "v1/messages", body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, f"{name}: Field required")


def test_the_version_header_is_required(sim):
    url = f"{sim.anthropic_base_url}/v1/models"
    headers = {"authorization": f"Bearer {sim.key}"}
    assert "header is required" in sim.raw.get(url, headers=headers).json()["error"]["message"]
    wrong = sim.raw.get(url, headers={**headers, "anthropic-version": "2020-01-01"})
    assert "is not a valid version" in wrong.json()["error"]["message"]


def test_an_older_version_takes_temperature_on_an_older_model(sim):
    body = {"model": HAIKU_45, "max_tokens": 10, "messages": [user(said())], "temperature": 1}
    answer = sim.post("anthropic", "v1/messages", body, {"anthropic-version": "2023-06-01"})
    assert answer.status_code == 200


def test_an_old_model_takes_a_prefill(sim):
    assert sim.ask_anthropic(model=HAIKU_45, messages=[user(said()), assistant(said())]).stop_reason == "end_turn"


def test_the_automatic_mark_on_a_block_that_has_the_same_one_is_nothing_new(sim):
    messages = [user(said("a", MARK), said("b", MARK), said("c", MARK), said("d", MARK))]
    assert sim.ask_anthropic(messages=messages, cache_control=MARK).stop_reason == "end_turn"


def test_a_prompt_longer_than_the_window_says_by_how_much(sim):
    with pytest.raises(anthropic.BadRequestError) as caught:
        sim.ask_anthropic(model=HAIKU_45, messages=[user(said("x" * 840_000))])
    assert "prompt is too long: 210003 tokens > 200000 maximum" in caught.value.message


def test_a_missing_or_bad_key_is_401(sim):
    headers = {"anthropic-version": "2026-10-21"}
    url = f"{sim.anthropic_base_url}/v1/models"
    for more in ({}, {"authorization": "Bearer invalid"}, {"x-api-key": "sk-invalid"}):
        answer = sim.raw.get(url, headers={**headers, **more})
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")
    assert sim.raw.get(url, headers={**headers, "x-api-key": sim.key}).status_code == 200
