"""HTTP/1.1 on one connection, over h11, with the transport in hand: resets and half-sent chunks must be real.

Knows nothing of providers. A pump reads all the time, so a client that goes away is noticed in the middle of a reply.
"""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

MAX_BODY_BYTES = 32 * 1024 * 1024
"""Anthropic's published limit for a request; a sensible bound for anyone else."""


class ClientClosed(Exception):
    """The other side went away."""


@dataclass
class Request:
    """A request read in full."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    too_large: bool = False

    def json(self) -> Any:
        """The body parsed; ValueError where it is no JSON, or holds half a surrogate pair, which is no text."""
        value = json.loads(self.body)
        if b"\\ud" in self.body.lower():
            json.dumps(value, ensure_ascii=False).encode()
        return value


@dataclass
class Connection:
    """One client connection, request after request."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http1: h11.Connection = field(default_factory=lambda: h11.Connection(h11.SERVER))
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def pump(self) -> None:
        """Reads until the client closes; runs beside everything else."""
        data = b"-"
        while data:
            try:
                data = await self.reader.read(65_536)
            except OSError:
                data = b""
            self.http1.receive_data(data)
            if not data:
                self.gone.set()
            self._arrived.set()

    async def next_request(self) -> Request | None:
        """The next request, or None when the connection is over."""
        request: Request | None = None
        body = bytearray()
        while True:
            event = self.http1.next_event()
            if event is h11.NEED_DATA:
                if self.http1.they_are_waiting_for_100_continue:
                    self._write(self.http1.send(h11.InformationalResponse(status_code=100, headers=[])))
                self._arrived.clear()
                if self.gone.is_set():
                    return None
                await self._arrived.wait()
            elif isinstance(event, h11.Request):
                parts = urlsplit(event.target.decode())
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
                request = Request(event.method.decode(), unquote(parts.path), dict(parse_qsl(parts.query)), headers)
            elif isinstance(event, h11.Data):
                body += event.data
                if request is not None and len(body) > MAX_BODY_BYTES:
                    request.too_large = True
                    body.clear()
            elif isinstance(event, h11.EndOfMessage):
                if request is not None:
                    request.body = bytes(body)
                return request
            else:
                return None

    async def respond(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        """A whole response; anything but bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        names = {"content-type": "application/json", "content-length": str(len(data)), **(headers or {})}
        self._write(
            self.http1.send(h11.Response(status_code=status, headers=_pairs(names)))
            + self.http1.send(h11.Data(data=data))
            + self.http1.send(h11.EndOfMessage())
        )
        await self._drain()

    async def start_stream(self, headers: dict[str, str]) -> None:
        """The head of a stream of server-sent events."""
        names = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", **headers}
        names["transfer-encoding"] = "chunked"
        self._write(self.http1.send(h11.Response(status_code=200, headers=_pairs(names))))
        await self._drain()

    async def send(self, data: bytes) -> None:
        """One chunk, waiting while the client is slow to read."""
        self._write(self.http1.send(h11.Data(data=data)))
        await self._drain()
        # Draining does not yield while the buffer is low; the pump needs its turn to notice a closed client.
        await asyncio.sleep(0)
        if self.gone.is_set():
            raise ClientClosed

    async def end_stream(self) -> None:
        """Ends the chunked body properly."""
        self._write(self.http1.send(h11.EndOfMessage()))
        await self._drain()

    async def pause(self, seconds: float) -> None:
        """Waits, but no longer than the client stays."""
        try:
            async with asyncio.timeout(seconds):
                await self.gone.wait()
        except TimeoutError:
            return
        raise ClientClosed

    def reset(self) -> None:
        """Drops the connection with a TCP reset."""
        transport = self.writer.transport
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    def cut(self) -> None:
        """Closes in the middle of a chunk: a length is announced and not kept."""
        self._write(b"200\r\nevent: ")
        self.writer.close()

    def close(self) -> None:
        """Closes after what was written has left."""
        self.writer.close()

    def _write(self, data: bytes | None) -> None:
        if data:
            self.writer.write(data)

    async def _drain(self) -> None:
        try:
            await self.writer.drain()
        except OSError:
            raise ClientClosed from None


def _pairs(headers: dict[str, str]) -> list[tuple[str, str]]:
    return list(headers.items())
