"""The first minute: the link from the terminal leads to a page one can write in."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_the_printed_link_leads_to_the_composer(server: ServerProcess, sign_in: "Callable[..., Page]") -> None:
    page = sign_in(server)

    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    expect(page).to_have_title("Stet")
