"""The OpenAI Responses wire protocol, in this order: build, stream, usage.

Here and nowhere else is decided how a `Request` reads in OpenAI's words and what its events mean.
Which items to send, where to mark and when to chain is the planner's; trying again is the engine's.
The vocabulary of our frames is this protocol's, so they pass through almost untouched.

Sources: OpenAI guides "Conversation state", "Prompt caching", "Streaming responses", "Function
calling", "Reasoning" (July to Nov 2026) and the types of openai 3.54.0; for servers that are not
OpenAI's, the Open Responses specification (2026-04-24).
"""

import inspect
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx2
import openai
from openai.resources.responses import AsyncResponses

from chatapp.providers._attempt import attempt
from chatapp.providers._failures import Failures
from chatapp.providers._sse import encodable
from chatapp.providers._usage import disjoint
from chatapp.providers.base import Config
from chatapp.vocab.errors import Refused
from chatapp.vocab.events import FRAME_TYPES, Done, Failed, Frame, Reported, StreamEvent
from chatapp.vocab.items import JSON, Item, Origin, text_of
from chatapp.vocab.request import Mark, Request
from chatapp.vocab.usage import Usage

PROVIDER = "openai"
BASE_URL = "https://api.openai.com/v1"

# --- build ---------------------------------------------------------------------------------------

LIFETIMES = ("30m", "12h")
CACHEABLE_PARTS = frozenset({"input_text", "input_image", "input_file"})
SDK_FIELDS = frozenset(inspect.signature(AsyncResponses.create).parameters) - {
    "self",
    "extra_headers",
    "extra_query",
    "extra_body",
    "timeout",
}


def build(request: Request) -> dict[str, Any]:
    """The keyword arguments of `AsyncOpenAI().responses.create` for `request`.

    Equal requests give equal JSON, byte for byte. Fields of `request.options` that the SDK does not know
    travel in `extra_body`; none of them can replace a field that is set here. Lone surrogates in any text
    become U+FFFD. Raises ValueError for a request that no server could take: a mark outside the items or
    with a lifetime that OpenAI does not sell.
    """
    fields: dict[str, Any] = dict(request.options)
    items = [_wire_item(item, request.model) for item in request.items]
    if request.cache:
        _mark(items, request.marks)
    elif "prompt_cache_options" in fields:
        # Explicit mode without a breakpoint writes nothing. Models before GPT-5.6 do not know the field
        # (and never charge for a write), so the catalog's options decide whether it may be sent.
        fields["prompt_cache_options"] = {**fields["prompt_cache_options"], "mode": "explicit"}
    fields |= {
        "model": request.model,
        "input": [item for item in items if item is not None],
        "max_output_tokens": request.max_output_tokens,
        "store": request.store,
        "stream": True,
        "stream_options": {"include_obfuscation": False},
    }
    # Neither is inherited along a chain; and what is not said is left out, never null.
    if request.instructions:
        fields["instructions"] = request.instructions
    if request.tools:
        fields["tools"] = [dict(tool) for tool in request.tools]
    if request.previous_response_id is not None:
        fields["previous_response_id"] = request.previous_response_id
    if request.cache_key is not None:
        fields["prompt_cache_key"] = request.cache_key
    if request.user_key is not None:
        fields["safety_identifier"] = request.user_key
    if not request.store:
        fields["include"] = [*dict.fromkeys([*fields.get("include", ()), "reasoning.encrypted_content"])]
    kwargs = {name: value for name, value in fields.items() if name in SDK_FIELDS}
    extra = {name: value for name, value in fields.items() if name not in SDK_FIELDS}
    if extra:
        kwargs["extra_body"] = extra
    return encodable(kwargs)


def _wire_item(item: Item, model: str) -> JSON | None:
    """An input item; None for what cannot be said to this model (the reasoning of another)."""
    data = item.data
    if item.origin == Origin(PROVIDER, model):
        # Verbatim, ids and encrypted reasoning included: every field of an output item is one of input too.
        return dict(data)
    match data["type"]:
        case "message" if data["role"] == "assistant":
            text = text_of(data)
            if not text:
                return None
            part = {"type": "output_text", "text": text, "annotations": []}
            message: JSON = {"type": "message", "role": "assistant", "content": [part]}
            if data.get("phase"):  # to be kept and sent again, says openai's response_output_message_param.py
                message["phase"] = data["phase"]
            return message
        case "message":
            content = data["content"]
            parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else map(dict, content)
            return {"type": "message", "role": data["role"], "content": list(parts)}
        case "function_call":
            return {name: data[name] for name in ("type", "call_id", "name", "arguments")}
        case "function_call_output":
            output = data["output"]
            wire = output if isinstance(output, str) else [dict(part) for part in output]
            return {"type": "function_call_output", "call_id": data["call_id"], "output": wire}
        case _:
            return None


