"""A real server and a real Chromium. What the pages should do is in the test files."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory to copy from."""
    return make_migrated_var(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start servers with settings of one's own: `start_server(STET_MESSAGES_PER_MINUTE="3")`."""
    started: list[ServerProcess] = []

    def start(**env: str) -> ServerProcess:
        started.append(ServerProcess(tmp_path_factory.mktemp("server") / "var", migrated=migrated, env=env))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="module")
def server(start_server: Callable[..., ServerProcess]) -> ServerProcess:
    """One `manage.py serve` per test file, with the simulator. Its conversations pile up; see `fresh_user`."""
    return start_server(STET_MESSAGES_PER_MINUTE="1000")


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
def new_context(chromium: "Browser") -> "Iterator[Callable[..., BrowserContext]]":
    """A browser profile of its own; options as Playwright's `new_context` (color_scheme, viewport, ...)."""
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> "BrowserContext":
        contexts.append(chromium.new_context(**{"viewport": WINDOW, **options}))
        contexts[-1].set_default_timeout(15_000)
        return contexts[-1]

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def fresh_user(server: ServerProcess, request: pytest.FixtureRequest) -> str:
    """Somebody new on the server of this file, so that tests do not see each other's conversations."""
    name = re.sub(r"\W+", "-", request.node.name)[:100]
    code = f"from sessions_store.models import User; User.objects.get_or_create(username={name!r})"
    server.manage("shell", "-v0", "-c", code)
    return name


@pytest.fixture
def sign_in(server: ServerProcess, new_context: Callable[..., Any]) -> "Callable[..., Page]":
    """`sign_in(user, **context_options)`: a page in a new profile, signed in through a link, at the start page."""

    def open_page(user: str = "", **options: Any) -> "Page":
        page: Page = new_context(**options).new_page()
        page.goto(server.fresh_link(user))
        return page

    return open_page


@pytest.fixture
def page(sign_in: "Callable[..., Page]", fresh_user: str) -> "Page":
    """A signed-in page of somebody with no conversations, 1280 by 900."""
    return sign_in(fresh_user)


@pytest.fixture
def screenshot() -> "Callable[[Page, str], Path]":
    """Keep a picture under var/screenshots/, to be looked at by people."""

    def keep(page: "Page", name: str) -> Path:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        page.screenshot(path=path)
        return path

    return keep
