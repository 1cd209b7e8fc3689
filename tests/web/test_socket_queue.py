"""Messages that wait, and Stop: in order, back to the composer, and never said twice."""

import uuid
from typing import Any

import pytest

from chatapp.live.runtime import Runtime
from chatapp.turns.hop import hop
from sessions_store import models as rows
from tests.simulator_process import SimulatorAccount
from tests.waiting import until
from tests.web.conftest import OpenTab, Tab, assert_whole, stored

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "write 2000 words"


def _slow(account: SimulatorAccount) -> None:
    account.pace(delay_seconds=0.02, delta_chars=8)


def _draft(conversation: uuid.UUID) -> str:
    return rows.Conversation.objects.get(pk=conversation).draft


async def _running_with_two_behind(tab: Tab) -> tuple[uuid.UUID, list[uuid.UUID]]:
    conversation = uuid.uuid4()
    turns = [await tab.ask(text, conversation) for text in (LONG, "second", "third")]
    await tab.text_of(turns[0])
    return conversation, turns


async def test_queued_messages_run_in_the_order_they_were_sent(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.002)
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    turns = [await tab.ask(f"write 20 words {number}", conversation) for number in range(4)]
    for turn in turns:
        assert_whole(await tab.end_of(turn))

    ends = [frame["stet:turn"] for frame in tab.heard if frame["type"] == "response.completed"]
    assert ends == [str(turn) for turn in turns]
    states = [frame["stet:state"] for frame in tab.of("stet:turn.added")]
    assert set(states) <= {"queued", "streaming"}
    parents = [(await hop(stored, turn)).parent_id for turn in turns]
    assert parents == [None, *turns[:3]]


