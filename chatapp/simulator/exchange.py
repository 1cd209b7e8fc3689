"""One provider request from first byte to last: pace, faults and the log. The wires say what is sent, this says how."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from .accounts import Account, LogEntry
from .faults import MID_STREAM, Fault
from .http import ClientClosed, Connection, Request
from .script import Question

DELTA, OTHER, ENDING = 0, 1, 2
"""Kinds of frames: a piece of the answer, any other event, and an empty one that stands before the events that end it.
"""

Frame = tuple[bytes, int]
END_FOLLOWS: Frame = (b"", ENDING)
BATCH_BYTES = 48 * 1024


class Rejection(Exception):
    """An error response in the provider's shape."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


class Reply(Protocol):
    """An answer that is ready to be sent."""

    usage: dict[str, Any]
    omit_usage: bool

    def begin(self) -> None:
        """The response begins: from here on its cache entries can be read."""

    def complete(self) -> None:
        """The answer reached its end: what is kept of it is kept now."""

    def frames(self) -> Iterator[Frame]:
        """The events, made one by one as they are sent."""

    def whole(self) -> dict[str, Any]:
        """The answer as one object, for a request that does not stream."""

    def injected(self, fault: Fault) -> bytes:
        """The event a fault puts into the stream: an error, an unknown one, or one that is no JSON."""


@dataclass
class Exchange:
    """A request and the means to answer it."""

    connection: Connection
    request: Request
    account: Account
    entry: LogEntry
    headers: dict[str, str]
    fault: Fault | None = None

    def hear(self, question: Question) -> None:
        """Takes the fault that the user's message asks for, where none is queued. A title is not refused for it, nor
        the rounds of tool results that follow the message."""
        asks = bool(question.turns) and question.turns[-1].role == "user" and not question.is_side_call
        if self.fault is None and asks:
            self.fault = self.account.faults.asked_in(question.user_text)

    async def json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        """A plain response."""
        self.entry.status = status
        await self.connection.respond(status, body, {**self.headers, **(headers or {})})
        self.entry.finished = "completed" if status < 400 else "rejected"

    async def answer(self, reply: Reply, stream: bool) -> None:
        """The reply, as a stream or whole, with whatever fault was asked for."""
        self.entry.status = 200
        kind = self.fault.kind if self.fault else None
        self.entry.fault = kind
        reply.omit_usage = kind == "no_usage"
        self.entry.usage = reply.usage
        try:
            if kind == "reset_before_first_byte":
                self.connection.reset()
                self.entry.status, self.entry.finished, self.entry.usage = None, "reset", None
                return
            if self.account.pace.first_byte_seconds:
                await self.connection.pause(self.account.pace.first_byte_seconds)
            if self.fault and kind == "stall" and self.fault["after_deltas"] < 0:
                await self.connection.pause(self.fault["seconds"])
            reply.begin()
            finished = await (self._stream(reply) if stream else self._whole(reply))
        except ClientClosed:
            finished = "client_closed"
        self.entry.finished = finished
        if finished != "completed":
            self.entry.usage = None

    async def _whole(self, reply: Reply) -> str:
        fault = self.fault
        if fault is not None and fault.kind in ("cut_clean", "cut_unclean"):
            await self.connection.start_stream({**self.headers, "content-type": "application/json"})
            self.connection.cut()
            return "cut"
        if fault is not None and fault.kind == "malformed_data":
            await self.connection.respond(200, b'{"id": "broken', self.headers)
            return "cut"
        if fault is not None and fault.kind == "stall" and fault["after_deltas"] >= 0:
            await self.connection.pause(fault["seconds"])
        reply.complete()
        await self.connection.respond(200, reply.whole(), self.headers)
        return "completed"

    async def _stream(self, reply: Reply) -> str:
        connection, entry = self.connection, self.entry
        waiting = self.fault if self.fault and self.fault.kind in MID_STREAM else None
        strike_after = waiting["after_deltas"] if waiting else -1
        delay = self.account.pace.delay_seconds
        if self.fault and self.fault.kind == "slow_drip":
            delay = self.fault["delay_seconds"]
        await connection.start_stream(self.headers)
        batch = bytearray()
        deltas = events = 0
        try:
            for data, kind in reply.frames():
                batch += data
                events += kind != ENDING
                deltas += kind == DELTA
                # Before any delta means after the first event; an answer that is too short fails before its end.
                if waiting and (kind == ENDING or (deltas == strike_after and kind == DELTA) or strike_after == 0):
                    if batch:
                        await connection.send(bytes(batch))
                        batch.clear()
                    ended = await self._strike(reply, waiting)
                    waiting = None
                    if ended:
                        return "cut"
                if kind == ENDING:
                    # Kept before the client can see the end, so that it can build on it at once.
                    reply.complete()
                elif (delay and kind == DELTA) or len(batch) >= BATCH_BYTES:
                    entry.delivered_events, entry.delivered_deltas = events, deltas
                    await connection.send(bytes(batch))
                    batch.clear()
                    if delay:
                        await connection.pause(delay)
            if batch:
                await connection.send(bytes(batch))
            await connection.end_stream()
            return "completed"
        finally:
            entry.delivered_events, entry.delivered_deltas = events, deltas

    async def _strike(self, reply: Reply, fault: Fault) -> bool:
        """Does what the fault says; True when nothing more is to be sent."""
        if fault.kind == "stall":
            await self.connection.pause(fault["seconds"])
            return False
        if fault.kind == "cut_unclean":
            self.connection.cut()
            return True
        if fault.kind != "cut_clean":
            await self.connection.send(reply.injected(fault))
        if fault.kind == "unknown_event":
            return False
        await self.connection.end_stream()
        return True
