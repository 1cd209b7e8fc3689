"""The chat page as somebody uses it: write, ask, read. No test is here."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page, Request

CONVERSATION = re.compile(r"/c/[0-9a-f-]{36}/$")
ENDED = re.compile("completed|incomplete|failed|cancelled|interrupted")
READ_SOURCE = """async turn => {
    const main = document.querySelector('script[type=module]').src;
    const { answerText, turnOf } = await import(main.replace('main.js', 'turns.js'));
    return answerText(turnOf(turn));
}"""


TALL = "say exactly: " + "\n\n".join(f"Line {number}." for number in range(40))
"""Asks for an answer higher than a window, without much to wait for."""


@dataclass(frozen=True)
class Visitor:
    """Somebody with an account and an open session."""

    id: int
    name: str
    session: str

    @property
    def report(self) -> str:
        """A message long enough for every model's cache. Nobody else's, because the simulator caches for all."""
        return f"Here is {self.name}'s report.\n\n" + "The parish clerk wrote the name as he heard it. " * 120


@dataclass
class Watch:
    """Listens to every page of a test."""

    complaints: list[str] = field(default_factory=list)
    """Errors in the console: scripts that failed, the policy broken, files missing."""
    foreign: list[str] = field(default_factory=list)
    """Requests to anybody but the server under test."""

    def over(self, context: "BrowserContext") -> None:
        context.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", self._request)

    def _request(self, request: "Request") -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.hostname != "127.0.0.1":
            self.foreign.append(request.url)

    def forgive(self, pattern: str) -> None:
        """Complaints that a test brings about on purpose."""
        self.complaints[:] = [line for line in self.complaints if not re.search(pattern, line)]


def turns(page: "Page") -> "Locator":
    """Every turn that the transcript shows."""
    return page.locator("#transcript > .turn")


def write(page: "Page", text: str) -> None:
    """Put a message into the box and send it."""
    page.locator("#message").fill(text)
    page.locator("#message").press("Enter")


def begin(page: "Page", text: str) -> "Locator":
    """Send a message; its turn, once the server has it."""
    number = turns(page).count()
    write(page, text)
    turn = turns(page).nth(number)
    expect(turn).to_have_attribute("data-turn", re.compile(r"."))
    return turn


def ask(page: "Page", text: str) -> "Locator":
    """Send a message and wait for the whole answer; its turn."""
    return ended(begin(page, text))


def ended(turn: "Locator", state: str = "completed") -> "Locator":
    """The turn, when it has ended and its foot has been fetched."""
    expect(turn).to_have_attribute("data-state", ENDED, timeout=30_000)
    expect(turn).to_have_attribute("data-state", state)
    expect(turn.locator(".foot .acts [aria-label='Answer again']")).to_be_attached()
    return turn


def running(turn: "Locator") -> "Locator":
    """The turn, when the first words of its answer are there."""
    expect(turn.locator(".prose")).not_to_be_empty()
    expect(turn).to_have_attribute("data-state", "streaming")
    return turn


def source(turn: "Locator") -> str:
    """The answer as the page has heard it, before it was set."""
    text: str = turn.evaluate(READ_SOURCE)
    return text
