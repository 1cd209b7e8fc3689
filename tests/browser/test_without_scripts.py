"""Everything that matters works without JavaScript: reading, sending, the ledger, signing out."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.chat import CONVERSATION, Visitor, turns

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def page(enter: "Callable[..., Page]", visitor: Visitor) -> "Page":
    return enter(visitor, java_script_enabled=False)


def send(page: "Page", text: str) -> None:
    page.get_by_role("textbox", name="Message").fill(text)
    page.get_by_role("button", name="Send").click()
    expect(page).to_have_url(CONVERSATION)


def reload_until_answered(page: "Page") -> None:
    for _ in range(100):
        if page.locator("[data-state=queued], [data-state=streaming]").count() == 0:
            return
        page.reload()
    pytest.fail("the answer never came")


def test_a_message_is_sent_and_its_answer_is_there_after_a_reload(page: "Page") -> None:
    send(page, "say exactly: # Title\n\nSome *words*.")
    reload_until_answered(page)

    expect(turns(page).locator(".prose")).to_have_js_property("textContent", "# Title\n\nSome *words*.")
    expect(turns(page).locator(".paid")).to_contain_text("$")
    expect(page.locator(".js-only").first).to_be_hidden()


def test_a_running_answer_can_be_stopped_and_continued(page: "Page") -> None:
    send(page, "write 800 words")
    for _ in range(100):
        if page.get_by_role("button", name="Stop").count():
            break
        page.reload()
    page.get_by_role("button", name="Stop").click()
    reload_until_answered(page)
    expect(turns(page).first).to_have_attribute("data-state", "cancelled")

    with page.expect_navigation():  # or the loop below looks at the page that is being left
        page.get_by_role("button", name=re.compile("Continue|Retry")).click()

    for _ in range(400):
        if turns(page).last.get_attribute("data-state") == "completed":
            break
        page.reload()
    expect(turns(page).last).to_have_attribute("data-state", "completed")


def test_the_ledger_and_the_sums_have_pages_of_their_own(page: "Page") -> None:
    send(page, "say exactly: yes")
    reload_until_answered(page)
    page.locator(".cost > summary").click()
    page.get_by_role("link", name="The ledger of this turn").click()
    expect(page.get_by_role("heading", name="Ledger of a turn")).to_be_visible()
    expect(page.locator("table")).to_contain_text("per million")

    page.go_back()
    page.locator("#total").click()
    page.get_by_role("link", name="The sums of this conversation").click()
    expect(page.locator("table")).to_contain_text("1 turn, every version")


def test_another_model_can_be_chosen(page: "Page") -> None:
    send(page, "say exactly: yes")
    reload_until_answered(page)
    page.locator(".bar .chip").click()

    page.get_by_role("radio", name="GPT-6.1 Sol", exact=True).click()

    expect(page.locator(".bar .chip .full")).to_have_text("GPT-6.1 Sol")


def test_signing_out_works(page: "Page") -> None:
    page.locator(".who-am-i").click()
    page.get_by_role("menuitem", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
