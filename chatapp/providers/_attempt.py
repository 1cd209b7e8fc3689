"""One attempt at a call, from opening the connection to its one end. Knows HTTP, not a provider's events."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any, Protocol

from chatapp.providers._failures import Failures, Malformed
from chatapp.providers._sse import Decoder, parse
from chatapp.vocab.errors import MalformedData, TruncatedStream
from chatapp.vocab.events import Done, Failed, Reported, StreamEvent

DRAIN_SECONDS = 0.25
"""How long to wait for the end of the body after the terminal event, so that the connection can be used again."""

SHAPE_ERRORS = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
"""What reading a field raises where the protocol's promise does not hold."""


class Reader(Protocol):
    """Translates the events of one answer. Purely synchronous, and any SHAPE_ERRORS mean malformed data."""

    report: Reported
    started: bool
    """Whether an event of an answer was seen (a ping or an error is none)."""
    end: Done | Failed | None
    """Set by the terminal event; nothing is read after it."""

    def opened(self, request_id: str | None) -> None:
        """The HTTP answer began, with this id in its headers."""
        ...

    def read(self, event: Any) -> Iterable[StreamEvent]:
        """Translate one parsed event."""
        ...


async def attempt(
    open_call: Callable[[], AbstractAsyncContextManager[Any]],
    reader: Reader,
    failures: Failures,
    *,
    request_id_header: str,
    response_id_sent: str | None = None,
) -> AsyncGenerator[StreamEvent, None]:
    """What `Adapter.stream` promises. `open_call` makes an SDK's streaming response, unparsed."""
    content_type = ""
    failed: Failed | None = None
    request_id: str | None = None
    try:
        async with open_call() as response:
            request_id = response.headers.get(request_id_header)
            content_type = response.headers.get("content-type", "")
            reader.opened(request_id)
            decoder = Decoder()
            async with aclosing(response.http_response.aiter_bytes()) as chunks:
                async for chunk in chunks:
                    for payload in decoder.feed(chunk):
                        for event in _read(reader, payload):
                            yield event
                        if reader.end is not None:
                            break
                    if reader.end is not None:
                        await _drain(chunks)
                        break
    except Exception as error:  # the promise of `Adapter`: whatever the SDK or the network raises becomes a value
        failed = Failed(
            failures.from_exception(
                error, started=reader.started, request_id=request_id, response_id_sent=response_id_sent
            ),
            reader.report,
            reader.started,
        )
    # The connection is free by now: who takes the end and stops asking leaves nothing open.
    if reader.end is not None:
        yield reader.end  # also where closing failed: the terminal event had arrived
    elif failed is not None:
        yield failed
    elif not reader.started and content_type and "event-stream" not in content_type:
        message = f"expected an event stream, got {content_type}"
        yield Failed(MalformedData(message, request_id=request_id), reader.report, False)
    else:
        message = "the stream ended without its terminal event"
        yield Failed(TruncatedStream(message, request_id=request_id), reader.report, reader.started)


def _read(reader: Reader, payload: bytes) -> Iterable[StreamEvent]:
    try:
        return reader.read(parse(payload))
    except SHAPE_ERRORS as error:
        if payload == b"[DONE]":
            return ()
        # Neither the payload nor the exception's text: both may hold the answer.
        raise Malformed(f"{type(error).__name__} in an event of {len(payload)} bytes") from None


async def _drain(chunks: AsyncGenerator[bytes, None]) -> None:
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in chunks:
                pass
    except Exception:  # the answer is whole; the worst that follows is a new connection
        pass
