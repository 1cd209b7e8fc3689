"""Turns that another process runs: heard through the log, stopped through the row, ended by their rows."""

import uuid
from dataclasses import dataclass

import pytest
from django.db import transaction
from django.utils import timezone

from chatapp.live.runtime import Runtime
from chatapp.turns.hop import hop
from chatapp.turns.outcome import Outcome, terminal_frame
from chatapp.turns.recovery import interrupt
from chatapp.vocab.assemble import assemble
from chatapp.vocab.events import Frame
from sessions_store import models as rows
from tests import factories
from tests.simulator_process import SimulatorAccount
from tests.waiting import until
from tests.web.conftest import OpenTab, assert_whole, stored

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Elsewhere:
    """A turn that another process claims, logs and ends, by hand."""

    turn: rows.Turn
    numbered: int = 0

    def _numbered(self, frame: Frame) -> Frame:
        made = {**frame, "sequence_number": self.numbered, "stet:turn": str(self.turn.pk)}
        self.numbered += 1
        return made

    def log(self, *frames: Frame) -> list[Frame]:
        """One flush of its log."""
        events = [self._numbered(frame) for frame in frames]
        rows.StreamLog.objects.create(
            turn=self.turn,
            first_number=events[0]["sequence_number"],
            last_number=events[-1]["sequence_number"],
            events=events,
        )
        return events

    def begin(self) -> None:
        opened = {"id": "m1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        self.log(
            {"type": "response.created", "response": {"id": f"resp_{self.turn.pk.hex}", "status": "in_progress"}},
            {"type": "response.output_item.added", "output_index": 0, "item": opened},
        )

    def say(self, *words: str) -> None:
        common = {"type": "response.output_text.delta", "item_id": "m1", "output_index": 0, "content_index": 0}
        self.log(*({**common, "delta": word} for word in words))

    def end(self, text: str, *, logged: bool) -> None:
        """Complete: items and row first, as the engine commits them, then the last flush."""
        part = {"type": "output_text", "text": text, "annotations": []}
        item = {"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
        rows.Item.objects.create(turn=self.turn, position=1, data=item)
        last = self.numbered + 1 if logged else self.numbered - 1
        now = timezone.now()
        assert rows.Turn.objects.move(self.turn.pk, "streaming", "completed", ended_at=now, last_number=last)
        rows.Conversation.touch(self.turn.conversation_id, now, changed_at=now)
        if logged:
            self.log(
                {"type": "response.output_item.done", "output_index": 0, "item": item},
                terminal_frame(self.turn.pk, self.turn.model, Outcome("completed"), text),
            )


def _elsewhere(owner: rows.User) -> Elsewhere:
    lease = rows.ProcessLease.objects.create(host="elsewhere", pid=1)
    conversation = factories.make_conversation(owner)
    factories.make_turn(conversation)
    turn = factories.make_turn(conversation, rows.Turn.State.STREAMING, answer=None, lease=lease)
    made = Elsewhere(turn)
    made.begin()
    made.say("One ")
    return made


async def test_a_turn_of_another_process_is_heard_and_ends(open_tab: OpenTab, alice: rows.User) -> None:
    there = await hop(_elsewhere, alice)
    turn = there.turn.pk
    tab, late = await open_tab(alice), await open_tab(alice)
    assert (await tab.watch(there.turn.conversation_id))["running"] == str(turn)
    await tab.send("stet:resume", stet_turn=turn, starting_after=-1)
    assert await tab.text_of(turn) == "One "
    await hop(there.say, "two ", "three.")
    await tab.text_of(turn, len("One two three."))
    await late.send("stet:resume", stet_turn=turn, starting_after=2)
    await late.hear("response.output_text.delta")
    await hop(there.end, "One two three.", logged=True)
    events = await tab.end_of(turn)

    assert_whole(events)
    assert_whole(await late.end_of(turn), 2)
    assert assemble(events)[0]["content"][0]["text"] == "One two three."
    assert tab.of("stet:snapshot") == late.of("stet:snapshot") == []


async def test_a_turn_of_another_process_whose_end_is_not_in_the_log_ends_by_a_snapshot(
    open_tab: OpenTab, alice: rows.User
) -> None:
    there = await hop(_elsewhere, alice)
    turn = there.turn.pk
    tab = await open_tab(alice)
    await tab.watch(there.turn.conversation_id)
    await tab.send("stet:resume", stet_turn=turn, starting_after=-1)
    await tab.text_of(turn)
    await hop(there.end, "One, as it is stored.", logged=False)
    snapshot = await tab.hear("stet:snapshot")

    assert snapshot["stet:state"] == "completed"
    assert snapshot["response"]["output"][0]["content"][0]["text"] == "One, as it is stored."


async def test_a_turn_whose_process_died_ends_by_a_snapshot_with_what_was_logged(
    open_tab: OpenTab, alice: rows.User
) -> None:
    there = await hop(_elsewhere, alice)
    turn = there.turn.pk
    tab = await open_tab(alice)
    await tab.watch(there.turn.conversation_id)
    await tab.send("stet:resume", stet_turn=turn, starting_after=-1)
    await tab.text_of(turn)
    assert await hop(interrupt, there.turn, timezone.now())
    snapshot = await tab.hear("stet:snapshot")

    assert snapshot["stet:state"] == "interrupted"
    assert snapshot["response"]["error"]["code"] == "stet:interrupted"
    assert snapshot["response"]["output"][0]["content"][0]["text"] == "One "
    assert snapshot["sequence_number"] == 2


async def test_a_turn_begun_elsewhere_while_a_page_watches_is_followed_from_its_first_event(
    open_tab: OpenTab, alice: rows.User
) -> None:
    conversation = await hop(factories.make_conversation, alice)
    tab = await open_tab(alice)
    await tab.watch(conversation.pk)

    def begin() -> Elsewhere:
        lease = rows.ProcessLease.objects.create(host="elsewhere", pid=1)
        turn = factories.make_turn(conversation, rows.Turn.State.STREAMING, answer=None, lease=lease)
        rows.Conversation.touch(conversation.pk, timezone.now())
        return Elsewhere(turn)

    there = await hop(begin)
    added = await tab.hear("stet:turn.added")
    assert (added["stet:turn"], added["stet:state"]) == (str(there.turn.pk), "streaming")
    await hop(there.begin)
    await hop(there.say, "Hello.")
    await tab.text_of(there.turn.pk)
    await hop(there.end, "Hello.", logged=True)

    assert_whole(await tab.end_of(there.turn.pk))


async def test_a_waiting_turn_that_ran_elsewhere_between_two_looks_is_told_all_the_same(
    open_tab: OpenTab, alice: rows.User
) -> None:
    there = await hop(_elsewhere, alice)
    conversation = there.turn.conversation
    waiting = await hop(factories.make_turn, conversation, rows.Turn.State.QUEUED)
    tab = await open_tab(alice)
    watching = await tab.watch(conversation.pk)
    assert watching["queued"] == [str(waiting.pk)]

    def both_end() -> None:
        there.end("One.", logged=False)
        rows.Turn.objects.move(waiting.pk, "queued", "streaming", started_at=timezone.now())
        second = Elsewhere(waiting)
        second.begin()
        second.say("Two.")
        second.end("Two.", logged=True)

    # In one transaction, because the runner here must not be quicker than the process that this stands for.
    await hop(transaction.atomic(both_end))
    events = await tab.end_of(waiting.pk)

    assert_whole(events)


async def test_stop_of_a_turn_run_elsewhere_is_written_down_for_its_process(
    open_tab: OpenTab, alice: rows.User
) -> None:
    there = await hop(_elsewhere, alice)
    tab = await open_tab(alice)
    await tab.send("stet:cancel", stet_turn=there.turn.pk)
    await tab.pong()

    assert tab.of("error") == []
    assert (await hop(stored, there.turn.pk)).stop_requested_at is not None
    assert (await hop(stored, there.turn.pk)).state == "streaming"


async def test_a_stop_written_by_another_process_is_heard_here(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount, live: Runtime
) -> None:
    account.pace(delay_seconds=0.02, delta_chars=8)
    tab = await open_tab(alice)
    turn = await tab.ask("write 2000 words", uuid.uuid4())
    await tab.text_of(turn)
    await hop(rows.Turn.objects.filter(pk=turn).update, stop_requested_at=timezone.now())
    live.runner.wake()
    events = await tab.end_of(turn)

    assert events[-1]["response"]["incomplete_details"] == {"reason": "stet:cancelled"}


async def test_a_turn_that_was_taken_from_this_process_ends_for_its_readers_when_its_row_does(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount, live: Runtime
) -> None:
    account.pace(delay_seconds=0.02, delta_chars=8)
    tab = await open_tab(alice)
    turn = await tab.ask("write 2000 words", uuid.uuid4())
    await tab.text_of(turn)
    live.runner.lose_all()
    await until(lambda: account.requests()[0]["finished"] == "client_closed", "the call is ended")
    snapshot = await tab.hear("stet:snapshot")

    assert snapshot["stet:state"] == "interrupted"  # and never one of a turn that still streams and goes no further
    assert snapshot["response"]["output"]
    assert (await hop(stored, turn)).state == "interrupted"
