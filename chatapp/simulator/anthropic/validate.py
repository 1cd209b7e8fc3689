"""What a Messages request may contain. Rules about thinking blocks are in thinking.py, where to cache in cache.py.

Fields follow the SDK's types (types/message_create_params.py and the block params, 2.12.0), messages the Errors page.
"""

import re
from typing import Any

from . import errors
from .models import Model

NEWEST_VERSION = "2026-10-21"
VERSIONS = ("2023-01-01", "2023-06-01", NEWEST_VERSION)
SAMPLING = ("temperature", "top_p", "top_k")
MAX_MARKS = 4
TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "a valid string"),
    "integer": ((int,), "a valid integer"),
    "boolean": ((bool,), "a valid boolean"),
    "list": ((list,), "a valid list"),
    "object": ((dict,), "a valid dictionary"),
    "text or list": ((str, list), "a valid list"),
}
TOP = {
    "cache_control": "object?", "container": "string?", "diagnostics": "object?", "inference_geo": "string?",
    "max_tokens": "integer", "messages": "list", "metadata": "object", "model": "string", "output_config": "object",
    "service_tier": "string", "speed": "string?", "stop_sequences": "list", "stream": "boolean",
    "system": "text or list", "thinking": "object", "tool_choice": "object", "tools": "list",
    "user_profile_id": "string", "workspace_id": "string",
}  # fmt: skip
COUNT_FIELDS = (
    "cache_control", "messages", "model", "output_config", "speed", "system", "thinking", "tool_choice", "tools",
    "user_profile_id", "workspace_id",
)  # fmt: skip
BLOCKS: dict[str, dict[str, str]] = {
    "text": {"text": "string!", "cache_control": "object?", "citations": "list?"},
    "image": {"source": "object!", "cache_control": "object?"},
    "document": {
        "source": "object!", "cache_control": "object?", "citations": "object?", "context": "string?",
        "title": "string?",
    },
    "search_result": {
        "source": "string!", "title": "string!", "content": "list!", "cache_control": "object?", "citations": "object",
    },
    "tool_use": {
        "id": "string!", "name": "string!", "input": "object!", "cache_control": "object?", "caller": "object",
        "toolset_name": "string?",
    },
    "tool_result": {
        "tool_use_id": "string!", "content": "text or list", "is_error": "boolean", "cache_control": "object?",
        "toolset_name": "string?",
    },
    "thinking": {"thinking": "string!", "signature": "string!"},
    "redacted_thinking": {"data": "string!"},
}  # fmt: skip
ROLES = {
    "user": ("text", "image", "document", "search_result", "tool_result"),
    "assistant": ("text", "thinking", "redacted_thinking", "tool_use"),
    "system": ("text",),
}
TOOL = {
    "name": "string!", "input_schema": "object!", "description": "string", "cache_control": "object?",
    "type": "string?", "strict": "boolean", "defer_loading": "boolean", "eager_input_streaming": "boolean?",
    "input_examples": "list", "allowed_callers": "list",
}  # fmt: skip
EFFORTS = ("low", "medium", "high", "xhigh", "max")


def check_value(value: Any, kind: str, path: str) -> None:
    """Type of one value; `?` allows null."""
    if value is None and kind.endswith("?"):
        return
    types, wanted = TYPES[kind.rstrip("?!")]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise errors.invalid(f"{path}: Input should be {wanted}")


def check_object(value: dict[str, Any], fields: dict[str, str], path: str) -> None:
    """Every field of an object, and no other; `!` marks what must be there."""
    start = f"{path}." if path else ""
    for name, kind in fields.items():
        if kind.endswith("!") and name not in value:
            raise errors.required(start + name)
    for name, one in value.items():
        if name not in fields:
            raise errors.extra(start + name)
        check_value(one, fields[name], start + name)


def check_version(version: str | None) -> str:
    """The anthropic-version header is required. [API versions]"""
    if version is None:
        raise errors.invalid("anthropic-version: header is required")
    if version not in VERSIONS:
        raise errors.invalid(f"anthropic-version: {version!r} is not a valid version")
    return version


