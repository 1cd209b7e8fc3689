"""Server-sent events, from bytes off the wire to parsed JSON. Knows no provider's events.

The SDKs build a typed object per event, which costs up to 150 µs each; an answer has twenty
thousand. Here an event is a slice of a network chunk, parsed by orjson.

Lone surrogates: JSON may hold half of a surrogate pair (`"\\ud83d"`), a string that cannot be
encoded again. Both ways, in and out, such a half becomes U+FFFD, the replacement character.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import orjson


class Decoder:
    """Splits a byte stream into the `data` of its events, however the network cut it.

    Follows "Interpreting an event stream" of the HTML standard: lines end in LF, CRLF or CR; comments
    and other fields are skipped; several `data` lines are joined by LF; an event without its blank
    line is dropped at the end.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The payloads of all events that `chunk` completes."""
        buffer = self._buffer
        searched = max(0, len(buffer) - 2)  # what is left in the buffer holds no whole event
        if b"\r" in chunk or buffer[-1:] == b"\r":
            self._append_normalised(chunk)
        elif not buffer and chunk.endswith(b"\n\n"):
            return _payloads(chunk)
        else:
            buffer += chunk
        end = buffer.rfind(b"\n\n", searched)
        if end < 0:
            return []
        whole = bytes(buffer[:end])
        del buffer[: end + 2]
        return _payloads(whole)

    def _append_normalised(self, chunk: bytes) -> None:
        """Append `chunk` with LF for every line end, but for a final CR: it may be the first half of a CRLF."""
        buffer = self._buffer
        if buffer[-1:] == b"\r":
            del buffer[-1:]
            chunk = b"\r" + chunk
        body = chunk.removesuffix(b"\r")
        buffer += body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + chunk[len(body) :]


def _payloads(events: bytes) -> list[bytes]:
    payloads = []
    for event in events.split(b"\n\n"):
        data = [line[6:] if line[5:6] == b" " else line[5:] for line in event.split(b"\n") if line[:5] == b"data:"]
        if data:
            payloads.append(data[0] if len(data) == 1 else b"\n".join(data))
    return payloads


def parse(payload: bytes) -> Any:
    """The JSON value of `payload`, free of lone surrogates and invalid UTF-8. ValueError if it is not JSON."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        # orjson is strict about surrogates, which providers do send: a token may end inside a pair.
        value = json.loads(payload.decode("utf-8", "replace"), parse_constant=_not_json)
        return _encodable(value)


def encodable(value: dict[str, Any]) -> dict[str, Any]:
    """`value` as plain JSON types that UTF-8 can hold; the very same object where it already is that."""
    try:
        orjson.dumps(value)
    except TypeError:
        copy: dict[str, Any] = _encodable(value)
        return copy
    return value


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        return {_encodable(key): _encodable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(part) for part in value]
    return value


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
