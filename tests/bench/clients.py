"""The three ways to an answer that are measured: straight from the simulator, through the bare relay, through Stet."""

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import httpx2
import orjson
from websockets.asyncio.client import ClientConnection, connect

from tests.bench.bare import events
from tests.child import ROOT
from tests.server_process import ServerProcess

TICKS = os.sysconf("SC_CLK_TCK")
FIRST_TEXT = {"response.output_text.delta", "text_delta"}
END = {"end", "response.completed", "response.incomplete", "response.failed", "error"}


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, all threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def open_socket(port: int, headers: dict[str, str] | None = None, path: str = "/") -> ClientConnection:
    return await connect(
        f"ws://127.0.0.1:{port}{path}",
        additional_headers=headers,
        compression=None,
        max_size=None,
        max_queue=None,  # a full queue of unread frames would hold up the closing handshake
        ping_interval=None,
    )


def is_first_text(frame: dict[str, Any]) -> bool:
    kind = frame["type"]
    return kind in FIRST_TEXT or (kind == "content_block_delta" and frame["delta"]["type"] in FIRST_TEXT)


async def read_answer(socket: ClientConnection) -> float:
    """Read as fast as possible to the end of an answer; the time of the first piece of its text."""
    first = 0.0
    while True:
        frame = orjson.loads(await socket.recv())
        if not first and is_first_text(frame):
            first = time.perf_counter()
        if frame["type"] in END:
            if frame["type"] not in ("end", "response.completed"):
                raise RuntimeError(f"the answer did not end well: {frame}")
            return first


class Direct:
    """No server between: the floor that both are measured from."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url, self._headers = url, headers
        self._client = httpx2.AsyncClient(timeout=60)

    async def first_token(self, body: bytes) -> float:
        """Seconds from the request to the first piece of the answer's text."""
        start, first = time.perf_counter(), 0.0
        async for event in events(self._client, self._url, self._headers, body):
            if not first and is_first_text(event):
                first = time.perf_counter()
        return first - start

    async def aclose(self) -> None:
        await self._client.aclose()


class Relay:
    """The bare relay in a process of its own."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bare", url, json.dumps(headers)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    @property
    def pid(self) -> int:
        return self._process.pid

    async def first_token(self, socket: ClientConnection, body: bytes) -> float:
        text = body.decode()
        start = time.perf_counter()
        await socket.send(text)
        return await read_answer(socket) - start

    def close(self) -> None:
        self._process.communicate()


class Stet:
    """`manage.py serve` with data of its own, met as a browser meets it: the sign-in link, a cookie, the socket."""

    def __init__(self, var: Path, env: dict[str, str]) -> None:
        self.server = ServerProcess(var, env={"STET_MESSAGES_PER_MINUTE": "1000000", **env})
        with httpx2.Client(follow_redirects=True) as browser:
            browser.get(self.server.link).raise_for_status()
            cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        self._headers = {"Cookie": cookies, "Origin": self.server.url}

    @property
    def pid(self) -> int:
        return self.server.child.process.pid

    async def socket(self) -> ClientConnection:
        return await open_socket(self.server.port, self._headers, "/ws/")

    @staticmethod
    def message(text: str, provider: str, model: str) -> str:
        """A message that begins a conversation."""
        return json.dumps(
            {
                "type": "response.create",
                "input": text,
                "stet:client_id": str(uuid.uuid4()),
                "stet:conversation": str(uuid.uuid4()),
                "provider": provider,
                "model": model,
            }
        )

    async def first_token(self, socket: ClientConnection, text: str, provider: str, model: str) -> float:
        message = self.message(text, provider, model)
        start = time.perf_counter()
        await socket.send(message)
        return await read_answer(socket) - start

    async def unwatched(self, watcher: ClientConnection, text: str, provider: str, model: str) -> None:
        """An answer whose reader leaves at once; returns when the list says that nothing runs any more."""
        socket = await self.socket()
        message = self.message(text, provider, model)
        conversation = json.loads(message)["stet:conversation"]
        await socket.send(message)
        await socket.recv()  # it is saved
        await socket.close()
        while True:
            frame = orjson.loads(await asyncio.wait_for(watcher.recv(), 60))
            if frame.get("stet:conversation") == conversation and frame.get("running") is False:
                return

    def close(self) -> None:
        self.server.stop()
        self.server.close()
