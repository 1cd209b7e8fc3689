"""Money, tokens and ends in words."""

from dataclasses import dataclass, replace

import pytest

from chatapp import wording
from chatapp.vocab import errors

NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("nanousd", "said"),
    [
        (0, "$0.0000"),
        (1, "< $0.0001"),
        (49_999, "< $0.0001"),
        (50_000, "$0.0001"),
        (149_999, "$0.0001"),
        (150_000, "$0.0002"),
        (2_100_000, "$0.0021"),
        (99_949_999, "$0.0999"),
        (99_999_999, "$0.1000"),
        (100_000_000, "$0.100"),
        (1_234_567_890, "$1.235"),
        (9_999_400_000, "$9.999"),
        (10_000_000_000, "$10.00"),
        (1_234_567_890_000, "$1,234.57"),
        (-1, "> −$0.0001"),
        (-50_000, "−$0.0001"),
        (-2_100_000, "−$0.0021"),
        (-1_234_567_890_000, "−$1,234.57"),
    ],
)
def test_money(nanousd: int, said: str) -> None:
    assert wording.money(nanousd) == said


def test_no_amount_is_ever_said_to_be_nothing_unless_it_is() -> None:
    for nanousd in (*range(1, 2_000, 7), *(10**power for power in range(15))):
        for amount in (nanousd, -nanousd):
            assert set(wording.money(amount)) & set("123456789"), amount
            assert ("−" in wording.money(amount)) == (amount < 0)


@pytest.mark.parametrize(
    ("nanousd", "said"),
    [
        (None, "–"),
        (0, "$0.00"),
        (2_000_000_000, "$2.00"),
        (25_000_000, "$0.025"),
        (1_250_000_000, "$1.25"),
        (1, "$0.000000001"),
        (37_500_000_000, "$37.50"),
    ],
)
def test_a_price_per_million_is_exact(nanousd: int | None, said: str) -> None:
    assert wording.per_million(nanousd) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0.0"), (1.24, "1.2"), (9.94, "9.9"), (10.4, "10"), (119.4, "119"), (120.0, "2"), (600, "10")],
)
def test_a_duration_has_a_tenth_only_while_it_is_short(value: float, said: str) -> None:
    assert wording.seconds(value) == f"{said}{NBSP}{'min' if value >= 120 else 's'}"


# --- The line under an answer -------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """What the ledger knows of a call: 9,216 of 10,500 tokens read, $0.0021 instead of $0.0123."""

    state: str = "completed"
    estimated: bool = False
    simulated: bool = False
    cost_nanousd: int | None = 2_100_000
    without_cache_nanousd: int | None = 12_300_000
    read_tokens: int | None = 9_216
    uncached_tokens: int | None = 1_284
    output_tokens: int | None = 50

    @property
    def input_tokens(self) -> int | None:
        return None if self.uncached_tokens is None else self.uncached_tokens + (self.read_tokens or 0)


CALL = Line()
NOTHING_KNOWN = replace(
    CALL,
    state="failed",
    cost_nanousd=None,
    without_cache_nanousd=None,
    read_tokens=None,
    uncached_tokens=None,
    output_tokens=None,
)


TURNED_AWAY = replace(
    CALL,
    state="failed",
    cost_nanousd=0,
    without_cache_nanousd=0,
    read_tokens=0,
    uncached_tokens=0,
    output_tokens=0,
)


def test_a_call_that_read_from_the_cache() -> None:
    line = wording.cost_line([CALL], 1.2)

    assert (line.paid, line.saved, line.lost) == ("$0.0021", f"saved $0.0102 (83{NBSP}%)", False)
    assert (line.tokens, line.seconds) == ("9,216 of 10,500 tokens from cache", f"1.2{NBSP}s")
    assert line.read_share == pytest.approx(9_216 / 10_500)
    assert (line.simulated, line.estimated, line.note) == (False, False, "")


def test_a_call_that_lost_money_by_caching_says_so_with_its_sign() -> None:
    line = wording.cost_line([replace(CALL, cost_nanousd=2_500_000, without_cache_nanousd=2_000_000)], None)

    assert (line.saved, line.lost) == (f"saved −$0.0005 (−25{NBSP}%)", True)
    assert line.seconds == ""


