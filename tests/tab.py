"""A browser tab without a browser: signs in through a link and speaks docs/protocol.md over a real socket."""

import asyncio
import http.cookiejar
import json
import urllib.request
import uuid
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

Frame = dict[str, Any]
ENDS = {"response.completed", "response.incomplete", "response.failed"}


def session_cookie(link: str) -> str:
    """The `Cookie` header of somebody who followed a sign-in link."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    with opener.open(link, timeout=20) as reply:
        reply.read()
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


class Tab:
    """One socket. `frames` keeps everything heard since it was opened."""

    def __init__(self, url: str, cookie: str) -> None:
        self.url = url
        self.cookie = cookie
        self.frames: list[Frame] = []
        self.socket: ClientConnection

    async def __aenter__(self) -> "Tab":
        address = self.url.replace("http://", "ws://") + "/ws/"
        self.socket = await connect(
            address, origin=self.url, additional_headers={"Cookie": self.cookie}, max_size=None, proxy=None
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.close()

    async def send(self, frame: Frame) -> None:
        await self.socket.send(json.dumps(frame))

    async def ask(
        self, text: str, conversation: uuid.UUID, client_id: uuid.UUID | None = None, **extra: Any
    ) -> uuid.UUID:
        """Send a question; its client id."""
        client_id = client_id or uuid.uuid4()
        await self.send(
            {
                "type": "response.create",
                "stet:client_id": str(client_id),
                "stet:conversation": str(conversation),
                "input": text,
                **extra,
            }
        )
        return client_id

    async def next(self, seconds: float = 20) -> Frame:
        async with asyncio.timeout(seconds):
            frame: Frame = json.loads(await self.socket.recv())
        self.frames.append(frame)
        return frame

    async def hear(self, *types: str, seconds: float = 20) -> Frame:
        """Listen until one of these comes."""
        while True:
            frame = await self.next(seconds)
            if frame["type"] in types:
                return frame

    async def hear_end(self, seconds: float = 30) -> Frame:
        """Listen to the end of a turn."""
        return await self.hear(*ENDS, seconds=seconds)

    def events(self, turn: str) -> list[Frame]:
        """The numbered events of a turn that were heard so far."""
        return [f for f in self.frames if f.get("stet:turn") == turn and "sequence_number" in f]
