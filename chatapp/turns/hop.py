"""One short hop from a coroutine to the database: one function, one transaction.

Code that outlives requests never uses the ORM's own `a...` methods: after a restart of PostgreSQL they
say "the connection is closed" for ever. A hop checks the connection before and after, and has threads of its
own, because everything else shares a single one and would wait behind it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import connection

P = ParamSpec("P")
R = TypeVar("R")

_THREADS = ThreadPoolExecutor(max_workers=6, thread_name_prefix="stet-store")


async def hop(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function` in a thread that may use the database; exceptions come through."""
    return await database_sync_to_async(_staying_connected, thread_sensitive=False, executor=_THREADS)(
        function, *args, **kwargs
    )


def _staying_connected(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `function` and leave SQLite open: opening the file costs more than most hops. PostgreSQL has a pool."""
    try:
        return function(*args, **kwargs)
    finally:
        if connection.vendor == "sqlite":
            connection.close_at = None  # no time at which Django would close it; after a fault it still does