def test_a_call_that_saved_nothing_says_so() -> None:
    line = wording.cost_line([replace(CALL, without_cache_nanousd=2_100_000, read_tokens=0)], None)

    assert (line.saved, line.lost, line.read_share) == ("nothing saved", False, 0)


def test_a_model_without_a_price_shows_tokens_and_no_amount() -> None:
    line = wording.cost_line([replace(CALL, cost_nanousd=None, without_cache_nanousd=None)], None)

    assert (line.paid, line.saved) == ("no price", "")
    assert "10,500" in line.tokens


def test_a_call_of_which_nobody_knows_anything_shows_no_amount() -> None:
    line = wording.cost_line([NOTHING_KNOWN], None)

    assert (line.paid, line.saved, line.tokens, line.read_share) == ("cost unknown", "", "", None)
    assert "nobody knows" in line.note


ONE_GAP = "One call ended before the provider reported anything; what it billed is not in this sum."
TWO_GAPS = "2 calls ended before the provider reported anything; what they billed is not in this sum."
ESTIMATED = "Estimated: the call ended before the provider reported its final count."
GUESS = replace(CALL, estimated=True)


@pytest.mark.parametrize(
    ("calls", "note"),
    [
        ([GUESS], ESTIMATED),
        ([CALL, NOTHING_KNOWN], ONE_GAP),
        ([NOTHING_KNOWN, CALL, NOTHING_KNOWN], TWO_GAPS),
        ([NOTHING_KNOWN, GUESS], f"{ESTIMATED} {ONE_GAP}"),
    ],
    ids=["estimate", "gap", "gaps", "both"],
)
def test_a_sum_with_an_estimate_or_a_gap_in_it_is_about_and_says_which(calls: list[Line], note: str) -> None:
    line = wording.cost_line(calls, None)

    assert (line.paid, line.note) == ("about $0.0021", note)
    assert line.estimated is any(call.estimated for call in calls)


def test_nothing_paid_beside_an_unknown_cost_is_unknown_and_not_zero() -> None:
    line = wording.cost_line([TURNED_AWAY, NOTHING_KNOWN], None)

    assert (line.paid, line.saved, line.lost) == ("cost unknown", "", False)
    assert "nobody knows" in line.note and "Estimated" not in line.note


def test_tokens_of_an_estimated_call_are_about() -> None:
    assert wording.cost_line([CALL, GUESS], None).tokens == "about 18,432 of 21,000 tokens from cache"
    assert wording.cost_line([replace(GUESS, read_tokens=0)], None).tokens == "about 0 of 1,284 tokens from cache"


def test_a_sum_that_lacks_calls_without_a_price_says_so() -> None:
    total = wording.sum_of([CALL, replace(CALL, cost_nanousd=None, without_cache_nanousd=None)])

    assert wording.sum_notes(total) == ["One call has no price; it is not in this sum."]


def test_a_call_that_still_runs_has_no_cost_to_speak_of() -> None:
    assert wording.paid_words(wording.sum_of([replace(NOTHING_KNOWN, state="open")])) == ""


def test_a_cache_that_was_not_reported_is_not_said_to_be_zero() -> None:
    line = wording.cost_line([replace(CALL, read_tokens=None)], None)

    assert (line.tokens, line.read_share) == ("1,284 tokens, cache not reported", None)


def test_simulated_money_is_marked() -> None:
    assert wording.cost_line([replace(CALL, simulated=True)], None).simulated


def test_a_request_that_was_turned_away_cost_nothing_and_saved_nothing() -> None:
    line = wording.cost_line([TURNED_AWAY], None)

    assert (line.paid, line.saved, line.tokens) == ("$0.0000", "", "")


# --- Ends ------------------------------------------------------------------------------------------------


def every_code() -> list[str]:
    """The code of every error there is, however deep in the tree."""

    def below(kind: type[errors.ProviderError]) -> list[str]:
        return [code for child in kind.__subclasses__() for code in (child.code, *below(child))]

    return below(errors.ProviderError)


FALLBACK = wording.end_of("failed", "", {"code": "?"}, provider="OpenAI", model="Sol", has_text=False)


