"""One response: its output items, its usage and its stream of events. [Streaming; SDK response_stream_event.py]

Deltas are made from prepared bytes, because this is also what load tests draw from.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any

from ..exchange import DELTA, END_FOLLOWS, OTHER, Frame
from ..faults import Fault
from ..script import Answer
from ..tokens import count_text, cut_text
from . import sealed
from .models import Model

PADDING = "abcdefghijklmnop"


@dataclass
class ResponseReply:
    """An answer in the Responses protocol."""

    response: dict[str, Any]
    """Without output, status and usage: what the request decides."""
    output: list[dict[str, Any]]
    usage: dict[str, Any]
    incomplete: bool
    split: Callable[[str], list[str]]
    on_begin: Callable[[], None]
    on_complete: Callable[[dict[str, Any]], None]
    obfuscate: bool = True
    omit_usage: bool = False
    _number: int = field(default=-1)

    def begin(self) -> None:
        self.on_begin()

    def complete(self) -> None:
        self.on_complete(self._final())

    def whole(self) -> dict[str, Any]:
        final = self._final()
        return {**final, "usage": None} if self.omit_usage else final

    def injected(self, fault: Fault) -> bytes:
        message = "The server had an error while processing your request. Sorry about that!"
        match fault.kind, fault["shape"]:
            case "malformed_data", _:
                return b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","del\n\n'
            case "unknown_event", _:
                return self._event("simulator:unknown_event", note="a client ignores what it does not know")
            case _, "nested":
                error = {"message": message, "type": "server_error", "param": None, "code": "server_error"}
                return b"event: error\ndata: " + json.dumps({"type": "error", "error": error}).encode() + b"\n\n"
            case _, "response_failed":
                failed = {**self.response, "status": "failed", "output": [], "usage": None}
                failed["error"] = {"code": "server_error", "message": message}
                return self._event("response.failed", response=failed)
        return self._event("error", code="server_error", message=message, param=None)

    def frames(self) -> Iterator[Frame]:
        started = {**self.response, "status": "in_progress", "output": [], "usage": None}
        yield self._event("response.created", response=started), OTHER
        yield self._event("response.in_progress", response=started), OTHER
        for index, item in enumerate(self.output):
            yield from self._item(item, index)
        yield END_FOLLOWS
        final = self.whole()
        yield self._event("response.incomplete" if self.incomplete else "response.completed", response=final), OTHER

    def _final(self) -> dict[str, Any]:
        final = {**self.response, "output": self.output, "usage": self.usage}
        final["completed_at"] = None if self.incomplete else final["created_at"]
        final["status"] = "incomplete" if self.incomplete else "completed"
        if self.incomplete:
            final["incomplete_details"] = {"reason": "max_output_tokens"}
        return final

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        data = {"type": kind, "sequence_number": self._number, **fields}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return f"event: {kind}\ndata: {text}\n\n".encode()

    def _deltas(self, kind: str, text: str, fields: dict[str, Any], tail: str = "") -> Iterator[Frame]:
        place = json.dumps(fields, separators=(",", ":"))[1:-1]
        head = f'event: {kind}\ndata: {{"type":"{kind}","sequence_number":'
        middle = f',{place},"delta":'
        for piece in self.split(text):
            self._number += 1
            padding = f',"obfuscation":"{PADDING[len(piece) % 16 :]}"' if self.obfuscate else ""
            line = f"{head}{self._number}{middle}{encode_basestring(piece)}{tail}{padding}}}\n\n"
            yield line.encode(), DELTA

    def _item(self, item: dict[str, Any], index: int) -> Iterator[Frame]:
        place = {"item_id": item["id"], "output_index": index}
        yield self._event("response.output_item.added", output_index=index, item=_begun(item)), OTHER
        if item["type"] == "reasoning":
            yield from self._summary(item, place)
        elif item["type"] == "function_call":
            kind = "response.function_call_arguments"
            yield from self._deltas(f"{kind}.delta", item["arguments"], place)
            yield self._event(f"{kind}.done", **place, arguments=item["arguments"]), OTHER
        elif item["type"] == "message":
            for at, part in enumerate(item["content"]):
                yield from self._part(part, {**place, "content_index": at})
        yield self._event("response.output_item.done", output_index=index, item=item), OTHER

    def _summary(self, item: dict[str, Any], place: dict[str, Any]) -> Iterator[Frame]:
        for at, part in enumerate(item["summary"]):
            where = {**place, "summary_index": at}
            empty = {"type": "summary_text", "text": ""}
            yield self._event("response.reasoning_summary_part.added", **where, part=empty), OTHER
            kind = "response.reasoning_summary_text"
            yield from self._deltas(f"{kind}.delta", part["text"], where)
            yield self._event(f"{kind}.done", **where, text=part["text"]), OTHER
            yield self._event("response.reasoning_summary_part.done", **where, part=part), OTHER

    def _part(self, part: dict[str, Any], where: dict[str, Any]) -> Iterator[Frame]:
        name = "refusal" if part["type"] == "refusal" else "text"
        kind = "response.refusal" if name == "refusal" else "response.output_text"
        extra: dict[str, Any] = {} if name == "refusal" else {"logprobs": []}
        yield self._event("response.content_part.added", **where, part={**part, name: ""}), OTHER
        yield from self._deltas(f"{kind}.delta", part[name], where, ',"logprobs":[]' if extra else "")
        yield self._event(f"{kind}.done", **where, **{name: part[name]}, **extra), OTHER
        yield self._event("response.content_part.done", **where, part=part), OTHER


def _begun(item: dict[str, Any]) -> dict[str, Any]:
    """An item as it looks when it is added: empty, and in progress."""
    begun = {**item, "status": "in_progress"}
    match item["type"]:
        case "message":
            begun["content"] = []
        case "function_call":
            begun["arguments"] = ""
        case "reasoning":
            # May be incomplete here: clients take it from .done. [Reasoning; SDK response_reasoning_item.py]
            begun = {**item, "summary": [], "encrypted_content": item["encrypted_content"][:24]}
    return begun


@dataclass
class Output:
    """Output items within a budget of tokens."""

    model: Model
    organization: str
    left_tokens: int
    items: list[dict[str, Any]] = field(default_factory=list)
    tokens: int = 0
    reasoning_tokens: int = 0
    incomplete: bool = False

    def think(self, text: str, summarized: bool) -> None:
        """A reasoning item; its summary only where it was asked for."""
        used = self._take(count_text(text))
        self.reasoning_tokens = used
        item_id = f"rs_{secrets.token_hex(24)}"
        summary = [{"type": "summary_text", "text": text}] if summarized and not self.incomplete else []
        content = sealed.Seal(self.organization, self.model.id, sealed.digest([item_id, summary]), used)
        self.items.append(
            {"id": item_id, "type": "reasoning", "summary": summary, "encrypted_content": sealed.seal(content)}
        )

    def say(self, answer: Answer, refused: bool, one_call: bool) -> None:
        """The message and the calls."""
        if (answer.text or not answer.tool_calls) and not self.incomplete:
            wanted = count_text(answer.text)
            text = cut_text(answer.text, self.left_tokens) if wanted > self.left_tokens else answer.text
            self._take(wanted)
            part: dict[str, Any] = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
            if refused:
                part = {"type": "refusal", "refusal": text}
            item: dict[str, Any] = {
                "id": f"msg_{secrets.token_hex(24)}",
                "type": "message",
                "status": "incomplete" if self.incomplete else "completed",
                "role": "assistant",
                "content": [part],
            }
            if self.model.generation >= (5, 3):
                item["phase"] = "commentary" if answer.tool_calls else "final_answer"
            self.items.append(item)
        for call in answer.tool_calls[: 1 if one_call else None]:
            if self.incomplete:
                return
            arguments = json.dumps(call.arguments, ensure_ascii=False)
            self._take(count_text(call.name + arguments))
            self.items.append(
                {
                    "id": f"fc_{secrets.token_hex(24)}",
                    "type": "function_call",
                    "status": "incomplete" if self.incomplete else "completed",
                    "arguments": arguments,
                    "call_id": call.id,
                    "name": call.name,
                }
            )

    def _take(self, wanted: int) -> int:
        used = min(wanted, self.left_tokens)
        self.incomplete = self.incomplete or used < wanted
        self.left_tokens -= used
        self.tokens += used
        return used
