"""What each action does, with and without htmx, and what it answers to input it cannot take."""

import asyncio
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from chatapp.turns.ask import CONTINUE_TEXT, question_text
from chatapp.turns.hop import hop
from sessions_store import models as rows
from tests import factories
from tests.simulator_process import SimulatorAccount
from tests.waiting import until
from tests.web.conftest import MODELS, OpenTab, Tab, stored

pytestmark = pytest.mark.django_db(transaction=True)

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def reachable(account: SimulatorAccount) -> None:
    """Both providers can be reached."""


@pytest.fixture
def talk(alice: rows.User) -> rows.Conversation:
    """Two turns, the second with two versions, of which the first is shown."""
    conversation = factories.make_conversation(alice, title="Rivers", titled_by="user")
    first = factories.make_turn(conversation, text="one", answer="Answer one.")
    left = factories.make_turn(conversation, text="two", answer="Answer two.")
    conversation.head = first
    factories.make_turn(conversation, text="two, otherwise", answer="The other answer.")
    conversation.head = left
    conversation.save()
    return conversation


@pytest.fixture
def client(alice: rows.User) -> Client:
    made = Client()
    made.force_login(alice)
    return made


def post(client: Client, name: str, *args: Any, htmx: bool = False, **form: Any) -> Any:
    return client.post(reverse(name, args=args), form, headers=HTMX if htmx else {})


def fresh(row: Any) -> Any:
    row.refresh_from_db()
    return row


def numbered(conversation: rows.Conversation, number: int) -> rows.Turn:
    return rows.Turn.objects.get(conversation=conversation, number=number)


# --- Sending without JavaScript ---------------------------------------------------------------------------


async def _until_ended(count: int) -> None:
    async def ended() -> bool:
        return await hop(rows.Turn.objects.filter(ended_at__isnull=False).count) >= count

    for _ in range(500):
        if await ended():
            return
        await asyncio.sleep(0)
    raise AssertionError("the runtime did not run it")


async def test_a_page_without_javascript_sends_a_message_and_shows_its_answer(live: Any, alice: rows.User) -> None:
    def use() -> tuple[Client, str]:
        client = Client(enforce_csrf_checks=True)
        client.force_login(alice)
        page = client.get(reverse("home")).content.decode()
        form = re.search(r'<form class="dock"[^>]*action="([^"]+)">(.*?)</form>', page, re.DOTALL)
        assert form
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[2]))
        reply = client.post(form[1], {**fields, "text": "say exactly: Let it\r\nstand."})
        assert reply.status_code == 302
        return client, reply.headers["Location"]

    client, where = await hop(use)
    await _until_ended(1)
    page = (await hop(client.get, where)).content.decode()

    assert "say exactly: Let it\nstand." in page
    assert "Let it\nstand.</div>" in page
    assert "$0.0" in page


async def test_a_message_sent_by_form_is_heard_by_a_watching_tab(
    live: Any, open_tab: OpenTab, alice: rows.User, client: Client
) -> None:
    tab: Tab = await open_tab(alice)
    conversation = uuid.uuid4()
    await tab.end_of(await tab.ask("one", conversation))
    form = {"client_id": str(uuid.uuid4()), "text": "two"}
    reply = await hop(lambda: post(client, "send", conversation, htmx=True, **form))
    added = await tab.hear("stet:turn.added", lambda frame: frame["text"] == "two")

    assert reply.status_code == 204
    assert (await tab.end_of(uuid.UUID(added["stet:turn"])))[-1]["type"] == "response.completed"


async def test_stop_by_form_stops_what_runs(
    live: Any, open_tab: OpenTab, alice: rows.User, client: Client, account: SimulatorAccount
) -> None:
    account.pace(delay_seconds=0.02, delta_chars=8)
    tab: Tab = await open_tab(alice)
    conversation = uuid.uuid4()
    turn = await tab.ask("write 2000 words", conversation)
    await tab.text_of(turn)
    reply = await hop(lambda: post(client, "stop", conversation, turn))
    events = await tab.end_of(turn)

    assert reply.status_code == 302
    assert events[-1]["response"]["incomplete_details"] == {"reason": "stet:cancelled"}
    await until(lambda: account.requests()[0]["finished"] == "client_closed", "the provider sees the end")


