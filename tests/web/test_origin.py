"""Which pages may open a socket."""

from typing import Any

import pytest

from chatapp.origin import allowed


@pytest.mark.parametrize(
    ("origin", "scheme", "host"),
    [
        ("http://localhost:8000", "http", "localhost:8000"),
        ("http://LOCALHOST:8000", "http", "localhost:8000"),
        ("http://localhost", "http", "localhost:80"),
        ("https://chat.example.com", "https", "chat.example.com"),
        ("https://chat.example.com:443", "https", "chat.example.com"),
        ("http://[::1]:8000", "http", "[::1]:8000"),
        ("https://trusted.example.com", "http", "localhost:8000"),
    ],
)
def test_a_page_of_this_site_or_a_trusted_one_may(origin: str, scheme: str, host: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "chat.example.com"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example.com"]
    assert allowed(origin, scheme, host)


@pytest.mark.parametrize(
    ("origin", "scheme", "host"),
    [
        ("http://localhost:9000", "http", "localhost:8000"),
        ("http://127.0.0.1:8000", "http", "localhost:8000"),
        ("https://localhost:8000", "http", "localhost:8000"),
        ("http://chat.example.com", "https", "chat.example.com"),
        ("http://evil.example:8000", "http", "evil.example:8000"),
        ("http://localhost:8000@evil.example", "http", "localhost:8000"),
        ("null", "http", "localhost:8000"),
        ("", "http", "localhost:8000"),
        ("http://localhost:8000", "http", ""),
    ],
)
def test_any_other_page_may_not(origin: str, scheme: str, host: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", "chat.example.com"]
    assert not allowed(origin, scheme, host)
