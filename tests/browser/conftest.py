"""A real server, a real Chromium, and somebody new at the keyboard. What pages do is in the test files."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.browser.chat import Visitor, Watch
from tests.server_process import ServerProcess, make_migrated_var

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

SCREENSHOTS = Path(__file__).resolve().parents[2] / "var" / "screenshots"
WINDOW = {"width": 1280, "height": 900}
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",  # root in a container cannot have one
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SETTINGS = {
    "STET_MESSAGES_PER_MINUTE": "1000",
    "STET_MAX_OUTPUT_TOKENS": "60000",
    "STET_MAX_ATTEMPTS": "2",
    "STET_PROVIDER_TIMEOUT_SECONDS": "3",
}
VISITORS = 150
SAVED = """
import json
from chatapp.fragments import transcript
from sessions_store.models import Conversation

turns = []
for turn in transcript(Conversation.objects.get(pk="{}")):
    texts = [part["text"] for part in turn.answer if part["kind"] == "text"]
    turns.append([turn.state, turn.text, "\\n\\n".join(texts)])
print(json.dumps(turns))
"""
MAKE_VISITORS = f"""
import json
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from sessions_store.models import User

made = []
with transaction.atomic():
    for number in range({VISITORS}):
        user = User(username=f"visitor{{number}}")
        user.set_unusable_password()
        user.save()
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        made.append([user.pk, user.username, session.session_key])
print(json.dumps(made))
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


# --- Servers -----------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory to copy from."""
    return make_migrated_var(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[ServerProcess]:
    """One `manage.py serve` with the simulator for every test that does not break it. Its conversations pile up,
    each with a visitor of its own."""
    var = tmp_path_factory.mktemp("server") / "var"
    process = ServerProcess(var, migrated=migrated, env=SETTINGS)
    yield process
    process.close()


@pytest.fixture
def start_server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start servers with settings of one's own: `start_server(STET_MESSAGES_PER_MINUTE="3")`."""
    started: list[ServerProcess] = []

    def start(**env: str) -> ServerProcess:
        started.append(ServerProcess(tmp_path_factory.mktemp("server") / "var", migrated=migrated, env=env))
        return started[-1]

    yield start
    for process in started:
        process.close()


# --- Browsers ----------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    # Imported here because the rest of the tests must run without Playwright's start-up. Started per file and
    # not per session: its loop stays current in the thread, and asynchronous tests of other files need their own.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    path = os.environ.get("STET_TEST_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """What browsers complain of, and whom else than the server they ask. Nothing of it may be left at the end of a
    test: a test that expects something takes it out with `watch.forgive(...)`."""
    watch = Watch()
    yield watch
    assert watch.complaints == []
    assert watch.foreign == []


@pytest.fixture
def new_context(chromium: "Browser", watch: Watch) -> "Iterator[Callable[..., BrowserContext]]":
    """A browser profile of its own; options as Playwright's `new_context` (color_scheme, viewport, ...)."""
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> "BrowserContext":
        context = chromium.new_context(**{"viewport": WINDOW, **options})
        contexts.append(context)
        context.set_default_timeout(15_000)
        watch.over(context)
        return context

    yield make
    for context in contexts:
        context.close()


# --- People ------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def _visitors(server: ServerProcess) -> list[Visitor]:
    """Made at once, because each run of manage.py takes a second."""
    return [Visitor(*one) for one in json.loads(server.manage("shell", "-v0", "-c", MAKE_VISITORS))]


@pytest.fixture
def somebody(_visitors: list[Visitor]) -> Callable[[], Visitor]:
    """Somebody new, without any conversation: `bob = somebody()`."""
    return _visitors.pop


@pytest.fixture
def visitor(somebody: Callable[[], Visitor]) -> Visitor:
    """The person of this test."""
    return somebody()


@pytest.fixture
def enter(server: ServerProcess, new_context: Callable[..., Any]) -> "Callable[..., Page]":
    """`enter(visitor, path, **context_options)`: their page in a new profile, signed in already."""

    def open_page(visitor: Visitor, path: str = "/", **options: Any) -> "Page":
        context = new_context(**options)
        context.add_cookies([{"name": "sessionid", "value": visitor.session, "url": server.url}])
        page: Page = context.new_page()
        page.goto(server.url + path)
        return page

    return open_page


@pytest.fixture
def page(enter: "Callable[..., Page]", visitor: Visitor) -> "Page":
    """The start page of somebody with no conversations, 1280 by 900."""
    return enter(visitor)


@pytest.fixture
def sign_in(new_context: Callable[..., Any]) -> "Callable[..., Page]":
    """`sign_in(server)`: the owner's page, through the link that the server prints."""

    def open_page(server: ServerProcess, **options: Any) -> "Page":
        page: Page = new_context(**options).new_page()
        page.goto(server.fresh_link())
        return page

    return open_page


@pytest.fixture
def screenshot() -> "Callable[[Page, str], Path]":
    """Keep a picture under var/screenshots/, to be looked at by people."""

    def keep(page: "Page", name: str) -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path)
        return path

    return keep


@pytest.fixture
def saved(server: ServerProcess) -> Callable[[str], Any]:
    """`saved(page.url)`: [state, question, answer] of each turn as the server's rows say, to hold the page against.
    Takes a second, so only for tests whose point it is."""

    def look(address: str) -> Any:
        conversation = urlsplit(address).path.strip("/").split("/")[-1]
        return json.loads(server.manage("shell", "-v0", "-c", SAVED.format(conversation)))

    return look
