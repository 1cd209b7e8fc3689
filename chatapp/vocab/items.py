"""Items: the pieces of a turn, in the shape of the Open Responses specification (2026-04-24).

An item is kept exactly as it was made and is never edited. What a provider needs back byte for
byte (thinking with its signature, encrypted reasoning, server tool results) rides in `native`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who made an item: native forms go back only to the same provider and model."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of a turn.

    `data` is the Open Responses item (`{"type": "message", "role": "user", "content": [...]}`,
    `reasoning`, `function_call`, `function_call_output`, ...). `native` is the provider's own
    form where it differs from `data`: one verbatim block of its wire format, or `{"content": [...]}`
    with several where the item joins them. `origin` is None for what people wrote.
    """

    data: Mapping[str, Any]
    native: Mapping[str, Any] | None = None
    origin: Origin | None = None

    @property
    def type(self) -> str:
        return str(self.data["type"])

    @property
    def role(self) -> str | None:
        return self.data.get("role")


def user_message(text: str) -> Item:
    """What a person wrote, as an item."""
    return Item({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})


def assistant_message(text: str) -> Item:
    """An answer as plain text, for a provider that did not make it."""
    return Item(
        {
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }
    )


def text_of(data: Mapping[str, Any]) -> str:
    """The readable text of an item: message parts, refusals and tool outputs joined; '' for the rest."""
    if data.get("type") == "message":
        content = data.get("content") or []
        if isinstance(content, str):
            return content
        return "".join(str(part.get("text") or part.get("refusal") or "") for part in content)
    if data.get("type") == "function_call_output":
        output = data.get("output")
        return output if isinstance(output, str) else ""
    return ""


def answer_text(items: Sequence[Mapping[str, Any]]) -> str:
    """The whole answer of a turn as Markdown: the text of its assistant messages, a blank line between."""
    texts = [text_of(data) for data in items if data.get("type") == "message" and data.get("role") == "assistant"]
    return "\n\n".join(text for text in texts if text)
