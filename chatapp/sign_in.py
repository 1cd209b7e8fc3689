"""The link that signs a person in without a password: once, within 15 minutes, from this machine only.

Forms with passwords belong to the views.
"""

import ipaddress
from datetime import timedelta

from django.contrib.auth import get_user_model, login
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.defaults import page_not_found

from sessions_store.models import User

LIFETIME = timedelta(minutes=15)
SALT = "stet.sign_in"
FORWARDED_HEADERS = ("X-Forwarded-For", "X-Real-IP", "Forwarded")


def make_link(user: User, base_url: str) -> str:
    """A fresh link for `user`. It is void once used, and once they have signed in any other way."""
    token = signing.dumps([user.pk, _last_login(user)], salt=SALT)
    return base_url.rstrip("/") + reverse("enter", args=[token])


def user_for(token: str) -> User | None:
    """Whom the link signs in; None if it is forged, used, too old, or its user is no longer active."""
    try:
        pk, last_login = signing.loads(token, salt=SALT, max_age=LIFETIME)
    except signing.BadSignature:  # an expired signature is one too
        return None
    user = User.objects.filter(pk=pk, is_active=True).first()
    return user if user is not None and _last_login(user) == last_login else None


@require_safe
@never_cache
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by link. From another machine there is no such page."""
    if not from_this_machine(request):
        response = page_not_found(request, Http404())
        response._has_been_logged = True  # type: ignore[attr-defined]  # the link is still good: it must not stand in a log
        return response
    if request.method == "HEAD":
        return HttpResponse()  # what only looks must not use the link up
    user = user_for(token)
    if user is None or not _use_up(user):
        signed_in = request.user.is_authenticated
        return render(
            request,
            "message.html",
            {
                "title": "This link no longer works",
                "sentence": "It has been used, or it is older than 15 minutes. "
                "`manage.py sign_in_link` prints a new one; so does every start of Stet.",
                "link_url": reverse("home" if signed_in else "sign_in"),
                "link_label": "Go to your conversations" if signed_in else "Sign in with a password",
            },
            status=410,
        )
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return redirect("home")


def from_this_machine(request: HttpRequest) -> bool:
    """Whether the request comes over loopback, and not through a proxy that passes others on."""
    if any(name in request.headers for name in FORWARDED_HEADERS):
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _last_login(user: User) -> str:
    return user.last_login.isoformat() if user.last_login else ""


def _use_up(user: User) -> bool:
    """Mark the link as used. The guarded update lets one of two simultaneous visits win."""
    users = get_user_model().objects.filter(pk=user.pk, last_login=user.last_login)
    return users.update(last_login=timezone.now()) == 1
