"""The Anthropic Messages wire protocol, in this order: stream, usage.

Here and nowhere else is decided what Anthropic's events mean; `build`, how a `Request` reads in
Anthropic's words, has a module of its own beside this one. Trying again is the engine's.

How blocks become items: consecutive text blocks are the parts of one message item, because a cited
answer comes as many blocks in the middle of sentences; every other block is an item of its own
(`thinking` and `redacted_thinking` are `reasoning`, `tool_use` is `function_call`, and what Open
Responses has no word for is `anthropic:<type>`). `Item.native` is the verbatim block, for a message
of several text blocks `{"content": [...]}` with all of them. Item ids are made from the message id
and the index of the first block.

Sources: Claude docs "Streaming messages", "Prompt caching", "Handling stop reasons", "Thinking",
"Errors" (Aug to Nov 2026) and the types of anthropic 2.12.0 (API version 2026-10-21).
"""

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import replace
from typing import Any

import anthropic
import httpx2

from chatapp.providers._anthropic_request import PROVIDER, as_object, build
from chatapp.providers._attempt import attempt
from chatapp.providers._failures import Failures
from chatapp.providers._usage import disjoint
from chatapp.providers.base import Config
from chatapp.vocab.errors import Refused
from chatapp.vocab.events import Done, Failed, Frame, Reported, StreamEvent
from chatapp.vocab.items import JSON, Item, Origin
from chatapp.vocab.request import Request
from chatapp.vocab.usage import Usage

__all__ = ["AnthropicMessages", "build", "usage_from"]

BASE_URL = "https://api.anthropic.com"

# --- stream --------------------------------------------------------------------------------------


class AnthropicMessages:
    """An `Adapter` for api.anthropic.com and servers that speak its Messages API."""

    def __init__(self, config: Config) -> None:
        # Key, base URL and tracing are always given: left out, the SDK would look for them in the environment.
        self._client = anthropic.AsyncAnthropic(
            api_key=config.key or "none",
            base_url=config.base_url or BASE_URL,
            timeout=httpx2.Timeout(config.timeout_seconds, connect=config.connect_timeout_seconds),
            max_retries=0,
            open_telemetry=False,
        )
        # From ANTHROPIC_CUSTOM_HEADERS, to which no argument of the constructor says no.
        self._client._custom_headers = {}
        self._failures = Failures(config.key)

    def stream(self, request: Request) -> AsyncGenerator[StreamEvent, None]:
        """As `Adapter.stream` says."""
        return attempt(
            lambda: self._client.messages.with_streaming_response.create(**build(request)),
            _Reader(Origin(PROVIDER, request.model), self._failures),
            self._failures,
            request_id_header="request-id",
        )

    async def aclose(self) -> None:
        """Close the pool."""
        await self._client.close()


COMPLETE = frozenset({"end_turn", "stop_sequence", "tool_use"})
INCOMPLETE = {"max_tokens": "max_output_tokens", "model_context_window_exceeded": "context_window"}
"""Stop reasons that cut an answer off, in our words. Others that are not COMPLETE keep their own."""


class _Block:
    """A content block while it grows. `item` is the (possibly shared) item it belongs to."""

    __slots__ = ("citations", "content_index", "input_json", "item", "native", "output_index", "signature", "texts")

    def __init__(self, native: JSON, item: JSON, output_index: int, content_index: int) -> None:
        self.native = native
        self.item = item
        self.output_index = output_index
        self.content_index = content_index
        self.texts: list[str] = []
        self.signature: list[str] = []
        self.input_json: list[str] = []
        self.citations: list[JSON] = []

    def frame(self, kind: str, **fields: Any) -> Frame:
        return {"type": f"response.{kind}", "item_id": self.item["id"], "output_index": self.output_index, **fields}


