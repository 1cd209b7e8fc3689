"""The list and the header: titles, deleting with undo, menus, the drawer, and the theme."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.chat import Visitor, ask, ended, turns

if TYPE_CHECKING:
    from playwright.sync_api import Page

QUESTION = "say exactly: The clerk heard the name, and wrote it down."
TITLE = "Say exactly The clerk heard the"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_a_title_is_made_and_stands_in_header_and_list(page: "Page") -> None:
    ask(page, QUESTION)

    expect(page.locator("#title")).to_have_value(TITLE)
    expect(page.locator("#list .name")).to_have_text(TITLE)
    expect(page).to_have_title(f"{TITLE} · Stet")


def test_a_title_can_be_changed_in_the_header_and_escape_brings_the_old_one_back(page: "Page") -> None:
    ask(page, QUESTION)
    title = page.locator("#title")
    expect(title).to_have_value(TITLE)

    title.fill("Something else")
    title.press("Escape")
    expect(title).to_have_value(TITLE)
    title.fill("   ")
    title.press("Enter")
    expect(title).to_have_value(TITLE)
    title.fill("Hallein registers")
    title.press("Enter")

    expect(page.locator("#list .name")).to_have_text("Hallein registers")
    expect(page).to_have_title("Hallein registers · Stet")
    page.reload()
    expect(title).to_have_value("Hallein registers")


def test_a_title_can_be_changed_in_the_list(page: "Page") -> None:
    ask(page, QUESTION)
    expect(page.locator("#list .name")).to_have_text(TITLE)
    row = page.locator("#list .row")
    row.hover()
    row.get_by_role("button").click()
    page.get_by_role("menuitem", name="Rename").click()

    row.get_by_role("textbox", name="Title").fill("Hallein registers")
    row.get_by_role("textbox", name="Title").press("Enter")

    expect(page.locator("#list .name")).to_have_text("Hallein registers")
    expect(page.locator("#title")).to_have_value("Hallein registers")


def test_a_deleted_conversation_can_be_brought_back(page: "Page") -> None:
    ask(page, QUESTION)
    expect(page.locator("#title")).to_have_value(TITLE)
    page.get_by_role("button", name="Conversation menu").click()
    page.get_by_role("menuitem", name="Delete").click()

    expect(page.locator("#first")).to_be_visible()
    expect(page.locator("#list .row")).to_have_count(0)
    expect(page.locator(".notice")).to_contain_text(f"“{TITLE}” was deleted.")
    page.locator(".notice").get_by_role("button", name="Undo").click()

    expect(turns(page)).to_have_count(1)
    expect(page.locator("#list .name")).to_have_text(TITLE)


def test_another_conversation_can_be_deleted_from_the_list_and_brought_back(page: "Page") -> None:
    ask(page, QUESTION)
    expect(page.locator("#list .name")).to_have_text(TITLE)
    page.locator("#new").click()
    row = page.locator("#list .row")
    row.hover()
    row.get_by_role("button").click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(row).to_have_count(0)

    page.locator(".notice").get_by_role("button", name="Undo").click()

    expect(page.locator("#list .name")).to_have_text(TITLE)
    expect(page.locator(".notice")).to_have_count(0)


def test_instructions_are_kept_for_the_conversation(page: "Page") -> None:
    ask(page, QUESTION)
    page.get_by_role("button", name="Conversation menu").click()
    page.get_by_role("menuitem", name="Instructions").click()
    page.get_by_role("textbox", name="Instructions for this conversation").fill("Answer in Latin.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#instructions")).to_be_hidden()

    page.reload()
    page.get_by_role("button", name="Conversation menu").click()
    page.get_by_role("menuitem", name="Instructions").click()

    expect(page.get_by_role("textbox", name="Instructions for this conversation")).to_have_value("Answer in Latin.")


def test_on_a_phone_the_list_is_a_drawer_that_escape_closes(enter: "Callable[..., Page]", visitor: Visitor) -> None:
    page = enter(visitor, **PHONE)
    page.locator("#message").fill(QUESTION)
    page.locator("#send").tap()
    ended(turns(page).first)
    expect(page.locator("#list")).not_to_be_in_viewport()

    page.get_by_role("button", name="Show the conversations").tap()
    expect(page.locator("#list .name")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.locator("#list")).not_to_be_in_viewport()
    expect(page.get_by_role("button", name="Show the conversations")).to_be_focused()


def test_the_list_stays_hidden_across_a_reload(page: "Page") -> None:
    page.get_by_role("button", name="Hide the conversations").click()
    expect(page.locator("#sidebar")).to_be_hidden()

    page.reload()

    expect(page.locator("#sidebar")).to_be_hidden()
    page.get_by_role("button", name="Show the conversations").click()
    expect(page.locator("#sidebar")).to_be_visible()


def test_the_theme_is_kept_and_can_follow_the_system_again(page: "Page") -> None:
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    button = page.locator("[data-do=theme]")
    button.click()
    button.click()
    expect(button).to_have_attribute("aria-label", "Theme: dark")
    page.reload()
    assert page.evaluate(paper) == "rgb(23, 24, 27)"

    button.click()

    expect(button).to_have_attribute("aria-label", "Theme: follow the system")
    assert page.evaluate(paper) == "rgb(253, 253, 252)"


def test_times_are_the_readers(enter: "Callable[..., Page]", visitor: Visitor) -> None:
    page = enter(visitor, timezone_id="Pacific/Kiritimati", locale="en-US")
    turn = ask(page, "say exactly: yes")
    now = page.evaluate("new Date().toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })")
    shown = turn.locator("time").all_inner_texts()
    assert shown[0] == shown[1]
    assert shown[0][:2] == now[:2] or shown[0][3:] == "59"

    page.reload()

    assert turn.locator("time").all_inner_texts() == shown
