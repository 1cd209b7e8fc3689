"""The first minute: the link from the terminal leads to a page one can write in."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


def test_the_printed_link_leads_to_the_composer(
    server: ServerProcess,
    new_context: "Callable[..., BrowserContext]",
    screenshot: "Callable[[Page, str], Path]",
) -> None:
    page = new_context().new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(server.link)

    expect(page.get_by_role("textbox").first).to_be_visible()
    expect(page).to_have_title("Stet")
    screenshot(page, "empty")
    assert complaints == []