def test_a_waiting_message_stopped_by_form_comes_back_as_the_draft(client: Client, talk: rows.Conversation) -> None:
    waiting = factories.make_turn(talk, rows.Turn.State.QUEUED, text="not yet")
    post(client, "stop", talk.pk, waiting.pk)

    assert fresh(waiting).state == "cancelled"
    assert "not yet</textarea>" in client.get(reverse("conversation", args=[talk.pk])).content.decode()


def test_stop_of_a_turn_that_has_ended_changes_nothing(client: Client, talk: rows.Conversation) -> None:
    turn = numbered(talk, 2)
    assert post(client, "stop", talk.pk, turn.pk).status_code == 302

    assert (fresh(turn).state, turn.stop_requested_at) == ("completed", None)


def test_the_same_form_sent_twice_is_one_turn(client: Client, talk: rows.Conversation) -> None:
    form = {"client_id": str(uuid.uuid4()), "text": "once"}
    for _ in range(2):
        assert post(client, "send", talk.pk, **form).status_code == 302

    assert talk.turns.count() == 4


BAD_MESSAGES = [
    ({"text": ""}, 400),
    ({"text": " \r\n "}, 400),
    ({"text": "a\x00b"}, 400),
    ({"text": "x" * 51}, 413),
    ({"text": "fine", "client_id": "x"}, 400),
    ({"text": "fine", "client_id": ""}, 400),
    ({"text": "fine", "provider": "nobody", "model": "x"}, 404),
]


@pytest.mark.parametrize(("changed", "status"), BAD_MESSAGES, ids=range(len(BAD_MESSAGES)))
@pytest.mark.parametrize("known", [True, False], ids=["known", "new"])
def test_a_message_that_cannot_be_taken_is_refused_in_a_sentence_with_a_way_back(
    client: Client, talk: rows.Conversation, settings: Any, changed: dict[str, str], status: int, known: bool
) -> None:
    settings.STET_MAX_MESSAGE_CHARS = 50
    conversation = talk.pk if known else uuid.uuid4()
    form = {"client_id": str(uuid.uuid4()), "provider": "openai", "model": MODELS["openai"], **changed}
    reply = post(client, "send", conversation, **form)
    short = post(client, "send", conversation, htmx=True, **form)

    assert (reply.status_code, short.status_code) == (status, status)
    back = reverse("conversation", args=[talk.pk]) if known else reverse("home")
    assert f'href="{back}">Back</a>' in reply.content.decode()
    assert short.headers["Content-Type"].startswith("text/plain")
    assert short.content.decode().endswith(".")
    assert rows.Turn.objects.count() == 3
    assert rows.Conversation.objects.count() == 1


def test_more_messages_than_the_limit_are_refused(client: Client, talk: rows.Conversation, settings: Any) -> None:
    settings.STET_MESSAGES_PER_MINUTE = 4
    statuses = [post(client, "again", talk.pk, numbered(talk, 1).pk, client_id=uuid.uuid4()).status_code for _ in "12"]

    assert statuses == [302, 429]


# --- Versions -------------------------------------------------------------------------------------------------


def test_again_asks_the_same_beside_it(client: Client, talk: rows.Conversation) -> None:
    turn = numbered(talk, 2)
    assert post(client, "again", talk.pk, turn.pk, htmx=True, client_id=uuid.uuid4()).status_code == 204
    made = numbered(talk, 4)

    assert (made.parent_id, made.state, question_text(made)) == (turn.parent_id, "queued", "two")
    assert fresh(turn).state == "completed"


def test_edit_asks_something_else_in_its_place(client: Client, talk: rows.Conversation) -> None:
    turn = numbered(talk, 1)
    post(client, "edit", talk.pk, turn.pk, client_id=uuid.uuid4(), text="  one,\r\n  edited\n")
    made = numbered(talk, 4)

    assert (made.parent_id, question_text(made)) == (None, "  one,\n  edited")
    assert question_text(turn) == "one"


@pytest.mark.parametrize(
    "form", [{"text": "fine"}, {"text": "fine", "client_id": "x"}, {"text": " ", "client_id": "0" * 32}]
)
def test_an_edit_that_cannot_be_taken_changes_nothing(
    client: Client, talk: rows.Conversation, form: dict[str, str]
) -> None:
    assert post(client, "edit", talk.pk, numbered(talk, 1).pk, **form).status_code == 400
    assert talk.turns.count() == 3


