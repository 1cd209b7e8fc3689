"""The bare relay that Stet is compared with: a socket, the provider's raw stream, one JSON frame per delta.

No database, no Django, no memory of anything. `python -m tests.bench.bare URL HEADERS-AS-JSON` prints its port and
ends with its standard input. Every message it gets is a request body for URL.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import orjson
from websockets.asyncio.server import ServerConnection, serve

DELTAS = {"response.output_text.delta", "response.reasoning_summary_text.delta", "content_block_delta"}
"""Types of the providers' events that are forwarded."""


async def events(client: httpx2.AsyncClient, url: str, headers: dict[str, str], body: bytes) -> AsyncIterator[Any]:
    """The parsed events of one answer. No SDK, and only as much of the SSE standard as the simulator uses."""
    async with client.stream("POST", url, headers=headers, content=body) as response:
        if response.status_code != 200:
            raise RuntimeError(f"{response.status_code}: {(await response.aread()).decode()}")
        rest = b""
        async for chunk in response.aiter_bytes():
            *whole, rest = (rest + chunk).split(b"\n\n")
            for event in whole:
                at = event.find(b"data: ")
                if at >= 0 and event[at + 6 :] != b"[DONE]":
                    yield orjson.loads(event[at + 6 :])


async def main(url: str, headers: dict[str, str]) -> None:
    async with httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_connections=None)) as client:

        async def relay(socket: ServerConnection) -> None:
            async for message in socket:
                body = message.encode() if isinstance(message, str) else message
                async for event in events(client, url, headers, body):
                    if event["type"] in DELTAS:
                        await socket.send(orjson.dumps(event).decode())
                await socket.send('{"type":"end"}')

        # Uncompressed, as Daphne's sockets are; only one's own program can be kept waiting, so no pings.
        async with serve(relay, "127.0.0.1", 0, compression=None, max_size=None, ping_interval=None) as server:
            print(server.sockets[0].getsockname()[1], flush=True)
            await asyncio.to_thread(_wait_for_end_of_input)


def _wait_for_end_of_input() -> None:
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