async def test_stop_closes_the_upstream_and_brings_back_what_waits(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    _slow(account)
    tab, other = await open_tab(alice), await open_tab(alice)
    conversation, (running, *waiting) = await _running_with_two_behind(tab)
    await other.watch(conversation)
    await tab.send("stet:cancel", stet_turn=running)
    await tab.end_of(running)
    for each in (tab, other):
        for turn, text in zip(waiting, ("second", "third"), strict=True):
            frame = await each.hear("stet:queue.returned", lambda frame, turn=turn: frame["stet:turn"] == str(turn))
            assert (frame["text"], frame["stet:conversation"]) == (text, str(conversation))
    await until(lambda: account.requests()[0]["finished"] == "client_closed", "the provider sees the end")

    assert await hop(_draft, conversation) == "second\n\nthird"
    assert [(await hop(stored, turn)).state for turn in waiting] == ["cancelled", "cancelled"]
    assert len([one for one in account.requests() if "second" in str(one["body"])]) == 0
    assert len(tab.of("stet:queue.returned")) == 2


async def test_a_failure_brings_back_what_waits(open_tab: OpenTab, alice: rows.User, account: SimulatorAccount) -> None:
    account.pace(delay_seconds=0.01)
    account.faults([{"kind": "cut_clean", "after_deltas": 60}])
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    failing = await tab.ask("write 300 words", conversation)
    waiting = await tab.ask("second", conversation)
    assert (await tab.end_of(failing))[-1]["type"] == "response.failed"
    frame = await tab.hear("stet:queue.returned")

    assert (frame["stet:turn"], frame["text"]) == (str(waiting), "second")
    assert await hop(_draft, conversation) == "second"


async def test_a_page_that_looks_again_at_the_end_is_told_once_what_came_back(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    _slow(account)
    tab = await open_tab(alice)
    conversation, (running, *waiting) = await _running_with_two_behind(tab)
    await tab.send("stet:cancel", stet_turn=running)
    await tab.end_of(running)
    await tab.watch(conversation)  # before the hub has looked for news
    await until(lambda: len(tab.of("stet:queue.returned")) >= 2, "both came back")
    await tab.pong()

    assert [frame["stet:turn"] for frame in tab.of("stet:queue.returned")] == [str(turn) for turn in waiting]


async def test_what_came_back_is_not_told_again_to_those_who_look_later(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    _slow(account)
    tab = await open_tab(alice)
    conversation, (running, *waiting) = await _running_with_two_behind(tab)
    await tab.send("stet:cancel", stet_turn=running)
    await tab.end_of(running)
    await until(lambda: len(tab.of("stet:queue.returned")) == 2, "both came back")
    account.pace(delay_seconds=0)
    later = await open_tab(alice)
    await later.watch(conversation)
    await tab.watch(conversation)
    turn = await later.ask("next", conversation)
    for each in (tab, later):
        await each.hear("stet:turn.added", lambda frame: frame["stet:turn"] == str(turn))
        await each.hear("stet:conversation", lambda frame: not frame["running"] and frame["revision"] > 8)

    assert later.of("stet:queue.returned") == []
    assert len(tab.of("stet:queue.returned")) == 2
    assert await hop(_draft, conversation) == ""
    assert (await hop(stored, turn)).parent_id == running


async def test_one_waiting_message_can_be_taken_back_and_the_others_still_run(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.005)
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    first, second, third = [await tab.ask(text, conversation) for text in ("write 100 words", "second", "third")]
    await tab.send("stet:cancel", stet_turn=second)
    frame = await tab.hear("stet:queue.returned")
    await tab.end_of(first)
    await tab.end_of(third)

    assert (frame["stet:turn"], frame["text"]) == (str(second), "second")
    assert (await hop(stored, third)).parent_id == first
    assert await hop(_draft, conversation) == "second"
    assert len(tab.of("stet:queue.returned")) == 1
    assert tab.events(second) == []
    await tab.send("stet:cancel", stet_turn=second)
    assert (await tab.hear("error"))["error"]["code"] == "turn_ended"


async def test_cancel_for_a_turn_that_has_ended_says_so(open_tab: OpenTab, alice: rows.User) -> None:
    tab = await open_tab(alice)
    turn = await tab.ask("one", uuid.uuid4())
    await tab.end_of(turn)
    await tab.send("stet:cancel", stet_turn=turn)
    error = await tab.hear("error")

    assert (error["status"], error["error"]["code"], error["error"]["param"]) == (409, "turn_ended", "stet:turn")
    assert (await hop(stored, turn)).state == "completed"


async def test_stop_while_a_retry_is_waited_for_ends_the_turn(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    account.faults([{"kind": "rate_limited", "retry_after": 50, "times": 5}])
    tab = await open_tab(alice)
    turn = await tab.ask("one", uuid.uuid4())
    waiting = await tab.hear("stet:retrying")
    await tab.send("stet:cancel", stet_turn=turn)
    events = await tab.end_of(turn)

    assert (waiting["attempt"], waiting["wait_seconds"], waiting["error"]["code"]) == (2, 50, "rate_limited")
    assert_whole(events)
    assert events[-1]["response"]["incomplete_details"] == {"reason": "stet:cancelled"}
    assert len(account.requests()) == 1


async def test_a_message_can_branch_from_an_earlier_turn_and_from_the_root(open_tab: OpenTab, alice: rows.User) -> None:
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    first = await tab.ask("one", conversation)
    await tab.end_of(first)
    second = await tab.ask("two", conversation)
    await tab.end_of(second)
    beside = await tab.ask("two, differently", conversation, stet_parent=first)
    await tab.end_of(beside)
    anew = await tab.ask("one, differently", conversation, stet_parent=None)
    await tab.end_of(anew)

    assert (await hop(stored, beside)).parent_id == first
    assert (await hop(stored, anew)).parent_id is None
    assert (await hop(rows.Conversation.objects.get, pk=conversation)).head_id == anew


async def test_while_the_server_drains_nothing_is_taken_and_what_runs_may_end(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount, live: Runtime
) -> None:
    account.pace(delay_seconds=0.005)
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    turn = await tab.ask("write 100 words", conversation)
    await tab.text_of(turn)
    live.draining = True
    client_id = uuid.uuid4()
    await tab.send("response.create", input="two", stet_client_id=client_id, stet_conversation=conversation)
    error = await tab.hear("error")

    assert (error["status"], error["error"]["code"]) == (503, "shutting_down")
    assert error["stet:client_id"] == str(client_id)
    assert await hop(rows.Turn.objects.count) == 1
    assert (await tab.end_of(turn))[-1]["type"] == "response.completed"
    live.draining = False


async def test_a_drain_ends_what_does_not_end_by_itself_as_interrupted(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount, live: Runtime
) -> None:
    _slow(account)
    tab = await open_tab(alice)
    conversation, (running, *waiting) = await _running_with_two_behind(tab)
    await live.drain(0)
    events = await tab.end_of(running)

    assert events[-1]["response"]["error"]["code"] == "stet:interrupted"
    assert_whole(events)
    assert (await hop(stored, running)).state == "interrupted"
    assert await hop(_draft, conversation) == "second\n\nthird"
    assert [(await hop(stored, turn)).state for turn in waiting] == ["cancelled", "cancelled"]


async def test_the_model_can_be_changed_with_a_message(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount, settings: Any
) -> None:
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    await tab.end_of(await tab.ask("one", conversation, "openai"))
    there = await tab.ask("two", conversation, "anthropic")
    await tab.end_of(there)
    kept = await tab.ask("three", conversation, provider="anthropic", model="claude-sonnet-5-5")
    await tab.end_of(kept)

    assert [(await hop(stored, turn)).provider for turn in (there, kept)] == ["anthropic", "anthropic"]
    row = await hop(rows.Conversation.objects.get, pk=conversation)
    assert (row.provider, row.model) == ("anthropic", "claude-sonnet-5-5")
