"""Turns through the real SDKs against the simulator: how they end, what is kept and what is billed."""

import asyncio
from typing import Any

import pytest

from chatapp.turns.engine import Stop
from chatapp.turns.hop import hop
from chatapp.vocab.assemble import assemble
from chatapp.vocab.items import answer_text
from sessions_store import models as rows
from tests.turns.conftest import Scene
from tests.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.every_database]


async def test_a_turn_ends_with_its_answer_stored_and_its_call_priced(scene: Scene) -> None:
    played = await scene.say("table of three rivers")

    assert played.outcome.state == played.turn.state == "completed"
    (call,) = await hop(played.calls)
    assert call.state == "completed"
    assert call.input_tokens is not None and call.input_tokens > 0
    assert call.output_tokens is not None and call.output_tokens > 0
    assert call.cost_nanousd is not None and call.cost_nanousd > 0
    assert call.price is not None
    assert played.feed.frames[-1]["type"] == "response.completed"
    assert [frame["sequence_number"] for frame in played.feed.frames] == list(range(len(played.feed.frames)))
    assert played.turn.last_number == played.feed.last_number
    text = await hop(played.text)
    assert text
    assert answer_text(assemble(played.feed.frames)) == text


async def test_a_later_turn_reads_what_an_earlier_one_wrote(scene: Scene) -> None:
    long = "Here is a long note to keep in mind. " * 400
    first = await scene.say(long)
    second = await scene.say("And now?")
    third = await scene.say("And then?")

    (call,) = await hop(first.calls)
    assert call.read_tokens == 0
    assert call.written_tokens > 1_024
    for played in (second, third):
        (call,) = await hop(played.calls)
        assert call.read_tokens and call.read_tokens > 0.9 * (call.input_tokens or 0)
        assert call.saved_nanousd and call.saved_nanousd > 0


async def test_instructions_can_change_and_are_sent_again_with_every_call(scene: Scene) -> None:
    first = await scene.say("write 80 words")  # long enough to be thought about first
    await hop(rows.Conversation.objects.filter(pk=scene.conversation_id).update, instructions="Answer in French.")
    second = await scene.say("two")
    third = await scene.say("write 80 words")
    fourth = await scene.say("three")

    assert [played.turn.state for played in (first, second, third, fourth)] == ["completed"] * 4
    bodies = [request["body"] for request in scene.account.requests()]
    if scene.provider == "openai":
        assert bodies[1]["previous_response_id"] == first.turn.response_id
        assert len(bodies[1]["input"]) == 1
        assert bodies[1]["instructions"] == "Answer in French."
    else:
        assert [message["role"] for message in bodies[1]["messages"]] == ["user", "assistant", "user"]
        assert bodies[1]["system"][0]["text"] == "Answer in French."
    assert second.turn.response_id != first.turn.response_id


@pytest.mark.parametrize("provider", ["openai"])
async def test_a_forgotten_response_is_replayed_in_full_once(scene: Scene) -> None:
    first = await scene.say("one")
    await hop(rows.Turn.objects.filter(pk=first.turn.pk).update, response_id="resp_" + "0" * 32)
    second = await scene.say("two")

    assert second.turn.state == "completed"
    failed, answered = await hop(second.calls)
    assert (failed.state, failed.error["code"], failed.cost_nanousd) == ("failed", "previous_response_not_found", 0)
    assert answered.state == "completed"
    assert answered.previous_response_id == ""
    types = [(item["type"], item.get("role")) for item in scene.account.requests()[-1]["body"]["input"]]
    assert types == [("message", "user"), ("reasoning", None), ("message", "assistant"), ("message", "user")]


FAULTS: list[tuple[str, dict[str, Any], str, str, bool | None]] = [
    # kind, parameters, state, code, whether text had arrived (None: Anthropic refuses without a word)
    ("rate_limited", {"retry_after": 0.01}, "failed", "rate_limited", False),
    ("server_error", {}, "failed", "server_error", False),
    ("overloaded", {}, "failed", "overloaded", False),
    ("bad_key", {}, "failed", "bad_key", False),
    ("unknown_model", {}, "failed", "unknown_model", False),
    ("context_too_long", {}, "failed", "context_too_long", False),
    ("refused", {}, "failed", "refused", None),
    ("reset_before_first_byte", {}, "failed", "connection_failed", False),
    ("cut_clean", {"after_deltas": 100}, "failed", "truncated_stream", True),
    ("cut_unclean", {"after_deltas": 100}, "failed", "broken_stream", True),
    ("error_event", {"after_deltas": 100}, "failed", "", True),
    ("malformed_data", {"after_deltas": 100}, "failed", "malformed_data", True),
    ("stall", {"after_deltas": 100, "seconds": 30}, "failed", "timeout", True),
    ("slow_drip", {"delay_seconds": 0.001}, "completed", "", True),
    ("unknown_event", {}, "completed", "", True),
    ("no_usage", {}, "completed", "", True),
]


