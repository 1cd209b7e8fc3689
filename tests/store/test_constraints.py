"""What the database itself refuses, whoever asks."""

import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from sessions_store.models import Call, Item, Turn
from sessions_store.models.call import BUCKETS
from tests.factories import make_call, make_conversation, make_turn

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]


def test_an_owner_cannot_use_a_client_id_twice_even_in_another_conversation(alice):
    turn = make_turn(make_conversation(alice))
    other = make_conversation(alice)

    with pytest.raises(IntegrityError), transaction.atomic():
        make_turn(other, client_id=turn.client_id)

    assert Turn.objects.filter(client_id=turn.client_id).count() == 1


def test_two_owners_may_have_the_same_client_id(alice, bob):
    same = uuid.uuid4()

    make_turn(make_conversation(alice), client_id=same)
    make_turn(make_conversation(bob), client_id=same)

    assert Turn.objects.filter(client_id=same).count() == 2


def test_a_conversation_cannot_have_two_streaming_turns(alice):
    conversation = make_conversation(alice)
    make_turn(conversation, Turn.State.STREAMING)

    with pytest.raises(IntegrityError), transaction.atomic():
        make_turn(conversation, Turn.State.STREAMING)


def test_two_conversations_may_stream_at_once(alice):
    make_turn(make_conversation(alice), Turn.State.STREAMING)
    make_turn(make_conversation(alice), Turn.State.STREAMING)

    assert Turn.objects.filter(state=Turn.State.STREAMING).count() == 2


def test_a_turn_state_nobody_knows_is_refused(alice):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_turn(make_conversation(alice), "lost")


@pytest.mark.parametrize("state", [Turn.State.COMPLETED, Turn.State.INTERRUPTED])
def test_an_ended_turn_must_say_when(alice, state):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_turn(make_conversation(alice), state, ended_at=None)


def test_a_running_turn_cannot_have_ended(alice):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_turn(make_conversation(alice), Turn.State.STREAMING, ended_at=timezone.now())


@pytest.mark.parametrize("state", [state for state in Call.State if state != Call.State.OPEN])
def test_a_finished_call_must_say_when(alice, state):
    turn = make_turn(make_conversation(alice))

    with pytest.raises(IntegrityError), transaction.atomic():
        make_call(turn, state, ended_at=None)


@pytest.mark.parametrize("state", ["", "open", "done"])
def test_a_call_with_an_end_must_have_a_state_of_an_ended_one(alice, state):
    turn = make_turn(make_conversation(alice))

    with pytest.raises(IntegrityError), transaction.atomic():
        make_call(turn, state, ended_at=timezone.now())


@pytest.mark.parametrize("bucket", [*BUCKETS, "cost_nanousd"])
def test_a_bucket_cannot_be_negative(alice, bucket):
    turn = make_turn(make_conversation(alice))

    with pytest.raises(IntegrityError), transaction.atomic():
        make_call(turn, **{bucket: -1})


@pytest.mark.parametrize("bucket", BUCKETS)
def test_an_unknown_bucket_stays_unknown(alice, bucket):
    call = make_call(make_turn(make_conversation(alice)), **{bucket: None})

    assert getattr(Call.objects.get(pk=call.pk), bucket) is None


def test_two_items_cannot_stand_at_the_same_position(alice):
    turn = make_turn(make_conversation(alice))

    with pytest.raises(IntegrityError), transaction.atomic():
        Item.objects.create(turn=turn, position=0, data={"type": "message"})


@pytest.mark.parametrize(
    "data",
    [
        {"z": 1, "a": 2, "m": {"y": 1, "b": 2}},
        {"text": "before\x00after"},
        {"text": "half of a pair: \ud83d"},
        {"text": "\ude00"},
        {"text": "a pair 😀, é, 漢字"},
        {"number": 1.0, "large": 2**70, "none": None, "list": []},
    ],
    ids=["key order", "NUL", "high surrogate", "low surrogate", "other scripts", "numbers"],
)
def test_json_comes_back_exactly_as_it_was_written(alice, data):
    turn = make_turn(make_conversation(alice))

    item = Item.objects.create(turn=turn, position=7, data=data)

    found = Item.objects.get(pk=item.pk).data
    assert found == data
    assert list(found) == list(data)
    assert [type(value) for value in found.values()] == [type(value) for value in data.values()]


def test_json_is_stored_as_ascii_text(alice):
    turn = make_turn(make_conversation(alice))
    item = Item.objects.create(turn=turn, position=7, data={"b": "é\x00\ud83d", "a": 1})

    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM sessions_store_item WHERE id = %s", [item.pk])
        (text,) = cursor.fetchone()

    assert text == '{"b":"\\u00e9\\u0000\\ud83d","a":1}'