class _Reader:
    """Translates one answer; see `chatapp.providers._attempt.Reader`."""

    def __init__(self, origin: Origin, failures: Failures) -> None:
        self.report = Reported()
        self.started = False
        self.end: Done | Failed | None = None
        self._origin = origin
        self._failures = failures
        self._usage: JSON = {}
        self._message_id = ""
        self._stop: JSON = {}
        self._open: dict[int, _Block] = {}
        self._items: list[tuple[JSON, list[JSON]]] = []
        self._item_ended = True
        self._handlers = {
            "message_start": self._message_start,
            "content_block_start": self._block_start,
            "content_block_delta": self._block_delta,
            "content_block_stop": self._block_stop,
            "message_delta": self._message_delta,
            "message_stop": self._message_stop,
            "error": self._error,
        }
        self._deltas = {
            "text_delta": self._text_delta,
            "input_json_delta": self._input_json_delta,
            "thinking_delta": self._thinking_delta,
            "signature_delta": self._signature_delta,
            "citations_delta": self._citations_delta,
        }

    def opened(self, request_id: str | None) -> None:
        self.report = Reported(request_id=request_id)

    def read(self, event: Any) -> Iterable[StreamEvent]:
        kind = event["type"]
        handler = self._handlers.get(kind)
        if handler is not None:
            return handler(event)
        if not isinstance(kind, str):
            raise TypeError("type")
        return ()  # a ping, or what a later version sends

    def _message_start(self, event: JSON) -> Iterable[StreamEvent]:
        message = event["message"]
        self.started = True
        self._message_id = message["id"]
        self._usage = message.get("usage") or {}
        usage = usage_from(self._usage)
        self.report = replace(
            self.report,
            response_id=self._message_id,
            model=message.get("model"),
            service_tier=self._usage.get("service_tier"),
            # Input and cache are final here unless a server tool runs; the output has only begun, so it is unknown.
            usage=usage and replace(usage, output=None, reasoning=None),
            usage_raw=self._usage or None,
        )
        return (self.report,)

    def _block_start(self, event: JSON) -> Iterable[StreamEvent]:
        native = event["content_block"]
        kind = native["type"]
        frames: list[Frame] = []
        joins = kind == "text" and not self._item_ended and self._items[-1][0]["type"] == "message"
        if not joins:
            frames += self._end_item("completed")
            item = self._new_item(native, f"{self._message_id}_{event['index']}")
            self._items.append((item, []))
            self._item_ended = False
            # A copy, for the item grows on: its lists are replaced, never changed.
            added = {"type": "response.output_item.added", "output_index": len(self._items) - 1, "item": dict(item)}
            frames.append(added)
        item, natives = self._items[-1]
        natives.append(native)
        block = self._open[event["index"]] = _Block(native, item, len(self._items) - 1, len(natives) - 1)
        if kind == "text":
            part = {"type": "output_text", "text": "", "annotations": []}
            frames.append(block.frame("content_part.added", content_index=block.content_index, part=part))
            if native["text"]:
                frames += self._text_delta(block, native)
        elif kind == "thinking" and native["thinking"]:
            frames += self._thinking_delta(block, native)
        return frames

    def _new_item(self, native: JSON, item_id: str) -> JSON:
        match native["type"]:
            case "text":
                fields: JSON = {"type": "message", "role": "assistant", "content": []}
            case "thinking" | "redacted_thinking":
                fields = {"type": "reasoning", "summary": []}
            case "tool_use":
                fields = {"type": "function_call", "call_id": native["id"], "name": native["name"], "arguments": ""}
            case other:
                fields = {"type": f"anthropic:{other}"}
        return {"id": item_id, "status": "in_progress", **fields}

    def _block_delta(self, event: JSON) -> Iterable[StreamEvent]:
        delta = event["delta"]
        handler = self._deltas.get(delta["type"])
        return () if handler is None else handler(self._open[event["index"]], delta)

    def _text_delta(self, block: _Block, delta: JSON) -> Iterable[Frame]:
        text = delta["text"]
        if type(text) is not str:
            raise TypeError("text")
        block.texts.append(text)
        return (
            {
                "type": "response.output_text.delta",
                "item_id": block.item["id"],
                "output_index": block.output_index,
                "content_index": block.content_index,
                "delta": text,
            },
        )

    def _thinking_delta(self, block: _Block, delta: JSON) -> Iterable[Frame]:
        text = delta["thinking"]
        if type(text) is not str:
            raise TypeError("thinking")
        frame = block.frame("reasoning_summary_text.delta", summary_index=0, delta=text)
        if not text:
            return ()
        block.texts.append(text)
        if len(block.texts) > 1:
            return (frame,)
        part = {"type": "summary_text", "text": ""}
        return (block.frame("reasoning_summary_part.added", summary_index=0, part=part), frame)

    def _input_json_delta(self, block: _Block, delta: JSON) -> Iterable[Frame]:
        text = delta["partial_json"]
        if type(text) is not str:
            raise TypeError("partial_json")
        block.input_json.append(text)
        if not text or block.native["type"] != "tool_use":
            return ()
        return (block.frame("function_call_arguments.delta", delta=text),)

    def _signature_delta(self, block: _Block, delta: JSON) -> Iterable[Frame]:
        block.signature.append(delta["signature"])
        return ()

    def _citations_delta(self, block: _Block, delta: JSON) -> Iterable[Frame]:
        block.citations.append(delta["citation"])
        return ()

    def _block_stop(self, event: JSON) -> Iterable[StreamEvent]:
        block = self._open.pop(event["index"])
        native, text = block.native, "".join(block.texts)
        match native["type"]:
            case "text":
                return self._text_stop(block, text)
            case "thinking":
                native["thinking"] = text
                native["signature"] = native.get("signature", "") + "".join(block.signature)
                if not text:
                    return ()
                part = {"type": "summary_text", "text": text}
                block.item["summary"] = [part]
                return (
                    block.frame("reasoning_summary_text.done", summary_index=0, text=text),
                    block.frame("reasoning_summary_part.done", summary_index=0, part=part),
                )
            case "tool_use":
                arguments = "".join(block.input_json) or json.dumps(native["input"], ensure_ascii=False)
                native["input"] = as_object(arguments)
                block.item["arguments"] = arguments
                return (block.frame("function_call_arguments.done", arguments=arguments),)
            case _:
                if block.input_json and "input" in native:
                    native["input"] = as_object("".join(block.input_json))
                return ()

    def _text_stop(self, block: _Block, text: str) -> Iterable[Frame]:
        native = block.native
        native["text"] = text
        if block.citations:
            native["citations"] = [*(native.get("citations") or ()), *block.citations]
        annotations = [note for note in (_annotation(one, text) for one in native.get("citations") or ()) if note]
        part = {"type": "output_text", "text": text, "annotations": annotations}
        block.item["content"] = [*block.item["content"], part]
        index = block.content_index
        return (
            *(
                block.frame(
                    "output_text.annotation.added", content_index=index, annotation_index=number, annotation=note
                )
                for number, note in enumerate(annotations)
            ),
            block.frame("output_text.done", content_index=index, text=text),
            block.frame("content_part.done", content_index=index, part=part),
        )

    def _end_item(self, status: str) -> list[Frame]:
        """Close the last item. Only what follows tells that a message has no more parts, or was cut off."""
        if self._item_ended:
            return []
        self._item_ended = True
        item, _ = self._items[-1]
        item["status"] = status
        return [{"type": "response.output_item.done", "output_index": len(self._items) - 1, "item": item}]

    def _message_delta(self, event: JSON) -> Iterable[StreamEvent]:
        self._stop = {**self._stop, **event["delta"]}
        # Cumulative: replace, never add. The split by lifetime exists in message_start only.
        self._usage = {**self._usage, **{name: n for name, n in (event.get("usage") or {}).items() if n is not None}}
        self.report = replace(self.report, usage=usage_from(self._usage), usage_raw=self._usage or None)
        return ()

    def _message_stop(self, event: JSON) -> Iterable[StreamEvent]:
        stop_reason = self._stop["stop_reason"]
        if not isinstance(stop_reason, str) or self._open:
            raise ValueError("message_stop before the answer was whole")
        frames = self._end_item("incomplete" if stop_reason in INCOMPLETE else "completed")
        if stop_reason == "refusal":
            details = self._stop.get("stop_details") or {}
            words = self._failures.redact(details.get("explanation") or details.get("category") or "")
            self.end = Failed(Refused(words, request_id=self.report.request_id), self.report, True)
        else:
            self.end = Done(
                tuple(self._item(data, natives) for data, natives in self._items),
                self.report,
                stop_reason,
                None if stop_reason in COMPLETE else INCOMPLETE.get(stop_reason, stop_reason),
                needs_tools=stop_reason == "tool_use",
            )
        return frames

    def _item(self, data: JSON, natives: list[JSON]) -> Item:
        native = natives[0] if len(natives) == 1 else {"content": natives}
        return Item(data, native, self._origin)

    def _error(self, event: JSON) -> Iterable[StreamEvent]:
        error = self._failures.from_event(event, request_id=self.report.request_id, response_id_sent=None)
        self.end = Failed(error, self.report, self.started)
        return ()


