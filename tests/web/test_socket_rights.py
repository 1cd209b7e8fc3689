"""Who may open a socket, what it may touch, and when it is closed under its user."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from chatapp.live import hub
from chatapp.turns.hop import hop
from sessions_store import models as rows
from tests import factories
from tests.simulator_process import SimulatorAccount
from tests.web.conftest import MODELS, OpenTab, assert_whole, everything, stored

pytestmark = pytest.mark.django_db(transaction=True)


async def test_nobody_without_a_session_is_heard(open_tab: OpenTab) -> None:
    for cookie in (None, "0" * 32):
        tab = await open_tab(None, cookie=cookie)
        assert tab.accepted  # or the browser would see an HTTP 403 without a code
        assert await tab.closed() == 4401


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost.evil.example",
        "http://localhost:8001",
        "https://localhost",
        "http://127.0.0.1",
        "file://localhost",
        "null",
        None,
    ],
)
async def test_a_page_of_another_site_is_refused(open_tab: OpenTab, alice: rows.User, origin: str | None) -> None:
    tab = await open_tab(alice, origin=origin)

    assert not tab.accepted


def _scene(owner: rows.User) -> tuple[rows.Conversation, rows.Turn, rows.Turn, rows.Turn]:
    """A conversation with an ended turn, a running one (of a process elsewhere) and a waiting one."""
    conversation = factories.make_conversation(owner)
    lease = rows.ProcessLease.objects.create(host="elsewhere", pid=1)
    ended = factories.make_turn(conversation)
    running = factories.make_turn(conversation, rows.Turn.State.STREAMING, answer=None, lease=lease)
    return conversation, ended, running, factories.make_turn(conversation, rows.Turn.State.QUEUED)


def _state(conversation: rows.Conversation) -> Any:
    row = rows.Conversation.objects.filter(pk=conversation.pk).values().get()
    turns = list(rows.Turn.objects.order_by("number").values("state", "reason", "stop_requested_at", "parent_id"))
    return row, turns, everything()


@pytest.mark.parametrize(
    "which", ["watch", "create", "branch", "resume 1", "resume 2", "resume 3", "cancel 1", "cancel 2", "cancel 3"]
)
async def test_a_stranger_finds_nothing_and_changes_nothing(
    open_tab: OpenTab, alice: rows.User, bob: rows.User, which: str
) -> None:
    scene = await hop(_scene, alice)
    conversation = scene[0]
    before = await hop(_state, conversation)
    tab = await open_tab(bob)
    verb, _, number = which.partition(" ")
    if verb == "watch":
        await tab.send("stet:watch", stet_conversation=conversation.pk)
    elif verb == "create":
        await tab.send("response.create", input="mine?", stet_client_id=uuid.uuid4(), stet_conversation=conversation.pk)
    elif verb == "branch":  # a conversation of their own, but a parent of hers
        own = await hop(factories.make_conversation, bob)
        before = await hop(_state, conversation)
        await tab.send(
            "response.create",
            input="mine?",
            stet_client_id=uuid.uuid4(),
            stet_conversation=own.pk,
            stet_parent=scene[1].pk,
        )
    elif verb == "resume":
        await tab.send("stet:resume", stet_turn=scene[int(number)].pk, starting_after=-1)
    else:
        await tab.send("stet:cancel", stet_turn=scene[int(number)].pk)

    assert await tab.closed() == 4404
    assert await hop(_state, conversation) == before
    # News of a conversation of their own may have come; of hers, nothing.
    assert [frame for frame in tab.heard if frame["type"] != "stet:conversation"] == []
    assert str(conversation.pk) not in str(tab.heard)


async def test_a_stranger_with_the_same_client_id_gets_a_turn_of_their_own(
    open_tab: OpenTab, alice: rows.User, bob: rows.User
) -> None:
    mine, theirs = await open_tab(alice), await open_tab(bob)
    client_id = uuid.uuid4()
    turn = await mine.ask("one", uuid.uuid4(), client_id=client_id)
    other = await theirs.ask("two", uuid.uuid4(), client_id=client_id)
    await mine.end_of(turn)
    assert_whole(await theirs.end_of(other))

    assert turn != other
    assert mine.events(other) == theirs.events(turn) == []


@pytest.mark.parametrize("kind", ["stet:watch", "stet:resume", "stet:cancel"])
async def test_what_does_not_exist_is_answered_like_what_belongs_to_somebody_else(
    open_tab: OpenTab, alice: rows.User, kind: str
) -> None:
    tab = await open_tab(alice)
    await tab.send(kind, stet_conversation=uuid.uuid4(), stet_turn=uuid.uuid4(), starting_after=-1)

    assert await tab.closed() == 4404


# --- A right that ends -----------------------------------------------------------------------------------


def _sign_out(user: rows.User, cookie: str) -> None:
    client = Client()
    client.cookies["sessionid"] = cookie
    assert client.post("/sign-out").status_code == 302


def _deactivate(user: rows.User, cookie: str) -> None:
    rows.User.objects.filter(pk=user.pk).update(is_active=False)


def _change_password(user: rows.User, cookie: str) -> None:
    user.set_password("another")
    user.save()


def _expire(user: rows.User, cookie: str) -> None:
    Session.objects.filter(pk=cookie).update(expire_date=timezone.now())


ENDS_OF_RIGHT = [_sign_out, _deactivate, _change_password, _expire]


@pytest.mark.parametrize("lose", ENDS_OF_RIGHT, ids=lambda lose: lose.__name__.strip("_"))
async def test_whose_right_has_ended_is_shut_out_at_the_next_frame_and_nothing_is_done(
    open_tab: OpenTab, alice: rows.User, lose: Callable[[rows.User, str], None]
) -> None:
    tab = await open_tab(alice)
    await tab.pong()
    await hop(lose, alice, tab.cookie)
    await tab.send(
        "response.create",
        input="still me?",
        stet_client_id=uuid.uuid4(),
        stet_conversation=uuid.uuid4(),
        provider="openai",
        model=MODELS["openai"],
    )

    assert await tab.closed() == 4401
    assert await hop(rows.Turn.objects.count) == 0
    assert not (await open_tab(None, cookie=tab.cookie)).heard


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions are checked more often than every 30 seconds; before `live` starts."""
    monkeypatch.setattr(hub, "SESSIONS_SECONDS", 0.1)


