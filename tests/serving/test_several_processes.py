"""Two servers on one PostgreSQL: a tab at one follows turns of the other, and takes over when it dies."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from chatapp.vocab.assemble import assemble
from chatapp.vocab.items import answer_text
from tests.server_process import ServerProcess
from tests.tab import Tab, session_cookie

pytestmark = pytest.mark.postgres

MODEL = {"provider": "anthropic", "model": "claude-sonnet-5-5"}


@pytest.fixture
def database_url() -> Iterator[str]:
    """A database of this test's own."""
    admin_url = os.environ["STET_TEST_POSTGRES_URL"]
    name = f"stet_{uuid.uuid4().hex}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
    yield urlsplit(admin_url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[call-overload]


@pytest.fixture(params=["looking every second", pytest.param("told by Redis", marks=pytest.mark.redis)])
def servers(
    request: pytest.FixtureRequest, tmp_path: Path, database_url: str
) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """Two processes with one database and one secret key, each with a simulator of its own."""
    env = {"DATABASE_URL": database_url, "SECRET_KEY": "the same for both", "STET_LEASE_SECONDS": "3"}
    if request.param == "told by Redis":
        env["REDIS_URL"] = os.environ["STET_TEST_REDIS_URL"]
    one = ServerProcess(tmp_path / "one", env=env)
    two = ServerProcess(tmp_path / "two", env=env)
    yield one, two
    one.close()
    two.close()


async def test_a_tab_at_one_server_follows_a_turn_of_the_other(servers: tuple[ServerProcess, ServerProcess]) -> None:
    one, two = servers
    cookie, conversation = session_cookie(one.fresh_link("owner")), uuid.uuid4()
    async with Tab(one.url, cookie) as asking, Tab(two.url, cookie) as watching:
        await asking.ask("write 30 words", conversation, **MODEL)
        await asking.hear_end()
        await watching.send({"type": "stet:watch", "stet:conversation": str(conversation)})
        await watching.hear("stet:watching")

        await asking.ask("write 400 words", conversation)
        turn = (await asking.hear("stet:turn.added"))["stet:turn"]
        await asking.hear_end()
        await watching.hear_end()

        numbers = [frame["sequence_number"] for frame in watching.events(turn)]
        assert numbers == sorted(set(numbers))
        assert assemble(watching.events(turn)) == assemble(asking.events(turn))
        assert [frame["type"] for frame in watching.frames].count("stet:turn.added") == 1


async def test_stop_at_one_server_reaches_a_turn_of_the_other(servers: tuple[ServerProcess, ServerProcess]) -> None:
    one, two = servers
    cookie, conversation = session_cookie(one.fresh_link("owner")), uuid.uuid4()
    async with Tab(one.url, cookie) as asking, Tab(two.url, cookie) as stopping:
        await asking.ask("write 9000 words", conversation, **MODEL)
        turn = (await asking.hear("stet:turn.added"))["stet:turn"]
        await asking.hear("response.output_text.delta")
        await stopping.send({"type": "stet:cancel", "stet:turn": turn})
        end = await asking.hear_end()
        assert end["response"]["incomplete_details"] == {"reason": "stet:cancelled"}


RUNNING_IN = """
from sessions_store.models import Turn
print(Turn.objects.get(state="streaming").lease.pid)
"""


async def test_turns_of_a_killed_server_are_ended_by_the_other(
    servers: tuple[ServerProcess, ServerProcess],
) -> None:
    one, two = servers
    cookie, conversation = session_cookie(one.fresh_link("owner")), uuid.uuid4()
    async with Tab(one.url, cookie) as tab_one, Tab(two.url, cookie) as tab_two:
        await tab_one.ask("write 9000 words", conversation, **MODEL)
        turn = (await tab_one.hear("stet:turn.added"))["stet:turn"]
        await tab_one.hear("response.output_text.delta")
        # Usually the server that was asked; under load the other may have been quicker.
        pid = int(one.manage("shell", "-v0", "-c", RUNNING_IN))
        killed, tab = (one, tab_two) if one.child.process.pid == pid else (two, tab_one)
        await tab.send({"type": "stet:watch", "stet:conversation": str(conversation)})
        await tab.hear("stet:watching")
        await tab.send({"type": "stet:resume", "stet:turn": turn, "starting_after": -1})
        while len(answer_text(assemble(tab.events(turn)))) < 200:
            await tab.next()
        killed.kill()
        snapshot = await tab.hear("stet:snapshot", seconds=30)
        assert snapshot["stet:state"] == "interrupted"
        assert snapshot["response"]["error"]["code"] == "stet:interrupted"
        kept = answer_text(snapshot["response"]["output"])
        assert kept.startswith(answer_text(assemble(tab.events(turn))))
        await tab.ask("please go on", conversation)
        assert (await tab.hear_end())["type"] == "response.completed"


async def test_an_answer_survives_the_loss_of_every_database_connection(
    servers: tuple[ServerProcess, ServerProcess], database_url: str
) -> None:
    one, _ = servers
    cookie, conversation = session_cookie(one.fresh_link("owner")), uuid.uuid4()
    async with Tab(one.url, cookie) as tab:
        await tab.ask("write 600 words", conversation, **MODEL)
        turn = (await tab.hear("stet:turn.added"))["stet:turn"]
        await tab.hear("response.output_text.delta")
        for _ in range(3):
            cut_connections(database_url)
            await tab.hear("response.output_text.delta")
        assert (await tab.hear_end(60))["type"] == "response.completed"
        text = answer_text(assemble(tab.events(turn)))
        await tab.send({"type": "stet:resume", "stet:turn": turn, "starting_after": 100_000})
        snapshot = await tab.hear("stet:snapshot")
        assert answer_text(snapshot["response"]["output"]) == text
        await tab.ask("count to 3", conversation)
        assert (await tab.hear_end())["type"] == "response.completed"


def cut_connections(database_url: str) -> None:
    """As a restart of PostgreSQL does: every connection to this database ends at once."""
    name = urlsplit(database_url).path.strip("/")
    with psycopg.connect(os.environ["STET_TEST_POSTGRES_URL"], autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
