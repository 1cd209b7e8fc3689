"""Prices and the arithmetic on them, against tables read from the providers' pages and against the price list."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import genai_prices
import pytest
from genai_prices.data import providers
from genai_prices.data_snapshot import DataSnapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from chatapp.catalog import cost as module
from chatapp.catalog import overrides
from chatapp.catalog.cost import Cost, cost, price_of
from chatapp.catalog.load import models
from chatapp.catalog.overrides import FIGURES
from chatapp.vocab.model import Price
from chatapp.vocab.usage import Usage

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SMALL = Usage(uncached=1000, output=10)
LISTED = [(spec.provider, spec.id) for spec in models() if not spec.id.startswith("gpt-6.2-")]
"""The models the price list knows as well."""


def dollars(price: Price | None) -> dict[str, str]:
    """A price as it stands on a page: dollars per million tokens, unknown figures left out."""
    assert price is not None
    figures = {name: getattr(price, name) for name in FIGURES}
    return {name: f"{Decimal(nano).scaleb(-9).normalize():f}" for name, nano in figures.items() if nano is not None}


def openai(uncached: str, read: str, output: str, w30m: str | None = None, w12h: str | None = None) -> dict[str, str]:
    figures = {"uncached": uncached, "read": read, "written_30m": w30m, "written_12h": w12h, "output": output}
    return {name: usd for name, usd in figures.items() if usd is not None}


def anthropic(uncached: str, read: str, w5m: str, w1h: str, output: str) -> dict[str, str]:
    return {"uncached": uncached, "read": read, "written_5m": w5m, "written_1h": w1h, "output": output}


PAGES = {
    "gpt-6.2-astra": openai("8", "0.4", "40", "10", "20"),
    "gpt-6.2-sol": openai("2", "0.1", "10", "2.5", "5"),
    "gpt-6.1-sol": openai("2", "0.1", "10", "2.5", "5"),
    "gpt-6.1-terra": openai("1", "0.05", "5", "1.25", "2.5"),
    "gpt-6-astra": openai("10", "1", "50", "12.5", "25"),
    "gpt-6-sol": openai("2", "0.2", "10", "2.5", "5"),
    "gpt-6-luna": openai("0.1", "0.01", "0.5", "0.125", "0.25"),
    "gpt-5.6-sol": openai("4", "0.4", "20", "5"),
    "gpt-5.6-terra": openai("2", "0.2", "12", "2.5"),
    "gpt-5.6-luna": openai("0.2", "0.02", "1.2", "0.25"),
    "gpt-5.5": openai("5", "0.5", "30"),
    "gpt-5.4": openai("2.5", "0.25", "15"),
    "gpt-5.4-mini": openai("0.75", "0.075", "4.5"),
    "gpt-5.4-nano": openai("0.2", "0.02", "1.25"),
    "gpt-5.2": openai("1.75", "0.175", "14"),
    "gpt-5.1": openai("1.25", "0.125", "10"),
    "gpt-5": openai("1.25", "0.125", "10"),
    "gpt-5-mini": openai("0.25", "0.025", "2"),
    "gpt-5-nano": openai("0.05", "0.005", "0.4"),
    "gpt-4.1": openai("2", "0.5", "8"),
    "gpt-4.1-mini": openai("0.4", "0.1", "1.6"),
    "gpt-4o": openai("2.5", "1.25", "10"),
    "claude-fable-5-2": anthropic("8", "0.2", "10", "16", "40"),
    "claude-fable-5-1": anthropic("10", "0.25", "12.5", "20", "50"),
    "claude-opus-5-5": anthropic("4", "0.2", "5", "8", "20"),
    "claude-opus-5": anthropic("5", "0.5", "6.25", "10", "25"),
    "claude-opus-4-8": anthropic("5", "0.5", "6.25", "10", "25"),
    "claude-opus-4-7": anthropic("5", "0.5", "6.25", "10", "25"),
    "claude-opus-4-6": anthropic("5", "0.5", "6.25", "10", "25"),
    "claude-sonnet-5-5": anthropic("2", "0.1", "2.5", "4", "10"),
    "claude-sonnet-5": anthropic("2", "0.2", "2.5", "4", "10"),
    "claude-sonnet-4-6": anthropic("3", "0.3", "3.75", "6", "15"),
    "claude-sonnet-4-5": anthropic("3", "0.3", "3.75", "6", "15"),
    "claude-haiku-5-5": anthropic("0.1", "0.01", "0.125", "0.2", "0.5"),
    "claude-haiku-4-5": anthropic("1", "0.1", "1.25", "2", "5"),
}
"""Dollars per million tokens on 22 November 2026, standard tier, small requests, as the providers print them."""


@pytest.mark.parametrize("spec", models(), ids=lambda spec: spec.id)
def test_every_offered_model_costs_what_its_page_says(spec):
    assert dollars(price_of(spec.provider, spec.id, SMALL, NOW)) == PAGES[spec.id]


@pytest.mark.parametrize("spec", models(), ids=lambda spec: spec.id)
def test_every_lifetime_that_can_be_asked_for_has_a_price(spec):
    price = price_of(spec.provider, spec.id, SMALL, NOW)
    assert [lifetime for lifetime in spec.cache.lifetimes if getattr(price, f"written_{lifetime}") is None] == []


def test_a_model_that_nobody_prices_has_no_price():
    assert price_of("openai", "gpt-99", SMALL, NOW) is None
    assert price_of("ollama", "qwen3", SMALL, NOW) is None


def test_a_provider_is_matched_exactly_and_not_by_resemblance():
    assert price_of("my-anthropic-proxy", "claude-sonnet-5-5", SMALL, NOW) is None
    assert price_of("litellm", "openai/gpt-6.1-sol", SMALL, NOW) is None


@pytest.mark.parametrize(
    ("provider", "returned", "chosen"),
    [
        ("openai", "gpt-6.1-sol-2026-09-01", "gpt-6.1-sol"),
        ("openai", "gpt-6.2-sol-2026-11-17", "gpt-6.2-sol"),
        ("openai", "gpt-5.4-mini-2026-03-17", "gpt-5.4-mini"),
        ("openai", "gpt-5.2-2026-02-02", "gpt-5.2"),
        ("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("anthropic", "claude-opus-5-5-20260922", "claude-opus-5-5"),
    ],
)
def test_a_dated_snapshot_costs_what_its_model_costs(provider, returned, chosen):
    assert price_of(provider, returned, SMALL, NOW) == price_of(provider, chosen, SMALL, NOW)


def test_a_price_says_where_it_comes_from():
    def source(model_id: str, tier: str | None = None) -> str:
        price = price_of("openai", model_id, SMALL, NOW, tier)
        assert price is not None
        return price.source

    listed = f"genai-prices {genai_prices.__version__}"
    assert source("gpt-5.5") == listed
    assert source("gpt-6.2-sol") == "prices.toml 2026-11-22"
    assert source("gpt-6.2-astra") == "prices.toml 2026-11-22 (derived: read, written_12h, written_30m)"
    assert source("gpt-6.1-sol") == f"{listed} + prices.toml 2026-11-22"
    assert source("gpt-6.1-sol", "flex") == f"{listed} + prices.toml 2026-11-22 (derived: tiers)"


def test_an_unaware_time_is_refused():
    with pytest.raises(ValueError, match="aware"):
        price_of("openai", "gpt-6.1-sol", SMALL, NOW.replace(tzinfo=None))


@pytest.mark.parametrize("model_id", ["gpt-6.1-sol", "gpt-6.2-sol"])
def test_above_272000_input_tokens_the_whole_request_costs_more(model_id):
    at = price_of("openai", model_id, Usage(uncached=200_000, read=72_000), NOW)
    above = price_of("openai", model_id, Usage(uncached=200_000, read=72_001), NOW)
    assert dollars(at) == openai("2", "0.1", "10", "2.5", "5")
    assert dollars(above) == openai("4", "0.2", "15", "5", "10")


def test_above_100000_input_tokens_haiku_costs_five_times_as_much():
    at = price_of("anthropic", "claude-haiku-5-5", Usage(uncached=1, read=99_989, written_5m=10), NOW)
    above = price_of("anthropic", "claude-haiku-5-5", Usage(uncached=1, read=99_990, written_5m=10), NOW)
    assert dollars(at) == anthropic("0.1", "0.01", "0.125", "0.2", "0.5")
    assert dollars(above) == anthropic("0.5", "0.05", "0.625", "1", "2.5")


def test_output_does_not_count_towards_the_threshold():
    usage = Usage(uncached=100_000, output=100_000)
    assert dollars(price_of("anthropic", "claude-haiku-5-5", usage, NOW))["output"] == "0.5"


@pytest.mark.parametrize(
    ("provider", "model_id"), [("anthropic", "claude-haiku-5-5"), ("openai", "gpt-6.1-sol"), ("openai", "gpt-6.2-sol")]
)
def test_where_size_decides_an_unknown_size_has_no_price(provider, model_id):
    assert price_of(provider, model_id, Usage(), NOW) is None


def test_where_size_does_not_decide_an_unknown_size_has_a_price():
    assert price_of("anthropic", "claude-sonnet-5-5", Usage(), NOW) is not None


@pytest.mark.parametrize(
    ("provider", "model_id", "change", "before", "after"),
    [
        ("openai", "gpt-5.6-sol", date(2026, 8, 21), "5", "4"),
        ("openai", "gpt-5.6-luna", date(2026, 7, 30), "1", "0.2"),
        ("google", "gemini-4-argon", date(2026, 12, 1), "2", "4"),
        ("google", "gemini-3.8-flash", date(2027, 1, 1), "0.75", "1.5"),
    ],
)
def test_a_price_changes_at_midnight_utc_of_its_day(provider, model_id, change, before, after):
    midnight = datetime(change.year, change.month, change.day, tzinfo=UTC)
    found = [
        dollars(price_of(provider, model_id, SMALL, at))["uncached"]
        for at in (midnight - timedelta(seconds=1), midnight)
    ]
    assert found == [before, after]


@pytest.mark.parametrize("tier", [None, "default", "standard", "auto"])
@pytest.mark.parametrize("model_id", ["gpt-6.1-sol", "gpt-6.2-sol"])
def test_the_standard_tier_has_several_names_and_one_price(model_id, tier):
    price = price_of("openai", model_id, SMALL, NOW, tier)
    assert price == price_of("openai", model_id, SMALL, NOW)
    assert price is not None and price.tier == "standard"


@pytest.mark.parametrize("model_id", ["gpt-6.1-sol", "gpt-6.2-sol"])
@pytest.mark.parametrize(
    ("tier", "figures"),
    [
        ("batch", openai("1", "0.05", "5", "1.25", "2.5")),
        ("flex", openai("1", "0.05", "5", "1.25", "2.5")),
        ("priority", openai("4", "0.2", "20", "5", "10")),
        ("fast", openai("4", "0.2", "20", "5", "10")),
    ],
)
def test_other_tiers_have_their_own_prices(model_id, tier, figures):
    price = price_of("openai", model_id, SMALL, NOW, tier)
    assert dollars(price) == figures
    assert price is not None and price.tier == tier


def test_anthropic_sells_batches_and_speed_at_their_own_prices():
    found = [dollars(price_of("anthropic", "claude-opus-5-5", SMALL, NOW, tier)) for tier in ("batch", "fast")]
    assert found == [anthropic("2", "0.1", "2.5", "4", "10"), anthropic("8", "0.4", "10", "16", "40")]


@pytest.mark.parametrize(
    ("provider", "model_id", "tier"),
    [
        ("openai", "gpt-6.1-sol", "ultrafast"),
        ("openai", "gpt-6.2-sol", "ultrafast"),
        ("openai", "gpt-6.1-sol", "scale"),
        ("openai", "gpt-4.1", "flex"),
        ("openai", "gpt-5.4-nano", "priority"),
        ("anthropic", "claude-opus-5-5", "priority"),
        ("anthropic", "claude-sonnet-5-5", "fast"),
        ("openai", "gpt-6.1-sol", "something-new"),
    ],
)
def test_a_tier_without_a_price_is_not_priced_as_another(provider, model_id, tier):
    assert price_of(provider, model_id, SMALL, NOW, tier) is None


def test_a_tier_has_no_price_before_the_list_has_one():
    before = datetime(2026, 10, 11, 23, 59, tzinfo=UTC)
    assert price_of("openai", "gpt-6.1-sol", SMALL, before, "flex") is None
    assert price_of("openai", "gpt-6.1-sol", SMALL, before) is not None


def test_a_model_has_no_override_price_before_its_release():
    assert price_of("openai", "gpt-6.2-sol", SMALL, datetime(2026, 11, 16, tzinfo=UTC)) is None


def test_an_override_only_fills_gaps_unless_it_says_that_it_replaces(monkeypatch):
    (row,) = overrides.parse(
        """
        [[price]]
        provider = "openai"
        model = "gpt-5.5"
        from = 2026-11-20
        usd_per_mtok = { uncached = "3", written_30m = "4" }
        derived = []
        source = "https://example.com"
        checked = 2026-11-22
        """
    )
    monkeypatch.setattr(overrides, "overrides", lambda: (row,))
    assert dollars(price_of("openai", "gpt-5.5", SMALL, NOW)) == openai("5", "0.5", "30", "4")
    monkeypatch.setattr(overrides, "overrides", lambda: (replace(row, replaces=True),))
    assert dollars(price_of("openai", "gpt-5.5", SMALL, NOW)) == openai("3", "0.5", "30", "4")
    the_day_before = datetime(2026, 11, 19, tzinfo=UTC)
    assert dollars(price_of("openai", "gpt-5.5", SMALL, the_day_before)) == openai("5", "0.5", "30")


def test_a_model_with_prices_that_the_buckets_cannot_hold_has_none():
    assert price_of("perplexity", "sonar", SMALL, NOW) is None
    assert price_of("perplexity", "sonar-deep-research", SMALL, NOW) is None


# ---- arithmetic --------------------------------------------------------------------------------------

FLAT = Price(
    uncached=2_000_000_000,
    read=100_000_000,
    written_5m=2_500_000_000,
    written_30m=2_500_000_000,
    written_1h=4_000_000_000,
    written_12h=5_000_000_000,
    output=10_000_000_000,
    source="test",
)
"""2 / 0.10 / 2.50 / 2.50 / 4 / 5 / 10 dollars per million tokens: 2,000 / 100 / 2,500 … nano-dollars a token."""


def test_a_call_is_the_sum_of_its_lines():
    found = cost(Usage(uncached=10, read=4000, written_5m=100, written_1h=200, output=50, reasoning=40), FLAT)
    assert found == Cost(
        uncached=20_000,
        read=400_000,
        written_5m=250_000,
        written_30m=None,
        written_1h=800_000,
        written_12h=None,
        output=500_000,
        without_cache=(10 + 4000 + 100 + 200) * 2000 + 500_000,
    )
    assert found.total == 1_970_000
    assert found.saved == 9_120_000 - 1_970_000


def test_reasoning_is_paid_as_output_and_not_twice():
    with_reasoning = cost(Usage(uncached=1, output=50, reasoning=50), FLAT)
    assert with_reasoning == cost(Usage(uncached=1, output=50), FLAT)


@pytest.mark.parametrize(
    ("tokens", "nano_per_mtok", "nano"),
    [
        (1, 499_999, 0),
        (1, 500_000, 0),
        (1, 500_001, 1),
        (3, 500_000, 2),
        (5, 500_000, 2),
        (7, 500_000, 4),
        (1, 1_500_000, 2),
        (1, 2_500_000, 2),
        (1, 2_499_999, 2),
        (1, 5_000_000, 5),
        (0, 5_000_000, 0),
        (123_456_789, 40_000_000_000, 4_938_271_560_000),
    ],
)
def test_each_line_is_rounded_half_even(tokens, nano_per_mtok, nano):
    found = cost(Usage(uncached=tokens, output=0), replace(FLAT, uncached=nano_per_mtok))
    assert found is not None and found.uncached == nano


def test_the_first_write_loses_money_and_shows_it():
    found = cost(Usage(uncached=0, read=0, written_5m=10_000, output=100), FLAT)
    assert found is not None
    assert found.saved == 10_000 * (2000 - 2500)


def test_without_caching_nothing_is_saved_and_nothing_lost():
    found = cost(Usage(uncached=333, output=7), replace(FLAT, uncached=1_234_567))
    assert found is not None and found.saved == 0


@pytest.mark.parametrize("usage", [Usage(), Usage(uncached=10), Usage(output=10), Usage(read=10, output=10)])
def test_usage_that_was_not_reported_has_no_cost(usage):
    assert cost(usage, FLAT) is None


@pytest.mark.parametrize("name", FIGURES)
def test_tokens_without_a_price_leave_the_whole_call_without_one(name):
    unpriced = replace(FLAT, **{name: None})
    usage = Usage(uncached=1, read=1, written_5m=1, written_30m=1, written_1h=1, written_12h=1, output=1)
    assert cost(usage, unpriced) is None


def test_a_reported_zero_without_a_price_costs_zero():
    found = cost(Usage(uncached=10, written_12h=0, output=1), replace(FLAT, written_12h=None))
    assert found is not None and (found.written_12h, found.total) == (0, 30_000)


def test_cached_tokens_without_an_uncached_price_have_no_cost():
    assert cost(Usage(uncached=0, read=5, output=1), replace(FLAT, uncached=None)) is None


def test_a_call_without_any_input_costs_its_output():
    found = cost(Usage(uncached=0, output=1), FLAT)
    assert found is not None and (found.total, found.saved) == (10_000, 0)


@pytest.mark.parametrize("model_id", ["gpt-6.1-sol", "gpt-6.2-sol"])
def test_twelve_hour_writes_cost_twice_the_thirty_minute_ones(model_id):
    usage = Usage(uncached=0, read=0, written_30m=1000, written_12h=1000, output=0)
    price = price_of("openai", model_id, usage, NOW)
    assert price is not None
    found = cost(usage, price)
    assert found is not None
    assert (found.written_30m, found.written_12h) == (2_500_000, 5_000_000)


def test_a_twelve_hour_write_on_a_model_without_that_price_has_no_cost():
    usage = Usage(uncached=1, written_12h=1, output=1)
    price = price_of("openai", "gpt-5.6-sol", usage, NOW)
    assert price is not None and cost(usage, price) is None


# ---- against the price list --------------------------------------------------------------------------

counts = st.just(0) | st.integers(0, 400_000)
"""Zero often: many models have no price for writes."""


def listed_tier(provider: str, tier: str | None) -> dict[str, str] | None:
    """How the price list is asked for a tier."""
    if tier is None:
        return None
    if tier == "batch":
        return {"processing": tier}
    return {"service_tier" if provider == "openai" else "speed": tier}


@settings(max_examples=400)
@given(
    chosen=st.sampled_from(LISTED),
    uncached=counts,
    read=counts,
    short=counts,
    long=counts,
    output=counts,
    tier=st.sampled_from([None, "batch", "flex", "priority", "fast"]),
    at=st.datetimes(datetime(2026, 7, 1), datetime(2027, 3, 1), timezones=st.just(UTC)),
)
def test_costs_agree_with_the_price_list_where_both_define_them(chosen, uncached, read, short, long, output, tier, at):
    provider, model_id = chosen
    if provider == "openai":
        usage = Usage(uncached=uncached, read=read, written_30m=short, output=output)
        long = 0
    else:
        usage = Usage(uncached=uncached, read=read, written_5m=short, written_1h=long, output=output)
    price = price_of(provider, model_id, usage, at, tier)
    if price is None:
        assert tier is not None
        return
    found = cost(usage, price)
    if found is None:
        assert short and price.written_30m is None
        return

    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=uncached + read + short + long,
            cache_read_tokens=read,
            cache_write_tokens=short + long,
            cache_write_1h_tokens=long,
            output_tokens=output,
        ),
        model_id,
        provider_id=provider,
        genai_request_timestamp=at,
        price_context=listed_tier(provider, tier),
    )
    exact = {name: Fraction((getattr(usage, name) or 0) * (getattr(price, name) or 0), 10**15) for name in FIGURES}
    assert exact["output"] == Fraction(theirs.output_price)
    assert sum(exact.values()) - exact["output"] == Fraction(theirs.input_price)
    for name, line in exact.items():
        assert abs((getattr(found, name) or 0) - line * 10**9) <= Fraction(1, 2)
    assert found.total == sum(getattr(found, name) or 0 for name in FIGURES)
    all_uncached = cost(Usage(uncached=usage.total_input, output=output), price)
    assert all_uncached is not None and found.without_cache == all_uncached.total


@pytest.mark.parametrize(
    ("provider", "flavor", "response", "usage"),
    [
        (
            "openai",
            "responses",
            {
                "model": "gpt-6.1-sol-2026-09-29",
                "usage": {
                    "input_tokens": 10_000,
                    "input_tokens_details": {"cached_tokens": 6000, "cache_write_tokens": 3000},
                    "output_tokens": 500,
                    "output_tokens_details": {"reasoning_tokens": 200},
                },
            },
            Usage(uncached=1000, read=6000, written_30m=3000, output=500, reasoning=200),
        ),
        (
            "anthropic",
            "default",
            {
                "model": "claude-sonnet-5-5",
                "usage": {
                    "input_tokens": 12,
                    "cache_read_input_tokens": 6000,
                    "cache_creation_input_tokens": 3000,
                    "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000},
                    "output_tokens": 500,
                },
            },
            Usage(uncached=12, read=6000, written_5m=1000, written_1h=2000, output=500),
        ),
    ],
)
def test_the_price_list_reads_a_raw_response_as_the_buckets_do(provider, flavor, response, usage):
    snapshot = DataSnapshot(providers=providers, from_auto_update=False)
    theirs = snapshot.extract_usage(response, provider_id=provider, api_flavor=flavor).calc_price(
        genai_request_timestamp=NOW
    )
    price = price_of(provider, response["model"], usage, NOW)
    assert price is not None
    found = cost(usage, price)
    assert found is not None
    assert Decimal(found.total).scaleb(-9) == theirs.total_price


def test_no_figure_of_the_price_list_is_finer_than_a_nano_dollar():
    tiers = (None, "batch", "flex", "priority", "fast")
    for vendor in providers:
        if vendor.id in ("openai", "anthropic", "google"):
            for info in vendor.models:
                for size in (0, 150_000, 250_000, 500_000):
                    for tier in tiers:
                        price_of(vendor.id, info.id, Usage(uncached=size), NOW, tier)


def test_the_prices_are_those_installed_even_if_someone_set_others():
    genai_prices.data_snapshot.set_custom_snapshot(DataSnapshot(providers=[], from_auto_update=False))
    try:
        assert price_of("openai", "gpt-5.5", SMALL, NOW) is not None
    finally:
        genai_prices.data_snapshot.set_custom_snapshot(None)


def test_the_price_list_is_not_loaded_before_it_is_needed():
    code = f"import sys, {module.__name__}; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
