"""The composer: what is written gets sent, once, when it is meant to be, and is never lost."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.chat import CONVERSATION, Visitor, ask, begin, ended, running, turns, write

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

LONG = 200_001


def box(page: "Page") -> "Locator":
    return page.locator("#message")


def test_enter_sends_and_the_conversation_gets_an_address(page: "Page") -> None:
    turn = ask(page, "say exactly: Let it stand.")

    expect(turn.locator(".question")).to_have_text("say exactly: Let it stand.")
    expect(turn.locator(".prose")).to_have_text("Let it stand.")
    expect(page).to_have_url(CONVERSATION)
    expect(box(page)).to_have_value("")
    expect(box(page)).to_be_focused()


def test_shift_enter_breaks_the_line(page: "Page") -> None:
    box(page).press_sequentially("one")
    box(page).press("Shift+Enter")
    box(page).press_sequentially("two")

    expect(box(page)).to_have_value("one\ntwo")
    expect(turns(page)).to_have_count(0)


def test_enter_that_ends_a_composition_sends_nothing(page: "Page") -> None:
    box(page).fill("にほん")
    box(page).evaluate(
        """box => {
            box.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
            box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true }));
            box.dispatchEvent(new CompositionEvent("compositionend", { data: "日本", bubbles: true }));
            // Safari tells of the end first, and then of the key, with the code that means: not yours.
            box.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode: 229, bubbles: true }));
        }"""
    )

    expect(turns(page)).to_have_count(0)
    expect(box(page)).to_have_value("にほん")
    box(page).press("Enter")
    expect(turns(page)).to_have_count(1)


def test_code_keeps_the_indentation_of_its_first_line(page: "Page") -> None:
    turn = ask(page, "\n    if stet:\n        stand()  \n\n")
    expect(turn.locator(".question")).to_have_js_property("textContent", "    if stet:\n        stand()")

    page.reload()

    expect(turns(page).locator(".question")).to_have_js_property("textContent", "    if stet:\n        stand()")


def test_a_draft_is_kept_across_a_reload(page: "Page") -> None:
    box(page).fill("not yet")
    page.reload()
    expect(box(page)).to_have_value("not yet")

    ask(page, "say exactly: yes")
    box(page).fill("and this belongs to the conversation")
    page.reload()
    expect(box(page)).to_have_value("and this belongs to the conversation")

    page.goto("/".join(page.url.split("/")[:3]))
    expect(box(page)).to_have_value("")


def test_white_space_is_not_sent(page: "Page") -> None:
    write(page, " \n\t ")

    expect(page.locator("#send")).to_be_disabled()
    expect(turns(page)).to_have_count(0)


def test_a_message_that_is_too_long_is_refused_with_a_sentence_and_kept(page: "Page") -> None:
    write(page, "x" * LONG)

    expect(page.locator(".notice")).to_contain_text("200,001 characters; 200,000 can be sent at once")
    assert len(box(page).input_value()) == LONG
    expect(turns(page)).to_have_count(0)


def test_a_message_of_many_bytes_is_refused_before_the_server_drops_it(page: "Page") -> None:
    write(page, "漢" * 120_000)

    expect(page.locator(".notice")).to_contain_text("KB can be sent at once")
    assert len(box(page).input_value()) == 120_000


def test_what_the_server_refuses_comes_back_into_the_box(page: "Page") -> None:
    write(page, "a\x00b")

    expect(page.locator(".notice")).to_contain_text("characters that cannot be stored")
    expect(box(page)).to_have_value("a\x00b")
    expect(turns(page)).to_have_count(0)


def test_stop_keeps_what_had_arrived_and_continue_goes_on(page: "Page") -> None:
    turn = running(begin(page, "write 400 words"))
    expect(page.locator("#send")).to_be_hidden()

    page.locator("#stop").click()

    ended(turn, "cancelled")
    expect(turn.locator(".end")).to_contain_text("You stopped it here. What had arrived is kept and was billed.")
    expect(turn.locator(".paid")).to_contain_text("about")
    kept = turn.locator(".prose").inner_text()
    assert 3 < len(kept.split()) < 400
    expect(page.locator("#send")).to_be_visible()

    turn.get_by_role("button", name="Continue").click()

    ended(turns(page).nth(1))
    assert turn.locator(".prose").inner_text() == kept


def test_escape_asks_before_it_stops(page: "Page") -> None:
    turn = running(begin(page, "write 400 words"))

    page.keyboard.press("Escape")
    expect(page.locator(".notice")).to_contain_text("Stop this answer?")
    page.keyboard.press("Escape")
    expect(page.locator(".notice")).to_have_count(0)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Stop it").click()

    ended(turn, "cancelled")


def test_messages_written_meanwhile_wait_their_turn_in_order(page: "Page") -> None:
    first = begin(page, "write 100 words")
    write(page, "say exactly: two")
    write(page, "say exactly: three")

    expect(turns(page).nth(2).locator(".waiting")).to_contain_text("Next in line")
    ended(first)
    ended(turns(page).nth(2))
    assert turns(page).locator(".prose").all_inner_texts()[1:] == ["two", "three"]
    texts = turns(page).locator(".question").all_inner_texts()
    assert texts == ["write 100 words", "say exactly: two", "say exactly: three"]


def test_stop_brings_waiting_messages_back_into_the_box(page: "Page") -> None:
    first = running(begin(page, "write 400 words"))
    begin(page, "second")
    begin(page, "third")
    box(page).fill("being written")

    page.locator("#stop").click()

    ended(first, "cancelled")
    expect(turns(page)).to_have_count(1)
    expect(box(page)).to_have_value("being written\n\nsecond\n\nthird")


def test_one_waiting_message_can_be_taken_back(page: "Page") -> None:
    first = running(begin(page, "write 400 words"))
    second = begin(page, "second")

    second.get_by_role("button", name="Cancel").click()

    expect(turns(page)).to_have_count(1)
    expect(box(page)).to_have_value("second")
    expect(first).to_have_attribute("data-state", "streaming")
    page.locator("#stop").click()
    ended(first, "cancelled")


def test_under_a_finger_enter_breaks_the_line_and_a_button_sends(
    enter: "Callable[..., Page]", visitor: Visitor
) -> None:
    page = enter(visitor, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    box(page).fill("one")
    box(page).press("Enter")
    box(page).press_sequentially("two")
    expect(box(page)).to_have_value("one\ntwo")

    page.locator("#send").tap()

    ended(turns(page).first)
    expect(turns(page).locator(".question")).to_have_text(re.compile("one\ntwo"))
