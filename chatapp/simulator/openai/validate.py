"""What a Responses request may contain: fields, types, values. Rules that need stored state are in context.py.

Fields and nullability follow the SDK's types (response_create_params.py, response_input_item_param.py, 3.54.0). A
field that the SDK types as not optional may be left out but not be null.
"""

import re
from typing import Any

from . import errors
from .fields import Field, check_field, check_object, listed
from .models import Model

S, I, B, A, O = (Field(kind) for kind in ("string", "integer", "boolean", "array", "object"))  # noqa: E741
ID = Field("string", null=True)
STATUS = Field("string", values=("in_progress", "completed", "incomplete"))
STATUS_OR_NULL = Field("string", null=True, values=STATUS.values)
TTL = Field("string", values=("30m", "12h"))

TOP: dict[str, Field] = {
    "access_programs": O,
    "background": Field("boolean", null=True),
    "background_options": O,
    "context_management": Field("array", null=True),
    "conversation": Field("string object", null=True),
    "image": O,
    "include": Field("array", null=True),
    "input": Field("string array"),
    "instructions": Field("string", null=True),
    "max_output_tokens": Field("integer", null=True),
    "max_tool_calls": Field("integer", null=True),
    "metadata": Field("object", null=True),
    "model": Field("string", required=True),
    "moderation": Field("object", null=True),
    "parallel_tool_calls": Field("boolean", null=True),
    "previous_response_id": Field("string", null=True),
    "prompt": Field("object", null=True),
    "prompt_cache_key": Field("string", null=True),
    "prompt_cache_options": O,
    "prompt_cache_retention": Field("string", null=True, values=("in_memory", "24h")),
    "reasoning": Field("object", null=True),
    "safety_identifier": Field("string", null=True),
    "service_tier": Field(
        "string", null=True, values=("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
    ),
    "store": Field("boolean", null=True),
    "stream": Field("boolean", null=True),
    "stream_options": Field("object", null=True),
    "temperature": Field("number", null=True),
    "text": O,
    "tool_choice": Field("string object"),
    "tools": A,
    "top_logprobs": Field("integer", null=True),
    "top_p": Field("number", null=True),
    "truncation": Field("string", null=True, values=("auto", "disabled")),
    "user": S,
}

COMPACT_FIELDS = (
    "image", "input", "instructions", "model", "previous_response_id", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "service_tier",
)  # fmt: skip
COUNT_FIELDS = (
    "conversation", "input", "instructions", "model", "parallel_tool_calls", "previous_response_id", "reasoning",
    "text", "tool_choice", "tools", "truncation",
)  # fmt: skip

CACHE_OPTIONS = {
    "mode": Field("string", values=("implicit", "explicit")),
    "ttl": TTL,
    "prewarm": B,
    "comparison_response_id": ID,
}
REASONING = {
    "context": Field("string", null=True, values=("auto", "current_turn", "all_turns")),
    "effort": Field("string", null=True, values=("none", "minimal", "low", "medium", "high", "xhigh", "max")),
    "generate_summary": Field("string", null=True, values=("auto", "concise", "detailed")),
    "mode": S,
    "summary": Field("string", null=True, values=("auto", "concise", "detailed")),
}
TEXT = {"format": O, "verbosity": Field("string", null=True, values=("low", "medium", "high"))}
INCLUDABLE = (
    "file_search_call.results", "web_search_call.results", "web_search_call.action.sources",
    "message.input_image.image_url", "computer_call_output.output.image_url", "code_interpreter_call.outputs",
    "reasoning.encrypted_content", "message.output_text.logprobs",
)  # fmt: skip

ITEMS: dict[str, dict[str, Field]] = {
    "function_call": {
        "type": S, "id": S, "call_id": Field("string", required=True), "name": Field("string", required=True),
        "arguments": Field("string", required=True), "namespace": S, "status": STATUS,
        "caller": Field("object", null=True), "async": B,
    },
    "function_call_output": {
        "type": S, "id": ID, "call_id": Field("string", required=True), "output": Field("string array", required=True),
        "caller": Field("object", null=True), "name": ID, "namespace": ID, "status": STATUS_OR_NULL,
    },
    "reasoning": {
        "type": S, "id": Field("string", required=True), "summary": Field("array", required=True), "content": A,
        "encrypted_content": ID, "status": STATUS,
    },
    "compaction": {"type": S, "id": ID, "encrypted_content": Field("string", required=True)},
    "item_reference": {"type": ID, "id": Field("string", required=True)},
}  # fmt: skip
MESSAGE = {
    "type": S, "role": Field("string", required=True, values=("user", "assistant", "system", "developer")),
    "content": Field("string array", required=True), "status": STATUS, "id": S,
    "phase": Field("string", null=True, values=("commentary", "final_answer")),
}  # fmt: skip
BREAKPOINT = Field("object")
INPUT_PARTS: dict[str, dict[str, Field]] = {
    "input_text": {"type": S, "text": Field("string", required=True), "prompt_cache_breakpoint": BREAKPOINT},
    "input_image": {
        "type": S, "detail": Field("string", values=("auto", "low", "high", "original")), "file_id": ID,
        "image_url": ID, "prompt_cache_breakpoint": BREAKPOINT,
    },
    "input_file": {
        "type": S, "detail": Field("string", values=("auto", "low", "high")), "file_data": S, "file_id": ID,
        "file_url": S, "filename": S, "prompt_cache_breakpoint": BREAKPOINT,
    },
}  # fmt: skip
OUTPUT_PARTS: dict[str, dict[str, Field]] = {
    "output_text": {"type": S, "text": Field("string", required=True), "annotations": A, "logprobs": A},
    "refusal": {"type": S, "refusal": Field("string", required=True)},
}
TOOL = {
    "type": S, "name": Field("string", required=True), "parameters": Field("object", null=True, required=True),
    "strict": Field("boolean", null=True), "description": ID, "allowed_callers": Field("array", null=True),
    "defer_loading": B, "output_schema": O, "async": B,
}  # fmt: skip


def check_request(body: Any, model: Model | None, fields: tuple[str, ...] | None = None) -> None:
    """The whole request, apart from what depends on stored state."""
    if not isinstance(body, dict):
        raise errors.invalid("We could not parse the JSON body of your request.")
    allowed = TOP if fields is None else {name: TOP[name] for name in fields}
    check_object(body, allowed, "")
    if model is None:
        raise errors.unknown_model(body["model"])
    _check_simulated(body)
    _check_sizes(body)
    _check_model(body, model)
    for name, nested in (("prompt_cache_options", CACHE_OPTIONS), ("reasoning", REASONING), ("text", TEXT)):
        if isinstance(body.get(name), dict):
            check_object(body[name], nested, name)
    if (body.get("text") or {}).get("format"):
        _check_format(body["text"]["format"])
    for index, value in enumerate(body.get("include") or []):
        check_field(value, Field("string", values=INCLUDABLE), f"include[{index}]")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise errors.invalid("The 'stream_options' parameter is only allowed when 'stream' is enabled.",
                             "stream_options")  # fmt: skip
    for index, tool in enumerate(body.get("tools") or []):
        _check_tool(tool, f"tools[{index}]")
    _check_tool_choice(body)
    if isinstance(body.get("input"), list):
        for index, item in enumerate(body["input"]):
            check_item(item, f"input[{index}]", model)
    if "input" not in body and not body.get("previous_response_id"):
        raise errors.missing("input")
    if body.get("input") == []:
        raise errors.invalid(
            "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "input", "empty_array",
        )  # fmt: skip


def _check_simulated(body: dict[str, Any]) -> None:
    if body.get("previous_response_id") and body.get("conversation"):
        message = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'."
        raise errors.invalid(message, "previous_response_id", "mutually_exclusive_parameters")
    for name, what in (
        ("background", "background mode"), ("conversation", "conversation objects"), ("prompt", "stored prompts"),
        ("moderation", "moderation"), ("context_management", "server-side compaction"),
    ):  # fmt: skip
        if body.get(name):
            raise errors.not_simulated(what, name)


def _check_sizes(body: dict[str, Any]) -> None:
    metadata = body.get("metadata") or {}
    if len(metadata) > 16:
        raise errors.invalid(
            "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object "
            f"with {len(metadata)} properties instead.", "metadata", "object_above_max_properties",
        )  # fmt: skip
    for name, value in metadata.items():
        check_field(value, S, f"metadata.{name}")
        if len(name) > 64 or len(value) > 512:
            raise _too_long(f"metadata.{name}", value, 512)
    for name, limit in (("safety_identifier", 128), ("prompt_cache_key", 64)):
        if len(body.get(name) or "") > limit:
            raise _too_long(name, body[name], limit)
    least = body.get("max_output_tokens")
    if least is not None and least < 16:
        raise errors.invalid(
            f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got {least} "
            "instead.", "max_output_tokens", "integer_below_min_value",
        )  # fmt: skip


def _too_long(path: str, value: str, limit: int) -> Exception:
    return errors.invalid(
        f"Invalid '{path}': string too long. Expected a string with maximum length {limit}, but got a string with "
        f"length {len(value)} instead.", path, "string_above_max_length",
    )  # fmt: skip


def _check_model(body: dict[str, Any], model: Model) -> None:
    """What this model does not take. [model pages; Prompt caching, Oct 2026]"""
    reasoning = body.get("reasoning") or {}
    effort = reasoning.get("effort")
    if any(value is not None for value in reasoning.values()) and not model.reasons:
        raise errors.unsupported(f"reasoning.{next(iter(reasoning))}")
    if effort == "none" and model.refuses_effort_none:
        allowed = ("low", "medium", "high", "xhigh", "max")
        raise errors.invalid(
            f"Unsupported value: 'none' is not supported with the '{model.id}' model. Supported values are: "
            f"{listed(allowed)}.", "reasoning.effort", "unsupported_value",
        )  # fmt: skip
    if model.reasons:
        if body.get("top_p") is not None:
            raise errors.unsupported("top_p")
        if body.get("temperature") is not None and not (effort == "none" and model.accepts_temperature_without_effort):
            raise errors.unsupported("temperature")
    if "prompt_cache_options" in body:
        if not model.has_breakpoints:
            raise errors.unsupported("prompt_cache_options")
        if body.get("prompt_cache_retention") is not None:
            # The SDK calls the two independent; a gateway saw them refused together. [langchain4j note, third-party]
            message = "Mutually exclusive parameters: 'prompt_cache_options' and 'prompt_cache_retention'."
            raise errors.invalid(message, "prompt_cache_retention", "mutually_exclusive_parameters")
    if body.get("prompt_cache_retention") == "in_memory" and model.keeps_24h_only:
        message = "Invalid value: 'in_memory'. Supported values are: '24h'."
        raise errors.invalid(message, "prompt_cache_retention", "invalid_value")


def _check_format(wanted: dict[str, Any]) -> None:
    kinds = Field("string", required=True, values=("text", "json_object", "json_schema"))
    fields = {"type": kinds}
    if wanted.get("type") == "json_schema":
        fields |= {"name": Field("string", required=True), "schema": Field("object", required=True)}
        fields |= {"strict": Field("boolean", null=True), "description": S}
    check_object(wanted, fields, "text.format")


def _check_tool(tool: Any, path: str) -> None:
    check_field(tool, O, path)
    if "type" not in tool:
        raise errors.missing(f"{path}.type")
    if tool["type"] != "function":
        raise errors.not_simulated(f"tools of type {tool['type']!r}", f"{path}.type")
    check_object(tool, TOOL, path)
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool["name"]):
        message = f"Invalid '{path}.name': string does not match pattern. Expected '^[a-zA-Z0-9_-]+$'."
        raise errors.invalid(message, f"{path}.name", "invalid_value")
    if tool.get("strict"):
        problem = _strict_problem(tool["parameters"] or {})
        if problem is not None:
            message = f"Invalid schema for function '{tool['name']}': In context=(), {problem}"
            raise errors.invalid(message, f"{path}.parameters", "invalid_function_parameters")


