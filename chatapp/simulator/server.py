"""The server: accepts connections on loopback, finds the account, sends each request to its wire, keeps the log."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import Protocol

import h11

from . import control
from .accounts import Accounts, LogEntry
from .anthropic.wire import AnthropicWire
from .exchange import Exchange, Rejection
from .http import ClientClosed, Connection, Request
from .openai.wire import OpenAIWire
from .pace import Pace, instant

logger = logging.getLogger(__name__)

LOGGED_HEADERS = ("anthropic-version", "anthropic-beta", "openai-organization", "openai-project", "user-agent")
AUTH_HEADERS = ("authorization", "x-api-key")


class Wire(Protocol):
    """What a provider's wire offers the server."""

    name: str
    prefix: str
    request_id_header: str

    def key(self, headers: dict[str, str]) -> str:
        """The API key of a request; raises Rejection without a good one."""

    def generates(self, request: Request) -> bool:
        """Whether the request asks for an answer."""

    def rejected_by(self, kind: str, retry_after: object) -> Rejection:
        """The error that a fault stands for."""

    def internal_error(self, message: str) -> Rejection:
        """The provider's 500."""

    async def handle(self, exchange: Exchange, path: str) -> None:
        """Answers the request; the path comes without the prefix."""


class Server:
    """A running simulator."""

    def __init__(self, pace: Callable[[], Pace] = instant) -> None:
        self.accounts = Accounts(pace)
        self.wires: tuple[Wire, ...] = (OpenAIWire(), AnthropicWire())
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def openai_base_url(self) -> str:
        """What the OpenAI SDK takes as base URL."""
        return f"http://127.0.0.1:{self.port}/openai/v1"

    @property
    def anthropic_base_url(self) -> str:
        """What the Anthropic SDK takes as base URL."""
        return f"http://127.0.0.1:{self.port}/anthropic"

    @property
    def control_url(self) -> str:
        """Where the control API lives; a key follows."""
        return f"http://127.0.0.1:{self.port}/_simulator"

    async def start(self, port: int) -> None:
        """Listens on 127.0.0.1 and nowhere else: it takes any key and tells all it was sent."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stops listening and drops what is open."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = Connection(reader, writer)
        pump = asyncio.create_task(connection.pump())
        try:
            await self._serve(connection)
        except (ClientClosed, h11.ProtocolError, asyncio.CancelledError):
            pass
        finally:
            pump.cancel()
            connection.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _serve(self, connection: Connection) -> None:
        while (request := await connection.next_request()) is not None:
            await self._dispatch(connection, request)
            if connection.http1.our_state is not h11.DONE or connection.http1.their_state is not h11.DONE:
                return
            connection.http1.start_next_cycle()

    async def _dispatch(self, connection: Connection, request: Request) -> None:
        if request.path.startswith(control.PREFIX):
            status, body = control.handle(self.accounts, request)
            await connection.respond(status, body)
            return
        for wire in self.wires:
            if request.path.startswith(wire.prefix + "/"):
                await self._provider(connection, request, wire)
                return
        await connection.respond(404, {"error": f"nothing at {request.path}"})

    async def _provider(self, connection: Connection, request: Request, wire: Wire) -> None:
        headers = {wire.request_id_header: f"req_{secrets.token_hex(12)}"}
        try:
            account = self.accounts.get(wire.key(request.headers))
        except Rejection as rejection:
            await connection.respond(rejection.status, rejection.body, {**headers, **rejection.headers})
            return
        account.request_count += 1
        shown: dict[str, object] = {name: request.headers[name] for name in LOGGED_HEADERS if name in request.headers}
        shown["auth"] = [name for name in AUTH_HEADERS if name in request.headers]
        entry = LogEntry(account.request_count, wire.name, request.method, request.path, account.clock.now(), shown)
        account.log(entry, len(request.body))
        exchange = Exchange(connection, request, account, entry, headers)
        try:
            exchange.fault = account.faults.take(wire.name, request.path, wire.generates(request))
            await wire.handle(exchange, request.path.removeprefix(wire.prefix))
        except Rejection as rejection:
            await exchange.json(rejection.status, rejection.body, rejection.headers)
        except ClientClosed:
            entry.finished = "client_closed"
            raise
        except Exception as error:
            # A request nobody foresaw must show as the provider's 500 and as a trace, and leave the server running.
            logger.exception("request %s %s failed", request.method, request.path)
            if connection.http1.our_state is not h11.SEND_RESPONSE:
                raise
            failure = wire.internal_error(f"simulator: {type(error).__name__}: {error}")
            await exchange.json(failure.status, failure.body)


async def serve(port: int = 0, pace: Callable[[], Pace] = instant) -> Server:
    """Starts a simulator in the running loop; port 0 takes any free one."""
    server = Server(pace)
    await server.start(port)
    return server
