"""A `Request` in the words of Anthropic's Messages API. Pure: no connection, no events.

The other direction, and the adapter itself, is `chatapp.providers.anthropic_messages`. Which items to
send and where to mark is the planner's business.

Sources: Claude docs "Prompt caching", "Handling stop reasons", "Thinking", "Errors" (Aug to Nov 2026)
and the types of anthropic 2.12.0 (API version 2026-10-21).
"""

import base64
import hashlib
import inspect
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from anthropic.resources.messages import AsyncMessages

from chatapp.providers._sse import encodable
from chatapp.vocab.items import JSON, Item, Origin, text_of
from chatapp.vocab.request import Mark, Request

PROVIDER = "anthropic"
LIFETIMES = ("5m", "1h")
MAX_MARKS = 4
THINKING = frozenset({"thinking", "redacted_thinking"})
PREFILL = THINKING | {"text", "tool_use"}
"""Blocks that a last assistant message may not end with; a paused server tool it may ("Handling stop reasons")."""
OPENING = "(The beginning of this conversation is not shown.)"
"""Said by nobody: messages must begin with the user's."""
SDK_FIELDS = frozenset(inspect.signature(AsyncMessages.create).parameters) - {
    "self",
    "extra_headers",
    "extra_query",
    "extra_body",
    "timeout",
}


def build(request: Request) -> dict[str, Any]:
    """The keyword arguments of `AsyncAnthropic().messages.create` for `request`.

    Equal requests give equal JSON, byte for byte. Fields of `request.options` that the SDK does not know
    travel in `extra_body`; none of them can replace a field that is set here. Lone surrogates in any text
    become U+FFFD. Raises ValueError for a request that no server would take: nothing to answer, an answer
    as the last message, a mark outside the items or with a lifetime that Anthropic does not sell.
    """
    fields: dict[str, Any] = dict(request.options)
    tools = [_tool(tool) for tool in request.tools]
    system = [{"type": "text", "text": request.instructions}] if request.instructions.strip() else []
    blocks = [_wire_blocks(item, request.model) for item in request.items]
    messages = _messages(request.items, blocks)
    if not messages:
        raise ValueError("nothing to answer")
    if messages[-1]["role"] == "assistant" and messages[-1]["content"][-1]["type"] in PREFILL:
        raise ValueError("the last message is an answer")
    if request.cache:
        in_order = tools[-1:] + system + [block for message in messages for block in message["content"]]
        free = MAX_MARKS - (fields.get("cache_control") is not None)  # the automatic mark takes one
        _mark(in_order, [tools[-1:] + system, *blocks], request.marks, free)
    fields |= {
        "model": request.model,
        "max_tokens": request.max_output_tokens,
        "messages": messages,
        "stream": True,
    }
    if system:
        fields["system"] = system
    if tools:
        fields["tools"] = tools
    if request.user_key is not None:
        fields["metadata"] = {"user_id": request.user_key}
    kwargs = {name: value for name, value in fields.items() if name in SDK_FIELDS}
    extra = {name: value for name, value in fields.items() if name not in SDK_FIELDS}
    if extra:
        kwargs["extra_body"] = extra
    return encodable(kwargs)


def _tool(tool: Mapping[str, Any]) -> JSON:
    if tool["type"] != "function":
        return dict(tool)  # a server tool, in Anthropic's own words
    wire: JSON = {"name": tool["name"]}
    if tool.get("description"):
        wire["description"] = tool["description"]
    wire["input_schema"] = tool.get("parameters") or {"type": "object", "properties": {}}
    if tool.get("strict"):
        wire["strict"] = True
    return wire


def _messages(items: Sequence[Item], blocks: Sequence[list[JSON]]) -> list[JSON]:
    """User and assistant in turn, from consecutive blocks of one side; tool results lead their message."""
    messages: list[JSON] = []
    for item, content in zip(items, blocks, strict=True):
        if content:
            role = _role(item)
            if not messages and role == "assistant":
                messages.append({"role": "user", "content": [{"type": "text", "text": OPENING}]})
            if not messages or messages[-1]["role"] != role:
                messages.append({"role": role, "content": []})
            messages[-1]["content"] += content
    for message in messages:
        if message["role"] == "user":
            message["content"].sort(key=lambda block: block["type"] != "tool_result")
    return messages


def _role(item: Item) -> str:
    """`user` for people, tools and any system message between the turns, which not every model takes."""
    if item.type == "function_call_output" or (item.type == "message" and item.role != "assistant"):
        return "user"
    return "assistant"


