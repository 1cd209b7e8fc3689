"""Whatever a socket is sent: one specified answer, nothing written, and the socket stays usable."""

import json
import uuid
from typing import Any

import pytest

from chatapp import consumers
from chatapp.live.frames import ERROR_CODES
from chatapp.turns.hop import hop
from sessions_store import models as rows
from tests.web.conftest import MODELS, OpenTab, Tab, everything

pytestmark = pytest.mark.django_db(transaction=True)

CREATE: dict[str, Any] = {
    "type": "response.create",
    "input": "hello",
    "stet:client_id": "d1b7a3b6-3f57-4a39-8a6c-0a1b2c3d4e5f",
    "stet:conversation": "0f0e0d0c-0b0a-4a08-8706-050403020100",
    "provider": "openai",
    "model": MODELS["openai"],
}


def but(**changes: Any) -> dict[str, Any]:
    """A good message with some fields changed; ... leaves one out."""
    named = {key.replace("stet_", "stet:", 1): value for key, value in changes.items()}
    return {key: value for key, value in {**CREATE, **named}.items() if value is not ...}


BAD: dict[str, tuple[str | bytes | dict[str, Any], str, str | None]] = {
    # frame, code, param
    "bytes": (b'{"type":"stet:ping"}', "malformed_frame", None),
    "blank": (" ", "malformed_frame", None),
    "not JSON": ("{", "malformed_frame", None),
    "array": ('["response.create"]', "malformed_frame", None),
    "number": ("7", "malformed_frame", None),
    "null": ("null", "malformed_frame", None),
    "nested without end": ("[" * 100_000, "malformed_frame", None),
    "a number of 5,000 digits": ('{"type":"stet:ping","n":' + "1" * 5_000 + "}", "malformed_frame", None),
    "no type": ("{}", "malformed_frame", None),
    "type of wrong kind": ('{"type":["stet:ping"]}', "malformed_frame", None),
    "unknown type": ({"type": "stet:nothing"}, "unknown_type", "type"),
    "half a character as type": ('{"type":"\\ud800"}', "unknown_type", "type"),
    "a server's type": ({"type": "stet:turn.added"}, "unknown_type", "type"),
    "too large": (json.dumps(but(input="x" * 256 * 1024)), "frame_too_large", None),
    "1 MB": (json.dumps(but(input="x" * 10**6)), "frame_too_large", None),
    "no input": (but(input=...), "invalid_field", "input"),
    "input null": (but(input=None), "invalid_field", "input"),
    "input as items": (but(input=[{"type": "message"}]), "invalid_field", "input"),
    "nothing": (but(input=""), "empty_message", "input"),
    "white space": (but(input=" \n\t\u2003 "), "empty_message", "input"),
    "too long": (but(input="x" * 1_001), "message_too_long", "input"),
    "NUL": (but(input="a\x00b"), "invalid_text", "input"),
    "half a character": (but(input="a\ud800b"), "invalid_text", "input"),
    "the other half": (but(input="\udc00"), "invalid_text", "input"),
    "no client id": (but(stet_client_id=...), "invalid_field", "stet:client_id"),
    "client id of wrong kind": (but(stet_client_id=5), "invalid_field", "stet:client_id"),
    "client id no UUID": (but(stet_client_id="\ud800"), "invalid_field", "stet:client_id"),
    "no conversation": (but(stet_conversation=...), "invalid_field", "stet:conversation"),
    "conversation of wrong kind": (but(stet_conversation={"id": 1}), "invalid_field", "stet:conversation"),
    "conversation no UUID": (but(stet_conversation="1"), "invalid_field", "stet:conversation"),
    "parent of wrong kind": (but(stet_parent=5), "invalid_field", "stet:parent"),
    "parent no UUID": (but(stet_parent="head"), "invalid_field", "stet:parent"),
    "provider of wrong kind": (but(provider=5), "invalid_field", "provider"),
    "model of wrong kind": (but(model=["x"]), "invalid_field", "model"),
    "unknown model": (but(model="gpt-nothing"), "unknown_model", "model"),
    "unknown provider": (but(provider="nobody"), "unknown_model", "model"),
    "no provider": (but(provider=...), "unknown_model", "model"),
    "no model": (but(model=...), "unknown_model", "model"),
    "neither": (but(provider=..., model=...), "unknown_model", "model"),
    "model with NUL": (but(model="a\x00"), "unknown_model", "model"),
    "watch without": ({"type": "stet:watch"}, "invalid_field", "stet:conversation"),
    "watch of wrong kind": ({"type": "stet:watch", "stet:conversation": 1}, "invalid_field", "stet:conversation"),
    "resume without turn": ({"type": "stet:resume", "starting_after": 1}, "invalid_field", "stet:turn"),
    "resume turn no UUID": (
        {"type": "stet:resume", "stet:turn": "x", "starting_after": 1},
        "invalid_field",
        "stet:turn",
    ),
    **{
        f"resume after {after!r}": (
            {"type": "stet:resume", "stet:turn": CREATE["stet:client_id"], "starting_after": after},
            "invalid_field",
            "starting_after",
        )
        for after in (None, "1", 1.0, True, -2, [1])
    },
    "resume without number": (
        {"type": "stet:resume", "stet:turn": CREATE["stet:client_id"]},
        "invalid_field",
        "starting_after",
    ),
    "cancel without": ({"type": "stet:cancel"}, "invalid_field", "stet:turn"),
    "cancel of wrong kind": ({"type": "stet:cancel", "stet:turn": None}, "invalid_field", "stet:turn"),
}


