"""Every way to fail, as the SDKs show it."""

import json

import anthropic
import httpx2
import openai
import pytest

from chatapp.simulator.faults import KINDS

LONG = "count to 50"
USER = [{"role": "user", "content": LONG}]


def ask(sim, provider, **fields):
    if provider == "openai":
        return sim.ask_openai(**{"input": LONG, **fields})
    return sim.ask_anthropic(**{"messages": USER, **fields})


def deltas(events):
    return [event for event in events if event.type in ("response.output_text.delta", "content_block_delta")]


REJECTIONS = [
    ("openai", "rate_limited", openai.RateLimitError, 429, "rate_limit_exceeded"),
    ("openai", "server_error", openai.InternalServerError, 500, "server_error"),
    ("openai", "overloaded", openai.InternalServerError, 503, "server_is_overloaded"),
    ("openai", "bad_key", openai.AuthenticationError, 401, "invalid_api_key"),
    ("openai", "unknown_model", openai.NotFoundError, 404, "model_not_found"),
    ("openai", "context_too_long", openai.BadRequestError, 400, "context_length_exceeded"),
    ("anthropic", "rate_limited", anthropic.RateLimitError, 429, "rate_limit_error"),
    ("anthropic", "server_error", anthropic.InternalServerError, 500, "api_error"),
    ("anthropic", "overloaded", anthropic.OverloadedError, 529, "overloaded_error"),
    ("anthropic", "bad_key", anthropic.AuthenticationError, 401, "authentication_error"),
    ("anthropic", "unknown_model", anthropic.NotFoundError, 404, "not_found_error"),
    ("anthropic", "context_too_long", anthropic.BadRequestError, 400, "invalid_request_error"),
]


@pytest.mark.parametrize(("provider", "kind", "error", "status", "name"), REJECTIONS)
def test_a_rejection_has_the_provider_s_shape_and_is_used_up(sim, provider, kind, error, status, name):
    sim.fault(kind)
    with pytest.raises(error) as caught:
        ask(sim, provider)
    shown = caught.value.code if provider == "openai" else caught.value.type
    assert (caught.value.status_code, shown) == (status, name)
    assert ask(sim, provider).id
    assert [entry["fault"] for entry in sim.requests()] == [kind, None]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_retry_after_is_sent_only_where_it_was_asked_for(sim, provider):
    for asked, shown in ((7, "7"), (None, None)):
        sim.fault("rate_limited", retry_after=asked)
        with pytest.raises((openai.RateLimitError, anthropic.RateLimitError)) as caught:
            ask(sim, provider)
        assert caught.value.response.headers.get("retry-after") == shown


def test_a_fault_happens_as_often_as_asked_and_only_at_its_provider(sim):
    sim.fault("server_error", times=2, provider="openai")
    assert ask(sim, "anthropic").id
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            ask(sim, "openai")
    assert ask(sim, "openai").id


def test_listing_models_does_not_use_a_fault_up_unless_it_names_the_path(sim):
    sim.fault("server_error")
    assert list(sim.openai.models.list())
    sim.control("DELETE", "faults")
    sim.fault("bad_key", path="/models")
    with pytest.raises(openai.AuthenticationError):
        sim.openai.models.list()


def test_an_openai_refusal_is_a_part_of_its_own(sim):
    sim.fault("refused")
    events = list(ask(sim, "openai", stream=True))
    assert any(event.type == "response.refusal.done" for event in events)
    assert events[-1].response.output[0].content[0].type == "refusal"


def test_an_anthropic_refusal_is_a_stop_reason(sim):
    sim.fault("refused", category="cyber")
    answer = ask(sim, "anthropic")
    assert (answer.stop_reason, answer.stop_details.category, answer.content) == ("refusal", "cyber", [])


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_reset_comes_before_any_byte(sim, provider):
    sim.fault("reset_before_first_byte")
    with pytest.raises((openai.APIConnectionError, anthropic.APIConnectionError)) as caught:
        ask(sim, provider, stream=True)
    assert isinstance(caught.value.__cause__, httpx2.ReadError)
    assert sim.finished()["finished"] == "reset"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_clean_cut_ends_without_error_and_without_the_last_event(sim, provider):
    sim.fault("cut_clean", after_deltas=4)
    events = list(ask(sim, provider, stream=True))
    assert len(deltas(events)) == 4
    assert events[-1].type in ("response.output_text.delta", "content_block_delta")
    assert sim.finished()["finished"] == "cut"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_an_unclean_cut_breaks_the_body(sim, provider):
    sim.fault("cut_unclean")
    seen = []
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        for event in ask(sim, provider, stream=True):
            seen.append(event)
    assert len(deltas(seen)) == 3


