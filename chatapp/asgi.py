"""The ASGI application: HTTP to Django, WebSockets to the consumers, and nothing else.

`routes` is what `manage.py serve` serves. `application` is the same for `daphne chatapp.asgi:application`
and `manage.py runserver`, which have no start-up of ours.
"""

import asyncio
import logging
import os
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatapp.settings")
django_application = get_asgi_application()

# Only now are the apps loaded that these import.
from chatapp.live.hub import NOT_READY  # noqa: E402
from chatapp.live.runtime import runtime  # noqa: E402
from chatapp.origin import SameOrigin  # noqa: E402
from chatapp.urls import websocket_urlpatterns  # noqa: E402

logger = logging.getLogger(__name__)

routes = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": SameOrigin(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)


class StartsAtFirstScope:
    """Starts the runtime when the first request or socket comes, for servers that cannot start it."""

    def __init__(self, wrapped: Any) -> None:
        self.wrapped = wrapped
        self.starting: asyncio.Task[None] | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if self.starting is None:
            logger.warning(
                "This server was not started by `manage.py serve`: stopping it interrupts running answers "
                "(no drain), and a reader that does not read fills its memory (no bound)."
            )
            self.starting = asyncio.create_task(runtime.start())
        try:
            # Shielded, because one visitor who leaves must not cancel the start for the others.
            await asyncio.shield(self.starting)
        except Exception as error:
            self.starting = None  # the next visitor tries again
            logger.error("Stet could not start: %s", error)
            await refuse(scope, send, f"Stet could not start. {error}")
            return
        await self.wrapped(scope, receive, send)


async def refuse(scope: dict[str, Any], send: Any, sentence: str) -> None:
    """Say that nothing can be done now: 503, or a socket closed with 1013."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": NOT_READY})
    elif scope["type"] == "http":
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-security-policy", b"default-src 'none'")]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": sentence.encode()})


application = StartsAtFirstScope(routes)