def _strict_problem(schema: Any) -> str | None:
    """Strict functions close every object and require every property. [Function calling]"""
    if not isinstance(schema, dict):
        return f"{schema!r} is not of type 'object'."
    if schema.get("type") != "object":
        return _strict_problem(schema["items"]) if "items" in schema else None
    properties, required = schema.get("properties") or {}, schema.get("required") or []
    if schema.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false."
    if (
        not isinstance(properties, dict)
        or not isinstance(required, list)
        or sorted(map(str, required)) != sorted(properties)
    ):
        return "'required' is required to be supplied and to be an array including every key in properties."
    return next((problem for value in properties.values() if (problem := _strict_problem(value))), None)


def _check_tool_choice(body: dict[str, Any]) -> None:
    choice = body.get("tool_choice")
    if isinstance(choice, str):
        check_field(choice, Field("string", values=("none", "auto", "required")), "tool_choice")
        if choice == "required" and not body.get("tools"):
            raise errors.invalid("Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice")
    elif isinstance(choice, dict) and choice.get("type") == "function":
        names = [tool.get("name") for tool in body.get("tools") or []]
        if choice.get("name") not in names:
            message = f"Tool choice '{choice.get('name')}' not found in 'tools' parameter."
            raise errors.invalid(message, "tool_choice")


