"""A signed-in owner, and what the pages are asked for."""

from typing import Any

import pytest
from django.test import Client

from tests import factories


@pytest.fixture
def owner(db: None) -> Any:
    return factories.make_user("owner", is_staff=True, is_superuser=True)


@pytest.fixture
def admin_page(owner: Any) -> Client:
    """The owner's browser."""
    client = Client()
    client.force_login(owner)
    return client
