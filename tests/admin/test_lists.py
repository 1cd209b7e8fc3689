"""Lists: columns, filters, searches, and how many queries they take."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from sessions_store.models import Call, ProcessLease, Turn
from tests.admin.pages import READ_ONLY, list_url, listed, page_url
from tests.factories import make_call, make_conversation, make_turn, make_user

pytestmark = pytest.mark.every_database

NOON = timezone.make_aware(datetime(2026, 3, 10, 12))


def scene(owner: Any, **fields: Any) -> Any:
    """A conversation with a turn and a call."""
    conversation = make_conversation(owner, **fields)
    return make_call(make_turn(conversation))


@pytest.mark.parametrize("model", ["call", "turn", "conversation"])
def test_rows_are_filtered_by_person_provider_and_model(admin_page: Client, alice: Any, bob: Any, model: str) -> None:
    mine = scene(alice, provider="anthropic", model="claude-sonnet-4-5")
    scene(bob)
    wanted = [{"call": mine.pk, "turn": mine.turn_id, "conversation": mine.conversation_id}[model]]

    assert listed(admin_page, model, owner__id__exact=alice.pk) == wanted
    assert listed(admin_page, model, provider="anthropic") == wanted
    assert listed(admin_page, model, model="claude-sonnet-4-5") == wanted
    assert listed(admin_page, model, provider="anthropic", model="gpt-5-mini") == []


@pytest.mark.parametrize(
    ("model", "field"), [("call", "started_at"), ("turn", "created_at"), ("conversation", "changed_at")]
)
def test_a_day_is_whole_and_the_last_one_is_included(admin_page: Client, alice: Any, model: str, field: str) -> None:
    call = scene(alice)
    row = {"call": call, "turn": call.turn, "conversation": call.conversation}[model]
    late = NOON.replace(hour=23, minute=59)
    type(row).objects.update(**{field: late})

    def on(start: str, end: str) -> bool:
        return listed(admin_page, model, **{f"{field}_from": start, f"{field}_to": end}) == [row.pk]

    assert on("2026-03-10", "2026-03-10")
    assert on("", "2026-03-10")
    assert not on("2026-03-11", "")
    assert not on("", "2026-03-09")


def test_a_day_that_is_none_is_named_and_leaves_nothing_out(admin_page: Client, alice: Any) -> None:
    call = scene(alice)
    response = admin_page.get(list_url("call"), {"started_at_from": "soon", "started_at_to": "9999-12-31"})

    assert [row.pk for row in response.context_data["cl"].result_list] == [call.pk]
    assert "“soon” is not a day" in response.content.decode()


def test_calls_are_filtered_by_purpose_state_and_simulation(admin_page: Client, alice: Any) -> None:
    turn = make_turn(make_conversation(alice))
    title = make_call(turn, purpose=Call.Purpose.TITLE, simulated=True)
    failed = make_call(turn, Call.State.FAILED)

    assert listed(admin_page, "call", purpose__exact="title") == [title.pk]
    assert listed(admin_page, "call", state__exact="failed") == [failed.pk]
    assert listed(admin_page, "call", simulated__exact=1) == [title.pk]
    assert listed(admin_page, "call", simulated__exact=0) == [failed.pk]


def test_turns_are_filtered_by_state(admin_page: Client, alice: Any) -> None:
    conversation = make_conversation(alice)
    make_turn(conversation)
    stopped = make_turn(conversation, Turn.State.CANCELLED)

    assert listed(admin_page, "turn", state__exact="cancelled") == [stopped.pk]


def test_deleted_conversations_are_listed_and_can_be_filtered(admin_page: Client, alice: Any) -> None:
    kept, deleted = make_conversation(alice), make_conversation(alice, deleted_at=NOON)

    assert set(listed(admin_page, "conversation")) == {kept.pk, deleted.pk}
    assert listed(admin_page, "conversation", deleted="yes") == [deleted.pk]
    assert listed(admin_page, "conversation", deleted="no") == [kept.pk]


def test_calls_are_found_by_any_of_their_ids(admin_page: Client, alice: Any, bob: Any) -> None:
    call = scene(alice)
    Call.objects.filter(pk=call.pk).update(response_id="resp_1", request_id="req_1", previous_response_id="resp_0")
    scene(bob)

    for term in (call.pk, call.turn_id, call.conversation_id, "resp_1", "req_1", "resp_0", f" {call.turn_id.hex} "):
        assert listed(admin_page, "call", q=term) == [call.pk], term


@pytest.mark.parametrize("term", ["9" * 30, "²", "resp_none", "' OR 1=1 --", "00000000-0000-0000-0000-000000000000"])
@pytest.mark.parametrize("model", ["call", "turn", "conversation"])
def test_a_search_for_nothing_that_exists_finds_nothing(admin_page: Client, alice: Any, model: str, term: str) -> None:
    scene(alice)

    assert listed(admin_page, model, q=term) == []


def test_conversations_are_found_by_title_and_id_and_turns_by_theirs(admin_page: Client, alice: Any) -> None:
    call = scene(alice, title="Letterpress")
    scene(alice, title="Other")

    assert listed(admin_page, "conversation", q="letter") == [call.conversation_id]
    assert listed(admin_page, "conversation", q=call.conversation_id) == [call.conversation_id]
    assert listed(admin_page, "turn", q=call.turn_id) == [call.turn_id]
    assert listed(admin_page, "turn", q=call.conversation_id) == [call.turn_id]


def test_conversations_can_be_sorted_by_cost(admin_page: Client, alice: Any) -> None:
    cheap, dear = scene(alice), scene(alice)
    Call.objects.filter(pk=dear.pk).update(cost_nanousd=9_000_000)
    column = 4  # counted from 0

    assert listed(admin_page, "conversation", o=column) == [cheap.conversation_id, dear.conversation_id]
    assert listed(admin_page, "conversation", o=-column) == [dear.conversation_id, cheap.conversation_id]


@pytest.mark.parametrize("model", [*READ_ONLY, "user"])
def test_a_list_takes_as_many_queries_for_three_rows_as_for_one(admin_page: Client, model: str) -> None:
    def add(number: int) -> None:
        user = make_user(f"somebody{number}")
        scene(user, title=f"Talk {number}")
        ProcessLease.objects.create(host="host", pid=number + 1)

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert admin_page.get(list_url(model)).status_code == 200
        return len(caught)

    add(0)
    queries()  # warms what is looked up once per process
    before = queries()
    add(1)
    add(2)

    assert queries() == before <= 12


def test_the_page_of_a_turn_takes_as_many_queries_for_three_calls_as_for_one(admin_page: Client, alice: Any) -> None:
    call = scene(alice)

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert admin_page.get(page_url(call.turn)).status_code == 200
        return len(caught)

    queries()
    before = queries()
    make_call(call.turn)
    make_call(call.turn)

    assert queries() == before


def test_lists_show_no_words_of_a_conversation_but_its_title(admin_page: Client, alice: Any) -> None:
    conversation = make_conversation(alice, title="The title", instructions="secret rule", draft="secret draft")
    make_call(make_turn(conversation, text="secret question", answer="secret answer"))

    for model in READ_ONLY:
        html = admin_page.get(list_url(model)).content.decode()
        assert "secret" not in html, model


def test_the_list_of_calls_says_what_is_not_known(admin_page: Client, alice: Any) -> None:
    turn = make_turn(make_conversation(alice))
    make_call(turn, cost_nanousd=None, without_cache_nanousd=None, simulated=True)
    make_call(turn, Call.State.FAILED, attempt=2, error={"code": "rate_limited", "message": "Slow", "status": 429})
    make_call(turn, Call.State.CANCELLED, estimated=True, cost_nanousd=2_000_000, without_cache_nanousd=2_000_000)
    html = admin_page.get(list_url("call")).content.decode()

    for words in ("no price", "simulated", "unknown", "rate limited", "attempt\u00a02", "about $0.0020", "estimated"):
        assert words in html, words


def test_running_turns_are_counted_at_their_lease(admin_page: Client, alice: Any) -> None:
    lease = ProcessLease.objects.create(host="host", pid=1, started_at=timezone.now() - timedelta(days=1))
    make_turn(make_conversation(alice), Turn.State.STREAMING, lease=lease)
    make_turn(make_conversation(alice), lease=lease)
    (row,) = admin_page.get(list_url("processlease")).context_data["cl"].result_list

    assert row.running_turns == 1
