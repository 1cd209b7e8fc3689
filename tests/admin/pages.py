"""Addresses and words of admin pages."""

import re
from html import unescape
from typing import Any

from django.test import Client
from django.urls import reverse

READ_ONLY = ("call", "turn", "conversation", "processlease")


def list_url(model: str) -> str:
    return reverse(f"admin:sessions_store_{model}_changelist")


def page_url(row: Any) -> str:
    return reverse(f"admin:sessions_store_{row._meta.model_name}_change", args=[row.pk])


def listed(client: Client, model: str, /, **query: Any) -> list[Any]:
    """The keys of the rows that a list shows for this query, in its order."""
    response = client.get(list_url(model), query)
    assert response.status_code == 200, response.headers.get("Location")
    return [row.pk for row in response.context_data["cl"].result_list]


def totals(client: Client, model: str = "call", /, **query: Any) -> list[str]:
    """The lines above a list, as they are read."""
    html = client.get(list_url(model), query).content.decode()
    lines = re.findall(r"<p[^>]*data-total=.*?</p>", html, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]*>", " ", line)).split()).replace(" ,", ",") for line in lines]
