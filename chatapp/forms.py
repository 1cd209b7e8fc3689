"""Cleans input: from client frames and from forms, to the same values and the same named errors."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from chatapp.turns.ask import HEAD, AskError, Question


def read_frame(text: str | None) -> dict[str, Any]:
    """A client frame as a dict with a `type`; AskError for anything else."""
    if text is None:
        raise AskError("malformed_frame", "Frames are JSON text, not bytes.")
    if len(text.encode("utf-8", "surrogatepass")) > settings.STET_MAX_FRAME_BYTES:
        raise AskError("frame_too_large", f"A frame may have {settings.STET_MAX_FRAME_BYTES:,} bytes.")
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        raise AskError("malformed_frame", "This is not JSON.") from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise AskError("malformed_frame", "A frame is an object with a type.")
    return frame


def question_from_frame(frame: Mapping[str, Any]) -> Question:
    """A `response.create` frame as a question."""
    parent: uuid.UUID | str | None = HEAD
    if "stet:parent" in frame:
        parent = None if frame["stet:parent"] is None else uuid_field(frame, "stet:parent")
    return Question(
        client_id=uuid_field(frame, "stet:client_id"),
        conversation_id=uuid_field(frame, "stet:conversation"),
        text=clean_text(text_field(frame, "input")),
        parent=parent,
        provider=text_field(frame, "provider", ""),
        model=text_field(frame, "model", ""),
    )


def question_from_form(data: Mapping[str, Any], conversation_id: uuid.UUID) -> Question:
    """A posted form (text, client_id, provider, model) as a question."""
    return Question(
        client_id=uuid_field(data, "client_id"),
        conversation_id=conversation_id,
        text=clean_text(text_field(data, "text").replace("\r\n", "\n")),
        provider=text_field(data, "provider", ""),
        model=text_field(data, "model", ""),
    )


def clean_text(text: str) -> str:
    """A message as it will be sent; AskError where it is empty, too long or not text."""
    if not text.strip():
        raise AskError("empty_message", "There is nothing in this message.", "input")
    if len(text) > settings.STET_MAX_MESSAGE_CHARS:
        raise AskError(
            "message_too_long",
            f"This message has {len(text):,} characters; {settings.STET_MAX_MESSAGE_CHARS:,} are the most.",
            "input",
        )
    check_characters(text, "input")
    return text.strip("\n")


def check_characters(text: str, param: str) -> None:
    """AskError for NUL bytes and lone surrogates: neither a database nor a provider takes them."""
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise AskError("invalid_text", "This holds characters that are not text (NUL or half a character).", param)


def uuid_field(data: Mapping[str, Any], name: str) -> uuid.UUID:
    """A field that must be a UUID."""
    try:
        return uuid.UUID(text_field(data, name))
    except ValueError:
        raise AskError("invalid_field", f"{name} must be a UUID.", name) from None


def text_field(data: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """A field that must be text; `default` where it may be left out."""
    value = data.get(name, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise AskError("invalid_field", f"{name} must be text.", name)
    return value


def number_field(data: Mapping[str, Any], name: str) -> int:
    """A field that must be a whole number of at least -1."""
    value = data.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < -1:
        raise AskError("invalid_field", f"{name} must be a whole number of at least -1.", name)
    return value