def check_request(body: Any, model: Model | None, version: str, counting: bool = False) -> None:
    """The whole request, apart from what depends on signatures."""
    if not isinstance(body, dict):
        raise errors.invalid("Input should be a valid dictionary")
    required = ("model", "messages") if counting else ("model", "messages", "max_tokens")
    for name in required:
        if name not in body:
            raise errors.required(name)
    fields = {name: TOP[name] for name in COUNT_FIELDS} if counting else TOP
    _check_sampling(body, model, version, counting)
    check_object({name: value for name, value in body.items() if name not in SAMPLING}, fields, "")
    if model is None:
        raise errors.rejection(404, f"model: {body['model']}")
    for index, tool in enumerate(body.get("tools") or []):
        _check_tool(tool, f"tools.{index}")
    if isinstance(body.get("system"), list):
        for index, part in enumerate(body["system"]):
            _check_block(part, ("text",), f"system.{index}", "system", version)
    _check_messages(body["messages"], model, version)
    _check_pairs(body["messages"])
    _check_thinking(body, model, counting)
    _check_tool_choice(body, model)
    _check_rest(body, model, counting)
    _check_marks(body)


def _check_sampling(body: dict[str, Any], model: Model | None, version: str, counting: bool) -> None:
    """Refused from version 2026-10-21 on, even at their defaults. [API version migration]"""
    for name in SAMPLING:
        if name in body and (counting or version == NEWEST_VERSION):
            raise errors.extra(name)
        if name in body and model is not None and model.generation >= (4, 7):
            raise errors.invalid(f"`{name}` is not supported for this model")


def _check_tool(tool: Any, path: str) -> None:
    check_value(tool, "object", path)
    if tool.get("type") not in (None, "custom"):
        raise errors.invalid(f"{path}: the simulator does not offer tools of type {tool['type']!r}")
    check_object(tool, TOOL, path)
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool["name"]):
        raise errors.invalid(f"{path}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if tool["input_schema"].get("type") != "object":
        raise errors.required(f"{path}.custom.input_schema.type")


def _check_messages(messages: list[Any], model: Model, version: str) -> None:
    if not messages:
        raise errors.invalid("messages: at least one message is required")
    for index, message in enumerate(messages):
        path = f"messages.{index}"
        check_value(message, "object", path)
        check_object(message, {"role": "string!", "content": "text or list!"}, path)
        role = message["role"]
        if role not in ("user", "assistant") and not (role == "system" and model.system_messages):
            raise errors.invalid(f"{path}.role: Input should be 'user' or 'assistant'")
        content = message["content"]
        last = index == len(messages) - 1
        if not content and not (last and role == "assistant" and model.takes_prefill):
            raise errors.invalid(
                f"{path}: all messages must have non-empty content except for the optional final assistant message"
            )
        if isinstance(content, str):
            _check_text({"text": content}, path)
            continue
        for at, part in enumerate(content):
            _check_block(part, ROLES[role], f"{path}.content.{at}", role, version)
    if messages[0]["role"] != "user":
        raise errors.invalid('messages: first message must use the "user" role')
    if messages[-1]["role"] == "assistant" and not model.takes_prefill:
        # [Errors, Prefill not supported: models from 4.6 on]
        raise errors.invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )


def _check_block(part: Any, allowed: tuple[str, ...], path: str, role: str, version: str) -> None:
    check_value(part, "object", path)
    kind = part.get("type")
    if kind is None:
        raise errors.required(f"{path}.type")
    if kind not in allowed:
        expected = ", ".join(f"'{one}'" for one in allowed)
        raise errors.invalid(f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: "
                             f"{expected}")  # fmt: skip
    if part.get("cache_control") is not None and kind in ("thinking", "redacted_thinking"):
        raise errors.extra(f"{path}.{kind}.cache_control")
    check_object({name: value for name, value in part.items() if name != "type"}, BLOCKS[kind], f"{path}.{kind}")
    if kind == "text":
        _check_text(part, path)
        if part.get("citations") and role == "user" and version == NEWEST_VERSION:
            raise errors.invalid(f"{path}.text.citations: citations are not permitted in user text")
    if kind == "tool_result" and isinstance(part.get("content"), list):
        for at, one in enumerate(part["content"]):
            inner = ("text", "image", "document", "search_result")
            _check_block(one, inner, f"{path}.content.{at}", role, version)


def _check_text(part: dict[str, Any], path: str) -> None:
    if not part["text"]:
        if part.get("cache_control"):
            raise errors.invalid(f"{path}.text: cache_control cannot be set for empty text blocks")
        raise errors.invalid("messages: text content blocks must be non-empty")
    if not part["text"].strip():
        raise errors.invalid("messages: text content blocks must contain non-whitespace text")


