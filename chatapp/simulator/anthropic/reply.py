"""One message: its content, its usage and its stream of events. [Streaming messages; SDK types/raw_*_event.py]"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from ..exchange import DELTA, END_FOLLOWS, OTHER, Frame
from ..faults import Fault


@dataclass
class MessageReply:
    """An answer in the Messages protocol."""

    message: dict[str, Any]
    """Complete, as a request that does not stream gets it."""
    usage: dict[str, Any]
    split: Callable[[str], list[str]]
    on_begin: Callable[[], None]
    on_complete: Callable[[], None]
    omit_usage: bool = False

    def begin(self) -> None:
        self.on_begin()

    def complete(self) -> None:
        self.on_complete()

    def whole(self) -> dict[str, Any]:
        if self.omit_usage:
            return {name: value for name, value in self.message.items() if name != "usage"}
        return self.message

    def injected(self, fault: Fault) -> bytes:
        if fault.kind == "malformed_data":
            return b'event: content_block_delta\ndata: {"type":"content_block_delta","ind\n\n'
        if fault.kind == "unknown_event":
            return _event("simulator_unknown_event", note="a client ignores what it does not know")
        return _event("error", error={"type": "overloaded_error", "message": "Overloaded"})

    def frames(self) -> Iterator[Frame]:
        message = self.message
        # The split by lifetime is in message_start only; output is a first count that message_delta replaces.
        started = {
            **message, "content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None,
            "usage": {**self.usage, "output_tokens": min(1, self.usage["output_tokens"])},
        }  # fmt: skip
        started["usage"].pop("output_tokens_details", None)
        yield _event("message_start", message=started), OTHER
        for index, block in enumerate(message["content"]):
            yield from self._block(block, index)
        delta = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
        ended: dict[str, Any] = {"delta": {**delta, "container": None}}
        if not self.omit_usage:
            names = (
                "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens",
                "output_tokens_details",
            )  # fmt: skip
            ended["usage"] = {name: self.usage[name] for name in names}
        yield END_FOLLOWS
        yield _event("message_delta", **ended), OTHER
        yield _event("message_stop"), OTHER

    def _block(self, block: dict[str, Any], index: int) -> Iterator[Frame]:
        match block["type"]:
            case "thinking":
                begun = {**block, "thinking": "", "signature": ""}
                parts = [("thinking_delta", "thinking", self.split(block["thinking"]))]
                parts.append(("signature_delta", "signature", [block["signature"]]))
            case "tool_use":
                begun = {**block, "input": {}}
                text = json.dumps(block["input"], ensure_ascii=False)
                parts = [("input_json_delta", "partial_json", ["", *self.split(text)])]
            case _:
                begun = {**block, "text": ""}
                parts = [("text_delta", "text", self.split(block["text"]))]
        yield _event("content_block_start", index=index, content_block=begun), OTHER
        if index == 0:
            yield _event("ping"), OTHER
        for kind, name, pieces in parts:
            head = (
                f'event: content_block_delta\ndata: {{"type":"content_block_delta","index":{index},'
                f'"delta":{{"type":"{kind}","{name}":'
            )
            for piece in pieces:
                yield f"{head}{encode_basestring(piece)}}}}}\n\n".encode(), DELTA
        yield _event("content_block_stop", index=index), OTHER


def _event(kind: str, **fields: Any) -> bytes:
    text = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {text}\n\n".encode()