def _annotation(citation: JSON, text: str) -> JSON | None:
    """A citation as an annotation of the whole of its block; None where Open Responses has no such kind.

    What is None is still in the native block. Locations in documents have no counterpart, unless the
    document is a file with an id.
    """
    title = citation.get("title") or citation.get("document_title") or ""
    url = citation.get("url") or citation.get("source")
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return {"type": "url_citation", "url": url, "title": title, "start_index": 0, "end_index": len(text)}
    if citation.get("file_id"):
        return {"type": "file_citation", "file_id": citation["file_id"], "filename": title, "index": len(text)}
    return None


# --- usage ---------------------------------------------------------------------------------------


def usage_from(raw: Mapping[str, Any] | None) -> Usage | None:
    """`usage` of a message as disjoint buckets; None if there is none or its numbers contradict each other.

    `raw` is the usage of message_start overlaid with that of message_delta, whose counts are final. Anthropic
    counts read and written tokens beside `input_tokens` (Claude "Prompt caching"; anthropic 2.12.0, usage.py).
    The split of writes by lifetime comes in message_start only: what was written beyond it counts as 5 minutes,
    the lifetime that server tools write with.
    """
    raw = raw or {}
    try:
        split = raw.get("cache_creation") or {}
        written_5m, written_1h = split.get("ephemeral_5m_input_tokens"), split.get("ephemeral_1h_input_tokens")
        written = raw.get("cache_creation_input_tokens")
        if written is not None:
            rest = written - (written_5m or 0) - (written_1h or 0)
            if rest < 0:
                return None
            written_5m = (written_5m or 0) + rest
        return disjoint(
            uncached=raw.get("input_tokens"),
            read=raw.get("cache_read_input_tokens"),
            written_5m=written_5m,
            written_1h=written_1h,
            output=raw.get("output_tokens"),
            reasoning=(raw.get("output_tokens_details") or {}).get("thinking_tokens"),
        )
    except (AttributeError, TypeError):
        return None  # not the shape that was promised
