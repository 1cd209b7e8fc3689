"""Real conversations, typed by hand as it were: three recorded ones, on both providers and across a switch."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.server_process import ServerProcess
from tests.simulator_process import SimulatorAccount, SimulatorProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

RECORDED = Path(__file__).resolve().parents[1] / "data" / "recorded.jsonl"

LEDGER = """
import json
from sessions_store.models import Call
print(json.dumps([
    [call.provider, call.input_tokens, call.read_tokens, call.output_tokens, call.state, call.purpose]
    for call in Call.objects.order_by("pk")
]))
"""


def conversations() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RECORDED.read_text().splitlines()]


@pytest.fixture
def account(simulator: SimulatorProcess) -> SimulatorAccount:
    return simulator.account()


@pytest.fixture
def server(
    start_server: Callable[..., ServerProcess], account: SimulatorAccount, simulator: SimulatorProcess
) -> ServerProcess:
    """A server that takes this test's simulator for the real providers, as one with keys would."""
    return start_server(
        STET_MESSAGES_PER_MINUTE="1000",
        STET_SIMULATOR="off",
        OPENAI_API_KEY=account.key,
        ANTHROPIC_API_KEY=account.key,
        OPENAI_BASE_URL=simulator.openai_base_url,
        ANTHROPIC_BASE_URL=simulator.anthropic_base_url,
    )


def choose(page: "Page", label: str) -> None:
    page.locator(".bar .chip").click()
    page.locator("#models").get_by_role("radio", name=re.compile(re.escape(label))).click()
    expect(page.locator(".bar .chip")).to_contain_text(label)


def plain(text: str) -> str:
    """The first words of an answer that Markdown shows as they are written."""
    line = next(line for line in text.splitlines() if re.match(r"[A-Za-z(]", line))
    return re.split(r"[`*_\[\]<>&|]|  ", line)[0].strip()[:60]


@pytest.mark.parametrize(
    ("number", "models"),
    [(0, ["GPT-6.1 Sol"]), (1, ["Claude Sonnet 5.5"]), (2, ["Claude Sonnet 5.5", "GPT-6.1 Sol", "Claude Sonnet 5.5"])],
    ids=["openai", "anthropic", "switching"],
)
def test_a_recorded_conversation_is_typed_and_answered_as_recorded(
    server: ServerProcess, account: SimulatorAccount, sign_in: "Callable[..., Page]", number: int, models: list[str]
) -> None:
    recorded = conversations()[number]
    for message in recorded["messages"]:
        message["content"] = message["content"].strip()
    account.script(recorded)
    questions = [message["content"] for message in recorded["messages"] if message["role"] == "user"]
    answers = [message["content"] for message in recorded["messages"] if message["role"] == "assistant"]
    page = sign_in(server)

    for turn, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        if turn % 4 == 0 and turn // 4 < len(models):
            choose(page, models[turn // 4])
        page.locator("#message").fill(question)
        page.locator("#message").press("Enter")
        shown = page.locator("li.turn").nth(turn)
        expect(shown).to_have_attribute("data-state", "completed", timeout=20_000)
        expect(shown.locator(".prose").first).to_contain_text(plain(answer))
        expect(shown.locator(".foot .paid")).to_have_text(re.compile(r"^(about )?<? ?\$\d"))

    transcript = page.locator("ol.transcript")
    before = transcript.inner_text()
    page.reload()
    expect(page.locator("li.turn")).to_have_count(len(questions))
    expect(page.locator("li.turn").last.locator(".prose").first).to_contain_text(plain(answers[-1]))
    page.wait_for_function("document.querySelector('ol.transcript').innerText.length > 0")
    assert squeezed(transcript.inner_text()) == squeezed(before)

    ledger = json.loads(server.manage("shell", "-v0", "-c", LEDGER))
    requests = [request for request in account.requests() if request["method"] == "POST"]
    assert len(ledger) == len(requests)
    assert [row[4] for row in ledger] == ["completed"] * len(ledger)
    assert [row[5] for row in ledger].count("reply") == len(questions)
    for row, request in zip(sorted(map(str, ledger)), sorted(map(str, map(billed, requests))), strict=True):
        assert row.rsplit(", ", 2)[0] == request.rsplit("]", 1)[0]


def squeezed(text: str) -> str:
    """Words only."""
    return re.sub(r"\s+", " ", text)


def billed(request: dict[str, Any]) -> list[Any]:
    """What the simulator counted: provider, total input, read, output."""
    usage = request["usage"]
    if request["provider"] == "openai":
        details = usage["input_tokens_details"]
        return ["openai", usage["input_tokens"], details["cached_tokens"], usage["output_tokens"]]
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    return ["anthropic", usage["input_tokens"] + read + written, read, usage["output_tokens"]]
