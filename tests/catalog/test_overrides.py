"""The file of prices that the price list lacks is right, and a wrong one says where."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from chatapp.catalog.load import model
from chatapp.catalog.overrides import override, overrides, parse
from chatapp.catalog.rows import CatalogError

GOOD = """
[[price]]
provider = "acme"
model = "acme-1"
from = 2026-11-17
usd_per_mtok = { uncached = "2", output = "10" }
long = { above_input_tokens = 1000, input = "2", output = "1.5" }
tiers = { batch = "0.5" }
derived = ["tiers"]
source = "https://acme.example/prices"
checked = 2026-11-22
"""


def test_every_override_is_for_a_model_that_is_offered():
    assert [row.model for row in overrides() if model(row.provider, row.model) is None] == []


def test_an_override_holds_from_its_first_utc_day():
    assert override("openai", "gpt-6.2-sol", datetime(2026, 11, 16, 23, 59, 59, tzinfo=UTC)) is None
    row = override("openai", "gpt-6.2-sol", datetime(2026, 11, 17, tzinfo=UTC))
    assert row is not None and row.starts == date(2026, 11, 17)


def test_the_factors_of_size_and_tier_multiply():
    (row,) = parse(GOOD)
    assert row.figures("standard", 1000) == {"uncached": Decimal(2), "output": Decimal(10)}
    assert row.figures("standard", 1001) == {"uncached": Decimal(4), "output": Decimal(15)}
    assert row.figures("batch", 1001) == {"uncached": Decimal(2), "output": Decimal("7.5")}


def test_a_tier_without_a_factor_and_an_unknown_size_have_no_figures():
    (row,) = parse(GOOD)
    assert row.figures("ultrafast", 1) == {}
    assert row.figures("standard", None) == {}


def test_the_note_names_what_is_derived_and_was_used():
    (row,) = parse(GOOD)
    assert row.note({"output"}, "standard", 1) == "prices.toml 2026-11-22"
    assert row.note({"output"}, "batch", 1) == "prices.toml 2026-11-22 (derived: tiers)"


ROW = r"prices.toml: price 1 \(acme acme-1\): "


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'uncached = "2"',
            "uncached = 2.0",
            ROW + 'usd_per_mtok: uncached: expected a decimal in quotes such as "0.10"',
        ),
        ('uncached = "2"', 'uncached = "two"', ROW + "usd_per_mtok: uncached: expected a decimal"),
        ('uncached = "2"', 'uncached = "-2"', ROW + "usd_per_mtok: uncached: expected a decimal"),
        ('uncached = "2"', 'uncached = "NaN"', ROW + "usd_per_mtok: uncached: expected a decimal"),
        ('uncached = "2"', 'input = "2"', ROW + "usd_per_mtok: expected at least one of uncached, read"),
        ('uncached = "2"', 'uncached = "0.0000000001"', ROW + "uncached: .* is finer than a nano-dollar"),
        ('{ uncached = "2", output = "10" }', "{}", ROW + "usd_per_mtok: expected at least one of"),
        ("above_input_tokens = 1000, ", "", ROW + "long: above_input_tokens: expected a whole number"),
        ('output = "1.5" }', 'output = "1.5", cache = "2" }', ROW + "long: cache: unknown field"),
        ("batch", "standard", ROW + "tiers: expected no standard tier"),
        ('["tiers"]', '["tier"]', ROW + "derived: expected a list of different texts out of uncached"),
        ("from = 2026-11-17", "", ROW + "from: expected a date"),
        ("https://", "", ROW + "source: expected an https address"),
        ("checked", "seen", ROW + "checked: expected a date"),
        ("derived", "note = 1\nderived", ROW + "note: unknown field"),
        ("[[price]]", "[[prices]]", "prices.toml: unknown table 'prices', expected one of price"),
    ],
)
def test_a_wrong_file_names_the_row_and_the_field(old, new, message):
    broken = GOOD.replace(old, new)
    assert broken != GOOD
    with pytest.raises(CatalogError, match=message):
        parse(broken)


def test_two_rows_of_a_model_cannot_begin_on_one_day():
    with pytest.raises(CatalogError, match=r"price 2 \(acme acme-1\): from: expected a day that no earlier row"):
        parse(GOOD + GOOD)
