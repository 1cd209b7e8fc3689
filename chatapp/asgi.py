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
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatapp.settings")
django_application = get_asgi_application()

# Only now are the apps loaded that these import.
from chatapp.live.runtime import runtime  # noqa: E402
from chatapp.urls import websocket_urlpatterns  # noqa: E402

logger = logging.getLogger(__name__)

routes = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
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
        # Shielded, because one visitor who leaves must not cancel the start for the others.
        await asyncio.shield(self.starting)
        await self.wrapped(scope, receive, send)


application = StartsAtFirstScope(routes)