def _check_pairs(messages: list[dict[str, Any]]) -> None:
    """Every tool_use is answered in the very next message, and only there. [Tool use]"""
    waiting: list[str] = []
    for index, message in enumerate(_merged(messages)):
        content = [] if isinstance(message["content"], str) else message["content"]
        answered = {}
        leading = True
        for at, part in enumerate(content):
            if part["type"] != "tool_result":
                leading = False
                continue
            path = f"messages.{index}.content.{at}"
            if part["tool_use_id"] not in waiting:
                raise errors.invalid(
                    f"{path}: unexpected `tool_use_id` found in `tool_result` blocks: {part['tool_use_id']}. Each "
                    "`tool_result` block must have a corresponding `tool_use` block in the previous message."
                )
            if not leading:
                raise errors.invalid(f"{path}: `tool_result` blocks must come before all other content")
            if part["tool_use_id"] in answered:
                raise errors.invalid(f"{path}: each tool_use must have a single result. Found multiple `tool_result` "
                                     f"blocks with id: {part['tool_use_id']}")  # fmt: skip
            answered[part["tool_use_id"]] = True
        open_ids = [tool_id for tool_id in waiting if tool_id not in answered]
        if open_ids:
            raise _unanswered(index - 1, open_ids)
        waiting = [part["id"] for part in content if part["type"] == "tool_use"]
        if len(set(waiting)) < len(waiting):
            raise errors.invalid(f"messages.{index}: `tool_use` ids must be unique")
    if waiting:
        raise _unanswered(len(messages) - 1, waiting)


