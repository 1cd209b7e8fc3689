"""A WebSocket that waits for its reader. What is sent, and when to give up on a reader, is the consumer's affair."""

import asyncio
from typing import Any

from daphne.ws_protocol import WebSocketProtocol
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class Gate:
    """Open while the transport can take more. Twisted closes it at 64 KB of unsent data and opens it at none."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.open = asyncio.Event()
        self.open.set()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.open.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self.open.set()
        if self.transport.disconnecting:
            # A transport with a producer does not close itself when its last byte is out.
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:  # noqa: N802
        self.open.set()


class PatientWebSocketProtocol(WebSocketProtocol):
    """Daphne's WebSocket plus `writable`.

    Daphne's own writes without looking: 200 MB for a client that never reads would wait in memory.
    """

    gate: Gate | None = None

    def onOpen(self) -> None:  # noqa: N802
        # The HTTP connection that this socket was upgraded from is still registered as the producer.
        self.transport.unregisterProducer()
        self.gate = Gate(self.transport)
        self.transport.registerProducer(self.gate, True)
        super().onOpen()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803
        if self.gate:
            self.gate.stopProducing()  # nobody must wait for a reader that is gone
        super().onClose(wasClean, code, reason)

    async def writable(self) -> None:
        """Returns when the reader has taken what was sent before, or is gone."""
        if self.gate:
            await self.gate.open.wait()
