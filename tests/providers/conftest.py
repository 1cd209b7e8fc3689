"""A raw HTTP server on loopback that says exactly what a test tells it, and the two wire protocols by example.

The real SDKs talk to it over a socket. It knows nothing of the simulator, which is another witness.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from chatapp.providers.base import Adapter, Config
from chatapp.providers.registry import adapter_class
from chatapp.vocab.events import Done, Failed, Reported, StreamEvent
from chatapp.vocab.items import user_message
from chatapp.vocab.request import Request

KEY = "sk-test-0123456789-secret"


@dataclass
class Received:
    """One request as it came off the wire."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Loopback:
    """Answers every request with `status`, `headers` and `chunks`, then ends as `ending` says.

    `clean`: the last chunk and a kept connection; `cut`: closed without the last chunk; `reset`: RST;
    `open`: nothing more, and `hung_up` is set when the client is gone; `silent`: the same without
    status, headers and chunks; `refuse`: RST instead of them. `answered` is set when all is said.
    """

    port: int = 0
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})
    chunks: Iterable[bytes] = ()
    ending: str = "clean"
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up.set()
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (entry.partition(":") for entry in fields)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.received.append(Received(line, headers, body))
        if self.ending == "refuse":
            return self._reset(writer)
        if self.ending == "silent":
            return await self._wait(reader)
        sent = {"transfer-encoding": "chunked", **self.headers}
        writer.write(f"HTTP/1.1 {self.status} Said\r\n".encode())
        writer.write("".join(f"{name}: {value}\r\n" for name, value in sent.items()).encode() + b"\r\n")
        for chunk in self.chunks:
            writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            await writer.drain()
        match self.ending:
            case "clean":
                writer.write(b"0\r\n\r\n")
                await writer.drain()
                return True
            case "reset":
                await asyncio.sleep(0.05)  # a reset overtakes data that the client has not read yet
                return self._reset(writer)
            case "open":
                return await self._wait(reader)
        return False

    async def _wait(self, reader: asyncio.StreamReader) -> bool:
        self.answered.set()
        if await reader.read(1) == b"":
            self.hung_up.set()
        return False

    @staticmethod
    def _reset(writer: asyncio.StreamWriter) -> bool:
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False


@pytest.fixture
async def server() -> AsyncIterator[Loopback]:
    loopback = Loopback()
    listening = await asyncio.start_server(loopback.handle, "127.0.0.1", 0)
    loopback.port = listening.sockets[0].getsockname()[1]
    yield loopback
    listening.close()


@dataclass(frozen=True)
class Wire:
    """A protocol by example: what surrounds an answer of one text, and how a delta and an error look."""

    provider: str
    model: str
    base_path: str
    start: list[dict[str, Any]]
    end: list[dict[str, Any]]
    usage_seen: bool
    """Whether the first events carry usage."""
    delta: Callable[[str], dict[str, Any]]
    error: Callable[[str, str], dict[str, Any]]

    def request(self, **fields: Any) -> Request:
        return Request(**{"model": self.model, "items": (user_message("Hi"),), "max_output_tokens": 100, **fields})

    def answer(self, *deltas: str) -> list[dict[str, Any]]:
        """The events of a whole answer (the closing events all say "Hello")."""
        return [*self.start, *map(self.delta, deltas), *self.end]


def sse(*events: dict[str, Any] | str) -> bytes:
    """Events on the wire; a string is data that is sent as it is."""
    texts = [event if isinstance(event, str) else json.dumps(event, separators=(",", ":")) for event in events]
    kinds = ["x" if isinstance(event, str) else event.get("type", "x") for event in events]
    return "".join(f"event: {kind}\ndata: {text}\n\n" for kind, text in zip(kinds, texts, strict=True)).encode()


def response(status: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "model": "gpt-6.1-sol-2026",
        "output": [],
        "service_tier": "default",
        "usage": None,
        **fields,
    }


OPENAI_USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 105,
}
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
PART = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [PART]}

