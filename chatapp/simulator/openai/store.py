"""What OpenAI keeps for an organisation: stored responses, and fingerprints of requests for cache diagnostics."""

from dataclasses import dataclass, field
from typing import Any

from ..clock import Clock
from . import errors
from .cache import Fingerprint, PromptCache

RETENTION_SECONDS = 30 * 24 * 3600.0
"""Stored responses live 30 days. [Conversation state]"""


FINGERPRINTS = 500


@dataclass(frozen=True)
class Stored:
    """A response that can be retrieved and built on, with its own input and its parent."""

    response: dict[str, Any]
    input_items: list[dict[str, Any]]
    parent: "Stored | None"
    created_at: float

    def context(self) -> list[dict[str, Any]]:
        """Input and output of the whole chain. Instructions are not part of it. [SDK response_create_params.py]"""
        chain: list[Stored] = []
        link: Stored | None = self
        while link is not None:
            chain.append(link)
            link = link.parent
        return [item for one in reversed(chain) for item in (*one.input_items, *one.response["output"])]


@dataclass
class State:
    """One account's."""

    cache: PromptCache = field(default_factory=PromptCache)
    responses: dict[str, Stored] = field(default_factory=dict)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Items of stored responses by id, for references to them."""
    fingerprints: dict[str, Fingerprint] = field(default_factory=dict)

    def remember(self, response_id: str, fingerprint: Fingerprint) -> None:
        """Keeps a fingerprint, and no more than the latest few hundred."""
        self.fingerprints[response_id] = fingerprint
        while len(self.fingerprints) > FINGERPRINTS:
            del self.fingerprints[next(iter(self.fingerprints))]

    def keep(self, stored: Stored) -> None:
        """Stores a response and its items."""
        self.responses[stored.response["id"]] = stored
        for item in (*stored.input_items, *stored.response["output"]):
            if item["type"] != "item_reference":
                self.items[item["id"]] = item

    def find(self, response_id: str, clock: Clock) -> Stored | None:
        """A stored response that has not expired."""
        stored = self.responses.get(response_id)
        if stored is not None and clock.now() - stored.created_at >= RETENTION_SECONDS:
            del self.responses[response_id]
            return None
        return stored

    def parent(self, response_id: str, clock: Clock) -> Stored:
        """The response a request builds on."""
        if not response_id.startswith("resp_"):
            message = f"Invalid 'previous_response_id': '{response_id}'. Expected an ID that begins with 'resp'."
            raise errors.invalid(message, "previous_response_id", "invalid_value")
        stored = self.find(response_id, clock)
        if stored is None:
            raise errors.unknown_previous(response_id)
        return stored
