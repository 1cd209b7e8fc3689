"""A scene: one person, one account at the simulator, and the engine, without sockets or runner."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from chatapp.live.frames import cost_frame
from chatapp.turns.ask import HEAD, Question, ask
from chatapp.turns.connections import AdapterPool
from chatapp.turns.engine import Engine, Stop, run_turn
from chatapp.turns.feed import Feed
from chatapp.turns.hop import hop
from chatapp.turns.outcome import Outcome
from chatapp.vocab.items import answer_text
from sessions_store import models as rows
from tests import factories
from tests.simulator_process import SimulatorAccount

MODELS = {"openai": "gpt-6.1-sol", "anthropic": "claude-sonnet-5-5"}


@dataclass
class Played:
    """A turn that has been run to its end."""

    turn: rows.Turn
    outcome: Outcome
    feed: Feed

    def calls(self) -> list[rows.Call]:
        return list(rows.Call.objects.filter(turn=self.turn).order_by("pk"))

    def text(self) -> str:
        items = rows.Item.objects.filter(turn=self.turn, position__gt=0).order_by("position")
        return answer_text([item.data for item in items])


@dataclass
class Scene:
    """`say` asks and runs; `now` can be moved, and the simulator's clock with it."""

    owner: rows.User
    account: SimulatorAccount
    provider: str
    engine: Engine
    lease: rows.ProcessLease
    conversation_id: uuid.UUID = field(default_factory=uuid.uuid4)
    moved: timedelta = field(default_factory=timedelta)
    feeds: list[Feed] = field(default_factory=list)

    def now(self) -> datetime:
        return timezone.now() + self.moved

    def wait(self, seconds: float) -> None:
        """Let time pass, here and at the provider."""
        self.moved += timedelta(seconds=seconds)
        self.account.advance_clock(seconds)

    def question(self, text: str, **changes: Any) -> Question:
        filled = {"provider": self.provider, "model": MODELS[self.provider], "parent": HEAD, "client_id": uuid.uuid4()}
        return Question(conversation_id=self.conversation_id, text=text, **{**filled, **changes})

    async def say(self, text: str, stop: Stop | None = None, **changes: Any) -> Played:
        turn, _ = await hop(ask, self.owner.pk, self.question(text, **changes), self.now())
        await hop(self.claim, turn)
        return await self.run(turn, stop)

    def claim(self, turn: rows.Turn) -> None:
        assert rows.Turn.claim(turn, self.lease, self.now())
        turn.refresh_from_db()
        rows.Conversation.touch(turn.conversation_id, self.now(), head=turn)

    async def run(self, turn: rows.Turn, stop: Stop | None = None) -> Played:
        feed = Feed(turn.pk, turn.conversation_id)
        self.feeds.append(feed)
        outcome = await run_turn(self.engine, turn, stop or Stop(), feed, cost_frame)
        await hop(turn.refresh_from_db)
        return Played(turn, outcome, feed)


@pytest.fixture(params=sorted(MODELS))
def provider(request: pytest.FixtureRequest) -> str:
    """Both providers, one after the other."""
    return str(request.param)


@pytest.fixture
async def scene(
    transactional_db: None, account: SimulatorAccount, provider: str, settings: Any
) -> AsyncIterator[Scene]:
    settings.STET_PROVIDER_TIMEOUT_SECONDS = 1  # a provider that falls silent is waited for in these tests
    adapters = AdapterPool()
    owner = await hop(factories.make_user)
    lease = await hop(rows.ProcessLease.objects.create, host="here", pid=1)
    scene = Scene(owner, account, provider, Engine(adapters, timezone.now, retry_base_seconds=0.01), lease)
    scene.engine = Engine(adapters, scene.now, retry_base_seconds=0.01)
    yield scene
    await adapters.aclose()
