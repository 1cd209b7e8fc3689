"""The context a request adds up to: chain, input and rules between items. No caching and no events here."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import script
from ..tokens import IMAGE_TOKENS, compact_json, count_block
from . import errors, sealed
from .models import Model


@dataclass
class Part:
    """A block of the prompt, the smallest thing that is counted and cached."""

    text: str
    tokens: int
    label: str
    item_kind: str
    """instructions, tools, user, developer, assistant, tool_output, function_call, reasoning, compaction."""
    mark: dict[str, Any] | None = None
    ends_item: bool = False


@dataclass
class Context:
    """All the model sees."""

    items: list[dict[str, Any]]
    parts: list[Part]
    removed: list[dict[str, Any]] = field(default_factory=list)
    """Reasoning the server dropped, as input_transformations reports it."""

    @property
    def tokens(self) -> int:
        """Exact sum over the parts."""
        return sum(part.tokens for part in self.parts)


def input_items(value: Any) -> list[dict[str, Any]]:
    """A request's own input as items, with ids, the way the server stores them."""
    if value is None:
        return []
    raw: list[dict[str, Any]] = [{"role": "user", "content": value}] if isinstance(value, str) else value
    items = []
    for one in raw:
        item = dict(one)
        kind = item.setdefault("type", "message" if "role" in item else "item_reference")
        if kind == "message" and isinstance(item["content"], str):
            text_type = "output_text" if item["role"] == "assistant" else "input_text"
            part: dict[str, Any] = {"type": text_type, "text": item["content"]}
            if text_type == "output_text":
                part["annotations"] = []
            item["content"] = [part]
        if not item.get("id"):
            item["id"] = {"message": "msg_", "function_call": "fc_", "compaction": "cmp_"}.get(kind, "item_")
            item["id"] += secrets.token_hex(24)
        items.append(item)
    return items


def build(
    chain: list[dict[str, Any]],
    own: list[dict[str, Any]],
    body: dict[str, Any],
    model: Model,
    organization: str,
    stored_items: Mapping[str, dict[str, Any]],
) -> Context:
    """Chain and input together, checked; raises what OpenAI would answer."""
    items: list[dict[str, Any]] = []
    removed: list[dict[str, Any]] = []
    for index, item in enumerate([*chain, *own]):
        path = f"input[{index - len(chain)}]"
        if item["type"] == "item_reference":
            if item["id"] not in stored_items:
                raise _item_not_found(item["id"])
            item = stored_items[item["id"]]
        if item["type"] == "reasoning":
            reason = _check_reasoning(item, model, organization, index < len(chain))
            if reason is not None:
                removed.append({"id": item["id"], "action": "removed", "reason": reason, "type": "reasoning"})
                continue
        if item["type"] == "compaction" and sealed.unseal(item["encrypted_content"]) is None:
            raise _unreadable(item.get("id") or path)
        items.append(item)
    _check_neighbours(items)
    _check_calls(items)
    return Context(items, _parts(items, body), removed)


def _item_not_found(item_id: str) -> Exception:
    message = f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to false."
    return errors.invalid(message, "input", None, 404)


def _unreadable(item_id: str) -> Exception:
    message = (
        f"The encrypted content for item {item_id} could not be verified. Reason: Encrypted content could not be "
        "decrypted or parsed."
    )
    return errors.invalid(message, None, "invalid_encrypted_content")


def _check_reasoning(item: dict[str, Any], model: Model, organization: str, stored: bool) -> str | None:
    """Why the item is dropped, if it is. Reasoning comes back unmodified or not at all. [Reasoning; SDK response.py
    InputTransformation]"""
    content = item.get("encrypted_content")
    if not content:
        if stored:
            return None
        raise _item_not_found(item["id"])
    seal = sealed.unseal(content)
    if seal is None or seal.digest != sealed.digest([item["id"], item["summary"]]):
        raise _unreadable(item["id"])
    if seal.organization != organization:
        return "organization_mismatch"
    return None if seal.model == model.id else "model_mismatch"


def _check_neighbours(items: list[dict[str, Any]]) -> None:
    for item, following in zip(items, [*items[1:], None], strict=True):
        if item["type"] != "reasoning":
            continue
        produced = following is not None and (
            following["type"] in ("reasoning", "function_call", "compaction") or following.get("role") == "assistant"
        )
        if not produced:
            message = f"Item '{item['id']}' of type 'reasoning' was provided without its required following item."
            raise errors.invalid(message, "input")


