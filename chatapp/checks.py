"""System checks: settings that are each allowed but do not fit together. Every message names the setting and the cure.

A value that is wrong by itself is refused in settings.py, where it is read.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info, Tags, Warning, register

LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}
SHORT_KEY_CHARS = 40


@register(Tags.compatibility)
def processes(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """A PostgreSQL database hints at several processes; without Redis they hear of each other late."""
    engine = str(settings.DATABASES["default"]["ENGINE"])
    if engine.endswith("postgresql") and not settings.REDIS_URL:
        return [
            Info(
                "Without REDIS_URL several processes on this database hear of each other's turns by looking once a "
                "second.",
                hint="Set REDIS_URL if you run more than one process. With one there is nothing to do.",
                id="stet.I001",
            )
        ]
    if not engine.endswith("postgresql") and settings.REDIS_URL:
        return [
            Warning(
                "REDIS_URL is set, but SQLite serves one process only, and one process needs no Redis.",
                hint="Set DATABASE_URL to a PostgreSQL database, or leave REDIS_URL unset.",
                id="stet.W001",
            )
        ]
    return []


@register(Tags.security)
def reachable(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """What is fine on one's own machine and not beyond it."""
    others = sorted(set(settings.ALLOWED_HOSTS) - LOOPBACK)
    found: list[CheckMessage] = []
    if others and settings.DEBUG:
        found.append(
            Warning(
                f"STET_DEBUG=1 shows settings and source to everyone who reaches {', '.join(others)}.",
                hint="Leave STET_DEBUG unset wherever ALLOWED_HOSTS names more than this machine.",
                id="stet.W002",
            )
        )
    if others and not settings.SESSION_COOKIE_SECURE:
        found.append(
            Warning(
                f"Sessions of {', '.join(others)} also travel over plain HTTP, where others can read them.",
                hint="Put a proxy with HTTPS in front and set STET_HTTPS=1.",
                id="stet.W003",
            )
        )
    if len(settings.SECRET_KEY) < SHORT_KEY_CHARS:
        found.append(
            Warning(
                "SECRET_KEY is short enough to be guessed, and who has it can sign in as anybody.",
                hint="Use 50 random characters, or leave it unset: one is made under var/.",
                id="stet.W004",
            )
        )
    return found


@register(Tags.compatibility)
def providers(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Who will answer."""
    named = [
        name
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")
        if getattr(settings, name)
    ]
    if settings.STET_SIMULATOR == "on" and named:
        return [
            Warning(
                f"STET_SIMULATOR=on: the simulator answers although {' and '.join(named)} "
                f"{'is' if len(named) == 1 else 'are'} set.",
                hint="Unset STET_SIMULATOR to talk to the real provider.",
                id="stet.W005",
            )
        ]
    if settings.STET_SIMULATOR == "off" and not named:
        return [
            Warning(
                "No provider can answer: no key is set and STET_SIMULATOR=off.",
                hint="Set OPENAI_API_KEY or ANTHROPIC_API_KEY, or unset STET_SIMULATOR.",
                id="stet.W006",
            )
        ]
    return []
