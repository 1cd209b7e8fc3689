"""Answers that arrive piece by piece: they outlive the tab, come without gap or repeat, and move nothing else."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.chat import TALL, ask, begin, ended, running, source, turns

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocketRoute

BOXES = """() => [...document.querySelectorAll('#transcript > .turn')].slice(0, 2).map(turn => {
    const { x, y, width, height } = turn.getBoundingClientRect();
    return [x, y + document.querySelector('#scroll').scrollTop, width, height];
})"""
SELECT = """prose => {
    const range = document.createRange();
    range.selectNodeContents(prose);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
}"""
SELECTED = "() => getSelection().toString()"
SCROLL_TOP = "scroll => scroll.scrollTop"
BELOW = "scroll => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight"


def test_an_answer_goes_on_without_its_tab_and_is_whole_when_one_comes_back(
    page: "Page", saved: Callable[[str], Any]
) -> None:
    running(begin(page, "write 200 words"))
    address, context = page.url, page.context
    page.close()

    page = context.new_page()
    page.goto(address)

    turn = ended(turns(page).first)
    [[state, _, answer]] = saved(page.url)
    assert state == "completed"
    assert len(answer.split()) > 200
    assert source(turn) == answer


def test_a_reload_in_the_middle_neither_loses_nor_repeats_a_word(page: "Page", saved: Callable[[str], Any]) -> None:
    turn = running(begin(page, "write 250 words"))

    page.reload()
    running(turn)
    page.reload()

    ended(turn)
    assert source(turn) == saved(page.url)[0][2]


def test_a_lost_connection_in_the_middle_neither_loses_nor_repeats_a_word(
    page: "Page", saved: Callable[[str], Any]
) -> None:
    connections: list[WebSocketRoute] = []

    def connect(route: "WebSocketRoute") -> None:
        connections.append(route)
        route.connect_to_server()

    page.route_web_socket("**/ws/", connect)
    page.reload()
    turn = running(begin(page, "write 250 words"))

    connections[0].close(code=3000)

    ended(turn)
    assert len(connections) == 2
    assert source(turn) == saved(page.url)[0][2]


def test_two_tabs_show_the_same_answer(page: "Page", saved: Callable[[str], Any]) -> None:
    turn = running(begin(page, "write 150 words"))
    other = page.context.new_page()
    other.goto(page.url)

    ended(turn)
    ended(turns(other).first)

    answer = saved(page.url)[0][2]
    assert source(turn) == source(turns(other).first) == answer


def test_a_message_from_one_tab_appears_in_the_other(page: "Page") -> None:
    ask(page, "say exactly: one")
    other = page.context.new_page()
    other.goto(page.url)
    expect(turns(other)).to_have_count(1)

    ask(page, "say exactly: two")

    expect(ended(turns(other).nth(1)).locator(".prose")).to_have_text("two")


def test_a_conversation_begun_in_another_tab_appears_in_the_list(page: "Page") -> None:
    other = page.context.new_page()
    other.goto(page.url)
    expect(page.locator("#list .row")).to_have_count(0)

    ask(other, "say exactly: Here I am, in another tab.")

    expect(page.locator("#list .row .name")).to_have_text(["Say exactly Here I am in"])


def test_the_page_follows_until_the_reader_scrolls_up(page: "Page") -> None:
    ask(page, TALL)
    turn = running(begin(page, "write 250 words"))
    scroll, button = page.locator("#scroll"), page.locator("#to-end")
    expect(button).to_be_hidden()

    scroll.hover()
    page.mouse.wheel(0, -400)
    expect(button).to_be_visible()
    top = scroll.evaluate(SCROLL_TOP)
    words = len(turn.locator(".prose").inner_text().split())
    page.wait_for_function(
        "words => [...document.querySelectorAll('.prose')].at(-1).innerText.split(' ').length > words + 20", arg=words
    )
    assert scroll.evaluate(SCROLL_TOP) == top

    button.click()
    expect(button).to_be_hidden()
    assert scroll.evaluate(BELOW) <= 1
    ended(turn)
    assert scroll.evaluate(BELOW) <= 1


def test_a_reader_who_scrolled_up_is_not_moved_by_the_end(page: "Page") -> None:
    ask(page, TALL)
    turn = running(begin(page, "write 120 words"))
    scroll = page.locator("#scroll")
    scroll.hover()
    page.mouse.wheel(0, -900)
    expect(page.locator("#to-end")).to_be_visible()
    top = scroll.evaluate(SCROLL_TOP)

    ended(turn)

    assert scroll.evaluate(SCROLL_TOP) == top
    expect(page.locator("#to-end")).to_be_hidden()


def test_earlier_turns_do_not_move_while_an_answer_arrives_and_when_it_ends(page: "Page") -> None:
    ask(page, "code")
    ask(page, "table")
    expect(page.locator(".code")).not_to_have_count(0)
    before = page.evaluate(BOXES)

    turn = running(begin(page, "write 80 words"))
    during = page.evaluate(BOXES)
    ended(turn)

    assert during == before
    assert page.evaluate(BOXES) == before


def test_the_cost_line_is_in_its_place_from_the_first_word(page: "Page") -> None:
    turn = running(begin(page, "say exactly: " + "word " * 60))
    line = turn.locator(".cost > summary")
    expect(line).to_contain_text("cost follows")
    expect(turn.locator(".prose")).to_have_text("word " * 59 + "word")
    streamed = line.bounding_box()

    ended(turn)

    expect(line).to_contain_text("$")
    assert line.bounding_box() == streamed


def test_selection_and_opened_details_survive_the_end(page: "Page") -> None:
    first = ask(page, "say exactly: These words are selected.")
    first.locator("details.step summary").click()
    first.locator("details.cost summary").click()
    expect(first.locator(".ledger table")).to_be_visible()
    turn = running(begin(page, "write 150 words"))
    turn.locator("details.step summary").click()
    turn.locator("details.cost summary").click()
    first.locator(".prose").evaluate(SELECT)

    ended(turn)

    assert page.evaluate(SELECTED) == "These words are selected."
    for details in [first.locator("details.step"), first.locator("details.cost"), turn.locator("details.step")]:
        expect(details).to_have_attribute("open", "")
    expect(turn.locator(".ledger table")).to_be_visible()


def test_text_selected_in_the_answer_itself_survives_its_end(page: "Page") -> None:
    turn = running(begin(page, "write 300 words"))
    expect(turn.locator(".prose > *").nth(3)).to_be_attached()
    turn.locator(".prose > *").nth(1).evaluate(SELECT)
    selected = page.evaluate(SELECTED)
    assert selected

    ended(turn)

    assert page.evaluate(SELECTED) == selected


def test_the_page_built_from_events_equals_the_page_built_from_rows(page: "Page") -> None:
    for text in ["What is a cache?", "code", "table", "simulate: cut_clean after_deltas=30"]:
        ended(begin(page, text), "failed" if "cut" in text else "completed")
    heard = page.locator("#transcript").inner_text()
    html = page.locator("#transcript .answer").all_inner_texts()

    page.reload()

    expect(page.locator(".code [class^=hljs]").first).to_be_attached()
    assert page.locator("#transcript").inner_text() == heard
    assert page.locator("#transcript .answer").all_inner_texts() == html


def test_thinking_is_shown_while_it_lasts_and_folded_afterwards(page: "Page") -> None:
    turn = begin(page, "write 100 words")
    expect(turn.locator(".step .label")).to_contain_text("Thinking, ")
    expect(turn.locator(".step .label")).to_have_text("Thought for 1 s")
    ended(turn)
    turn.locator(".step summary").click()
    expect(turn.locator(".step .body")).to_contain_text("Reading the question")

    page.reload()

    expect(turn.locator(".step .label")).to_have_text("Thought for 1 s")


def test_an_answer_in_another_conversation_is_marked_unread(page: "Page") -> None:
    running(begin(page, "write 100 words"))
    page.locator("#new").click()
    row = page.locator("#list .row")
    expect(row.locator(".dot.running")).to_be_attached()

    expect(row.locator(".dot.unread")).to_be_attached()

    row.locator("a").click()
    ended(turns(page).first)
    expect(row.locator(".dot")).to_have_count(0)
