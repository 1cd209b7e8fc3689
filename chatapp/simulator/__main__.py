"""`python -m chatapp.simulator`: starts the simulator and says on standard output where it listens."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import threading

from .pace import PACES
from .server import serve


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m chatapp.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--host", choices=["127.0.0.1"], default="127.0.0.1", help="loopback only")
    parser.add_argument("--pace", choices=sorted(PACES), default="demo", help="how fast answers arrive")
    parser.add_argument("--exit-with-stdin", action="store_true", help="end when standard input closes")
    return parser.parse_args(argv)


async def run(options: argparse.Namespace) -> None:
    """Serves until a signal, or the end of standard input."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await serve(options.port, PACES[options.pace])
    ready = {
        "ready": True,
        "port": server.port,
        "openai_base_url": server.openai_base_url,
        "anthropic_base_url": server.anthropic_base_url,
        "control_url": server.control_url,
    }
    print(json.dumps(ready), flush=True)
    if options.exit_with_stdin:
        # A daemon thread: it may still be reading when a signal ends the process.
        threading.Thread(target=_wait_for_end_of_input, args=(loop, ended), daemon=True).start()
    await ended.wait()
    await server.close()


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    with contextlib.suppress(OSError, RuntimeError):
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(ended.set)


if __name__ == "__main__":
    asyncio.run(run(arguments()))