def _wire_blocks(item: Item, model: str) -> list[JSON]:
    """The blocks of an item: verbatim for the model that made it, else what of it is plain text or a tool's.

    Empty for what cannot be said to this model. Blank texts are left out wherever they come from: the API
    rejects them, also those it sent.
    """
    data = item.data
    if item.native is not None and item.origin == Origin(PROVIDER, model):
        natives = [item.native] if "type" in item.native else item.native["content"]
        blocks = [dict(block) for block in natives]
        for block in blocks:
            if block["type"] == "tool_use":
                # From the string: a database may have put the keys of an object in another order, and the
                # model reads them in this one.
                block["input"] = as_object(data["arguments"])
    else:
        match data["type"]:
            case "message" if data["role"] == "assistant":
                blocks = [{"type": "text", "text": text_of(data)}]
            case "message":
                content = data["content"]
                parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
                blocks = [_wire_part(part) for part in parts]
            case "function_call":
                blocks = [
                    {
                        "type": "tool_use",
                        "id": _tool_id(data["call_id"]),
                        "name": data["name"],
                        "input": as_object(data["arguments"]),
                    }
                ]
            case "function_call_output":
                result: JSON = {"type": "tool_result", "tool_use_id": _tool_id(data["call_id"])}
                output = data["output"]
                if output:
                    result["content"] = output if isinstance(output, str) else [_wire_part(part) for part in output]
                blocks = [result]
            case _:
                blocks = []
    return [block for block in blocks if block["type"] != "text" or block["text"].strip()]


def _wire_part(part: Mapping[str, Any]) -> JSON:
    """One input part. ValueError for a kind that Anthropic has no block for: better no answer than half a question."""
    kind = part["type"]
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", "text": part["text"]}
    if kind == "input_image" and part.get("image_url"):
        return {"type": "image", "source": _source(part["image_url"])}
    if kind == "input_file" and (part.get("file_data") or part.get("file_url")):
        wire: JSON = {"type": "document", "source": _source(part.get("file_data") or part["file_url"])}
        if part.get("filename"):
            wire["title"] = part["filename"]
        return wire
    raise ValueError(f"no block for a part of type {kind}")


def _source(url: str) -> JSON:
    inline = re.match(r"data:([^;,]+);base64,", url)
    if inline is None:
        return {"type": "url", "url": url}
    data = url[inline.end() :]
    if inline[1].startswith("text/"):
        return {"type": "text", "media_type": "text/plain", "data": base64.b64decode(data).decode("utf-8", "replace")}
    return {"type": "base64", "media_type": inline[1], "data": data}


def _tool_id(call_id: str) -> str:
    """`call_id` as Anthropic takes it (`^[a-zA-Z0-9_-]+$`), two ids never becoming one."""
    if re.fullmatch(r"[a-zA-Z0-9_-]+", call_id):
        return call_id
    mark = hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{re.sub(r'[^a-zA-Z0-9_-]', '_', call_id)}_{mark}"


def as_object(text: str) -> JSON:
    """`arguments` as an object. What is none is wrapped as "Fine-grained tool streaming" says."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        value = text
    return value if isinstance(value, dict) else {"INVALID_JSON": text}


def _mark(in_order: list[JSON], blocks: Sequence[list[JSON]], marks: Iterable[Mark], free: int) -> None:
    """Put `cache_control` on blocks. `blocks[0]` are tools and instructions, `blocks[n + 1]` those of item n.

    A mark without a cacheable block moves back to the nearest. Of too many marks the last are kept. A mark
    before one of 1h becomes 1h itself: the API wants the longer first, and all up to it is billed as 1h anyway.
    """
    lifetimes: dict[int, int] = {}
    for mark in marks:
        if mark.lifetime not in LIFETIMES:
            raise ValueError(f"Anthropic sells no cache lifetime of {mark.lifetime}")
        if not -1 <= mark.after < len(blocks) - 1:
            raise ValueError(f"mark after item {mark.after} of {len(blocks) - 1}")
        before = (block for content in reversed(blocks[: mark.after + 2]) for block in reversed(content))
        place = next((id(block) for block in before if block.get("type") not in THINKING), None)
        if place is not None:
            lifetimes[place] = max(LIFETIMES.index(mark.lifetime), lifetimes.get(place, 0))
    marked = [block for block in in_order if id(block) in lifetimes]
    longest = 0
    for block in reversed(marked[max(0, len(marked) - free) :]):
        longest = max(longest, lifetimes[id(block)])
        block["cache_control"] = {"type": "ephemeral", "ttl": LIFETIMES[longest]}