@pytest.mark.parametrize("code", every_code())
@pytest.mark.parametrize("has_text", [False, True])
def test_every_way_to_fail_has_a_sentence_of_its_own_and_something_to_do(code: str, has_text: bool) -> None:
    end = wording.end_of(
        "failed",
        "",
        {"code": code, "message": "their words", "status": 400},
        provider="OpenAI",
        model="Sol",
        has_text=has_text,
    )

    assert end is not None and FALLBACK is not None
    assert not end.sentence.startswith("Something went wrong here")
    assert end.sentence.endswith(".") and "{" not in end.sentence
    assert end.actions and all(name in ("again", "continue", "model") for name, _ in end.actions)
    assert (end.tone, end.detail) == ("failed", "their words")


@pytest.mark.parametrize("code", every_code())
def test_every_wait_has_a_sentence(code: str) -> None:
    assert "OpenAI" in (said := wording.waiting_sentence(code, "OpenAI")) or code in (
        "unknown_model",
        "refused",
        "context_too_long",
    )
    assert "{" not in said


def test_no_code_has_two_errors() -> None:
    assert len(every_code()) == len(set(every_code()))


@pytest.mark.parametrize(
    ("state", "reason", "has_text", "begins", "first"),
    [
        ("cancelled", "stopped", True, "You stopped it here", "continue"),
        ("cancelled", "stopped", False, "You stopped it before", "again"),
        ("interrupted", "", True, "The server stopped", "continue"),
        ("interrupted", "", False, "The server stopped", "again"),
        ("incomplete", "max_output_tokens", True, "The answer reached its limit", "continue"),
        ("incomplete", "content_filter", True, "OpenAI cut the answer off", "continue"),
        ("incomplete", "context_window", True, "The answer reached the end of what Sol", "continue"),
        ("incomplete", "a {word} of theirs", True, "The answer was cut off (a {word} of theirs)", "continue"),
    ],
)
def test_every_other_end_has_its_sentence(state: str, reason: str, has_text: bool, begins: str, first: str) -> None:
    end = wording.end_of(state, reason, None, provider="OpenAI", model="Sol", has_text=has_text)

    assert end is not None
    assert end.sentence.startswith(begins)
    assert (end.tone, end.actions[0][0]) == ("care", first)


@pytest.mark.parametrize("state", ["completed", "queued", "streaming"])
def test_what_has_simply_ended_or_not_ended_needs_no_sentence(state: str) -> None:
    assert wording.end_of(state, "", None, provider="OpenAI", model="Sol", has_text=True) is None


def test_a_fault_of_ours_is_not_blamed_on_the_provider() -> None:
    end = wording.end_of(
        "failed",
        "",
        {"code": "server_error", "message": "", "status": None},
        provider="OpenAI",
        model="Sol",
        has_text=True,
    )

    assert end is not None and "OpenAI" not in end.sentence


# --- Why a cache was not read ---------------------------------------------------------------------------


def test_below_the_minimum_the_reason_names_both_numbers() -> None:
    line = replace(CALL, read_tokens=0, uncached_tokens=1_020)

    assert wording.miss_reason({"reason": "first"}, line, 4_096) == "1,020 tokens: this model caches from 4,096."


def test_an_expired_cache_is_explained_by_the_pause_and_its_lifetime() -> None:
    line = replace(CALL, read_tokens=0, uncached_tokens=9_000)
    expected = {"reason": "expired", "idle_seconds": 680, "lifetime": "5m"}

    assert wording.miss_reason(expected, line, 1_024) == "11 minutes passed; this cache lives 5 minutes."


def test_what_was_read_needs_no_reason() -> None:
    assert wording.miss_reason({"reason": "switched"}, CALL, 1_024) == ""


def test_a_first_turn_that_cost_more_says_when_it_pays() -> None:
    line = replace(CALL, read_tokens=0, uncached_tokens=9_000, cost_nanousd=5, without_cache_nanousd=4)

    assert wording.miss_reason({"reason": "first"}, line, 1_024).startswith("First turn")
    assert wording.miss_reason({"reason": "first"}, replace(line, cost_nanousd=4), 1_024) == ""
