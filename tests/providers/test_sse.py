"""Reading an event stream, whatever the network does to it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatapp.providers._sse import Decoder, encodable, parse

STREAM = b': hello\n\nevent: a\ndata: {"n":1}\n\ndata:two\ndata: lines\nid: 3\n\nretry: 10\n\ndata: [DONE]\n\n'
PAYLOADS = [b'{"n":1}', b"two\nlines", b"[DONE]"]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@given(cuts=st.lists(st.integers(0, 200)))
def test_events_are_the_same_however_the_network_cuts_them(line_end: bytes, cuts: list[int]) -> None:
    stream = STREAM.replace(b"\n", line_end)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    decoder = Decoder()

    payloads = [p for start, end in zip(edges, edges[1:], strict=False) for p in decoder.feed(stream[start:end])]

    assert payloads == PAYLOADS


def test_lines_that_end_in_a_lone_carriage_return_are_lines() -> None:
    decoder = Decoder()

    assert decoder.feed(b"data: 1\r\rdata: 2\r\r:") == [b"1", b"2"]


def test_an_event_without_its_blank_line_is_not_an_event() -> None:
    assert Decoder().feed(b"data: 1\n") == []


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (rb'{"delta":"a\ud83d"}', {"delta": "a�"}),
        (rb'{"\udc00":["\ud83d\ude00"]}', {"�": ["😀"]}),
        (b'"\xff"', "�"),
    ],
)
def test_what_cannot_be_encoded_is_replaced(payload: bytes, value: object) -> None:
    assert parse(payload) == value
    json.dumps(parse(payload), ensure_ascii=False).encode()


@pytest.mark.parametrize("payload", [b"", b"{", b"NaN", b'{"a":Infinity}', b"[DONE]"])
def test_what_is_not_json_is_an_error(payload: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        parse(payload)


def test_what_can_be_encoded_is_left_alone() -> None:
    value = {"text": "😀", "list": [1, {"a": None}]}

    assert encodable(value) is value
    assert encodable({"text": "x\ud83d", "tuple": ("\udc00",)}) == {"text": "x�", "tuple": ["�"]}
