"""How a turn ended, and the event that says so."""

import uuid
import zlib
from dataclasses import dataclass
from typing import Any

from chatapp.vocab.events import Frame

TERMINAL_TYPES = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "cancelled": "response.incomplete",
    "failed": "response.failed",
    "interrupted": "response.failed",
}
"""The one event that ends a turn, by its state."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A turn's final state, with the reason of an incomplete or cancelled one and the error of a failed one."""

    state: str
    reason: str = ""
    error: dict[str, Any] | None = None


def text_crc32(text: str) -> str:
    """Checksum by which a page knows that it shows the stored text: CRC-32 of its UTF-8, eight hex digits."""
    return f"{zlib.crc32(text.encode('utf-8', 'replace')):08x}"


def terminal_frame(turn_id: uuid.UUID, model: str, outcome: Outcome, text: str) -> Frame:
    """The last event of a turn."""
    kind = TERMINAL_TYPES[outcome.state]
    response: dict[str, Any] = {"id": f"resp_{turn_id.hex}", "status": kind.removeprefix("response."), "model": model}
    if outcome.state == "incomplete":
        response["incomplete_details"] = {"reason": outcome.reason}
    elif outcome.state == "cancelled":
        response["incomplete_details"] = {"reason": "stet:cancelled"}
    elif outcome.state == "interrupted":
        response["error"] = {"code": "stet:interrupted", "message": "The server stopped while this was answered."}
    elif outcome.state == "failed":
        error = outcome.error or {}
        response["error"] = {"code": error.get("code", "server_error"), "message": error.get("message", "")}
    return {"type": kind, "response": response, "stet:text_crc32": text_crc32(text)}