def _check_calls(items: list[dict[str, Any]]) -> None:
    """Each call is answered and each answer has its call. [Function calling]"""
    called: set[str] = set()
    answered: set[str] = set()
    for item in items:
        if item["type"] == "function_call":
            called.add(item["call_id"])
        elif item["type"] == "function_call_output":
            if item["call_id"] not in called:
                message = f"No tool call found for function call output with call_id {item['call_id']}."
                raise errors.invalid(message, "input")
            answered.add(item["call_id"])
    for item in items:
        if item["type"] == "function_call" and item["call_id"] not in answered:
            raise errors.invalid(f"No tool output found for function call {item['call_id']}.", "input")


def _parts(items: list[dict[str, Any]], body: dict[str, Any]) -> list[Part]:
    parts: list[Part] = []

    def add(text: str, label: str, kind: str, tokens: int | None = None, mark: dict[str, Any] | None = None) -> None:
        parts.append(Part(text, count_block(text) if tokens is None else tokens, label, kind, mark))

    for index, tool in enumerate(body.get("tools") or []):
        add(compact_json(tool), f"tools[{index}]", "tools")
    if body.get("instructions"):
        add(body["instructions"], "instructions", "instructions")
    for index, item in enumerate(items):
        label, kind = f"context[{index}]", item["type"]
        if kind == "message":
            role = "developer" if item["role"] == "system" else item["role"]
            for at, part in enumerate(item["content"]):
                text, tokens = _content(part)
                text = f"{role}/{item.get('phase') or ''}/{part['type']}:{text}"
                add(text, f"{label}.content[{at}]", role, tokens, part.get("prompt_cache_breakpoint"))
        elif kind == "function_call_output" and isinstance(item["output"], list):
            for at, part in enumerate(item["output"]):
                text, tokens = _content(part)
                mark = part.get("prompt_cache_breakpoint")
                add(f"{item['call_id']}:{text}", f"{label}.output[{at}]", "tool_output", tokens, mark)
        elif kind == "function_call_output":
            add(f"{item['call_id']}:{item['output']}", label, "tool_output", count_block(item["output"]))
        elif kind == "function_call":
            text = compact_json([item["call_id"], item["name"], item["arguments"]])
            add(text, label, kind, count_block(item["name"] + item["arguments"]))
        else:
            seal = sealed.unseal(item.get("encrypted_content") or "")
            add(f"{kind}:{item['id'] if kind == 'reasoning' else item['encrypted_content']}", label, kind,
                seal.tokens if seal else 0)  # fmt: skip
        if parts:
            parts[-1].ends_item = True
    return parts


def _content(part: dict[str, Any]) -> tuple[str, int]:
    if part["type"] == "input_image":
        return compact_json([part.get("image_url"), part.get("file_id"), part.get("detail")]), IMAGE_TOKENS
    text = part.get("text") or part.get("refusal") or ""
    if part["type"] == "input_file":
        text = compact_json([part.get(name) for name in ("filename", "file_data", "file_id", "file_url")])
    return text, count_block(text)


def question(context: Context, body: dict[str, Any], answer_words: int) -> script.Question:
    """The context as the script reads it."""
    turns = []
    instructions = [body.get("instructions") or ""]
    for item in context.items:
        if item["type"] == "message":
            text = "\n".join(part.get("text") or part.get("refusal") or "" for part in item["content"])
            if item["role"] in ("user", "assistant"):
                turns.append(script.Turn(item["role"], text))
            else:
                instructions.append(text)
        elif item["type"] == "function_call":
            if not (turns and turns[-1].role == "assistant"):
                turns.append(script.Turn("assistant", ""))
        elif item["type"] == "function_call_output":
            output = item["output"]
            text = output if isinstance(output, str) else "\n".join(part.get("text") or "" for part in output)
            turns.append(script.Turn("tool", text))
    choice = body.get("tool_choice")
    forced = "*" if choice == "required" else choice.get("name") if isinstance(choice, dict) else None
    tools = [] if choice == "none" else body.get("tools") or []
    return script.Question(
        "\n".join(instructions),
        tuple(turns),
        tuple(script.Tool(tool["name"], tool.get("parameters") or {}) for tool in tools),
        forced,
        answer_words,
    )