def test_continue_asks_behind_it(client: Client, talk: rows.Conversation) -> None:
    turn = numbered(talk, 2)
    post(client, "go_on", talk.pk, turn.pk, client_id=uuid.uuid4())
    made = numbered(talk, 4)

    assert (made.parent_id, question_text(made)) == (turn.pk, CONTINUE_TEXT)


async def test_a_version_becomes_the_one_that_is_shown(live: Any, client: Client, talk: rows.Conversation) -> None:
    turn = await hop(numbered, talk, 2)
    client_id = uuid.uuid4()
    await hop(lambda: post(client, "again", talk.pk, turn.pk, client_id=client_id))
    await _until_ended(4)
    made = await hop(numbered, talk, 4)

    assert made.state == "completed"
    assert (await hop(fresh, talk)).head_id == made.pk
    page = (await hop(client.get, reverse("conversation", args=[talk.pk]))).content.decode()
    assert "Answer two." not in page
    assert re.search(r'3<span aria-hidden="true">/</span><span class="sr"> of </span>3', page)


def test_another_version_is_shown_with_everything_behind_it(client: Client, talk: rows.Conversation) -> None:
    other = numbered(talk, 3)
    rows.Turn.objects.filter(pk=other.pk).update(parent=numbered(talk, 1).pk)
    talk.head = other
    talk.save()
    deeper = factories.make_turn(talk, text="deeper", answer="Deep down.")
    rows.Conversation.objects.filter(pk=talk.pk).update(head=numbered(talk, 2))
    assert post(client, "show_branch", talk.pk, htmx=True, turn=other.pk).status_code == 204
    page = client.get(reverse("conversation", args=[talk.pk])).content.decode()

    assert fresh(talk).head_id == deeper.pk
    assert "Deep down." in page and "The other answer." in page and "Answer two." not in page


@pytest.mark.parametrize("form", [{}, {"turn": ""}, {"turn": "x"}])
def test_a_version_that_is_not_named_is_refused(client: Client, talk: rows.Conversation, form: dict[str, str]) -> None:
    head = talk.head_id

    assert post(client, "show_branch", talk.pk, **form).status_code == 400
    assert fresh(talk).head_id == head


def test_a_waiting_or_returned_version_does_not_become_the_end_of_the_transcript(
    client: Client, talk: rows.Conversation
) -> None:
    head = talk.head_id
    waiting = factories.make_turn(talk, rows.Turn.State.QUEUED, text="waits", parent=numbered(talk, 1))
    assert post(client, "show_branch", talk.pk, turn=waiting.pk).status_code == 302
    assert fresh(talk).head_id == head
    page = client.get(reverse("conversation", args=[talk.pk])).content.decode()
    assert page.count(f'data-turn="{waiting.pk}"') == 1
    post(client, "stop", talk.pk, waiting.pk)

    assert post(client, "show_branch", talk.pk, turn=waiting.pk).status_code == 404
    assert fresh(talk).head_id == head


# --- The conversation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("Lakes", "Lakes"), ("  many \n lines\tof  it ", "many lines of it"), ("x" * 130, "x" * 120), ("<b>&", "<b>&")],
)
def test_a_title_is_kept_in_one_line(client: Client, talk: rows.Conversation, typed: str, kept: str) -> None:
    assert post(client, "rename", talk.pk, htmx=True, title=typed).status_code == 204

    assert (fresh(talk).title, talk.titled_by) == (kept, "user")
    assert talk.revision == 1
    assert "<b>&" not in client.get(reverse("conversation", args=[talk.pk])).content.decode()


@pytest.mark.parametrize("form", [{}, {"title": ""}, {"title": " \t\n"}, {"title": "a\x00b"}])
def test_a_title_that_is_none_is_refused(client: Client, talk: rows.Conversation, form: dict[str, str]) -> None:
    assert post(client, "rename", talk.pk, **form).status_code == 400

    assert fresh(talk).title == "Rivers"


def test_another_model_is_chosen(client: Client, talk: rows.Conversation) -> None:
    assert post(client, "choose_model", talk.pk, choice=f"anthropic:{MODELS['anthropic']}").status_code == 302

    assert (fresh(talk).provider, talk.model) == ("anthropic", MODELS["anthropic"])


