"""The runtime in a test's own event loop, and browser tabs that talk to it through the real routes."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings as django_settings
from django.test import Client

from chatapp.asgi import routes
from chatapp.live import hub
from chatapp.live.runtime import Runtime, runtime
from chatapp.turns.hop import hop
from chatapp.turns.outcome import TERMINAL_TYPES, text_crc32
from chatapp.vocab.assemble import assemble
from chatapp.vocab.events import DELTA_TYPES, Frame
from chatapp.vocab.items import answer_text
from sessions_store import models as rows
from tests import factories
from tests.simulator_process import SimulatorAccount
from tests.waiting import until

MODELS = {"openai": "gpt-6.1-sol", "anthropic": "claude-sonnet-5-5"}
ENDS = frozenset(TERMINAL_TYPES.values())
OURS = "http://localhost"


@pytest.fixture
async def live(
    transactional_db: None, account: SimulatorAccount, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Runtime]:
    """The process's runtime, started here and stopped at the end. News is looked for more often than usual."""
    monkeypatch.setattr(hub, "LOOK_SECONDS", 0.1)
    await runtime.start()
    yield runtime
    await runtime.stop()


class Tab:
    """One browser tab: a socket, and everything it has heard."""

    def __init__(self, cookie: str | None, origin: str | None = OURS) -> None:
        headers = [(b"host", b"localhost")]
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        if cookie is not None:
            headers.append((b"cookie", f"{django_settings.SESSION_COOKIE_NAME}={cookie}".encode()))
        self.cookie = cookie
        self.heard: list[Frame] = []
        self.code: int | None = None
        self.accepted = False
        self._wire = WebsocketCommunicator(routes, "/ws/", headers=headers)
        self._ear: asyncio.Task[None] | None = None

    async def open(self) -> "Tab":
        self.accepted, code = await self._wire.connect(timeout=10)
        if self.accepted:
            self._ear = asyncio.create_task(self._listen())
        else:
            self.code = code
        return self

    async def _listen(self) -> None:
        while True:
            event = await self._wire.output_queue.get()
            if event["type"] == "websocket.close":
                self.code = event.get("code", 1000)
            else:
                self.heard.append(json.loads(event["text"]))

    async def close(self) -> None:
        """The tab is closed, or the network is gone."""
        if self._ear:
            self._ear.cancel()
            with suppress(asyncio.CancelledError):
                await self._ear
            self._ear = None
            await self._wire.disconnect(timeout=10)

    # --- What the page does ----------------------------------------------------------------------

    async def raw(self, text: str | None = None, data: bytes | None = None) -> None:
        await self._wire.send_to(text_data=text, bytes_data=data)

    async def send(self, kind: str, **fields: Any) -> None:
        """A frame; `stet_x` stands for the field `stet:x`."""
        named = {key.replace("stet_", "stet:", 1): _plain(value) for key, value in fields.items()}
        await self.raw(json.dumps({"type": kind, **named}))

    async def ask(self, text: str, conversation: uuid.UUID, provider: str = "openai", **fields: Any) -> uuid.UUID:
        """Send a message; its turn's id, once the server has told it."""
        client_id = fields.pop("client_id", None) or uuid.uuid4()
        filled = {"provider": provider, "model": MODELS[provider], **fields}
        await self.send(
            "response.create", input=text, stet_client_id=client_id, stet_conversation=conversation, **filled
        )
        added = await self.hear("stet:turn.added", lambda frame: frame["stet:client_id"] == str(client_id))
        return uuid.UUID(added["stet:turn"])

    async def watch(self, conversation: uuid.UUID) -> Frame:
        before = len(self.heard)
        await self.send("stet:watch", stet_conversation=conversation)
        return await self.hear("stet:watching", since=before)

    async def pong(self) -> None:
        """Come back when everything sent before has been dealt with."""
        before = len(self.heard)
        await self.send("stet:ping")
        await self.hear("stet:pong", since=before)

    # --- What it has heard -----------------------------------------------------------------------

    async def hear(
        self, kind: str, fits: Callable[[Frame], bool] = lambda frame: True, since: int = 0, seconds: float = 20
    ) -> Frame:
        """The first frame of this kind that fits, waiting for it if need be."""

        def look() -> Frame | None:
            return next((frame for frame in self.heard[since:] if frame["type"] == kind and fits(frame)), None)

        try:
            return await until(look, f"{kind} is heard", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; closed {self.code}, heard {self.types()[-30:]}") from None

    async def end_of(self, turn: uuid.UUID, seconds: float = 40) -> list[Frame]:
        """Every numbered event of the turn, once the last has come."""
        try:
            await until(lambda: any(frame["type"] in ENDS for frame in self.events(turn)), f"{turn} ends", seconds)
        except AssertionError as error:
            row = await hop(rows.Turn.objects.filter(pk=turn).values().first)
            raise AssertionError(f"{error}; closed {self.code}, heard {self.types()[-30:]}; its row: {row}") from None
        return self.events(turn)

    async def text_of(self, turn: uuid.UUID, characters: int = 1) -> str:
        """The answer so far, once there is some."""
        await until(lambda: len(answer_text(assemble(self.events(turn)))) >= characters, "text flows")
        return answer_text(assemble(self.events(turn)))

    async def closed(self, seconds: float = 20) -> int:
        """The code with which the server closed it."""
        await until(lambda: self.code is not None, "the socket is closed", seconds)
        assert self.code is not None
        return self.code

    def events(self, turn: uuid.UUID) -> list[Frame]:
        return [
            frame
            for frame in self.heard
            if frame.get("stet:turn") == str(turn) and "sequence_number" in frame and frame["type"] != "stet:snapshot"
        ]

    def of(self, kind: str) -> list[Frame]:
        return [frame for frame in self.heard if frame["type"] == kind]

    def types(self) -> list[str]:
        return [frame["type"] for frame in self.heard]


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, uuid.UUID) else value


