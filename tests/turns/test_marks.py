"""Marks and caches through the real SDKs and the simulator: what is marked, what is read, and why not."""

from typing import Any

import pytest
from django.utils import timezone

from chatapp import wording
from chatapp.turns.history import load_job
from chatapp.turns.hop import hop
from chatapp.turns.recovery import interrupt
from sessions_store import models as rows
from sessions_store.models.call import BUCKETS
from tests import factories
from tests.turns.conftest import MODELS, Scene

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.every_database]

INSTRUCTIONS = "Answer as a careful librarian would. " * 300
"""Longer than the least that any model here caches."""


async def instruct(scene: Scene, instructions: str) -> None:
    """Give the conversation its instructions, before its first turn or later."""
    found = rows.Conversation.objects.filter(pk=scene.conversation_id)
    if not await hop(found.update, instructions=instructions):
        await hop(
            factories.make_conversation,
            scene.owner,
            pk=scene.conversation_id,
            provider=scene.provider,
            model=MODELS[scene.provider],
            instructions=instructions,
        )


def marked(body: dict[str, Any]) -> list[str]:
    """Where a request carries `cache_control`: "system", or the role and number of a message."""
    places = ["system" for block in body.get("system", []) if "cache_control" in block]
    for number, message in enumerate(body["messages"]):
        places += [f"{message['role']} {number}" for block in message["content"] if "cache_control" in block]
    return places


def die(turn: rows.Turn, words: str) -> None:
    """Undo the end of `turn`, as if its process had died after `words` (none: before the first), and recover it."""
    rows.Item.objects.filter(turn=turn, position__gt=0).delete()
    rows.Turn.objects.filter(pk=turn.pk).update(
        state="streaming", account="", response_id="", ended_at=None, first_token_at=None, last_number=-1
    )
    unknown = dict.fromkeys((*BUCKETS, "usage", "price", "cost_nanousd", "without_cache_nanousd", "first_token_at"))
    rows.Call.objects.filter(turn=turn).update(state="open", ended_at=None, response_id="", **unknown)
    turn.refresh_from_db()
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **at, "part": part},
        {"type": "response.output_text.delta", **at, "delta": words},
    ]
    logged = [{**event, "sequence_number": number} for number, event in enumerate(events if words else events[:1])]
    rows.StreamLog.objects.create(turn=turn, first_number=0, last_number=len(logged) - 1, events=logged)
    assert interrupt(turn, timezone.now())


def explained(scene: Scene, call: rows.Call) -> str:
    return wording.miss_reason((call.plan or {})["expected"], call, 1_024)


@pytest.mark.parametrize("provider", ["anthropic"])
async def test_instructions_the_earlier_question_and_the_new_end_are_marked_and_read(scene: Scene) -> None:
    await instruct(scene, INSTRUCTIONS)
    played = [await scene.say(text) for text in ("one", "two", "three")]

    bodies = [request["body"] for request in scene.account.requests()]
    assert [marked(body) for body in bodies] == [
        ["system", "user 0"],
        ["system", "user 0", "user 2"],
        ["system", "user 2", "user 4"],
    ]
    for body in bodies:
        assert body["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "5m"}

    (first,), (second,), (third,) = [await hop(one.calls) for one in played]
    assert (first.read_tokens, first.written_tokens) == (0, first.input_tokens)
    assert second.read_tokens == first.input_tokens
    assert third.read_tokens == second.input_tokens


@pytest.mark.parametrize("provider", ["anthropic"])
async def test_a_short_conversation_carries_no_mark_and_reads_nothing(scene: Scene) -> None:
    played = [await scene.say(text) for text in ("one", "two")]

    assert [marked(request["body"]) for request in scene.account.requests()] == [[], []]
    for one in played:
        (call,) = await hop(one.calls)
        assert (call.read_tokens, call.written_tokens) == (0, 0)
        assert "this model caches from" in wording.miss_reason((call.plan or {})["expected"], call, 512)


async def test_changed_instructions_lose_the_cache_and_the_turn_says_so(scene: Scene) -> None:
    await instruct(scene, INSTRUCTIONS)
    await scene.say("one")
    await instruct(scene, "Answer in French. " + INSTRUCTIONS)
    changed, after = await scene.say("two"), await scene.say("three")

    (call,) = await hop(changed.calls)
    assert call.plan["expected"]["reason"] == "changed"
    assert call.plan["expected"]["read"] == call.read_tokens == 0
    assert explained(scene, call) == (
        "The instructions changed, and a cache holds only what stands unchanged from the start."
    )
    (call,) = await hop(after.calls)
    assert call.plan["expected"]["reason"] == ""
    assert call.plan["expected"]["read"] > 1_024
    assert call.read_tokens and call.read_tokens > 1_024
    assert explained(scene, call) == ""


async def test_after_a_pause_longer_than_the_cache_lives_the_turn_says_so(scene: Scene) -> None:
    await instruct(scene, INSTRUCTIONS)
    await scene.say("one")
    scene.wait(3 * 3_600)
    (call,) = await hop((await scene.say("two")).calls)

    assert call.read_tokens == 0
    lives = {"openai": "30 minutes", "anthropic": "5 minutes"}[scene.provider]
    assert explained(scene, call) == f"3 hours passed; this cache lives {lives}."


@pytest.mark.parametrize("words", ["As far as it came", ""], ids=["with text", "before a word"])
async def test_after_a_crash_the_next_turn_knows_who_was_answering(scene: Scene, words: str) -> None:
    await instruct(scene, INSTRUCTIONS)
    crashed = await scene.say("one")
    await hop(die, crashed.turn, words)
    await hop(crashed.turn.refresh_from_db)
    assert (crashed.turn.state, crashed.turn.account) == ("interrupted", "")

    went_on = await scene.say("Go on.")
    (turn,) = (await hop(load_job, went_on.turn.pk)).past
    (lost,) = await hop(crashed.calls)
    (call,) = await hop(went_on.calls)
    assert (turn.provider, turn.model, turn.account) == (lost.provider, lost.model, lost.account)
    assert turn.account == call.account != ""
    assert call.plan["expected"]["reason"] == ("" if words else "first")
    assert (call.plan["expected"]["read"] > 1_024) == bool(words)
    assert "model changed" not in explained(scene, call)