async def _answer(tab: Tab, frame: str | bytes | dict[str, Any]) -> list[dict[str, Any]]:
    """What comes between this frame and the next pong, news of the list left out."""
    before = len(tab.heard)
    if isinstance(frame, bytes):
        await tab.raw(data=frame)
    else:
        await tab.raw(frame if isinstance(frame, str) else json.dumps(frame))
    await tab.pong()
    return [heard for heard in tab.heard[before:] if heard["type"] not in ("stet:pong", "stet:conversation")]


async def test_every_bad_frame_has_its_answer_writes_nothing_and_the_socket_stays_usable(
    open_tab: OpenTab, alice: rows.User, settings: Any
) -> None:
    settings.STET_MAX_MESSAGE_CHARS = 1_000
    tab = await open_tab(alice)
    wrong = {}
    for name, (frame, code, param) in BAD.items():
        heard = await _answer(tab, frame)
        errors = [(one["type"], one["status"], one["error"]["code"], one["error"]["param"]) for one in heard]
        if errors != [("error", ERROR_CODES[code], code, param)]:
            wrong[name] = heard
        assert all(one["error"]["message"].endswith(".") for one in heard), name

    assert wrong == {}
    assert set((await hop(everything)).values()) == {0}
    await tab.end_of(await tab.ask("still here?", uuid.uuid4()))


async def test_an_error_names_the_message_it_answers(open_tab: OpenTab, alice: rows.User) -> None:
    tab = await open_tab(alice)
    for frame in (but(input=""), but(model="gpt-nothing")):
        (error,) = await _answer(tab, frame)
        assert error["stet:client_id"] == CREATE["stet:client_id"]


async def test_a_megabyte_is_taken_or_refused_as_the_settings_say(
    open_tab: OpenTab, alice: rows.User, settings: Any
) -> None:
    settings.STET_MAX_FRAME_BYTES = 2_000_000
    settings.STET_MAX_MESSAGE_CHARS = 1_000_000
    tab = await open_tab(alice)
    (error,) = await _answer(tab, but(input="x" * 1_000_001))
    assert error["error"]["code"] == "message_too_long"
    assert "1,000,001" in error["error"]["message"] and "1,000,000" in error["error"]["message"]
    assert await hop(rows.Turn.objects.count) == 0
    turn = await tab.ask("x" * 1_000_000, uuid.uuid4())

    assert (await tab.end_of(turn))[-1]["type"] in ("response.completed", "response.incomplete")


@pytest.mark.parametrize("named", [{"provider": ""}, {"model": ""}, {"model": "gpt-nothing"}])
async def test_half_a_model_is_not_silently_passed_over(
    open_tab: OpenTab, alice: rows.User, named: dict[str, str]
) -> None:
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    await tab.end_of(await tab.ask("one", conversation))
    (error,) = await _answer(
        tab, but(stet_conversation=str(conversation), **{"provider": "openai", "model": MODELS["openai"], **named})
    )

    assert error["error"]["code"] == "unknown_model"
    assert await hop(rows.Turn.objects.count) == 1


async def test_more_messages_than_the_limit_are_refused_and_what_was_sent_before_is_still_the_same_turn(
    open_tab: OpenTab, alice: rows.User, bob: rows.User, settings: Any
) -> None:
    settings.STET_MESSAGES_PER_MINUTE = 2
    tab, other = await open_tab(alice), await open_tab(alice)
    client_id = uuid.uuid4()
    first = await tab.ask("one", uuid.uuid4(), client_id=client_id)
    await other.ask("two", uuid.uuid4())
    heard = await _answer(tab, CREATE)
    (error,) = [frame for frame in heard if frame["type"] == "error"]

    assert (error["status"], error["error"]["code"]) == (429, "rate_limited")
    assert await hop(rows.Turn.objects.count) == 2
    assert await tab.ask("one", uuid.uuid4(), client_id=client_id) == first
    await (await open_tab(bob)).ask("another person", uuid.uuid4())


async def test_text_of_every_script_and_its_white_space_arrive_as_written(open_tab: OpenTab, alice: rows.User) -> None:
    text = "  code:\n\n\tx = 1  \n\u202eمرحبا 👩‍👩‍👧 \u0007 e\u0301\r\nend  "
    tab = await open_tab(alice)
    turn = await tab.ask(text, uuid.uuid4())
    item = await hop(rows.Item.objects.get, turn_id=turn, position=0)

    assert item.data["content"][0]["text"] == text
    assert tab.of("stet:turn.added")[0]["text"] == text


async def test_a_tab_that_floods_is_told_so_and_what_it_sent_then_is_not_carried_out(
    open_tab: OpenTab, alice: rows.User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "FRAMES_AT_ONCE", 3.0)
    monkeypatch.setattr(consumers, "FRAMES_PER_SECOND", 0.0)
    tab = await open_tab(alice)
    await tab.pong()
    await tab.ask("one", uuid.uuid4())
    await tab.pong()
    await tab.raw(json.dumps(CREATE))
    error = await tab.hear("error")
    assert (error["status"], error["error"]["code"]) == (429, "rate_limited")
    assert error["stet:client_id"] == CREATE["stet:client_id"]
    assert await hop(rows.Turn.objects.count) == 1
    assert tab.code is None

    for _ in range(4):  # of these not even the answers are kept
        await tab.raw("{")
    assert await tab.closed() == 4429