@pytest.mark.parametrize(("kind", "parameters", "state", "code", "text"), FAULTS, ids=[row[0] for row in FAULTS])
async def test_every_fault_ends_in_its_state_with_what_had_arrived(
    scene: Scene, kind: str, parameters: dict[str, Any], state: str, code: str, text: bool | None
) -> None:
    scene.account.faults([{"kind": kind, "times": 10, **parameters}])
    played = await scene.say("write 300 words")

    assert played.turn.state == state
    if code:
        assert played.turn.error["code"] == code
    calls = await hop(played.calls)
    retryable = code in {"rate_limited", "server_error", "overloaded", "connection_failed"} and not text
    assert len(calls) == (3 if retryable else 1)
    assert [call.attempt for call in calls] == list(range(1, len(calls) + 1))
    assert all(call.state != "open" for call in calls)
    kept = await hop(played.text)
    assert text is None or bool(kept) == text
    assert answer_text(assemble(played.feed.frames)) == kept
    ends = [frame for frame in played.feed.frames if frame["type"] in ("response.completed", "response.failed")]
    assert len(ends) == 1 and played.feed.frames[-1] is ends[0]


async def test_a_fault_that_passes_is_retried_and_every_attempt_is_in_the_ledger(scene: Scene) -> None:
    scene.account.faults([{"kind": "overloaded", "times": 1}, {"kind": "rate_limited", "retry_after": 0.01}])
    played = await scene.say("hello")

    assert played.turn.state == "completed"
    calls = await hop(played.calls)
    assert [(call.state, (call.error or {}).get("code")) for call in calls] == [
        ("failed", "overloaded"),
        ("failed", "rate_limited"),
        ("completed", None),
    ]
    assert [call.cost_nanousd for call in calls[:2]] == [0, 0]
    retrying = [frame for frame in played.feed.frames if frame["type"] == "stet:retrying"]
    assert [frame["attempt"] for frame in retrying] == [2, 3]


async def test_stop_closes_the_upstream_and_keeps_and_estimates_what_had_arrived(scene: Scene) -> None:
    scene.account.pace(delay_seconds=0.02, delta_chars=8)
    stop = Stop()
    running = asyncio.create_task(scene.say("write 2000 words", stop=stop))
    await until(lambda: scene.feeds and answer_text(assemble(scene.feeds[0].frames)), "text flows")
    stop.set("stopped")
    played = await running

    assert (played.turn.state, played.turn.reason) == ("cancelled", "stopped")
    assert played.feed.frames[-1]["response"]["incomplete_details"] == {"reason": "stet:cancelled"}
    text = await hop(played.text)
    assert text and answer_text(assemble(played.feed.frames)) == text
    (call,) = await hop(played.calls)
    assert (call.state, call.estimated) == ("cancelled", True)
    assert call.cost_nanousd and call.output_tokens
    await until(lambda: scene.account.requests()[0]["finished"] == "client_closed", "the provider sees the end")


async def test_a_turn_after_a_stopped_one_carries_what_was_kept(scene: Scene) -> None:
    await scene.say("one")
    scene.account.faults([{"kind": "cut_clean", "after_deltas": 100}])
    cut = await scene.say("write 300 words")
    last = await scene.say("go on")

    assert last.turn.state == "completed"
    body = scene.account.requests()[-1]["body"]
    sent = body["input"] if scene.provider == "openai" else body["messages"]
    assert [message["role"] for message in sent][-3:] == ["user", "assistant", "user"]
    assert await hop(cut.text) in str(sent[-2]["content"]).replace("\\n", "\n")


async def test_a_refused_question_is_not_sent_again(scene: Scene) -> None:
    await scene.say("one")
    scene.account.faults([{"kind": "refused"}])
    await scene.say("something forbidden")
    await scene.say("something else")

    assert "forbidden" not in str(scene.account.requests()[-1]["body"])


async def test_the_provider_can_change_in_mid_conversation_and_back(scene: Scene) -> None:
    other = "anthropic" if scene.provider == "openai" else "openai"
    model = {"openai": "gpt-6.1-sol", "anthropic": "claude-sonnet-5-5"}[other]
    await scene.say("one")
    there = await scene.say("two", provider=other, model=model)
    back = await scene.say("three")
    assert [there.turn.provider, back.turn.provider] == [other, scene.provider]
    assert [there.turn.state, back.turn.state] == ["completed", "completed"]


async def test_a_question_that_was_never_answered_does_not_speak_for_the_next_one(scene: Scene) -> None:
    failed = await scene.say("simulate: overloaded")
    answered = await scene.say("hello")

    assert [failed.turn.state, answered.turn.state] == ["failed", "completed"]