def _mark(items: Sequence[JSON | None], marks: Iterable[Mark]) -> None:
    """Put breakpoints on the last cacheable part of the marked items.

    A mark on an item without one does nothing, nor does a mark on tools and instructions: OpenAI takes
    breakpoints on input parts only ("Prompt caching", Oct 2026).
    """
    for mark in sorted(marks, key=lambda mark: _rank(mark.lifetime)):  # of two on one part the longer wins
        if not -1 <= mark.after < len(items):
            raise ValueError(f"mark after item {mark.after} of {len(items)}")
        item = items[mark.after] if mark.after >= 0 else None
        if item is None or item.get("role") == "assistant":
            continue
        place = "output" if item["type"] == "function_call_output" else "content"
        parts = item.get(place)
        if not isinstance(parts, list):
            continue
        for index in range(len(parts) - 1, -1, -1):
            if parts[index].get("type") in CACHEABLE_PARTS:
                # A new part: verbatim items share theirs with the conversation.
                marked = {**parts[index], "prompt_cache_breakpoint": {"mode": "explicit", "ttl": mark.lifetime}}
                item[place] = [*parts[:index], marked, *parts[index + 1 :]]
                break


def _rank(lifetime: str) -> int:
    if lifetime not in LIFETIMES:
        raise ValueError(f"OpenAI sells no cache lifetime of {lifetime}")
    return LIFETIMES.index(lifetime)


# --- stream --------------------------------------------------------------------------------------


class OpenAIResponses:
    """An `Adapter` for api.openai.com and servers that speak its Responses API."""

    def __init__(self, config: Config) -> None:
        # The base URL is always given: left out, the SDK would look for one in the environment.
        self._client = openai.AsyncOpenAI(
            api_key=config.key or "none",
            base_url=config.base_url or BASE_URL,
            timeout=httpx2.Timeout(config.timeout_seconds, connect=config.connect_timeout_seconds),
            max_retries=0,
        )
        # So do these come from the environment (OPENAI_ORG_ID, _PROJECT_ID, _ADMIN_KEY, _CUSTOM_HEADERS),
        # and no argument of the constructor says no.
        self._client.organization = self._client.project = self._client.admin_api_key = None
        self._client._custom_headers = {}
        self._failures = Failures(config.key)

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        """As `Adapter.stream` says."""
        return attempt(
            lambda: self._client.responses.with_streaming_response.create(**build(request)),
            _Reader(Origin(PROVIDER, request.model), self._failures, request.previous_response_id),
            self._failures,
            request_id_header="x-request-id",
            response_id_sent=request.previous_response_id,
        )

    async def aclose(self) -> None:
        """Close the pool."""
        await self._client.close()


_PART = (("item_id", str), ("output_index", int), ("content_index", int))
_SUMMARY = (("item_id", str), ("output_index", int), ("summary_index", int))
_ITEM = (("item_id", str), ("output_index", int))
REQUIRED: dict[str, tuple[tuple[str, type], ...]] = {
    "response.output_item.added": (("output_index", int), ("item", dict)),
    "response.output_item.done": (("output_index", int), ("item", dict)),
    "response.content_part.added": (*_PART, ("part", dict)),
    "response.content_part.done": (*_PART, ("part", dict)),
    "response.output_text.delta": (*_PART, ("delta", str)),
    "response.output_text.done": (*_PART, ("text", str)),
    "response.output_text.annotation.added": (*_PART, ("annotation", dict)),
    "response.refusal.delta": (*_PART, ("delta", str)),
    "response.refusal.done": (*_PART, ("refusal", str)),
    "response.reasoning_summary_part.added": (*_SUMMARY, ("part", dict)),
    "response.reasoning_summary_part.done": (*_SUMMARY, ("part", dict)),
    "response.reasoning_summary_text.delta": (*_SUMMARY, ("delta", str)),
    "response.reasoning_summary_text.done": (*_SUMMARY, ("text", str)),
    "response.reasoning_text.delta": (*_PART, ("delta", str)),
    "response.reasoning_text.done": (*_PART, ("text", str)),
    "response.function_call_arguments.delta": (*_ITEM, ("delta", str)),
    "response.function_call_arguments.done": (*_ITEM, ("arguments", str)),
}
"""The fields without which a frame cannot be shown or stored, and their JSON types."""

assert REQUIRED.keys() == FRAME_TYPES


