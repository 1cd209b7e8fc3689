"""kill -9 in mid-answer, and the start after it: nothing streams for ever, nothing logged is lost, nothing is
billed twice."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.vocab.assemble import assemble
from chatapp.vocab.items import answer_text
from tests.server_process import ServerProcess
from tests.tab import Tab, session_cookie

MODEL = {"provider": "openai", "model": "gpt-6.1-sol"}

LEDGER = """
import json
from sessions_store.models import Call, Item, Turn
from chatapp.vocab.items import answer_text
print(json.dumps({
    "turns": [
        (t.state, answer_text([i.data for i in t.items.filter(position__gt=0)]))
        for t in Turn.objects.order_by("number")
    ],
    "calls": [(c.purpose, c.state, c.estimated, c.cost_nanousd) for c in Call.objects.order_by("pk")],
    "draft": list(Turn.objects.values_list("conversation__draft", flat=True))[:1],
}))
"""


def ledger(server: ServerProcess) -> dict[str, list[list[object]]]:
    found: dict[str, list[list[object]]] = json.loads(server.manage("shell", "-v0", "-c", LEDGER))
    return found


@pytest.fixture
def crashed_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server with data of its own, to be killed."""
    server = ServerProcess(tmp_path / "var")
    yield server
    server.close()


async def test_kill_9_in_mid_stream_keeps_what_was_logged(crashed_server: ServerProcess) -> None:
    server = crashed_server
    cookie = session_cookie(server.link)
    conversation = uuid.uuid4()
    async with Tab(server.url, cookie) as tab:
        await tab.ask("write 3000 words", conversation, **MODEL)
        added = await tab.hear("stet:turn.added")
        while len(answer_text(assemble(tab.events(added["stet:turn"])))) < 500:
            await tab.next()
        client_id = await tab.ask("and another thing", conversation)
        await tab.hear("stet:turn.added")
        seen_when_logged = answer_text(assemble(tab.events(added["stet:turn"])))
        while len(answer_text(assemble(tab.events(added["stet:turn"])))) < len(seen_when_logged) + 500:
            await tab.next()
        server.kill()
        last_seen = tab.events(added["stet:turn"])[-1]["sequence_number"]
    server.restart()

    found = ledger(server)
    states = [state for state, _ in found["turns"]]
    assert states == ["interrupted", "cancelled"]
    kept = str(found["turns"][0][1])
    assert kept.startswith(seen_when_logged[:500])
    (call,) = found["calls"]
    assert call[:3] == ["reply", "interrupted", True]
    assert isinstance(call[3], int) and call[3] > 0
    assert found["draft"] == ["and another thing"]

    async with Tab(server.url, cookie) as tab:
        await tab.send({"type": "stet:watch", "stet:conversation": str(conversation)})
        watching = await tab.hear("stet:watching")
        assert watching["running"] is None and watching["queued"] == []
        await tab.send({"type": "stet:resume", "stet:turn": added["stet:turn"], "starting_after": last_seen + 10_000})
        snapshot = await tab.hear("stet:snapshot")
        assert snapshot["stet:state"] == "interrupted"
        assert answer_text(snapshot["response"]["output"]) == kept
        # The page that was cut off sends its question again: the same turn, not a second one.
        await tab.ask("and another thing", conversation, client_id=client_id)
        again = await tab.hear("stet:turn.added")
        assert again["stet:state"] == "cancelled"
        await tab.ask("please go on", conversation)
        assert (await tab.hear_end())["type"] == "response.completed"
    found = ledger(server)
    assert [state for state, _ in found["turns"]] == ["interrupted", "cancelled", "completed"]
    assert [row[0] for row in found["calls"]].count("reply") == 2


async def test_sigterm_lets_a_running_answer_finish(crashed_server: ServerProcess) -> None:
    server = crashed_server
    conversation = uuid.uuid4()
    async with Tab(server.url, session_cookie(server.link)) as tab:
        await tab.ask("write 200 words", conversation, **MODEL)
        await tab.hear("response.output_text.delta")
        assert server.stop() == 0
    server.restart()
    assert ledger(server)["turns"][0][0] == "completed"
