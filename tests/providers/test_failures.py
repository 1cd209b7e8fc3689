"""Everything that can go wrong, over a real socket, with both adapters."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from chatapp.vocab.errors import (
    BadKey,
    BrokenStream,
    ConnectionFailed,
    ContextTooLong,
    InvalidRequest,
    MalformedData,
    NoCredit,
    Overloaded,
    PreviousResponseNotFound,
    ProviderError,
    RateLimited,
    Refused,
    ServerFault,
    TimedOut,
    TruncatedStream,
    UnknownModel,
)
from chatapp.vocab.events import Done, Reported
from chatapp.vocab.request import Mark


def error(message: str = "No.", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "x", "param": None, "code": None, **fields}}


ANSWERS = [
    (400, error(), InvalidRequest),
    (400, error(code="context_length_exceeded"), ContextTooLong),
    (400, error("prompt is too long: 1000001 tokens > 1000000 maximum", type="invalid_request_error"), ContextTooLong),
    (400, error("This model's maximum context length is 8192 tokens.", code=None), ContextTooLong),
    (400, error("Your credit balance is too low to access the Anthropic API."), NoCredit),
    (401, error("Incorrect API key", code="invalid_api_key"), BadKey),
    (402, error(type="billing_error"), NoCredit),
    (403, error(type="permission_error"), BadKey),
    (404, error(code="model_not_found"), UnknownModel),
    (404, error("model: claude-none", type="not_found_error"), UnknownModel),
    (400, error(code="model_not_found"), UnknownModel),
    (408, error(), TimedOut),
    (409, error(type="conflict_error"), ServerFault),
    (413, error(type="request_too_large"), ContextTooLong),
    (422, {"detail": [{"loc": ["body"], "msg": "no"}]}, InvalidRequest),
    (429, error(code="rate_limit_exceeded"), RateLimited),
    (429, error(type="insufficient_quota", code="insufficient_quota"), NoCredit),
    (429, error(type="rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}), NoCredit),
    (500, error(type="server_error"), ServerFault),
    (501, error(), ServerFault),
    (502, "<html>Bad gateway</html>", ServerFault),
    (503, error(type="server_error"), Overloaded),
    (504, error(type="timeout_error"), ServerFault),
    (529, error(type="overloaded_error"), Overloaded),
    (400, {"error": "model is required"}, InvalidRequest),
    (500, {"detail": "out of memory"}, ServerFault),
    (400, "plain words", InvalidRequest),
    (418, ["odd"], InvalidRequest),
    (500, "", ServerFault),
]


@pytest.mark.parametrize(("status", "body", "kind"), ANSWERS)
async def test_an_http_status_is_a_named_error(
    server: Any, call: Any, wire: Any, status: int, body: object, kind: type[ProviderError]
) -> None:
    server.status = status
    server.headers = {"content-type": "application/json", "x-request-id": "req_1", "request-id": "req_1"}
    server.chunks = [(body if isinstance(body, str) else json.dumps(body)).encode() or b" "]

    failed = await call.fails(wire)

    assert (type(failed.error), failed.error.status, failed.error.request_id) == (kind, status, "req_1")
    assert failed.first_byte is False
    assert len(server.received) == 1, "adapters make one attempt"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (error("Too bad."), "Too bad."),
        ({"error": "a string"}, "a string"),
        ({"detail": "a detail"}, "a detail"),
        ({"detail": [{"msg": "no"}]}, '[{"msg":"no"}]'),
        ({"error": {"message": {"odd": 1}}}, '{"odd":1}'),
        ({}, "HTTP 500 Said"),
    ],
)
async def test_an_error_keeps_the_words_of_the_provider(
    server: Any, call: Any, wire: Any, body: object, message: str
) -> None:
    server.status, server.chunks = 500, [json.dumps(body).encode()]

    assert (await call.fails(wire)).error.message == message


async def test_an_error_page_is_not_kept(server: Any, call: Any, wire: Any) -> None:
    server.status, server.chunks = 502, [b"<html><body>" + b"x" * 10_000]

    assert (await call.fails(wire)).error.message == "HTTP 502 Said"


async def test_a_long_message_is_shortened(server: Any, call: Any, wire: Any) -> None:
    server.status, server.chunks = 500, [b"x" * 10_000]

    assert len((await call.fails(wire)).error.message) == 2_000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after": "Wed, 01 Jan 2020 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
async def test_the_time_to_wait_is_kept(
    server: Any, call: Any, wire: Any, headers: dict[str, str], seconds: float | None
) -> None:
    server.status, server.headers, server.chunks = 429, headers, [b"{}"]

    assert (await call.fails(wire)).error.retry_after_seconds == seconds


async def test_the_time_to_wait_may_be_a_date(server: Any, call: Any, wire: Any) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    server.status, server.headers, server.chunks = 429, {"retry-after": date}, [b"{}"]

    seconds = (await call.fails(wire)).error.retry_after_seconds

    assert 80 < seconds <= 90


async def test_the_key_is_in_no_message(server: Any, call: Any, wire: Any, examples: Any) -> None:
    server.status = 401
    server.chunks = [json.dumps(error(f"Key {examples.KEY} is wrong, so is sk-other-12345678.")).encode()]

    by_status = await call.fails(wire)
    server.status = 200
    by_event = await call.fails(wire, *wire.start, wire.error("api_error", f"Bearer {examples.KEY}"))

    assert by_status.error.message == "Key [key] is wrong, so is [key]."
    assert by_event.error.message == "Bearer [key]"


async def test_a_key_that_no_header_can_hold_is_not_told(server: Any, call: Any, wire: Any) -> None:
    adapter = call.adapter(wire, key="secret-with\nline-end")

    events = [event async for event in adapter.stream(wire.request())]

    assert isinstance(events[-1].error, InvalidRequest)
    assert "line-end" not in str(events[-1].error)


LOST = [
    (400, error("Previous response with id 'resp_0' not found.", code="previous_response_not_found")),
    (400, error("Invalid 'previous_response_id': 'x'.", param="previous_response_id")),
    (404, error("Response with id 'resp_0' not found.", code="not_found")),
    (400, error("previous_response_id is not supported", code="unsupported_parameter")),
    (400, {"error": "previous response is gone"}),
    (422, {"detail": "previous_response_id: extra inputs are not permitted"}),
]


@pytest.mark.parametrize(("status", "body"), LOST)
async def test_a_lost_parent_is_told_apart(
    server: Any, call: Any, openai_wire: Any, status: int, body: dict[str, Any]
) -> None:
    server.status, server.chunks = status, [json.dumps(body).encode()]

    failed = await call.fails(openai_wire, previous_response_id="resp_0")

    assert isinstance(failed.error, PreviousResponseNotFound)


async def test_a_lost_parent_may_be_told_in_the_stream(call: Any, openai_wire: Any) -> None:
    event = openai_wire.error("previous_response_not_found", "gone")

    failed = await call.fails(openai_wire, event, previous_response_id="resp_0")

    assert (type(failed.error), failed.first_byte) == (PreviousResponseNotFound, False)


async def test_another_fault_of_a_chained_call_is_not_a_lost_parent(server: Any, call: Any, openai_wire: Any) -> None:
    server.status, server.chunks = 400, [json.dumps(error("Unknown parameter.", param="foo")).encode()]

    failed = await call.fails(openai_wire, previous_response_id="resp_0")

    assert isinstance(failed.error, InvalidRequest)


IN_STREAM = {
    "server_error": ServerFault,
    "api_error": ServerFault,
    "rate_limit_exceeded": RateLimited,
    "rate_limit_error": RateLimited,
    "overloaded_error": Overloaded,
    "billing_error": NoCredit,
    "context_length_exceeded": ContextTooLong,
    "bio_policy": Refused,
    "invalid_request_error": InvalidRequest,
    "something_new": ServerFault,
}


@pytest.mark.parametrize("code", IN_STREAM)
async def test_an_error_event_ends_the_stream_by_its_code(call: Any, wire: Any, code: str) -> None:
    failed = await call.fails(wire, *wire.start, wire.delta("Hel"), wire.error(code, "Sorry."))

    assert (type(failed.error), failed.error.message) == (IN_STREAM[code], "Sorry.")
    assert (failed.first_byte, failed.error.status) == (True, None)
    assert failed.report.response_id is not None


async def test_an_error_event_before_the_answer_is_no_first_byte(call: Any, wire: Any) -> None:
    failed = await call.fails(
        wire, {"type": "ping"} if wire.usage_seen else "[DONE]", wire.error("server_error", "No.")
    )

    assert failed.first_byte is False


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "Sorry.", "code": "rate_limit_exceeded"}},
        {"type": "error", "error": {"message": "Sorry.", "type": "too_many_requests"}},
        {"type": "error", "message": "Sorry.", "code": "rate_limit_exceeded"},
    ],
)
async def test_openai_errors_come_nested_or_flat(call: Any, openai_wire: Any, event: dict[str, Any]) -> None:
    failed = await call.fails(openai_wire, *openai_wire.start, event)

    assert (type(failed.error), failed.error.message) == (RateLimited, "Sorry.")


async def test_an_error_event_may_be_a_string(call: Any, wire: Any) -> None:
    failed = await call.fails(wire, *wire.start, {"type": "error", "error": "out of memory"})

    assert (type(failed.error), failed.error.message) == (ServerFault, "out of memory")


async def test_a_failed_response_keeps_its_usage(call: Any, openai_wire: Any, examples: Any) -> None:
    response = examples.response(
        "failed", error={"code": "server_error", "message": "Sorry."}, usage=examples.OPENAI_USAGE
    )

    failed = await call.fails(openai_wire, *openai_wire.start, {"type": "response.failed", "response": response})

    assert (type(failed.error), failed.error.message) == (ServerFault, "Sorry.")
    assert failed.report.usage.uncached == 100


async def test_a_stream_without_its_terminal_event_is_truncated(call: Any, wire: Any) -> None:
    failed = await call.fails(wire, *wire.answer("Hello")[:-1])

    assert (type(failed.error), failed.first_byte) == (TruncatedStream, True)
    assert failed.report.response_id is not None
    assert (failed.report.usage is not None) == wire.usage_seen


async def test_a_done_line_is_not_a_terminal_event(call: Any, openai_wire: Any) -> None:
    failed = await call.fails(openai_wire, *openai_wire.start, "[DONE]")

    assert isinstance(failed.error, TruncatedStream)


async def test_an_empty_stream_is_truncated(server: Any, call: Any, wire: Any) -> None:
    failed = await call.fails(wire)

    assert (type(failed.error), failed.first_byte) == (TruncatedStream, False)


async def test_an_answer_that_is_no_event_stream_is_malformed(server: Any, call: Any, wire: Any) -> None:
    server.headers, server.chunks = {"content-type": "text/html"}, [b"<h1>Log in</h1>"]

    failed = await call.fails(wire)

    assert (type(failed.error), failed.first_byte) == (MalformedData, False)


@pytest.mark.parametrize("ending", ["cut", "reset"])
async def test_a_connection_that_breaks_in_the_answer_is_a_broken_stream(
    server: Any, call: Any, wire: Any, ending: str
) -> None:
    server.ending = ending

    events = await call.run(wire, *wire.start, wire.delta("Hel"))

    assert (type(events[-1].error), events[-1].first_byte) == (BrokenStream, True)
    assert any(isinstance(event, Reported) for event in events)


@pytest.mark.parametrize("ending", ["cut", "reset", "refuse"])
async def test_a_connection_that_breaks_before_the_answer_has_failed(
    server: Any, call: Any, wire: Any, ending: str
) -> None:
    server.ending = ending

    failed = await call.fails(wire)

    assert (type(failed.error), failed.first_byte) == (ConnectionFailed, False)


async def test_no_server_is_a_failed_connection(server: Any, call: Any, wire: Any, unused_tcp_port: int) -> None:
    adapter = call.adapter(wire, base_url=f"http://127.0.0.1:{unused_tcp_port}")

    events = [event async for event in adapter.stream(wire.request())]

    assert isinstance(events[-1].error, ConnectionFailed)


async def test_a_base_url_that_is_none_is_an_invalid_request(server: Any, call: Any, wire: Any) -> None:
    adapter = call.adapter(wire, base_url="localhost:1")

    events = [event async for event in adapter.stream(wire.request())]

    assert isinstance(events[-1].error, InvalidRequest)


@pytest.mark.parametrize("started", [True, False])
async def test_silence_is_a_timeout(server: Any, call: Any, wire: Any, examples: Any, started: bool) -> None:
    server.ending = "open"
    server.chunks = [examples.sse(*wire.start)] if started else []
    adapter = call.adapter(wire, timeout_seconds=0.1)

    events = [event async for event in adapter.stream(wire.request())]

    assert (type(events[-1].error), events[-1].first_byte) == (TimedOut, started)
    await asyncio.wait_for(server.hung_up.wait(), 2)


@pytest.mark.parametrize(
    "payload",
    ["{", "not json", "NaN", "[]", "null", '"text"', "{}", '{"type":5}', '{"type":"error","error":' + "[" * 5_000],
)
async def test_what_is_not_the_protocol_is_malformed(call: Any, wire: Any, payload: str) -> None:
    failed = await call.fails(wire, *wire.start, payload)

    assert (type(failed.error), failed.first_byte) == (MalformedData, True)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0},
        {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0, "delta": 5},
        {"type": "response.output_text.delta", "item_id": "m", "output_index": "0", "content_index": 0, "delta": ""},
        {"type": "response.output_item.added", "item": {"type": "message"}},
        {"type": "response.completed"},
        {"type": "response.completed", "response": None},
        {"type": "response.completed", "response": {"id": "resp_1", "output": [{"content": []}]}},
        {"type": "response.failed"},
    ],
)
async def test_openai_events_without_their_fields_are_malformed(
    call: Any, openai_wire: Any, event: dict[str, Any]
) -> None:
    assert isinstance((await call.fails(openai_wire, *openai_wire.start, event)).error, MalformedData)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_delta", "index": 0},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": None}},
        {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_start", "index": 1, "content_block": {}},
        {"type": "content_block_stop", "index": 7},
        {"type": "message_stop"},
        {"type": "message_delta"},
    ],
)
async def test_anthropic_events_without_their_fields_are_malformed(
    call: Any, anthropic_wire: Any, event: dict[str, Any]
) -> None:
    assert isinstance((await call.fails(anthropic_wire, *anthropic_wire.start, event)).error, MalformedData)


async def test_a_message_that_stops_for_no_reason_is_malformed(call: Any, anthropic_wire: Any, examples: Any) -> None:
    failed = await call.fails(anthropic_wire, examples.message_start(), *examples.message_end(None))

    assert isinstance(failed.error, MalformedData)


async def test_a_malformed_event_is_not_told(call: Any, wire: Any) -> None:
    failed = await call.fails(wire, *wire.start, '{"secret":')

    assert "secret" not in failed.error.message


async def test_a_request_that_cannot_be_built_fails_without_being_sent(server: Any, call: Any, wire: Any) -> None:
    failed = await call.fails(wire, marks=(Mark(7, "5m"),))

    assert (type(failed.error), failed.first_byte, server.received) == (InvalidRequest, False, [])


async def test_numbers_that_contradict_each_other_fail_nothing(call: Any, openai_wire: Any, examples: Any) -> None:
    usage = {**examples.OPENAI_USAGE, "input_tokens_details": {"cached_tokens": 101}}
    response = examples.response("completed", usage=usage)

    done: Done = await call.succeeds(
        openai_wire, *openai_wire.answer("Hello")[:-1], {"type": "response.completed", "response": response}
    )

    assert (done.report.usage, done.report.usage_raw) == (None, usage)
