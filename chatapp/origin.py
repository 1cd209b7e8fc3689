"""Which pages may open a socket: those of this very site, port and all."""

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

DEFAULT_PORTS = {"http": "80", "https": "443"}


class SameOrigin:
    """Lets a WebSocket through whose Origin is the host it asks for, or one of CSRF_TRUSTED_ORIGINS.

    As strict as Django's check of forms. A browser sends cookies to every port of a host, so another web
    server on the same machine must not pass for this one.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        secure = scope.get("scheme") == "wss" or settings.SESSION_COOKIE_SECURE  # or behind a proxy that is
        if allowed(headers.get(b"origin", ""), "https" if secure else "http", headers.get(b"host", "")):
            return await self.application(scope, receive, send)
        return await WebsocketDenier()(scope, receive, send)


def allowed(origin: str, scheme: str, host: str) -> bool:
    """Whether a page of `origin` may talk to the server that was asked for as `scheme`://`host`."""
    if origin.rstrip("/") in settings.CSRF_TRUSTED_ORIGINS:
        return True
    parts = urlsplit(origin)
    if parts.scheme != scheme or not parts.netloc:
        return False
    domain, port = split_domain_port(parts.netloc.lower())
    own_domain, own_port = split_domain_port(host.lower())
    default = DEFAULT_PORTS[scheme]
    names = settings.ALLOWED_HOSTS or ["localhost", "127.0.0.1", "[::1]"]
    return (
        bool(domain)
        and domain == own_domain
        and (port or default) == (own_port or default)
        and validate_host(domain, names)
    )
