"""A process that died: its turns end as interrupted, what the log kept is theirs, and nothing is billed twice."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from chatapp.live.frames import turn_cost_line
from chatapp.live.lease import LeaseKeeper, SecondProcess
from chatapp.live.log import LogWriter
from chatapp.turns.commit import end_turn
from chatapp.turns.feed import Feed
from chatapp.turns.history import load_job
from chatapp.turns.outcome import Outcome
from chatapp.turns.recovery import LOG_KEPT, close_forgotten, interrupt_lost, logged_events, sweep_logs
from chatapp.vocab.items import text_of
from sessions_store.models import Call, Conversation, Item, ProcessLease, StreamLog, Turn, User
from tests.factories import make_call, make_conversation, make_turn

pytestmark = pytest.mark.every_database

PERIOD = timedelta(seconds=15)


@pytest.fixture
def conversation(alice: User) -> Conversation:
    return make_conversation(alice, provider="anthropic", model="claude-sonnet-5-5")


def dead_turn(conversation: Conversation, text: str = "Half an ans") -> Turn:
    """A turn that streamed in a process that is gone, with its open call and its log."""
    lease = ProcessLease.objects.create(host="elsewhere", pid=1)
    turn = make_turn(conversation, Turn.State.STREAMING, answer=None, lease=lease)
    expected = {"uncached": 10, "read": 0, "written": 1_000}
    make_call(turn, Call.State.OPEN, plan={"expected": expected}, model="claude-sonnet-5-5", provider="anthropic")
    feed = Feed(turn.pk, conversation.pk)
    item = {"type": "message", "id": "m", "role": "assistant", "status": "in_progress", "content": []}
    feed.add({"type": "response.output_item.added", "output_index": 0, "item": item})
    for letter in text:
        feed.add(
            {
                "type": "response.output_text.delta",
                "item_id": "m",
                "output_index": 0,
                "content_index": 0,
                "delta": letter,
            }
        )
    writer = LogWriter(lambda: None)
    writer.add(feed)
    writer.flush()
    ProcessLease.end(lease.pk)
    return turn


def own_lease() -> uuid.UUID:
    return ProcessLease.objects.create(host="here", pid=2).pk


def test_a_lost_turn_keeps_its_logged_text_and_ends_as_interrupted(conversation: Conversation) -> None:
    turn = dead_turn(conversation)
    assert interrupt_lost(own_lease(), PERIOD, timezone.now()) == 1
    turn.refresh_from_db()
    assert turn.state == Turn.State.INTERRUPTED
    question, answer = Item.objects.filter(turn=turn)
    assert text_of(answer.data) == "Half an ans"
    assert turn.last_number == len("Half an ans")


def test_its_open_call_is_closed_once_by_estimate(conversation: Conversation) -> None:
    turn = dead_turn(conversation)
    own = own_lease()
    interrupt_lost(own, PERIOD, timezone.now())
    call = Call.objects.get(turn=turn)
    assert (call.state, call.estimated) == (Call.State.INTERRUPTED, True)
    assert call.input_tokens == 1_010
    assert call.output_tokens == 3
    assert call.cost_nanousd is not None and call.cost_nanousd > 0
    assert interrupt_lost(own, PERIOD, timezone.now()) == 0


def test_its_calls_took_until_the_last_sign_of_life_and_not_until_somebody_looked(conversation: Conversation) -> None:
    turn = dead_turn(conversation)
    now = timezone.now()
    seen = now - timedelta(hours=9)
    Call.objects.filter(turn=turn).update(started_at=seen - timedelta(seconds=4))
    ProcessLease.objects.filter(pk=turn.lease_id).update(renewed_at=seen)
    interrupt_lost(own_lease(), PERIOD, now)
    assert turn_cost_line(Call.objects.filter(turn=turn)).seconds == "4.0\u00a0s"
    turn.refresh_from_db()
    assert turn.ended_at == now  # its log is kept for a while from when it was told


@pytest.mark.parametrize("away", [timedelta(minutes=-1), timedelta(minutes=1)], ids=["before it began", "after now"])
def test_no_call_ends_before_it_began_or_after_now(conversation: Conversation, away: timedelta) -> None:
    turn = dead_turn(conversation)
    call = Call.objects.get(turn=turn)
    now = timezone.now()
    ProcessLease.objects.filter(pk=turn.lease_id).update(renewed_at=now + away)
    interrupt_lost(own_lease(), PERIOD, now)
    ended_at = Call.objects.get(pk=call.pk).ended_at
    assert ended_at == (now if away > timedelta() else call.started_at)


def test_a_forgotten_call_of_a_turn_ends_with_its_process(conversation: Conversation) -> None:
    now = timezone.now()
    seen = now - timedelta(hours=9)
    lease = ProcessLease.objects.create(host="elsewhere", pid=1, renewed_at=seen)
    call = make_call(make_turn(conversation, lease=lease), Call.State.OPEN, started_at=seen - timedelta(seconds=4))
    assert close_forgotten(now) == 1
    call.refresh_from_db()
    assert (call.state, call.ended_at) == (Call.State.INTERRUPTED, seen)


def test_a_lost_turn_of_which_nothing_was_seen_has_an_unknown_cost(conversation: Conversation) -> None:
    turn = dead_turn(conversation, text="")
    interrupt_lost(own_lease(), PERIOD, timezone.now())
    call = Call.objects.get(turn=turn)
    assert call.cost_nanousd is None and call.input_tokens is None


def test_what_queued_behind_a_lost_turn_comes_back_to_the_composer(conversation: Conversation) -> None:
    turn = dead_turn(conversation)
    waiting = make_turn(conversation, Turn.State.QUEUED, text="and then?", parent=turn)
    interrupt_lost(own_lease(), PERIOD, timezone.now())
    waiting.refresh_from_db()
    conversation.refresh_from_db()
    assert (waiting.state, waiting.reason) == (Turn.State.CANCELLED, "returned")
    assert conversation.draft == "and then?"


def test_a_living_process_keeps_its_turns(conversation: Conversation) -> None:
    lease = ProcessLease.objects.create(host="elsewhere", pid=1)
    turn = make_turn(conversation, Turn.State.STREAMING, answer=None, lease=lease)
    assert interrupt_lost(own_lease(), PERIOD, timezone.now()) == 0
    turn.refresh_from_db()
    assert turn.state == Turn.State.STREAMING


def test_a_lease_that_is_no_longer_renewed_is_ended_and_cannot_be_renewed_again(conversation: Conversation) -> None:
    lease = ProcessLease.objects.create(host="elsewhere", pid=1)
    make_turn(conversation, Turn.State.STREAMING, answer=None, lease=lease)
    ProcessLease.objects.filter(pk=lease.pk).update(renewed_at=timezone.now() - 2 * PERIOD)
    assert interrupt_lost(own_lease(), PERIOD, timezone.now()) == 1
    assert ProcessLease.renew(lease.pk) is False


def test_the_process_that_lost_a_turn_cannot_end_it_again(conversation: Conversation) -> None:
    turn = dead_turn(conversation)
    interrupt_lost(own_lease(), PERIOD, timezone.now())
    turn.refresh_from_db()
    assert end_turn(turn.pk, turn.lease_id, Outcome("completed"), timezone.now()) is False
    turn.refresh_from_db()
    assert turn.state == Turn.State.INTERRUPTED


def test_the_next_question_carries_the_text_that_was_kept(conversation: Conversation) -> None:
    turn = dead_turn(conversation)
    interrupt_lost(own_lease(), PERIOD, timezone.now())
    follow = make_turn(conversation, Turn.State.QUEUED, text="go on", parent=turn)
    (past,) = load_job(follow.pk).past
    assert [text_of(item.data) for item in past.items] == ["How are you?", "Half an ans"]
    assert past.response_id == ""


def test_a_side_call_of_a_dead_process_is_closed_with_an_unknown_cost(conversation: Conversation) -> None:
    title = make_call(make_turn(conversation), Call.State.OPEN, purpose=Call.Purpose.TITLE)
    Call.objects.update(turn=None)
    assert close_forgotten(timezone.now()) == 0
    assert close_forgotten(timezone.now(), alone=True) == 1
    title.refresh_from_db()
    assert (title.state, title.cost_nanousd) == (Call.State.INTERRUPTED, None)


def test_logs_are_swept_a_while_after_the_end(conversation: Conversation) -> None:
    turn = dead_turn(conversation)
    interrupt_lost(own_lease(), PERIOD, timezone.now())
    assert sweep_logs(timezone.now()) == 0
    assert logged_events(turn.pk)
    assert sweep_logs(timezone.now() + LOG_KEPT + timedelta(minutes=1)) == 1
    assert not StreamLog.objects.filter(turn=turn).exists()


def test_a_log_is_one_row_per_turn_and_flush(conversation: Conversation) -> None:
    turn = make_turn(conversation, Turn.State.STREAMING, answer=None)
    feed, writer = Feed(turn.pk, conversation.pk), LogWriter(lambda: None)
    writer.add(feed)
    for number in range(10):
        feed.add({"type": "response.created"})
        if number % 5 == 4:
            writer.flush()
    assert writer.flush() == 0
    rows = list(StreamLog.objects.filter(turn=turn).values_list("first_number", "last_number"))
    assert rows == [(0, 4), (5, 9)]
    assert [event["sequence_number"] for event in logged_events(turn.pk, after=6)] == [7, 8, 9]
    feed.end()
    writer.flush()
    assert writer.feed(turn.pk) is None


@pytest.fixture
def keeper(transactional_db: None, settings: Any) -> Iterator[LeaseKeeper]:
    keeper = LeaseKeeper(timezone.now, lambda: None, lambda: None)
    yield keeper
    if keeper.lease:
        keeper.stop()


def test_a_second_process_is_refused_on_sqlite_and_welcome_elsewhere(keeper: LeaseKeeper) -> None:
    keeper.start()
    second = LeaseKeeper(timezone.now, lambda: None, lambda: None)
    if connection.vendor == "sqlite":
        with pytest.raises(SecondProcess, match="PostgreSQL"):
            second.start()
    else:
        second.start()
        second.stop()


@pytest.mark.django_db(transaction=True)
def test_the_only_process_ends_what_was_left_behind_at_its_start(keeper: LeaseKeeper) -> None:
    owner = User.objects.create(username="someone")
    conversation = make_conversation(owner, provider="anthropic", model="claude-sonnet-5-5")
    lease = ProcessLease.objects.create(host="here", pid=99)
    turn = make_turn(conversation, Turn.State.STREAMING, answer=None, lease=lease)
    keeper.start()
    turn.refresh_from_db()
    if keeper.alone:
        assert turn.state == Turn.State.INTERRUPTED
    else:
        assert turn.state == Turn.State.STREAMING  # its lease is fresh: it may be alive on another machine
