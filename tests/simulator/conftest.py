"""One simulator for the whole run, and a fresh account for each test: accounts never meet, so nothing is reset."""

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from chatapp.simulator import Server, serve


@dataclass
class Simulated:
    """A test's account at the simulator, with a client for each way in."""

    key: str
    openai_base_url: str
    anthropic_base_url: str
    control_url: str
    openai: openai.OpenAI
    anthropic: anthropic.Anthropic
    raw: httpx2.Client

    def control(self, method: str, topic: str, data: Any = None) -> Any:
        """The control API, for this account."""
        answer = self.raw.request(method, f"{self.control_url}/{self.key}/{topic}", json=data)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, kind: str, **params: Any) -> None:
        """Queues a fault."""
        self.control("POST", "faults", {"faults": [{"kind": kind, **params}]})

    def advance(self, seconds: float) -> None:
        """Moves the account's clock."""
        self.control("POST", "clock", {"advance_seconds": seconds})

    def requests(self) -> list[dict[str, Any]]:
        """The request log."""
        logged: list[dict[str, Any]] = self.control("GET", "requests")["requests"]
        return logged

    def finished(self, number: int = -1) -> dict[str, Any]:
        """A log entry once its request is over."""
        while (entry := self.requests()[number])["finished"] is None:
            pass
        return entry

    def ask_openai(self, **fields: Any) -> Any:
        """A response, whole."""
        return self.openai.responses.create(**{"model": "gpt-6.2-sol", "input": "Hello", **fields})

    def ask_anthropic(self, **fields: Any) -> Any:
        """A message, whole. The default model thinks only when asked to, so answers are one text block."""
        wanted = {
            "model": "claude-opus-4-8",
            "max_tokens": 4_000,
            "messages": [{"role": "user", "content": "Hello"}],
            **fields,
        }
        return self.anthropic.messages.create(**wanted)

    def post(self, provider: str, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx2.Response:
        """Any body at all, without an SDK's checks."""
        base = {"openai": self.openai_base_url, "anthropic": self.anthropic_base_url}[provider]
        names = {"authorization": f"Bearer {self.key}", "anthropic-version": "2026-10-21", **(headers or {})}
        return self.raw.post(f"{base}/{path}", json=body, headers=names)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A simulator in a thread of its own, without delays."""
    ready = threading.Event()
    found: dict[str, Any] = {}

    async def run() -> None:
        found["server"] = await serve()
        found["loop"], found["end"] = asyncio.get_running_loop(), asyncio.Event()
        ready.set()
        await found["end"].wait()
        await found["server"].close()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(10)
    yield found["server"]
    found["loop"].call_soon_threadsafe(found["end"].set)
    thread.join(10)


@dataclass
class Clients:
    """One pool of connections each, for all accounts: making a client costs more than most tests."""

    openai: openai.OpenAI
    anthropic: anthropic.Anthropic
    raw: httpx2.Client


@pytest.fixture(scope="session")
def clients(server: Server) -> Iterator[Clients]:
    """The SDKs' clients and a plain one."""
    found = Clients(
        openai.OpenAI(api_key="sk-test", base_url=server.openai_base_url, max_retries=0),
        anthropic.Anthropic(api_key="sk-test", base_url=server.anthropic_base_url, max_retries=0),
        httpx2.Client(trust_env=False),
    )
    yield found
    found.openai.close()
    found.anthropic.close()
    found.raw.close()


@pytest.fixture
def account(server: Server, clients: Clients) -> Iterator[Callable[[], Simulated]]:
    """Makes accounts; most tests need one and take `sim`."""
    made: list[Simulated] = []

    def make() -> Simulated:
        key = f"sk-test-{uuid.uuid4().hex}"
        made.append(
            Simulated(
                key,
                server.openai_base_url,
                server.anthropic_base_url,
                server.control_url,
                clients.openai.with_options(api_key=key),
                clients.anthropic.with_options(api_key=key),
                clients.raw,
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.control("DELETE", "")


@pytest.fixture
def sim(account: Callable[[], Simulated]) -> Simulated:
    """An account of one's own."""
    return account()


@pytest.fixture
def filler() -> Callable[..., str]:
    """Text of an exact number of tokens as a block, different for each letter."""

    def make(tokens: int, letter: str = "x") -> str:
        return letter * (4 * (tokens - 3))

    return make
