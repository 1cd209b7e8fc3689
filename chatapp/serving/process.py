"""The life of a server process: start, serve until told to stop, drain, end.

What the command line says and asks (migrations, the owner, the link) belongs to `manage.py serve`.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

# Installs the asyncio reactor, so it must come before anything else of Twisted.
from daphne.server import twisted_loop

from chatapp.serving.server import DrainingServer

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 5
"""How long requests that are being answered may take once the turns are done."""
EXIT_SECONDS = 5
"""How long threads may still be busy after everything has ended, before the process goes anyway."""
PARENT_SECONDS = 0.5
"""How often to look whether the process that started us is still there."""


class Runtime(Protocol):
    """What runs the turns: `chatapp.live.runtime.runtime`."""

    async def start(self) -> None: ...

    async def drain(self, seconds: float) -> None: ...

    async def stop(self) -> None: ...


class PortTaken(Exception):
    """Somebody else listens there."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Connections wait in it until the server is ready to answer them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host.strip("[]"), port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        raise PortTaken(os.strerror(error.errno) if error.errno else str(error)) from error
    listening.setblocking(False)
    return listening


class ServerProcess:
    """One process that serves `application` and runs `runtime` beside it."""

    def __init__(
        self,
        application: Any,
        listening: socket.socket,
        runtime: Runtime,
        *,
        drain_seconds: float,
        ready: Callable[[], None] = lambda: None,
        say: Callable[[str], None] = print,
        end_with_parent: bool = False,
    ) -> None:
        self.server = DrainingServer(application, listening, verbosity=1)
        self.runtime = runtime
        self.drain_seconds = drain_seconds
        self.ready = ready
        self._say = say
        self.parent = os.getppid() if end_with_parent else None
        self.starting: asyncio.Task[None] | None = None
        self.ending: asyncio.Task[None] | None = None
        self.watching: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Serve until SIGTERM, Ctrl-C or the parent's end; returns when the process may exit."""
        asyncio.set_event_loop(twisted_loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            twisted_loop.add_signal_handler(number, self.stop)
        # Twisted's reactor runs on this very loop, so what starts here goes on under it.
        starting = twisted_loop.create_task(self.runtime.start())
        self.starting = starting
        try:
            twisted_loop.run_until_complete(starting)
        except asyncio.CancelledError:
            twisted_loop.run_until_complete(self.runtime.stop())
            return
        self.starting = None
        if self.parent is not None:
            self.watching = twisted_loop.create_task(self._watch_parent())
        twisted_loop.call_soon(self.ready)
        self.server.run()
        self._leave_even_if_threads_hang()

    def stop(self) -> None:
        """The first call begins the end, the second is the end."""
        if self.starting is not None:
            self.starting.cancel()
        elif self.ending is None:
            self.say(
                f"\nStopping. Running answers have {self.drain_seconds:g} s to finish; Ctrl-C again stops at once."
            )
            self.ending = twisted_loop.create_task(self._end())
        else:
            self.say("Stopped at once; answers that were running are marked as interrupted at the next start.")
            sys.stdout.flush()
            # Children end with our end of their standard input; the database is safe at any moment.
            os._exit(130)

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone; that must not stop us from stopping
            self._say(text)

    async def _end(self) -> None:
        self.server.stop_listening()
        try:
            await self.runtime.drain(self.drain_seconds)
            await self.server.finish_requests(REQUEST_SECONDS)
            self.server.close_sockets()
            await self.runtime.stop()
        except Exception:
            logger.exception("The drain failed; what was running is marked as interrupted at the next start.")
        if self.watching is not None:
            self.watching.cancel()
        self.server.end()

    async def _watch_parent(self) -> None:
        """End when `make` is gone, even if it was killed and could not pass a signal on."""
        with contextlib.suppress(asyncio.CancelledError):
            while os.getppid() == self.parent:  # noqa: ASYNC110 - nothing tells us; we have to look
                await asyncio.sleep(PARENT_SECONDS)
            self.stop()

    def _leave_even_if_threads_hang(self) -> None:
        def leave() -> None:
            logger.warning("A thread was still busy %s s after the end.", EXIT_SECONDS)
            os._exit(0)

        timer = threading.Timer(EXIT_SECONDS, leave)
        timer.daemon = True
        timer.start()
