"""Two doors at once: one conversation, one turn per client id, and nobody hears of a clash."""

import asyncio
import uuid
from typing import Any

import pytest
from django.utils import timezone

from chatapp.turns.ask import NotYours, Question, ask
from chatapp.turns.hop import hop
from sessions_store import models as rows
from tests import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.every_database]


@pytest.fixture(autouse=True)
def reachable(settings: Any) -> None:
    settings.OPENAI_API_KEY = "a key"
    settings.OPENAI_BASE_URL = "http://127.0.0.1:9/v1"


def question(conversation: uuid.UUID, client_id: uuid.UUID | None = None) -> Question:
    return Question(client_id or uuid.uuid4(), conversation, "hello", provider="openai", model="gpt-6.1-sol")


async def test_different_first_messages_at_once_share_the_new_conversation() -> None:
    owner = await hop(factories.make_user)
    for _ in range(5):
        conversation = uuid.uuid4()
        asked = [hop(ask, owner.pk, question(conversation), timezone.now()) for _ in range(4)]
        turns = [turn for turn, new in await asyncio.gather(*asked) if new]
        assert sorted(turn.number for turn in turns) == [1, 2, 3, 4]


async def test_the_same_message_at_once_is_one_turn() -> None:
    owner = await hop(factories.make_user)
    for _ in range(5):
        one = question(uuid.uuid4())
        asked = await asyncio.gather(*(hop(ask, owner.pk, one, timezone.now()) for _ in range(4)))
        assert len({turn.pk for turn, _ in asked}) == 1
        assert [new for _, new in asked].count(True) == 1
    assert await hop(rows.Turn.objects.count) == 5


async def test_a_new_conversation_whose_id_is_somebody_elses_is_not_found() -> None:
    alice, bob = await hop(factories.make_user), await hop(factories.make_user)
    for _ in range(5):
        conversation = uuid.uuid4()
        asked = (hop(ask, user.pk, question(conversation), timezone.now()) for user in (alice, bob))
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(result) for result in results if isinstance(result, Exception)] == [NotYours]
