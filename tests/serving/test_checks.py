"""System checks: settings that do not fit together are named with a cure."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.checks import CheckMessage

from chatapp import checks

POSTGRESQL = {"default": {"ENGINE": "django.db.backends.postgresql"}}
SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3"}}
REDIS = "redis://127.0.0.1:6379/0"


FRESH = {
    "DATABASES": SQLITE,
    "REDIS_URL": "",
    "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"],
    "DEBUG": False,
    "SESSION_COOKIE_SECURE": False,
    "SECRET_KEY": "k" * 50,
    "STET_SIMULATOR": "auto",
    "OPENAI_API_KEY": "",
    "OPENAI_BASE_URL": "",
    "ANTHROPIC_API_KEY": "",
    "ANTHROPIC_BASE_URL": "",
}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[CheckMessage]]:
    """What our checks report of a fresh installation with these settings changed."""

    def run(**changed: Any) -> list[CheckMessage]:
        # Not through Django's settings: it warns when DATABASES are changed while connections exist.
        monkeypatch.setattr(checks, "settings", SimpleNamespace(**{**FRESH, **changed}))
        return [*checks.processes(None), *checks.reachable(None), *checks.providers(None)]

    return run


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"DATABASES": POSTGRESQL}, ["stet.I001"]),
        ({"DATABASES": POSTGRESQL, "REDIS_URL": REDIS}, []),
        ({"REDIS_URL": REDIS}, ["stet.W001"]),
        ({"ALLOWED_HOSTS": ["chat.example.org"], "SESSION_COOKIE_SECURE": True}, []),
        ({"ALLOWED_HOSTS": ["chat.example.org"], "SESSION_COOKIE_SECURE": True, "DEBUG": True}, ["stet.W002"]),
        ({"ALLOWED_HOSTS": ["chat.example.org"]}, ["stet.W003"]),
        ({"SECRET_KEY": "short"}, ["stet.W004"]),
        ({"STET_SIMULATOR": "on", "OPENAI_API_KEY": "sk-x"}, ["stet.W005"]),
        ({"OPENAI_API_KEY": "sk-x"}, []),
        ({"STET_SIMULATOR": "off"}, ["stet.W006"]),
        ({"STET_SIMULATOR": "off", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, []),
    ],
)
def test_what_does_not_fit_together_is_named(found: Any, changed: dict[str, Any], expected: list[str]) -> None:
    assert [message.id for message in found(**changed)] == expected


def test_every_message_has_a_cure_and_none_shows_a_key(found: Any) -> None:
    messages = found(STET_SIMULATOR="on", OPENAI_API_KEY="sk-abcdef", SECRET_KEY="ghijkl")

    assert len(messages) == 2
    assert all(message.hint for message in messages)
    assert not any(key in f"{message.msg} {message.hint}" for message in messages for key in ("sk-abcdef", "ghijkl"))