def _unanswered(index: int, ids: list[str]) -> Exception:
    return errors.invalid(
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _merged(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Consecutive turns of a role are combined. [SDK message_create_params.py]"""
    merged: list[dict[str, Any]] = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"]:
            both = [
                [{"type": "text", "text": one["content"]}] if isinstance(one["content"], str) else one["content"]
                for one in (merged[-1], message)
            ]
            merged[-1] = {"role": message["role"], "content": [*both[0], *both[1]]}
        elif message["role"] != "system":
            merged.append(message)
    return merged


def _check_thinking(body: dict[str, Any], model: Model, counting: bool) -> None:
    """What kinds of thinking a model takes. [Thinking; Errors; Sonnet 5.5 what's new]"""
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    known = {"adaptive": {"display": "string?"}, "enabled": {"budget_tokens": "integer!", "display": "string?"}}
    if kind not in ("adaptive", "enabled", "disabled", "between_tools"):
        raise errors.invalid("thinking: Input tag must be one of 'adaptive', 'between_tools', 'disabled', 'enabled'")
    rest = {name: value for name, value in thinking.items() if name != "type"}
    check_object(rest, known.get(kind, {}), f"thinking.{kind}")
    if thinking.get("display") not in (None, "summarized", "omitted"):
        raise errors.invalid(f"thinking.{kind}.display: Input should be 'summarized' or 'omitted'")
    if kind not in model.thinking:
        hint = ' Use "thinking.type": "between_tools".' if "between_tools" in model.thinking else ""
        raise errors.invalid(f'"thinking.type": "{kind}" is not supported for this model.{hint}')
    effort = (body.get("output_config") or {}).get("effort")
    if effort in ("xhigh", "max") and (kind == "between_tools" or (kind, model.id) == ("disabled", "claude-opus-5")):
        raise errors.invalid(f'"thinking.type": "{kind}" is not supported at effort "{effort}".')
    if kind == "enabled":
        if thinking["budget_tokens"] < 1024:
            raise errors.invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if not counting and thinking["budget_tokens"] >= body["max_tokens"]:
            raise errors.invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_tool_choice(body: dict[str, Any], model: Model) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise errors.invalid("tool_choice: Input tag must be one of 'auto', 'any', 'tool', 'none'")
    fields = {} if kind == "none" else {"disable_parallel_tool_use": "boolean"}
    fields |= {"name": "string!"} if kind == "tool" else {}
    check_object({name: value for name, value in choice.items() if name != "type"}, fields, f"tool_choice.{kind}")
    if not body.get("tools"):
        raise errors.invalid("tool_choice: `tools` must be provided when `tool_choice` is set")
    if kind == "tool" and choice.get("name") not in [tool["name"] for tool in body["tools"]]:
        raise errors.invalid(f"Tool '{choice.get('name')}' not found in provided tools")
    if kind in ("any", "tool"):
        thinking = (body.get("thinking") or {}).get("type")
        if model.refuses_forced_tools:
            raise errors.invalid(f"tool_choice: forced tool use is not supported by {model.id}")
        if thinking in ("adaptive", "enabled"):
            raise errors.invalid("Thinking may not be enabled when tool_choice forces tool use.")


def _check_rest(body: dict[str, Any], model: Model, counting: bool) -> None:
    config = body.get("output_config") or {}
    check_object(config, {"effort": "string?", "format": "object?"}, "output_config")
    if config.get("effort") not in (None, *EFFORTS):
        raise errors.invalid("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    if body.get("service_tier") not in (None, "auto", "standard_only"):
        raise errors.invalid("service_tier: Input should be 'auto' or 'standard_only'")
    if body.get("speed") not in (None, "standard", "fast"):
        raise errors.invalid("speed: Input should be 'standard' or 'fast'")
    if body.get("diagnostics") is not None:
        check_object(body["diagnostics"], {"previous_message_id": "string?"}, "diagnostics")
    check_object(body.get("metadata") or {}, {"user_id": "string?"}, "metadata")
    wanted = config.get("format")
    if wanted is not None:
        check_object(wanted, {"type": "string!", "schema": "object!"}, "output_config.format")
        if wanted["type"] != "json_schema":
            raise errors.invalid("output_config.format.type: Input should be 'json_schema'")
    for index, stop in enumerate(body.get("stop_sequences") or []):
        check_value(stop, "string", f"stop_sequences.{index}")
    if counting:
        return
    limit = body["max_tokens"]
    if limit < 0:
        raise errors.invalid("max_tokens: Input should be greater than or equal to 0")
    if limit > model.output_limit_tokens:
        raise errors.invalid(
            f"max_tokens: {limit} > {model.output_limit_tokens}, which is the maximum allowed number of output tokens "
            f"for {model.id}"
        )
    if limit == 0:
        # Pre-warming generates nothing and takes nothing that shapes an answer. [Prompt caching, Pre-warming]
        refused = {
            "stream": bool(body.get("stream")),
            "thinking": (body.get("thinking") or {}).get("type") == "enabled",
            "output_config.format": config.get("format") is not None,
            "tool_choice": (body.get("tool_choice") or {}).get("type") in ("any", "tool"),
        }
        for name, is_set in refused.items():
            if is_set:
                raise errors.invalid(f"{name}: not permitted when max_tokens is 0")


def _check_marks(body: dict[str, Any]) -> None:
    """At most four marks, longer lifetimes first. [Prompt caching]"""
    marks = list(_marks(body))
    for path, mark in [*marks, *([("", body["cache_control"])] if body.get("cache_control") else [])]:
        start = f"{path}.cache_control" if path else "cache_control"
        check_object(mark, {"type": "string!", "ttl": "string"}, start)
        if mark["type"] != "ephemeral":
            raise errors.invalid(f"{start}.type: Input should be 'ephemeral'")
        if mark.get("ttl", "5m") not in ("5m", "1h"):
            raise errors.invalid(f"{start}.ttl: Input should be '5m' or '1h'")
    if len(marks) > MAX_MARKS:
        raise errors.invalid(f"A maximum of {MAX_MARKS} blocks with cache_control may be provided. Found {len(marks)}.")
    short_seen = False
    for path, mark in marks:
        if mark.get("ttl", "5m") == "5m":
            short_seen = True
        elif short_seen:
            raise errors.invalid(
                f"{path}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: `tools`, `system`, "
                "`messages`."
            )


def _marks(body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    places = [(f"tools.{index}", tool) for index, tool in enumerate(body.get("tools") or [])]
    if isinstance(body.get("system"), list):
        places += [(f"system.{index}", part) for index, part in enumerate(body["system"])]
    for index, message in enumerate(body["messages"]):
        if isinstance(message["content"], list):
            for at, part in enumerate(message["content"]):
                path = f"messages.{index}.content.{at}"
                places.append((path, part))
                if part["type"] == "tool_result" and isinstance(part.get("content"), list):
                    places += [(f"{path}.content.{deep}", one) for deep, one in enumerate(part["content"])]
    return [(path, part["cache_control"]) for path, part in places if part.get("cache_control")]
