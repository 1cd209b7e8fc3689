"""What goes wrong is said in the turn, in plain words, with what can be done; nothing that had arrived is lost."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.chat import Visitor, Watch, ask, begin, ended, running, turns, write
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

RETRY, CONTINUE, OTHER = "Retry", "Continue", "Use another model"

# what is asked for, the sentence, the buttons, whether part of an answer had arrived
FAULTS = [
    ("rate_limited", "Anthropic asks for fewer requests just now. Nothing was billed.", [RETRY, OTHER], False),
    ("overloaded", "Anthropic is overloaded. Nothing was billed.", [RETRY, OTHER], False),
    ("server_error", "Anthropic failed inside. Nothing was billed.", [RETRY, OTHER], False),
    ("bad_key", "Anthropic refused the key. Nothing was billed, and your message is kept.", [RETRY, OTHER], False),
    ("unknown_model", "Sonnet 5.5 is not available at Anthropic. Nothing was billed.", [OTHER, RETRY], False),
    (
        "context_too_long",
        "The conversation is longer than Sonnet 5.5 can read. Nothing was billed; choose a model with a larger window.",
        [OTHER, RETRY],
        False,
    ),
    ("refused", "Sonnet 5.5 declined to answer this. The call was billed.", [OTHER, RETRY], False),
    (
        "reset_before_first_byte",
        "No answer came from Anthropic: the connection failed. It may or may not have billed the question.",
        [RETRY, OTHER],
        False,
    ),
    (
        "cut_clean after_deltas=40",
        "Anthropic stopped in the middle without a word. What had arrived is kept.",
        [CONTINUE, RETRY],
        True,
    ),
    (
        "cut_unclean after_deltas=40",
        "The connection to Anthropic broke in the middle. What had arrived is kept.",
        [CONTINUE, RETRY],
        True,
    ),
    (
        "error_event after_deltas=40",
        "Anthropic is overloaded. What had arrived is kept and may be billed.",
        [RETRY, OTHER],
        True,
    ),
    (
        "malformed_data after_deltas=40",
        "Anthropic sent something that cannot be read. What had arrived is kept.",
        [RETRY, OTHER],
        True,
    ),
    (
        "stall after_deltas=40",
        "Anthropic fell silent for too long, so the call was ended. What had arrived is kept.",
        [RETRY, OTHER],
        True,
    ),
]


@pytest.mark.parametrize(
    ("fault", "sentence", "buttons", "kept"), FAULTS, ids=[fault[0].split()[0] for fault in FAULTS]
)
def test_a_fault_is_said_in_one_sentence_with_what_can_be_done(
    page: "Page", fault: str, sentence: str, buttons: list[str], kept: bool
) -> None:
    turn = ended(begin(page, f"simulate: {fault}"), "failed")

    expect(turn.locator(".end > p")).to_have_text(sentence)
    assert turn.locator(".end .choices").get_by_role("button").all_inner_texts() == buttons
    expect(turn.locator(".prose")).to_have_count(1 if kept else 0)
    expect(turn.locator(".waiting")).to_be_hidden()
    expect(page.locator("#send")).to_be_visible()
    expect(page.locator("#list .row .dot")).to_have_count(0)
    heard = turn.locator(".said").last.inner_text()

    page.reload()

    expect(turn.locator(".end > p")).to_have_text(sentence)
    assert turn.locator(".said").last.inner_text() == heard


def test_the_words_of_the_provider_are_folded_below(page: "Page") -> None:
    turn = ended(begin(page, "simulate: bad_key"), "failed")

    turn.get_by_text("What the provider said").click()

    expect(turn.locator(".end pre")).to_contain_text("invalid API key")


def test_a_call_is_tried_again_by_itself_and_the_wait_is_counted(page: "Page") -> None:
    turn = begin(page, "simulate: rate_limited retry_after=1 once")

    expect(turn.locator(".waiting")).to_contain_text(
        "Anthropic asks for fewer requests just now. Nothing was billed. Trying again in 1 s."
    )
    ended(turn)
    expect(turn.locator(".end")).to_have_count(0)


def test_retry_asks_the_same_again_as_a_new_version(page: "Page") -> None:
    turn = ended(begin(page, "simulate: bad_key once"), "failed")

    turn.get_by_role("button", name="Retry").click()

    ended(turns(page).first)
    expect(turns(page)).to_have_count(1)
    expect(turns(page).locator(".question")).to_have_text("simulate: bad_key once")
    expect(turns(page).locator(".branch .n")).to_contain_text("2")


def test_continue_goes_on_below_what_had_arrived(page: "Page") -> None:
    turn = ended(begin(page, "simulate: cut_clean after_deltas=40"), "failed")

    turn.get_by_role("button", name="Continue").click()

    ended(turns(page).nth(1))
    expect(turn.locator(".prose")).not_to_be_empty()


def test_another_model_can_be_chosen_where_one_failed(page: "Page") -> None:
    turn = ended(begin(page, "simulate: unknown_model"), "failed")

    turn.get_by_role("button", name="Use another model").click()
    page.locator("#models").get_by_role("radio", name="GPT-6.1 Sol", exact=True).click()

    expect(ask(page, "say exactly: yes").locator(".who b").last).to_have_text("6.1 Sol")


def test_a_killed_server_costs_a_word_and_a_button_and_nothing_is_sent_twice(
    start_server: Callable[..., ServerProcess], sign_in: "Callable[..., Page]", watch: Watch
) -> None:
    server = start_server()
    page = sign_in(server)
    turn = running(begin(page, "write 600 words"))
    page.wait_for_function("() => document.querySelector('.prose').innerText.split(' ').length > 60")

    server.kill()
    expect(page.locator(".notice")).to_contain_text("Connection lost. The answer goes on without you")
    write(page, "say exactly: written while nobody listened")
    server.restart()

    ended(turn, "interrupted")
    expect(page.locator(".notice")).to_have_count(0)
    expect(turn.locator(".end > p")).to_have_text(
        "The server stopped while this was answered. What had arrived is kept."
    )
    assert len(turn.locator(".prose").inner_text().split()) > 40
    second = ended(turns(page).nth(1))
    expect(second.locator(".prose")).to_have_text("written while nobody listened")
    turn.get_by_role("button", name="Continue").click()
    ended(turns(page).nth(1))

    page.reload()
    expect(turn).to_have_attribute("data-state", "interrupted")
    calls = server.manage(
        "shell", "-v0", "-c", "from sessions_store.models import Call; print(*Call.objects.values_list('purpose'))"
    )
    assert calls.count("reply") == 3
    watch.forgive(r"WebSocket connection|ERR_CONNECTION_REFUSED")


def test_a_message_that_comes_too_often_is_refused_and_kept(
    start_server: Callable[..., ServerProcess], sign_in: "Callable[..., Page]"
) -> None:
    page = sign_in(start_server(STET_MESSAGES_PER_MINUTE="1"))
    ask(page, "say exactly: one")

    write(page, "two")

    expect(page.locator(".notice")).to_contain_text("many messages in a minute")
    expect(page.locator("#message")).to_have_value("two")
    expect(turns(page)).to_have_count(1)


def test_a_stranger_finds_nothing_at_the_address(
    page: "Page", somebody: Callable[[], Visitor], enter: "Callable[..., Page]", server: ServerProcess, watch: Watch
) -> None:
    ask(page, "say exactly: Mine.")

    stranger = enter(somebody(), page.url.removeprefix(server.url))

    expect(stranger.get_by_role("heading")).to_have_text("Nothing stands here")
    expect(stranger.locator("body")).not_to_contain_text("Mine")
    watch.forgive("404")


def test_a_conversation_deleted_elsewhere_says_so(page: "Page") -> None:
    ask(page, "say exactly: yes")
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Conversation menu").click()
    other.get_by_role("menuitem", name="Delete").click()

    expect(page.locator(".notice")).to_contain_text("does not exist any more")


def test_signing_out_elsewhere_leads_to_the_sign_in_page(page: "Page") -> None:
    other = page.context.new_page()
    other.goto(page.url)
    other.locator(".who-am-i").click()
    other.get_by_role("menuitem", name="Sign out").click()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()

    write(page, "too late")

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
