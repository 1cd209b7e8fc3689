"""Loosens the content policy for /admin/ alone."""

from collections.abc import Callable

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse


class AdminPolicyMiddleware:
    """unfold's Alpine.js evaluates expressions and sets inline styles; no other page may.

    The admin shows people's and models' words as plain text only.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.loosened = csp_update(settings.ADMIN_CONTENT_SECURITY_POLICY)(get_response)
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/admin/"):
            return self.loosened(request)
        return self.get_response(request)
