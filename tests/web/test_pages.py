"""What every page has: its policy, its headers, few queries, and nobody's secret."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chatapp.turns.hop import hop
from sessions_store import models as rows
from tests import factories
from tests.simulator_process import SimulatorAccount
from tests.web.conftest import MODELS, OpenTab

pytestmark = pytest.mark.django_db(transaction=True)

POLICY = {
    "default-src": {"'none'"},
    "script-src": {"'self'"},
    "style-src": {"'self'"},
    "img-src": {"'self'", "data:", "blob:"},
    "connect-src": {"'self'"},
    "font-src": {"'self'"},
    "frame-src": {"'self'"},
    "form-action": {"'self'"},
    "base-uri": {"'none'"},
    "frame-ancestors": {"'none'"},
}


def policy(reply: Any) -> dict[str, set[str]]:
    directives = [part.split() for part in reply.headers["Content-Security-Policy"].split(";") if part.strip()]
    return {name: set(values) for name, *values in directives}


@pytest.fixture
def client(alice: rows.User, account: SimulatorAccount) -> Client:
    made = Client()
    made.force_login(alice)
    return made


@pytest.fixture
def talk(alice: rows.User) -> rows.Conversation:
    conversation = factories.make_conversation(alice)
    for _ in range(3):
        factories.make_call(factories.make_turn(conversation))
    return conversation


def addresses(talk: rows.Conversation) -> list[str]:
    ours = ["home", "sidebar"]
    of_talk = ["conversation", "transcript", "sums"]
    of_turn = ["turn", "tail", "ledger"]
    return [
        *(reverse(name) for name in ours),
        *(reverse(name, args=[talk.pk]) for name in of_talk),
        *(reverse(name, args=[talk.pk, talk.head_id]) for name in of_turn),
        "/nothing-here",
    ]


def test_every_page_has_exactly_the_policy_and_the_headers(client: Client, talk: rows.Conversation) -> None:
    replies = [client.get(address) for address in addresses(talk)]
    replies += [Client().get(reverse("sign_in")), Client().get(reverse("enter", args=["x"]))]
    replies += [client.post(reverse("rename", args=[talk.pk]), {"title": ""}), Client().get(reverse("home"))]
    replies += [Client(enforce_csrf_checks=True).post(reverse("sign_in"))]
    assert [reply.status_code for reply in replies] == [*[200] * 8, 404, 200, 410, 400, 302, 403]
    for reply in replies:
        assert policy(reply) == POLICY, reply.request["PATH_INFO"]
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["X-Frame-Options"] == "DENY"
        assert reply.headers["Referrer-Policy"] == "same-origin"
        assert reply.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in reply.headers


def test_the_policy_is_loosened_for_the_admin_and_nowhere_else(client: Client, alice: rows.User) -> None:
    rows.User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    loosened = policy(client.get("/admin/"))

    assert loosened == {
        **POLICY,
        "script-src": {"'self'", "'unsafe-eval'"},
        "style-src": {"'self'", "'unsafe-inline'"},
    }
    for address in ("/administrator/", "/?next=/admin/", "/c/admin/"):
        assert policy(client.get(address)) == POLICY, address


def test_cookies_are_not_for_scripts_or_other_sites(alice: rows.User) -> None:
    client = Client()
    client.post(reverse("sign_in"), {"username": "alice", "password": "secret"})
    session = client.cookies["sessionid"]

    assert session["httponly"] and session["samesite"] == "Lax"


def test_pages_hold_no_script_style_or_handler_that_the_policy_would_refuse(
    client: Client, talk: rows.Conversation
) -> None:
    for address in addresses(talk):
        page = client.get(address).content.decode()
        assert "<script>" not in page and "<style" not in page and " style=" not in page
        assert not [name for name in (" onclick=", " onload=", " onsubmit=", "hx-on", "javascript:") if name in page]


# --- Few queries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conversation", "transcript", "sums"])
def test_a_long_conversation_takes_as_many_queries_as_a_short_one(client: Client, alice: rows.User, name: str) -> None:
    counts = []
    for length in (3, 30):
        talk = factories.make_conversation(alice)
        for number in range(length):
            turn = factories.make_turn(talk, text=f"question {number}", answer="answer " * 50)
            factories.make_call(turn)
        client.get(reverse(name, args=[talk.pk]))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse(name, args=[talk.pk])).status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 20


def test_a_long_list_takes_as_many_queries_as_a_short_one(client: Client, alice: rows.User) -> None:
    counts = []
    for _ in range(2):
        for _ in range(20):
            factories.make_turn(factories.make_conversation(alice))
        client.get(reverse("sidebar"))
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("sidebar"))
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 10


# --- Words that look like markup -------------------------------------------------------------------------------


def test_words_of_people_and_models_are_text_on_every_page(client: Client, alice: rows.User) -> None:
    hostile = "</textarea></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'`{{7*7}}"
    talk = factories.make_conversation(alice, title=hostile[:110], instructions=hostile, draft=hostile)
    turn = factories.make_turn(talk, text=hostile, answer=hostile, state=rows.Turn.State.FAILED)
    rows.Turn.objects.filter(pk=turn.pk).update(error={"code": "server_error", "message": hostile, "status": 500})
    factories.make_call(turn, rows.Call.State.FAILED, error={"code": "x", "message": hostile, "status": 500})
    for address in addresses(talk):
        page = client.get(address).content.decode()
        assert "<script>alert" not in page and "<img src=x" not in page, address
        assert "49" not in page.partition("7*7")[2][:3]
    reply = client.post(reverse("choose_model", args=[talk.pk]), {"choice": hostile})
    assert "<script>alert" not in reply.content.decode()


# --- Secrets -------------------------------------------------------------------------------------------------------

SECRETS = {"openai": "sk-proj-0p3n41-very-secret", "anthropic": "sk-ant-4nthr0p1c-very-secret"}


@pytest.fixture
async def parrot(settings: Any) -> AsyncIterator[None]:
    """A provider that repeats in its error the key it was sent."""

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(secret for secret in SECRETS.values() if secret in head)
        error = {"type": "authentication_error", "code": "invalid_api_key", "message": f"Wrong key: {key} ({key})"}
        body = json.dumps({"type": "error", "error": error}).encode()
        head = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nconnection: close\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(repeat, "127.0.0.1", 0)
    root = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings.OPENAI_BASE_URL, settings.ANTHROPIC_BASE_URL = f"{root}/v1", root
    settings.OPENAI_API_KEY, settings.ANTHROPIC_API_KEY = SECRETS["openai"], SECRETS["anthropic"]
    yield
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("provider", sorted(MODELS))
async def test_a_key_that_a_provider_repeats_reaches_no_frame_page_row_or_log(
    live: Any, parrot: None, open_tab: OpenTab, alice: rows.User, provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="chatapp")
    tab = await open_tab(alice)
    conversation = uuid.uuid4()
    turn = await tab.ask("one", conversation, provider)
    events = await tab.end_of(turn)
    await tab.send("stet:resume", stet_turn=turn, starting_after=10**6)
    await tab.hear("stet:snapshot")
    assert events[-1]["response"]["error"]["code"] == "bad_key"

    def pages() -> str:
        client = Client()
        client.force_login(alice)
        talk = rows.Conversation.objects.get(pk=conversation)
        models = (rows.Turn, rows.Call, rows.StreamLog)
        return "".join(client.get(address).content.decode() for address in addresses(talk)) + "".join(
            str(list(model.objects.values())) for model in models
        )

    everything = await hop(pages) + json.dumps(tab.heard) + caplog.text
    assert "Wrong key: " in everything  # the provider's words are shown, without the key
    for secret in SECRETS.values():
        assert secret not in everything, everything.partition(secret)[0][-300:]


def test_no_page_holds_a_key_or_an_address_of_a_provider(
    client: Client, talk: rows.Conversation, settings: Any
) -> None:
    settings.OPENAI_API_KEY, settings.ANTHROPIC_API_KEY = SECRETS["openai"], SECRETS["anthropic"]
    settings.OPENAI_BASE_URL = "http://10.9.8.7/v1"
    for address in addresses(talk):
        page = client.get(address).content.decode()
        assert not [word for word in (*SECRETS.values(), "10.9.8.7", settings.SECRET_KEY) if word in page], address


def test_a_fault_of_ours_shows_a_page_without_a_trace(client: Client, talk: rows.Conversation, settings: Any) -> None:
    rows.Turn.objects.filter(pk=talk.head_id).update(error="no object")
    rows.Turn.objects.filter(pk=talk.head_id).update(state=rows.Turn.State.FAILED)
    client.raise_request_exception = False
    reply = client.get(reverse("conversation", args=[talk.pk]))

    assert reply.status_code == 500
    assert b"Traceback" not in reply.content and b"AttributeError" not in reply.content
    assert b"A fault of ours" in reply.content