def sign_in(user: rows.User) -> str:
    """A session of this person, as the cookie holds it."""
    client = Client()
    client.force_login(user)
    return client.cookies[django_settings.SESSION_COOKIE_NAME].value


OpenTab = Callable[..., Awaitable[Tab]]


@pytest.fixture
async def open_tab(live: Runtime) -> AsyncIterator[OpenTab]:
    """Opens tabs, and closes at the end those that are still open. `None` is somebody who is not signed in."""
    tabs: list[Tab] = []

    async def open_one(user: rows.User | None, *, cookie: str | None = None, origin: str | None = OURS) -> Tab:
        if user is not None and cookie is None:
            cookie = await hop(sign_in, user)
        tab = Tab(cookie, origin)
        tabs.append(tab)
        return await tab.open()

    yield open_one
    for tab in tabs:
        await tab.close()


@pytest.fixture
async def alice(transactional_db: None) -> rows.User:
    return await hop(factories.make_user, "alice")


@pytest.fixture
async def bob(transactional_db: None) -> rows.User:
    return await hop(factories.make_user, "bob")


# --- What must be true of every turn ---------------------------------------------------------------


def assert_whole(events: list[Frame], after: int = -1) -> None:
    """Numbered without gap or repeat from behind `after`, with exactly one end, which comes last."""
    last = after
    for frame in events:
        number = frame["sequence_number"]
        joined = frame["type"] in DELTA_TYPES  # adjacent deltas carry the number of the last
        assert number > last if joined else number == last + 1, f"{number} comes behind {last}"
        last = number
    assert [frame["type"] in ENDS for frame in events] == [False] * (len(events) - 1) + [True]


def stored(turn_id: uuid.UUID) -> rows.Turn:
    return rows.Turn.objects.get(pk=turn_id)


def stored_items(turn_id: uuid.UUID) -> list[dict[str, Any]]:
    """The answer's items as the rows have them."""
    return [item.data for item in rows.Item.objects.filter(turn_id=turn_id, position__gt=0).order_by("position")]


async def assert_page_equals_rows(tab: Tab, turn_id: uuid.UUID, events: list[Frame]) -> None:
    """What a page built from events shows is what the rows and a snapshot say, and its checksum agrees."""
    items = await hop(stored_items, turn_id)
    assert assemble(events) == items
    assert events[-1]["stet:text_crc32"] == text_crc32(answer_text(items))
    before = len(tab.heard)
    await tab.send("stet:resume", stet_turn=turn_id, starting_after=10**6)
    snapshot = await tab.hear("stet:snapshot", since=before)
    assert snapshot["response"]["output"] == items
    assert snapshot["stet:text_crc32"] == events[-1]["stet:text_crc32"]
    assert snapshot["stet:state"] == (await hop(stored, turn_id)).state
    end = {name: value for name, value in snapshot["response"].items() if name != "output"}
    assert end == events[-1]["response"]


def everything() -> dict[str, int]:
    """How much of what a message makes there is: to see that nothing was written."""
    return {model.__name__: model.objects.count() for model in (rows.Conversation, rows.Turn, rows.Item, rows.Call)}
