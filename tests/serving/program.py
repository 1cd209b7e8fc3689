"""A server process with a runtime that only tells what it is asked: what test_process.py starts and stops.

    python tests/serving/program.py [--drain SECONDS] [--turn-seconds SECONDS] [--flood BYTES] [--end-with-parent]

Writes one word a line: `port N`, `ready`, `draining`, `drained`, `stopped`, `stalled BYTES MEGABYTES`, `sent BYTES`.
"""

import argparse
import asyncio
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from chatapp.serving.process import ServerProcess, listen  # noqa: E402

FRAME = "x" * 65_536
STALL_SECONDS = 1.0


def tell(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201


class ToldRuntime:
    """One "turn" that runs for `turn_seconds` from the start of the drain."""

    def __init__(self, turn_seconds: float) -> None:
        self.turn_seconds = turn_seconds

    async def start(self) -> None:
        tell("started")

    async def drain(self, seconds: float) -> None:
        tell("draining")
        await asyncio.sleep(min(seconds, self.turn_seconds))
        tell("drained")

    async def stop(self) -> None:
        tell("stopped")


def peak_megabytes() -> int:
    """The most memory this program had. (getrusage would count what the process was before it became this one.)"""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found.group(1)) // 1024


async def send_all(send: Any, wanted: int) -> None:
    """Send `wanted` bytes in frames; tell once when the reader makes us wait, and how much memory that took."""
    sent, stalled = 0, False
    while sent < wanted:
        sending = asyncio.ensure_future(send({"type": "websocket.send", "text": FRAME}))
        if not stalled and not (await asyncio.wait([sending], timeout=STALL_SECONDS))[0]:
            stalled = True
            tell("stalled", sent, peak_megabytes())
        await sending
        sent += len(FRAME)
    tell("sent", sent)


def application(flood: int) -> Any:
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"here"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        if flood:
            await send_all(send, flood)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        tell("disconnected")

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--drain", type=float, default=5)
    parser.add_argument("--turn-seconds", type=float, default=0)
    parser.add_argument("--flood", type=int, default=0)
    parser.add_argument("--end-with-parent", action="store_true")
    options = parser.parse_args()
    listening = listen("127.0.0.1", 0)
    tell("port", listening.getsockname()[1])
    ServerProcess(
        application(options.flood),
        listening,
        ToldRuntime(options.turn_seconds),
        drain_seconds=options.drain,
        ready=lambda: tell("ready"),
        say=tell,
        end_with_parent=options.end_with_parent,
    ).run()
