"""What an answer cost and what the cache saved: the line below it, the ledger behind it, the sum in the header."""

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.chat import Visitor, ask, begin, ended, running, turns

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def dollars(text: str) -> Decimal:
    found = re.search(r"\$([\d.,]+)", text)
    assert found, text
    return Decimal(found[1].replace(",", ""))


def cost_line(turn: "Locator") -> str:
    return re.sub(r"\s+", " ", turn.locator(".cost .run").inner_text()).strip()


def test_the_line_says_what_was_paid_saved_and_read(page: "Page", visitor: Visitor) -> None:
    first = ask(page, visitor.report)
    second = ask(page, "And what does it say?")

    assert re.fullmatch(
        r"simulated \$0\.\d{4} saved −\$0\.\d{4} \(−\d+ %\) 0 of [\d,]+ tokens from cache [\d.]+ s",
        cost_line(first),
    )
    expect(first.locator(".run .lost")).to_be_visible()
    expect(first.locator(".why")).to_contain_text("First turn: writing to the cache costs more than reading plainly.")
    assert re.fullmatch(
        r"simulated \$0\.\d{4} saved \$0\.\d{4} \(\d+ %\) [\d,]+ of [\d,]+ tokens from cache [\d.]+ s",
        cost_line(second),
    )
    expect(second.locator(".run .saved")).to_be_visible()
    expect(second.locator("svg.stet .kept")).to_be_attached()
    expect(first.locator("svg.stet .kept")).not_to_be_attached()


def test_nothing_saved_is_neither_blue_nor_red_and_says_why(page: "Page") -> None:
    turn = ask(page, "say exactly: short")

    expect(turn.locator(".run")).to_contain_text("nothing saved")
    expect(turn.locator(".run .saved, .run .lost")).to_have_count(0)
    expect(turn.locator(".why")).to_have_text(re.compile(r"^\d+ tokens: this model caches from [\d,]+\.$"))
    page.reload()
    expect(turn.locator(".run .saved, .run .lost")).to_have_count(0)


def test_the_line_opens_to_the_calls_bucket_by_bucket_with_their_prices(page: "Page", visitor: Visitor) -> None:
    turn = ask(page, visitor.report)

    turn.locator(".cost > summary").click()

    table = turn.locator(".ledger table")
    expect(table).to_be_visible()
    heads = table.locator("thead tr").first.locator("th").all_inner_texts()
    assert heads == ["Call", "uncached", "read", "written 5 min", "output", "paid", "without cache"]
    prices = table.locator("thead tr").nth(1).locator("td").all_inner_texts()
    assert prices[:4] == ["$2.00", "$0.10", "$2.50", "$10.00"]
    tokens = [int(cell.replace(",", "")) for cell in table.locator("tbody td").all_inner_texts()[:4]]
    parts = [dollars(cell) for cell in table.locator("tfoot tr").first.locator("td").all_inner_texts()]
    for count, price, part in zip(tokens, prices, parts, strict=False):
        assert abs(count * dollars(price) / 1_000_000 - part) < Decimal("0.0001")
    assert abs(sum(parts[:4]) - parts[4]) < Decimal("0.0003")
    assert parts[4] == dollars(turn.locator(".paid").inner_text())


def test_the_total_in_the_header_is_the_sum_of_the_calls(page: "Page") -> None:
    paid = []
    for text in ["write 80 words", "code", "simulate: cut_clean after_deltas=60"]:
        turn = ended(begin(page, text), "failed" if "cut" in text else "completed")
        paid.append(dollars(turn.locator(".paid").inner_text()))
    total = page.locator("#total")

    total.click()

    lines = page.locator("#sums tbody tr")
    expect(lines.first).to_contain_text("3 turns, every version")
    expect(lines.nth(1)).to_contain_text("Title")
    by_purpose = [dollars(line) for line in lines.all_inner_texts()]
    assert abs(by_purpose[0] - sum(paid)) <= Decimal("0.0002")
    shown = dollars(page.locator("#sums tfoot").inner_text())
    assert abs(sum(by_purpose) - shown) <= Decimal("0.0001")
    expect(total).to_contain_text(f"${shown}")
    expect(page.locator("#sums")).to_contain_text("Simulated dollars are nobody’s money.")

    page.reload()

    expect(total).to_contain_text(f"${shown}")


