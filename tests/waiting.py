"""Waiting for a condition with a deadline: what tests do instead of sleeping."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
STEP_SECONDS = 0.02


def wait_until(condition: Callable[[], Result], what: str, seconds: float = 10) -> Result:
    """The first truthy answer of `condition`; fails naming `what` when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain until {what}")
        threading.Event().wait(STEP_SECONDS)


async def until(condition: Callable[[], Result], what: str, seconds: float = 10) -> Result:
    """The same in a coroutine, leaving the loop to others meanwhile."""
    deadline = time.monotonic() + seconds
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain until {what}")
        await asyncio.sleep(STEP_SECONDS)
