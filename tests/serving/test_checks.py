"""System checks: settings that do not fit together are named with a cure."""

from typing import Any

import pytest

from chatapp import checks

POSTGRESQL = {"default": {"ENGINE": "django.db.backends.postgresql"}}
SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
REDIS = "redis://127.0.0.1:6379/0"


def found(settings: Any, **changed: Any) -> list[str]:
    """The ids that our checks report with these settings."""
    for name, value in changed.items():
        setattr(settings, name, value)
    return [
        str(message.id) for check in (checks.processes, checks.reachable, checks.providers) for message in check(None)
    ]


def test_a_fresh_installation_has_nothing_to_complain_about(settings: Any) -> None:
    assert found(settings, DATABASES=SQLITE, STET_SIMULATOR="auto") == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"DATABASES": POSTGRESQL}, ["stet.I001"]),
        ({"DATABASES": POSTGRESQL, "REDIS_URL": REDIS}, []),
        ({"REDIS_URL": REDIS}, ["stet.W001"]),
        ({"ALLOWED_HOSTS": ["chat.example.org"], "SESSION_COOKIE_SECURE": True}, []),
        ({"ALLOWED_HOSTS": ["chat.example.org"], "SESSION_COOKIE_SECURE": True, "DEBUG": True}, ["stet.W002"]),
        ({"ALLOWED_HOSTS": ["chat.example.org"]}, ["stet.W003"]),
        ({"SECRET_KEY": "short"}, ["stet.W004"]),
        ({"STET_SIMULATOR": "on", "OPENAI_API_KEY": "sk-x"}, ["stet.W005"]),
        ({"STET_SIMULATOR": "auto", "OPENAI_API_KEY": "sk-x"}, []),
        ({"STET_SIMULATOR": "off"}, ["stet.W006"]),
        ({"STET_SIMULATOR": "off", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, []),
    ],
)
def test_what_does_not_fit_together_is_named(settings: Any, changed: dict[str, Any], expected: list[str]) -> None:
    defaults = {"DATABASES": SQLITE, "STET_SIMULATOR": "auto"}

    assert found(settings, **{**defaults, **changed}) == expected


def test_no_message_shows_a_key(settings: Any) -> None:
    found(settings, STET_SIMULATOR="on", OPENAI_API_KEY="sk-secret", SECRET_KEY="short-secret")

    messages = [*checks.providers(None), *checks.reachable(None)]

    assert messages
    assert not any("secret" in f"{message.msg} {message.hint}".replace("SECRET_KEY", "") for message in messages)