def test_simulated_answers_are_marked_everywhere(page: "Page") -> None:
    expect(page.locator(".simulated-mark")).to_have_text("simulated answers")
    expect(page.locator(".ways")).to_contain_text("Simulator")

    turn = ask(page, "What is a cache?")

    expect(turn.locator(".prose")).to_contain_text("Simulated answer.")
    expect(turn.locator(".run")).to_contain_text("simulated")
    expect(page.locator("#total")).to_contain_text("simulated")
    expect(page.locator("#account")).to_contain_text("simulated")


def test_a_stopped_answer_is_an_estimate_and_says_so(page: "Page") -> None:
    turn = running(begin(page, "write 400 words"))
    page.locator("#stop").click()

    ended(turn, "cancelled")

    expect(turn.locator(".paid")).to_have_text(re.compile(r"^about \$0\.\d{4}$"))
    expect(turn.locator(".why")).to_contain_text("Estimated")


def test_the_model_can_change_between_turns_and_the_transcript_says_so(page: "Page") -> None:
    ask(page, "say exactly: one")
    page.locator(".bar .chip").click()
    expect(page.locator("#models [aria-checked=true]")).to_be_focused()
    page.locator("#models").get_by_role("radio", name="GPT-6.1 Sol", exact=True).click()
    expect(page.locator(".bar .chip .full")).to_have_text("GPT-6.1 Sol")
    expect(page.locator("#message")).to_have_attribute("placeholder", "Write to GPT-6.1 Sol")

    turn = ask(page, "say exactly: two")

    expect(turn.locator(".mark")).to_have_text("Switched from Claude Sonnet 5.5 to GPT-6.1 Sol")
    expect(turn.locator(".msg.model .who b")).to_have_text("6.1 Sol")
    live = page.locator("#transcript").inner_text()
    page.reload()
    assert page.locator("#transcript").inner_text() == live
    expect(page.locator(".bar .chip .full")).to_have_text("GPT-6.1 Sol")


def test_the_models_can_be_walked_through_with_the_arrow_keys(page: "Page") -> None:
    page.locator(".bar .chip").press("Enter")
    expect(page.locator("#models [aria-checked=true]")).to_be_focused()
    first = page.locator("#models .pick").first

    page.keyboard.press("Home")
    expect(first).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    expect(first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page.locator("#models")).to_be_hidden()
    expect(page.locator(".bar .chip .full")).to_have_text("GPT-6.2 Sol")
    expect(turns(page)).to_have_count(0)


def test_older_models_stand_behind_a_line_of_their_own(page: "Page") -> None:
    page.locator(".bar .chip").click()
    models = page.locator("#models")
    expect(models.get_by_role("radio", name="GPT-4o", exact=True)).to_be_hidden()

    models.locator("summary").first.click()
    models.get_by_role("radio", name="GPT-4o", exact=True).click()
    turn = ask(page, "say exactly: yes")

    expect(turn.locator(".msg.model .who b")).to_have_text("GPT-4o")
    page.reload()
    page.locator(".bar .chip").click()
    expect(models.get_by_role("radio", name="GPT-4o", exact=True)).to_be_focused()


def test_the_ledger_shows_failed_calls_too(page: "Page") -> None:
    turn = ended(begin(page, "simulate: overloaded"), "failed")

    turn.locator(".cost > summary").click()

    rows = turn.locator(".ledger tbody th")
    expect(rows.first).to_be_visible()
    assert rows.all_inner_texts() == ["1 failed: overloaded", "2 failed: overloaded"]