def test_an_openai_error_event_is_flat_nested_or_a_failed_response(sim):
    sim.fault("error_event")
    assert list(ask(sim, "openai", stream=True))[-1].type == "error"
    sim.fault("error_event", shape="response_failed")
    last = list(ask(sim, "openai", stream=True))[-1]
    assert (last.type, last.response.error.code) == ("response.failed", "server_error")
    sim.fault("error_event", shape="nested")
    with pytest.raises(openai.APIError):
        list(ask(sim, "openai", stream=True))


def test_an_anthropic_error_event_raises_with_its_type(sim):
    sim.fault("error_event")
    with pytest.raises(anthropic.APIStatusError) as caught:
        list(ask(sim, "anthropic", stream=True))
    assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_malformed_data_is_no_json(sim, provider):
    sim.fault("malformed_data")
    with pytest.raises(json.JSONDecodeError):
        list(ask(sim, provider, stream=True))


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_an_unknown_event_is_in_the_stream_and_the_rest_follows(sim, provider):
    sim.fault("unknown_event")
    types = [event.type for event in ask(sim, provider, stream=True)]
    if provider == "openai":
        assert "simulator:unknown_event" in types
    assert types[-1] in ("response.completed", "message_stop")


def test_openai_numbers_its_events_without_a_gap_around_an_unknown_one(sim):
    sim.fault("unknown_event")
    events = list(ask(sim, "openai", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_usage_can_be_missing(sim):
    sim.fault("no_usage", times=2)
    assert list(ask(sim, "openai", stream=True))[-1].response.usage is None
    assert list(ask(sim, "anthropic", stream=True))[-2].usage is None


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_stalled_stream_is_held_until_the_client_leaves_and_then_logged_so(sim, provider):
    sim.fault("stall", after_deltas=2)
    with ask(sim, provider, stream=True) as stream:
        seen = []
        for event in stream:
            seen.append(event)
            if len(deltas(seen)) == 2:
                break
    entry = sim.finished()
    assert (entry["finished"], entry["delivered_deltas"], entry["usage"]) == ("client_closed", 2, None)


def test_a_response_whose_client_left_cannot_be_built_on(sim):
    sim.fault("stall", after_deltas=1)
    with ask(sim, "openai", stream=True) as stream:
        response_id = next(iter(stream)).response.id
    sim.finished()
    with pytest.raises(openai.BadRequestError) as caught:
        sim.ask_openai(previous_response_id=response_id)
    assert caught.value.code == "previous_response_not_found"


def test_a_stall_that_ends_lets_the_rest_through(sim):
    sim.fault("stall", after_deltas=2, seconds=0.05)
    assert list(ask(sim, "openai", stream=True))[-1].type == "response.completed"


def test_a_stall_can_hold_back_even_the_headers(sim):
    sim.fault("stall", after_deltas=-1)
    with pytest.raises(openai.APITimeoutError):
        sim.openai.with_options(timeout=0.1).responses.create(model="gpt-6.2-sol", input="a")
    assert sim.finished()["finished"] == "client_closed"


def test_a_slow_drip_leaves_time_between_deltas(sim):
    sim.fault("slow_drip", delay_seconds=0.02)
    with ask(sim, "openai", stream=True, input="say exactly: a b c d e") as stream:
        assert len(deltas(list(stream))) == 5


def test_faults_that_a_whole_answer_can_show_are_shown(sim):
    sim.fault("cut_unclean")
    with pytest.raises(openai.APIConnectionError):
        ask(sim, "openai")
    sim.fault("malformed_data")
    with pytest.raises((json.JSONDecodeError, openai.APIError)):
        ask(sim, "openai")


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_message_can_ask_for_a_fault_and_gets_it_on_each_retry(sim, provider):
    fields = {"input": "simulate: overloaded"} if provider == "openai" else {}
    if provider == "anthropic":
        fields = {"messages": [{"role": "user", "content": "simulate: overloaded"}]}
    for _ in range(2):
        with pytest.raises((openai.InternalServerError, anthropic.OverloadedError)):
            ask(sim, provider, **fields)


def test_a_message_can_ask_for_a_fault_once(sim):
    with pytest.raises(openai.RateLimitError) as caught:
        sim.ask_openai(input="simulate: rate_limited retry_after=2 once")
    assert caught.value.response.headers["retry-after"] == "2"
    assert sim.ask_openai(input="simulate: rate_limited retry_after=2 once").status == "completed"


def test_a_message_can_ask_for_a_fault_in_the_middle_of_the_stream(sim):
    events = list(sim.ask_openai(input="Sunday\nsimulate: cut_clean after_deltas=1", stream=True))
    assert len(deltas(events)) == 1


def test_the_kinds_are_listed(sim):
    assert sim.raw.get(f"{sim.control_url}/fault-kinds").json()["kinds"] == KINDS