def check_item(item: Any, path: str, model: Model) -> None:
    """One input item."""
    check_field(item, O, path)
    kind = item.get("type") or ("message" if "role" in item else "item_reference" if "id" in item else None)
    if kind is None:
        raise errors.missing(f"{path}.type")
    check_field(kind, S, f"{path}.type")
    if kind == "message":
        _check_message(item, path, model)
        return
    if kind not in ITEMS:
        raise errors.invalid(
            f"Invalid value: '{kind}'. Supported values are: {listed(('message', *ITEMS))}.", f"{path}.type",
            "invalid_value",
        )  # fmt: skip
    check_object(item, ITEMS[kind], path)
    if kind == "function_call_output" and isinstance(item["output"], list):
        for index, part in enumerate(item["output"]):
            _check_part(part, INPUT_PARTS, f"{path}.output[{index}]", model)


def _check_message(item: dict[str, Any], path: str, model: Model) -> None:
    check_object(item, MESSAGE, path)
    if isinstance(item["content"], str):
        return
    parts = OUTPUT_PARTS if item["role"] == "assistant" else INPUT_PARTS
    for index, part in enumerate(item["content"]):
        _check_part(part, parts, f"{path}.content[{index}]", model)


def _check_part(part: Any, parts: dict[str, dict[str, Field]], path: str, model: Model) -> None:
    check_field(part, O, path)
    if "type" not in part:
        raise errors.missing(f"{path}.type")
    check_field(part["type"], S, f"{path}.type")
    if part["type"] not in parts:
        raise errors.invalid(
            f"Invalid value: '{part['type']}'. Supported values are: {listed(tuple(parts))}.", path, "invalid_value"
        )
    check_object(part, parts[part["type"]], path)
    mark = part.get("prompt_cache_breakpoint")
    if mark is not None:
        if not model.has_breakpoints:
            raise errors.unsupported(f"{path}.prompt_cache_breakpoint")
        wanted = {"mode": Field("string", required=True, values=("explicit",)), "ttl": TTL}
        check_object(mark, wanted, f"{path}.prompt_cache_breakpoint")
