"""One short hop from a coroutine to the database: one function, one transaction.

Code that outlives requests never uses the ORM's own `a...` methods: after a restart of PostgreSQL they
say "the connection is closed" for ever. A hop checks the connection before and after, and has threads of its
own, because everything else shares a single one and would wait behind it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connection

P = ParamSpec("P")
R = TypeVar("R")

_THREADS = ThreadPoolExecutor(max_workers=6, thread_name_prefix="stet-store")


async def hop(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function` in a thread that may use the database; exceptions come through."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, partial(_connected, function, *args, **kwargs))


def _connected(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    close_old_connections()
    try:
        return function(*args, **kwargs)
    finally:
        if connection.vendor == "sqlite":
            # Opening the file costs more than most hops; PostgreSQL has a pool. After a fault it is closed still.
            connection.close_at = None
        close_old_connections()
