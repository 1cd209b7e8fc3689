"""A message through the socket: how its turn is heard, twice asked for, resumed and rebuilt."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from chatapp.turns.hop import hop
from chatapp.turns.recovery import sweep_logs
from chatapp.vocab.assemble import assemble
from chatapp.vocab.items import answer_text
from sessions_store import models as rows
from tests.simulator_process import SimulatorAccount
from tests.waiting import until
from tests.web.conftest import MODELS, OpenTab, assert_page_equals_rows, assert_whole, everything, stored

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "write 2000 words"


@pytest.mark.parametrize("provider", sorted(MODELS))
async def test_a_message_is_acknowledged_streamed_and_ends_once(
    open_tab: OpenTab, alice: rows.User, provider: str
) -> None:
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    turn = await tab.ask("table of three rivers", conversation, provider)
    events = await tab.end_of(turn)

    assert_whole(events)
    assert [events[0]["type"], events[-1]["type"]] == ["response.created", "response.completed"]
    await assert_page_equals_rows(tab, turn, events)
    cost = next(frame["cost"] for frame in events if frame["type"] == "stet:turn.cost")
    assert cost["paid"].startswith("$") and cost["final"] and not cost["simulated"] and not cost["estimated"]
    added = tab.of("stet:turn.added")[0]
    assert (added["stet:conversation"], added["stet:parent"], added["text"]) == (
        str(conversation),
        None,
        "table of three rivers",
    )


async def test_the_same_client_id_twice_is_one_turn_and_one_call(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    one, other = await open_tab(alice), await open_tab(alice)
    conversation, client_id = uuid.uuid4(), uuid.uuid4()
    account.pace(delay_seconds=0.01)
    turn = await one.ask("write 200 words", conversation, client_id=client_id)
    assert await one.ask("write 200 words", conversation, client_id=client_id) == turn
    assert await other.ask("write 200 words", conversation, client_id=client_id) == turn
    for tab in (one, other):
        assert_whole(await tab.end_of(turn))
    before = len(one.heard)
    await one.ask("write 200 words", conversation, client_id=client_id)
    await one.pong()

    assert [frame for frame in one.heard[before:] if frame.get("sequence_number") is not None] == []
    late = await open_tab(alice)
    assert await late.ask("write 200 words", conversation, client_id=client_id) == turn
    assert_whole(await late.end_of(turn))
    counts = await hop(everything)
    assert (counts["Conversation"], counts["Turn"]) == (1, 1)
    assert await hop(rows.Call.objects.filter(turn_id=turn).count) == 1
    asked = [request for request in account.requests() if "200 words" in str(request["body"])]
    assert len([request for request in asked if "title" not in str(request["body"]).lower()]) == 1


async def test_two_tabs_hear_the_same_turn_and_a_third_only_that_something_runs(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.005)
    writer, reader, elsewhere = [await open_tab(alice) for _ in range(3)]
    conversation = uuid.uuid4()
    first = await writer.ask("one", conversation)
    await writer.end_of(first)
    await reader.watch(conversation)
    turn = await writer.ask("write 100 words", conversation)
    for tab in (writer, reader):
        events = await tab.end_of(turn)
        assert_whole(events)
        await assert_page_equals_rows(tab, turn, events)
    assert [frame["stet:turn"] for frame in reader.of("stet:turn.added")] == [str(turn)]
    await elsewhere.hear("stet:conversation", lambda frame: frame["running"])
    await elsewhere.hear("stet:conversation", lambda frame: not frame["running"] and frame["unread"] is False)

    assert set(elsewhere.types()) == {"stet:conversation"}


async def test_another_person_hears_nothing_at_all(open_tab: OpenTab, alice: rows.User, bob: rows.User) -> None:
    mine, theirs = await open_tab(alice), await open_tab(bob)
    await mine.end_of(await mine.ask("one", uuid.uuid4()))
    await mine.hear("stet:conversation", lambda frame: not frame["running"])
    await theirs.pong()

    assert theirs.types() == ["stet:pong"]


async def test_an_answer_that_ends_unwatched_is_unread_until_it_is_looked_at(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.005)
    writer, other = await open_tab(alice), await open_tab(alice)
    conversation = uuid.uuid4()
    await writer.ask("write 100 words", conversation)
    await writer.close()
    await other.hear("stet:conversation", lambda frame: frame["unread"] and not frame["running"])
    await other.watch(conversation)
    row = await hop(rows.Conversation.objects.get, pk=conversation)

    assert row.seen_at >= row.changed_at


async def test_closing_the_socket_does_not_stop_the_turn(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.005)
    tab = await open_tab(alice)
    turn = await tab.ask("write 150 words", uuid.uuid4())
    await tab.text_of(turn)
    await tab.close()
    back = await open_tab(alice)
    await back.send("stet:resume", stet_turn=turn, starting_after=-1)
    events = await back.end_of(turn)

    assert_whole(events)
    assert events[-1]["type"] == "response.completed"
    await assert_page_equals_rows(back, turn, events)


# --- Resume ------------------------------------------------------------------------------------------


async def test_a_resume_in_mid_stream_goes_on_without_gap_or_repeat(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.005)
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    turn = await tab.ask("write 200 words", conversation)
    await tab.text_of(turn)
    await tab.close()
    before = tab.events(turn)
    last = before[-1]["sequence_number"]
    back = await open_tab(alice)
    watching = await back.watch(conversation)
    assert watching["running"] == str(turn)
    await back.send("stet:resume", stet_turn=turn, starting_after=last)
    after = await back.end_of(turn)

    assert_whole(after, last)
    await assert_page_equals_rows(back, turn, [*before, *after])
    assert back.types().count("stet:snapshot") == 1  # the one that the comparison asked for


async def test_watching_again_in_mid_stream_loses_and_repeats_nothing(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.005)
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    turn = await tab.ask("write 200 words", conversation)
    await tab.text_of(turn)
    await tab.watch(conversation)
    await tab.send("stet:resume", stet_turn=turn, starting_after=tab.events(turn)[-1]["sequence_number"])
    events = await tab.end_of(turn)

    assert_whole(events)
    await assert_page_equals_rows(tab, turn, events)


async def _ended_and_logged(tab: Any, turn: uuid.UUID) -> list[Any]:
    """Its events, once the log has them all and the process has forgotten them."""
    events = await tab.end_of(turn)
    last = events[-1]["sequence_number"]
    for _ in range(500):
        if await hop(rows.StreamLog.objects.filter(turn_id=turn, last_number=last).exists):
            break
        await tab.pong()
    return list(events)


@pytest.mark.parametrize("after", [-1, 3])
async def test_a_resume_after_the_end_is_answered_from_the_log(open_tab: OpenTab, alice: rows.User, after: int) -> None:
    tab = await open_tab(alice)
    turn = await tab.ask("one", uuid.uuid4())
    events = await _ended_and_logged(tab, turn)
    back = await open_tab(alice)
    await back.send("stet:resume", stet_turn=turn, starting_after=after)
    again = await back.end_of(turn)

    assert_whole(again, after)
    known = [event for event in events if event["sequence_number"] <= after]
    assert assemble([*known, *again]) == assemble(events)
    assert back.of("stet:snapshot") == []


async def test_a_resume_after_the_log_was_swept_is_answered_by_a_snapshot(open_tab: OpenTab, alice: rows.User) -> None:
    tab = await open_tab(alice)
    turn = await tab.ask("one", uuid.uuid4())
    events = await _ended_and_logged(tab, turn)
    assert await hop(sweep_logs, timezone.now() + timedelta(minutes=16))
    await tab.send("stet:resume", stet_turn=turn, starting_after=3)
    snapshot = await tab.hear("stet:snapshot")

    assert snapshot["sequence_number"] == events[-1]["sequence_number"]
    assert snapshot["response"]["output"] == assemble(events)
    assert snapshot["stet:state"] == "completed"


@pytest.mark.parametrize("number", [10_000, 10**30])
async def test_a_resume_of_a_running_turn_from_a_number_never_sent_is_a_snapshot_and_goes_on(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount, number: int
) -> None:
    account.pace(delay_seconds=0.005)
    tab = await open_tab(alice)
    turn = await tab.ask("write 200 words", uuid.uuid4())
    await tab.text_of(turn)
    back = await open_tab(alice)
    await back.send("stet:resume", stet_turn=turn, starting_after=number)
    snapshot = await back.hear("stet:snapshot")
    whole = await tab.end_of(turn)
    rest = await back.end_of(turn)

    assert snapshot["stet:state"] == "streaming"
    assert_whole(rest, snapshot["sequence_number"])
    seen = answer_text(snapshot["response"]["output"])
    assert answer_text(assemble(whole)).startswith(seen)
    assert back.of("stet:snapshot") == [snapshot]


@pytest.mark.parametrize("number", [10_000, 10**30])
async def test_a_resume_of_an_ended_turn_from_a_number_never_sent_is_a_snapshot(
    open_tab: OpenTab, alice: rows.User, number: int
) -> None:
    tab = await open_tab(alice)
    turn = await tab.ask("one", uuid.uuid4())
    events = await _ended_and_logged(tab, turn)
    await tab.send("stet:resume", stet_turn=turn, starting_after=number)

    assert (await tab.hear("stet:snapshot"))["sequence_number"] == events[-1]["sequence_number"]


async def test_a_resume_of_a_queued_turn_from_a_number_never_sent_is_a_snapshot_and_its_events_follow(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.005)
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    await tab.ask("write 100 words", conversation)
    queued = await tab.ask("two", conversation)
    await tab.send("stet:resume", stet_turn=queued, starting_after=7)
    snapshot = await tab.hear("stet:snapshot")

    assert (snapshot["stet:state"], snapshot["sequence_number"]) == ("queued", -1)
    assert_whole(await tab.end_of(queued))


# --- However a turn ends, page and rows are equal ------------------------------------------------------

FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("rate_limited", {"retry_after": 0.01}, "rate_limited"),
    ("server_error", {}, "server_error"),
    ("overloaded", {}, "overloaded"),
    ("bad_key", {}, "bad_key"),
    ("unknown_model", {}, "unknown_model"),
    ("context_too_long", {}, "context_too_long"),
    ("refused", {}, "refused"),
    ("reset_before_first_byte", {}, "connection_failed"),
    ("cut_clean", {"after_deltas": 100}, "truncated_stream"),
    ("cut_unclean", {"after_deltas": 100}, "broken_stream"),
    ("error_event", {"after_deltas": 100}, ""),
    ("malformed_data", {"after_deltas": 100}, "malformed_data"),
    ("stall", {"after_deltas": 100, "seconds": 30}, "timeout"),
    ("stall", {"after_deltas": -1, "seconds": 30}, "timeout"),
]


@pytest.mark.parametrize("provider", sorted(MODELS))
@pytest.mark.parametrize(
    ("kind", "parameters", "code"), FAULTS, ids=lambda value: value if isinstance(value, str) else ""
)
async def test_whatever_fails_the_page_built_from_events_equals_the_rows(
    open_tab: OpenTab,
    alice: rows.User,
    account: SimulatorAccount,
    settings: Any,
    provider: str,
    kind: str,
    parameters: dict[str, Any],
    code: str,
) -> None:
    settings.STET_PROVIDER_TIMEOUT_SECONDS = 1
    settings.STET_MAX_ATTEMPTS = 1
    account.faults([{"kind": kind, "times": 5, **parameters}])
    tab = await open_tab(alice)
    turn = await tab.ask("write 300 words", uuid.uuid4(), provider)
    events = await tab.end_of(turn)

    assert_whole(events)
    assert events[-1]["type"] == "response.failed"
    assert code in ("", events[-1]["response"]["error"]["code"])
    await assert_page_equals_rows(tab, turn, events)


async def test_a_turn_without_a_reachable_provider_ends_like_any_other(
    open_tab: OpenTab, alice: rows.User, settings: Any, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.005)
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    await tab.ask("write 100 words", conversation)
    turn = await tab.ask("two", conversation)
    settings.OPENAI_API_KEY = settings.OPENAI_BASE_URL = ""
    events = await tab.end_of(turn)

    assert events[-1]["response"]["error"]["code"] == "unknown_model"
    await assert_page_equals_rows(tab, turn, events)


async def test_a_stopped_turn_keeps_what_had_arrived_and_page_and_rows_agree(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.02, delta_chars=8)
    tab = await open_tab(alice)
    turn = await tab.ask(LONG, uuid.uuid4())
    shown = await tab.text_of(turn)
    await tab.send("stet:cancel", stet_turn=turn)
    events = await tab.end_of(turn)

    assert_whole(events)
    assert events[-1]["response"]["incomplete_details"] == {"reason": "stet:cancelled"}
    assert answer_text(assemble(events)).startswith(shown)
    await assert_page_equals_rows(tab, turn, events)
    assert (await hop(stored, turn)).state == "cancelled"
    await until(lambda: account.requests()[0]["finished"] == "client_closed", "the provider sees the end")