@pytest.mark.parametrize(
    "choice", ["", "openai", "openai:", ":gpt-6.1-sol", "openai:nothing", "nobody:gpt-6.1-sol", "a\x00:b"]
)
def test_a_model_that_is_unknown_is_refused(client: Client, talk: rows.Conversation, choice: str) -> None:
    assert post(client, "choose_model", talk.pk, choice=choice).status_code == 404

    assert (fresh(talk).provider, talk.model) == (factories.PROVIDER, factories.MODEL)


def test_a_model_whose_provider_cannot_be_reached_is_refused(
    client: Client, talk: rows.Conversation, settings: Any
) -> None:
    settings.ANTHROPIC_API_KEY = settings.ANTHROPIC_BASE_URL = ""

    assert post(client, "choose_model", talk.pk, choice=f"anthropic:{MODELS['anthropic']}").status_code == 404


@pytest.mark.parametrize(("typed", "status"), [("x" * 100_000, 204), ("", 204), ("x" * 100_001, 413), ("a\x00", 400)])
def test_instructions_have_a_limit(client: Client, talk: rows.Conversation, typed: str, status: int) -> None:
    rows.Conversation.objects.filter(pk=talk.pk).update(instructions="before")
    reply = post(client, "instructions", talk.pk, htmx=True, instructions=typed)

    assert reply.status_code == status
    assert fresh(talk).instructions == (typed if status == 204 else "before")


def test_a_deleted_conversation_can_be_brought_back_whole(client: Client, talk: rows.Conversation) -> None:
    waiting = factories.make_turn(talk, rows.Turn.State.QUEUED, text="not yet")
    reply = post(client, "delete", talk.pk)
    assert reply.headers["Location"] == f"{reverse('home')}?deleted={talk.pk}"
    home = client.get(reply.headers["Location"]).content.decode()
    assert reverse("restore", args=[talk.pk]) in home and "Rivers" in home
    assert reverse("conversation", args=[talk.pk]) not in client.get(reverse("home")).content.decode()
    assert fresh(waiting).state == "cancelled"  # nothing is sent, and paid, for a conversation that is put away
    assert post(client, "restore", talk.pk).headers["Location"] == reverse("conversation", args=[talk.pk])
    page = client.get(reverse("conversation", args=[talk.pk])).content.decode()

    assert "Answer two." in page and "not yet</textarea>" in page


def test_delete_and_restore_lead_an_htmx_page_where_it_has_to_go(client: Client, talk: rows.Conversation) -> None:
    assert post(client, "delete", talk.pk, htmx=True).headers["HX-Redirect"].endswith(f"?deleted={talk.pk}")
    assert post(client, "restore", talk.pk, htmx=True).headers["HX-Redirect"] == reverse("conversation", args=[talk.pk])


def test_the_offer_to_undo_is_not_made_to_others(client: Client, talk: rows.Conversation, bob: rows.User) -> None:
    post(client, "delete", talk.pk)
    other = Client()
    other.force_login(bob)
    for address in (f"{reverse('home')}?deleted={talk.pk}", f"{reverse('home')}?deleted=x"):
        page = other.get(address)
        assert page.status_code == 200
        assert "Rivers" not in page.content.decode()


def test_looking_at_a_conversation_reads_it(client: Client, talk: rows.Conversation) -> None:
    rows.Conversation.objects.filter(pk=talk.pk).update(seen_at=None, changed_at=timezone.now())
    client.get(reverse("conversation", args=[talk.pk]))

    assert fresh(talk).seen_at >= talk.changed_at


async def test_the_page_of_a_waiting_first_message_can_be_opened(client: Client, alice: rows.User) -> None:
    def use() -> Any:
        form = {"client_id": str(uuid.uuid4()), "text": "first", "provider": "openai", "model": MODELS["openai"]}
        reply = post(client, "send", uuid.uuid4(), **form)
        return client.get(reply.headers["Location"])

    reply = await hop(use)
    assert reply.status_code == 200
    turn = await hop(rows.Turn.objects.get)
    assert (await hop(stored, turn.pk)).state == "queued"
    assert f'data-turn="{turn.pk}"' in reply.content.decode()