OPENAI = Wire(
    provider="openai",
    model="gpt-6.1-sol",
    base_path="/v1",
    start=[
        {"type": "response.created", "sequence_number": 0, "response": response("in_progress")},
        {"type": "response.in_progress", "sequence_number": 1, "response": response("in_progress")},
        {
            "type": "response.output_item.added",
            "sequence_number": 2,
            "output_index": 0,
            "item": {**MESSAGE, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", "sequence_number": 3, **PLACE, "part": {**PART, "text": ""}},
    ],
    end=[
        {"type": "response.output_text.done", "sequence_number": 90, **PLACE, "text": "Hello", "logprobs": []},
        {"type": "response.content_part.done", "sequence_number": 91, **PLACE, "part": PART},
        {"type": "response.output_item.done", "sequence_number": 92, "output_index": 0, "item": MESSAGE},
        {
            "type": "response.completed",
            "sequence_number": 93,
            "response": response("completed", output=[MESSAGE], usage=OPENAI_USAGE),
        },
    ],
    usage_seen=False,
    delta=lambda text: {
        "type": "response.output_text.delta",
        "sequence_number": 4,
        **PLACE,
        "delta": text,
        "logprobs": [],
        "obfuscation": "xyz",
    },
    error=lambda code, message: {
        "type": "error",
        "code": code,
        "message": message,
        "param": None,
        "sequence_number": 5,
    },
)

ANTHROPIC_USAGE = {
    "input_tokens": 100,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 1,
    "service_tier": "standard",
}


def message_start(**usage: Any) -> dict[str, Any]:
    return {
        "type": "message_start",
        "message": {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5-5-2026",
            "content": [],
            "stop_reason": None,
            "usage": {**ANTHROPIC_USAGE, **usage},
        },
    }


def message_end(stop_reason: str | None, **delta: Any) -> list[dict[str, Any]]:
    return [
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": None, **delta},
            "usage": {"output_tokens": 5},
        },
        {"type": "message_stop"},
    ]


ANTHROPIC = Wire(
    provider="anthropic",
    model="claude-sonnet-5-5",
    base_path="",
    start=[
        message_start(),
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ],
    end=[{"type": "content_block_stop", "index": 0}, *message_end("end_turn")],
    usage_seen=True,
    delta=lambda text: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
    error=lambda code, message: {"type": "error", "error": {"type": code, "message": message}, "request_id": "req_9"},
)


@pytest.fixture
def openai_wire() -> Wire:
    return OPENAI


@pytest.fixture
def anthropic_wire() -> Wire:
    return ANTHROPIC


@pytest.fixture(params=[OPENAI, ANTHROPIC], ids=lambda wire: wire.provider)
def wire(request: pytest.FixtureRequest) -> Wire:
    chosen: Wire = request.param
    return chosen


class Call:
    """One attempt with a fresh adapter against the loopback server, and everything it yielded."""

    def __init__(self, server: Loopback) -> None:
        self.server = server
        self.adapters: list[Adapter] = []

    def adapter(self, wire: Wire, **config: Any) -> Adapter:
        fields = {"key": KEY, "base_url": self.server.url + wire.base_path, "timeout_seconds": 5.0, **config}
        self.adapters.append(adapter_class(wire.provider)(Config(**fields)))
        return self.adapters[-1]

    async def run(self, wire: Wire, *events: dict[str, Any] | str, **fields: Any) -> list[StreamEvent]:
        """Everything yielded for an answer of these events; without any, the server stays as the test set it."""
        if events:
            self.server.chunks = [sse(*events)]
        return [event async for event in self.adapter(wire).stream(wire.request(**fields))]

    async def fails(self, wire: Wire, *events: dict[str, Any] | str, **fields: Any) -> Failed:
        end = (await self.run(wire, *events, **fields))[-1]
        assert isinstance(end, Failed), end
        return end

    async def succeeds(self, wire: Wire, *events: dict[str, Any] | str, **fields: Any) -> Done:
        end = (await self.run(wire, *events, **fields))[-1]
        assert isinstance(end, Done), end
        return end


@pytest.fixture
async def call(server: Loopback) -> AsyncIterator[Call]:
    calls = Call(server)
    yield calls
    for adapter in calls.adapters:
        await adapter.aclose()


class Examples:
    """What tests need by name; test modules cannot import this one."""

    KEY = KEY
    sse = staticmethod(sse)
    response = staticmethod(response)
    message_start = staticmethod(message_start)
    message_end = staticmethod(message_end)
    OPENAI_USAGE = OPENAI_USAGE
    ANTHROPIC_USAGE = ANTHROPIC_USAGE

    @staticmethod
    def frames(events: list[StreamEvent]) -> list[dict[str, Any]]:
        return [event for event in events if isinstance(event, dict)]

    @staticmethod
    def reports(events: list[StreamEvent]) -> list[Reported]:
        return [event for event in events if isinstance(event, Reported)]

    @staticmethod
    def text(events: list[StreamEvent]) -> str:
        return "".join(
            event["delta"]
            for event in events
            if isinstance(event, dict) and event["type"] == "response.output_text.delta"
        )


@pytest.fixture
def examples() -> type[Examples]:
    return Examples
