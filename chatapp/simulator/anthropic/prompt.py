"""A Messages request as the blocks it consists of, in the order they are cached: tools, system, messages."""

from dataclasses import dataclass
from typing import Any

from .. import script
from ..tokens import IMAGE_TOKENS, compact_json, count_block


@dataclass(frozen=True)
class Block:
    """The smallest thing that is counted and cached."""

    section: str
    """tools, system or messages."""
    path: str
    role: str
    kind: str
    data: dict[str, Any]
    text: str
    """All that the model reads of it, without marks."""
    tokens: int

    @property
    def mark(self) -> dict[str, Any] | None:
        """Its cache_control, or that of a tool result's own last marked block."""
        if self.data.get("cache_control"):
            mark: dict[str, Any] = self.data["cache_control"]
            return mark
        if self.kind == "tool_result" and isinstance(self.data.get("content"), list):
            return next((part["cache_control"] for part in self.data["content"] if part.get("cache_control")), None)
        return None

    @property
    def is_thinking(self) -> bool:
        """Thinking comes back, but is no place for a mark."""
        return self.kind in ("thinking", "redacted_thinking")


def content_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """A message's blocks; a string is short for one text block. [SDK message_create_params.py]"""
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def blocks(body: dict[str, Any]) -> list[Block]:
    """All blocks of a request."""
    found: list[Block] = []
    for index, tool in enumerate(body.get("tools") or []):
        found.append(_block("tools", f"tools.{index}", "", tool, "tool"))
    system = body.get("system") or []
    for index, part in enumerate([{"type": "text", "text": system}] if isinstance(system, str) else system):
        found.append(_block("system", f"system.{index}", "", part, "text"))
    for index, message in enumerate(body["messages"]):
        for at, part in enumerate(content_of(message)):
            path = f"messages.{index}.content.{at}"
            found.append(_block("messages", path, message["role"], part, part["type"]))
    return found


def _block(section: str, path: str, role: str, data: dict[str, Any], kind: str) -> Block:
    text = _text(data, kind)
    tokens = IMAGE_TOKENS if kind == "image" else count_block(text)
    if kind == "tool_result" and isinstance(data.get("content"), list):
        tokens += sum(IMAGE_TOKENS for part in data["content"] if part.get("type") == "image")
    return Block(section, path, role, kind, data, text, tokens)


def _text(data: dict[str, Any], kind: str) -> str:
    match kind:
        case "text":
            return str(data["text"])
        case "thinking":
            return str(data["thinking"]) + str(data["signature"])
        case "tool_use":
            # Key order counts: the input is rendered as it was sent.
            return compact_json([data["id"], data["name"], data["input"]])
        case "tool_result":
            content = data.get("content") or ""
            if isinstance(content, list):
                content = "\n".join(_text(part, part["type"]) for part in content)
            return compact_json([data["tool_use_id"], bool(data.get("is_error")), content])
    return compact_json({name: value for name, value in data.items() if name != "cache_control"})


def question(found: list[Block], body: dict[str, Any], answer_words: int) -> script.Question:
    """The request as the script reads it: consecutive blocks of the assistant are one turn, texts of the user
    are a turn each, because a question that was never answered is followed by the next in the same message."""
    system = [block.text for block in found if block.section == "system"]
    turns: list[script.Turn] = []
    for block in found:
        if block.section != "messages" or block.is_thinking:
            continue
        if block.role == "system":
            system.append(block.text)
            continue
        role = "tool" if block.kind == "tool_result" else block.role
        text = block.text if block.kind == "text" else ""
        if block.kind == "tool_result":
            content = block.data.get("content") or ""
            text = content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)
        if turns and turns[-1].role == role and role == "assistant":
            text = "\n".join(part for part in (turns[-1].text, text) if part)
            turns[-1] = script.Turn(role, text)
        else:
            turns.append(script.Turn(role, text))
    choice = body.get("tool_choice") or {}
    forced = {"any": "*", "tool": choice.get("name")}.get(choice.get("type", "auto"))
    tools = [] if choice.get("type") == "none" else body.get("tools") or []
    return script.Question(
        "\n".join(system),
        tuple(turns),
        tuple(script.Tool(tool["name"], tool["input_schema"]) for tool in tools),
        forced,
        answer_words,
    )
