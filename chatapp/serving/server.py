"""Daphne's server with three additions: patient sockets, a way to stop accepting, a way to close what is open."""

import asyncio
import socket
from typing import Any

from daphne.server import Server
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from chatapp.serving.backpressure import PatientWebSocketProtocol

SERVICE_RESTART = 1012
"""Close code (IANA registry) that says: come back in a moment."""


class DrainingServer(Server):
    """Listens on a socket that was bound before, and can be ended in steps instead of at once."""

    def __init__(self, application: Any, listening: socket.socket, **options: Any) -> None:
        # Daphne takes only endpoint descriptions; this one adopts (a copy of) an open socket.
        super().__init__(
            application,
            endpoints=[f"fd:fileno={listening.fileno()}"],
            signal_handlers=False,  # its own would end the process without a drain
            **options,
        )
        self.ports: list[Any] = []

    def listen_success(self, port: Any) -> None:
        # Called by `run` once the factories exist and before the reactor takes the first connection.
        self.ws_factory.protocol = PatientWebSocketProtocol
        self.ports.append(port)
        super().listen_success(port)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """The application's `send`: for a socket it returns when the reader is ready for more."""
        await super().handle_reply(protocol, message)
        if isinstance(protocol, PatientWebSocketProtocol):
            await protocol.writable()

    def stop_listening(self) -> None:
        """Take no new connection. Those that are open go on."""
        for port in self.ports:
            port.stopListening()
        self.ports.clear()

    async def finish_requests(self, seconds: float) -> None:
        """Wait until the requests that are being answered are done, but not for ever."""
        running = [
            details["application_instance"]
            for protocol, details in self.connections.items()
            if "application_instance" in details and not isinstance(protocol, PatientWebSocketProtocol)
        ]
        if running:
            await asyncio.wait(running, timeout=seconds)

    def close_sockets(self) -> None:
        """Tell every open WebSocket that the server restarts."""
        for protocol in list(self.connections):
            if isinstance(protocol, PatientWebSocketProtocol) and protocol.state == protocol.STATE_OPEN:
                # Autobahn's `sendClose` refuses codes below 3000 other than 1000.
                protocol.sendCloseFrame(code=SERVICE_RESTART, reasonUtf8=b"The server restarts.")

    def kill_all_applications(self) -> Deferred[Any]:
        # Daphne's own stumbles over connections whose application has already been cleared away.
        running = [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details and not details["application_instance"].done()
        ]
        for application in running:
            application.cancel()
        ended: Deferred[Any] = Deferred.fromFuture(asyncio.gather(*running, return_exceptions=True))
        return ended

    def end(self) -> None:
        """Leave `run`."""
        if reactor.running:
            reactor.stop()