@pytest.mark.parametrize("lose", ENDS_OF_RIGHT, ids=lambda lose: lose.__name__.strip("_"))
async def test_whose_right_has_ended_hears_no_more_even_without_a_frame(
    often: None, open_tab: OpenTab, alice: rows.User, bob: rows.User, lose: Callable[[rows.User, str], None]
) -> None:
    tab, other = await open_tab(alice), await open_tab(bob)
    await hop(lose, alice, tab.cookie)

    assert await tab.closed() == 4401
    await other.pong()
    assert other.code is None


async def test_a_conversation_deleted_while_it_is_watched_closes_the_socket(
    open_tab: OpenTab, alice: rows.User, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.02, delta_chars=8)
    tab, list_only = await open_tab(alice), await open_tab(alice)
    conversation = uuid.uuid4()
    turn = await tab.ask("write 2000 words", conversation)
    waiting = await tab.ask("second", conversation)
    await tab.text_of(turn)

    def delete() -> None:
        client = Client()
        client.cookies["sessionid"] = tab.cookie or ""
        assert client.post(f"/c/{conversation}/delete").status_code == 302

    await hop(delete)
    assert await tab.closed() == 4404
    await list_only.hear("stet:conversation", lambda frame: frame["deleted"])
    assert list_only.code is None
    row = await hop(rows.Conversation.objects.get, pk=conversation)
    assert row.draft == "second"
    for turn_id in (turn, waiting):
        for _ in range(200):
            if (await hop(stored, turn_id)).ended:
                break
        assert (await hop(stored, turn_id)).state == "cancelled"
    assert "second" not in str([request["body"] for request in account.requests()])
    for kind in ("stet:watch", "stet:resume"):
        again = await open_tab(alice)
        await again.send(kind, stet_conversation=conversation, stet_turn=turn, starting_after=-1)
        assert await again.closed() == 4404
