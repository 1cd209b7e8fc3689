"""Servers that cannot start the runtime: the first visitor does, and is told when that fails."""

from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.utils import timezone

from chatapp.asgi import StartsAtFirstScope, routes
from chatapp.live.lease import LeaseKeeper
from chatapp.live.runtime import runtime
from chatapp.turns.hop import hop

HTTP = {
    "type": "http",
    "method": "GET",
    "path": "/sign-in",
    "query_string": b"",
    "headers": [(b"host", b"localhost")],
}


async def visit(application: Any) -> tuple[int, bytes]:
    visitor = ApplicationCommunicator(application, dict(HTTP))
    await visitor.send_input({"type": "http.request", "body": b""})
    start = await visitor.receive_output(20)
    body = await visitor.receive_output(20)
    await visitor.wait(20)
    return start["status"], body["body"]


@pytest.mark.django_db(transaction=True)
async def test_a_second_server_on_one_sqlite_says_why_and_recovers_when_the_first_is_gone() -> None:
    first = LeaseKeeper(timezone.now, lambda: None, lambda: None)
    await hop(first.start)
    application = StartsAtFirstScope(routes)
    try:
        status, body = await visit(application)
        assert status == 503
        assert b"Another Stet process uses this SQLite database" in body
    finally:
        await hop(first.stop)
    try:
        status, _ = await visit(application)
        assert status == 200
    finally:
        await runtime.stop()
