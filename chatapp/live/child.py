"""The simulator as a child process: it ends when its standard input closes, however this process ends."""

import asyncio
import json
import sys
from typing import Any

from django.conf import settings

READY_SECONDS = 20.0


class SimulatorFailed(RuntimeError):
    """The simulator did not start."""


class SimulatorChild:
    """`python -m chatapp.simulator` on a free loopback port."""

    def __init__(self, pace: str = "demo") -> None:
        self._pace = pace
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> dict[str, Any]:
        """Start it and wait until it says where it listens: its ready message."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "chatapp.simulator",
            "--port",
            "0",
            "--exit-with-stdin",
            f"--pace={self._pace}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=settings.BASE_DIR,
            start_new_session=True,  # Ctrl-C is for us: turns may still be streaming from it while we drain
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_SECONDS):
                line = await self._process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise SimulatorFailed("The simulator did not start; its own words stand above.")
        ready: dict[str, Any] = json.loads(line)
        return ready

    async def stop(self) -> None:
        """Close its input and wait for its end."""
        if self._process is None or self._process.stdin is None:
            return
        self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._process = None