class _Reader:
    """Translates one answer; see `chatapp.providers._attempt.Reader`."""

    def __init__(self, origin: Origin, failures: Failures, response_id_sent: str | None) -> None:
        self.report = Reported()
        self.started = False
        self.end: Done | Failed | None = None
        self._origin = origin
        self._failures = failures
        self._response_id_sent = response_id_sent
        self._items: dict[int, JSON] = {}

    def opened(self, request_id: str | None) -> None:
        self.report = Reported(request_id=request_id)

    def read(self, event: Any) -> Iterable[StreamEvent]:
        kind = event.get("type")
        required = REQUIRED.get(kind)
        if required is not None:
            return (self._frame(kind, event, required),)
        match kind:
            case "response.created":
                self.started = True
                self._note(event["response"])
                return (self.report,)
            case "response.completed" | "response.incomplete":
                self.started = True
                self._finish(kind, event["response"])
            case "response.failed":
                self.started = True
                response = event["response"]
                self._note(response)
                self._fail({"error": response.get("error") or {"message": "the response failed"}})
            case "error":
                self._fail(event)
            case None if event.get("error"):
                self._fail(event)
            case str():
                self.started = True  # an event of a tool, a server's own, or of a later version: no frame of ours
            case _:
                raise ValueError("an event without a type")
        return ()

    def _frame(self, kind: str, event: Frame, required: tuple[tuple[str, type], ...]) -> Frame:
        self.started = True
        for name, shape in required:
            if type(event[name]) is not shape:
                raise TypeError(name)
        event.pop("sequence_number", None)
        event.pop("obfuscation", None)
        if "logprobs" in event and not event["logprobs"]:
            del event["logprobs"]
        if kind == "response.output_item.done":
            self._items[event["output_index"]] = event["item"]
        return event

    def _note(self, response: Mapping[str, Any]) -> None:
        """Take what a response object says about the call; later ones win, but not by saying nothing."""
        raw = response.get("usage")
        known = {
            "response_id": response["id"],
            "model": response.get("model"),
            "service_tier": response.get("service_tier"),
            "usage": usage_from(raw),
            "usage_raw": raw,
        }
        self.report = replace(self.report, **{name: value for name, value in known.items() if value is not None})

    def _fail(self, event: Mapping[str, Any]) -> None:
        error = self._failures.from_event(
            event, request_id=self.report.request_id, response_id_sent=self._response_id_sent
        )
        self.end = Failed(error, self.report, self.started)

    def _finish(self, kind: str, response: Mapping[str, Any]) -> None:
        self._note(response)
        # An item of output_item.done is the one to keep (its encrypted_content is whole); the terminal
        # event knows of items that were cut off before theirs came.
        items = dict(enumerate(response.get("output") or ())) | self._items
        data = [items[index] for index in sorted(items)]
        if kind == "response.completed":
            refusal = _refusal(data)
            if refusal is not None:
                words = self._failures.redact(refusal)
                self.end = Failed(Refused(words, request_id=self.report.request_id), self.report, True)
                return
            stop_reason, incomplete_reason = "completed", None
        else:
            details = response.get("incomplete_details") or {}
            stop_reason = incomplete_reason = details.get("reason") or "incomplete"
        self.end = Done(
            tuple(Item(item, origin=self._origin) for item in data),
            self.report,
            stop_reason,
            incomplete_reason,
            # A call that was cut off is not to be carried out.
            needs_tools=incomplete_reason is None and any(item["type"] == "function_call" for item in data),
        )


def _refusal(items: Iterable[JSON]) -> str | None:
    """The words of a refusal in `items`, None if there is none."""
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    refusals = [part["refusal"] for part in parts if part["type"] == "refusal"]
    return "".join(refusals) if refusals else None


# --- usage ---------------------------------------------------------------------------------------


def usage_from(raw: Mapping[str, Any] | None) -> Usage | None:
    """`usage` of a response as disjoint buckets; None if there is none or its numbers contradict each other.

    OpenAI counts cached and written tokens inside `input_tokens` (openai 3.54.0, response_usage.py).
    Writes without a split by lifetime are of 30 minutes, the default.
    """
    raw = raw or {}
    try:
        inside = raw.get("input_tokens_details") or {}
        by_lifetime = inside.get("cache_write_tokens_details") or {}
        total, read = raw.get("input_tokens"), inside.get("cached_tokens")
        written = inside.get("cache_write_tokens")
        written_30m, written_12h = by_lifetime.get("ttl_30m_tokens"), by_lifetime.get("ttl_12h_tokens")
        if written is not None:
            rest = written - (written_30m or 0) - (written_12h or 0)
            if rest < 0:
                return None
            written_30m = (written_30m or 0) + rest
        return disjoint(
            uncached=None if total is None else total - (read or 0) - (written_30m or 0) - (written_12h or 0),
            read=read,
            written_30m=written_30m,
            written_12h=written_12h,
            output=raw.get("output_tokens"),
            reasoning=(raw.get("output_tokens_details") or {}).get("reasoning_tokens"),
        )
    except (AttributeError, TypeError):
        return None  # not the shape that was promised
