"""How the pages look: pictures for people under var/screenshots/, and what a machine can see of them itself.

Every scene is looked at in a wide window and on a phone, light and dark: nothing may overflow, and nothing may be
complained of (`watch`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Visitor, ask, begin, ended, running, turns
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, ViewportSize

WINDOWS: "dict[str, ViewportSize]" = {"1280": {"width": 1280, "height": 900}, "390": {"width": 390, "height": 844}}
NARROWEST: "ViewportSize" = {"width": 320, "height": 700}
OVERFLOWING = """() => {
    const wide = document.documentElement.clientWidth;
    const all = document.documentElement.scrollWidth;
    const cut = element => {
        for (let at = element; at; at = at.parentElement) {
            if (getComputedStyle(at).overflowX !== 'visible') return true;
            if (at.matches('.sr, #sidebar, [popover]:not(:popover-open)')) return true;
        }
    };
    return [
        ...(all > wide ? [`the page is ${all} wide`] : []),
        ...[...document.querySelectorAll('body *')].filter(element => {
            const box = element.getBoundingClientRect();
            return box.width && (box.right > wide + 1 || box.left < -1) && !cut(element);
        }).map(element => element.outerHTML.slice(0, 100)),
    ];
}"""
Look = Callable[..., None]


@pytest.fixture
def look(screenshot: "Callable[[Page, str], Path]") -> Look:
    """A picture of a scene in every window and theme; fails where something stands out at the side."""

    def look(page: "Page", scene: str, windows: Sequence[str] = ("1280", "390"), at: "Locator | None" = None) -> None:
        for width in windows:
            page.set_viewport_size(WINDOWS[width])
            if at:
                at.evaluate("element => element.scrollIntoView({ block: 'end' })")
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme=theme, reduced_motion="reduce")
                page.evaluate("document.activeElement?.matches('#message') && document.activeElement.blur()")
                screenshot(page, f"{scene}-{width}-{theme}")
            assert page.evaluate(OVERFLOWING) == []
        page.set_viewport_size(NARROWEST)
        assert page.evaluate(OVERFLOWING) == []
        page.set_viewport_size(WINDOWS["1280"])

    return look


def test_the_empty_state(page: "Page", look: Look) -> None:
    look(page, "empty")


def test_a_conversation_while_an_answer_arrives(page: "Page", visitor: Visitor, look: Look) -> None:
    ask(page, visitor.report)
    ask(page, "table")
    running(begin(page, "write 2000 words"))
    look(page, "streaming")
    page.locator("#stop").click()
    ended(turns(page).last, "cancelled")
    look(page, "stopped", at=turns(page).last.locator(".foot"))


def test_code_and_tables(page: "Page", look: Look) -> None:
    ask(page, "code")
    ask(page, "table")
    look(page, "code")


def test_an_opened_cost_line(page: "Page", visitor: Visitor, look: Look) -> None:
    ask(page, visitor.report)
    turn = ask(page, "And what does it say?")
    turn.locator(".cost > summary").click()
    expect(turn.locator(".ledger table")).to_be_visible()
    look(page, "ledger", at=turn.locator(".foot"))


def test_errors(page: "Page", look: Look) -> None:
    ended(begin(page, "simulate: cut_clean after_deltas=60"), "failed")
    turn = ended(begin(page, "simulate: bad_key"), "failed")
    turn.get_by_text("What the provider said").click()
    look(page, "failed")


def test_the_waits(page: "Page", look: Look) -> None:
    begin(page, "simulate: rate_limited retry_after=60 once")
    expect(turns(page).locator(".waiting").first).to_contain_text("Trying again in")
    begin(page, "and then this")
    page.locator("#message").fill("x" * 200_001)
    page.locator("#message").press("Enter")
    page.locator("#message").fill("A next message, begun already")
    look(page, "waiting")
    page.locator("#stop").click()


def test_the_models(page: "Page", look: Look) -> None:
    page.locator(".bar .chip").click()
    look(page, "models")


def test_menus_and_sums(page: "Page", look: Look) -> None:
    ask(page, "say exactly: yes")
    page.locator("#total").click()
    expect(page.locator("#sums table")).to_be_visible()
    look(page, "sums")
    page.get_by_role("button", name="Conversation menu").click()
    look(page, "menu")
    page.get_by_role("menuitem", name="Instructions").click()
    look(page, "instructions")
    page.keyboard.press("Escape")
    page.locator(".who-am-i").click()
    look(page, "account")


def test_the_drawer_and_a_switch_of_models(page: "Page", look: Look) -> None:
    ask(page, "say exactly: yes")
    page.locator(".bar .chip").click()
    page.locator("#models").get_by_role("radio", name="GPT-6.1 Sol", exact=True).click()
    ask(page, "What is a cache?")
    look(page, "switched", at=turns(page).last.locator(".msg.user"))
    page.set_viewport_size(WINDOWS["390"])
    page.get_by_role("button", name="Show the conversations").click()
    look(page, "drawer", windows=["390"])


def test_an_edited_question(page: "Page", look: Look) -> None:
    turn = ask(page, "say exactly: one")
    turn.get_by_role("button", name="Answer again").click()
    expect(page.locator(".branch")).to_be_visible()
    ended(turns(page).first)
    turns(page).first.hover()
    look(page, "versions")
    turns(page).first.get_by_role("button", name="Edit, makes a new version").click()
    look(page, "edit")


def test_pages_of_one_column(enter: "Callable[..., Page]", visitor: Visitor, look: Look, watch: Any) -> None:
    page = enter(visitor, "/c/00000000-0000-4000-8000-000000000000/")
    look(page, "not-found")
    page.context.clear_cookies()
    page.goto(page.url.partition("/c/")[0] + "/sign-in")
    look(page, "sign-in")
    watch.forgive("404")


def test_the_ledger_of_the_administration(server: ServerProcess, sign_in: "Callable[..., Page]", look: Look) -> None:
    page = sign_in(server)
    ask(page, "table")
    page.goto(f"{server.url}/admin/sessions_store/call/")
    expect(page.locator("[data-total]").first).to_be_visible()
    look(page, "admin-calls")
