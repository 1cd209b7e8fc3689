"""Edited and repeated questions: each is a new version beside the old one, which stays."""

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.chat import ask, ended, turns

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def edit(page: "Page", turn: "Locator", text: str) -> None:
    turn.hover()
    turn.get_by_role("button", name="Edit, makes a new version").click()
    turn.get_by_role("textbox", name="Your message").fill(text)
    turn.get_by_role("button", name="Send as a new version").click()


def answers(page: "Page") -> "Locator":
    return page.locator("#transcript .prose")


def test_an_edited_question_is_a_new_version_and_the_old_one_can_be_read_again(page: "Page") -> None:
    ask(page, "say exactly: one")
    ask(page, "say exactly: two")

    edit(page, turns(page).first, "say exactly: uno")

    expect(answers(page)).to_have_text(["uno"])
    ended(turns(page).first)
    expect(page.locator(".branch .n")).to_have_text("2/ of 2")
    page.get_by_role("button", name="Earlier version").click()
    expect(answers(page)).to_have_text(["one", "two"])
    page.get_by_role("button", name="Later version").click()
    expect(answers(page)).to_have_text(["uno"])


def test_an_edit_can_be_thought_better_of(page: "Page") -> None:
    turn = ask(page, "say exactly: one")
    turn.hover()
    turn.get_by_role("button", name="Edit, makes a new version").click()
    turn.get_by_role("textbox", name="Your message").fill("something else")

    page.keyboard.press("Escape")

    expect(turn.locator(".question")).to_have_text("say exactly: one")
    expect(turn.locator(".edit")).to_have_count(0)
    expect(turn.get_by_role("button", name="Edit, makes a new version")).to_be_focused()


def test_answering_again_makes_a_version_beside_the_first(page: "Page") -> None:
    turn = ask(page, "say exactly: one")
    turn.get_by_role("button", name="Answer again").click()

    expect(page.locator(".branch .n")).to_have_text("2/ of 2")
    ended(turns(page).first)
    expect(turns(page)).to_have_count(1)


def test_a_version_chosen_in_one_tab_is_chosen_in_the_other(page: "Page") -> None:
    ask(page, "say exactly: one")
    edit(page, turns(page).first, "say exactly: uno")
    ended(turns(page).first)
    other = page.context.new_page()
    other.goto(page.url)
    expect(answers(other)).to_have_text(["uno"])

    page.get_by_role("button", name="Earlier version").click()

    expect(answers(other)).to_have_text(["one"])
