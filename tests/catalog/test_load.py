"""The catalog file is right, and a wrong one says where."""

from datetime import date

import pytest

from chatapp.catalog.load import default_model, model, models, offered, parse, side_model
from chatapp.catalog.rows import CatalogError
from chatapp.vocab.model import CacheRule

GOOD = """
[cache.rule]
minimum_tokens = 1024
lifetimes = ["5m", "1h"]
writes_by_default = false
max_marks = 4

[options.thinking]
thinking = { type = "adaptive" }

[[model]]
provider = "acme"
id = "acme-1"
label = "Acme One"
short_label = "One"
context_window_tokens = 200_000
max_output_tokens = 64_000
cache = "rule"
chains = false
options = "thinking"
side_options = "none"
default = true
side = true
source = "https://acme.example/models"
checked = 2026-11-22
"""

SECOND = GOOD[GOOD.index("[[model]]") :].replace("acme-1", "acme-2").replace("Acme One", "Acme Two")


def test_each_provider_has_the_default_and_side_model_that_were_chosen():
    assert [default_model(provider).id for provider in ("openai", "anthropic")] == ["gpt-6.2-sol", "claude-sonnet-5-5"]
    assert [side_model(provider).id for provider in ("openai", "anthropic")] == ["gpt-6-luna", "claude-haiku-5-5"]


def test_a_provider_without_models_is_a_key_error():
    with pytest.raises(KeyError):
        default_model("acme")


def test_labels_are_for_people():
    spec = model("anthropic", "claude-sonnet-5-5")
    assert spec is not None
    assert (spec.label, spec.short_label) == ("Claude Sonnet 5.5", "Sonnet 5.5")


def test_short_labels_differ_so_that_a_narrow_picker_can_be_read():
    short = [spec.short_label for spec in models()]
    assert len(set(short)) == len(short)


@pytest.mark.parametrize(
    ("model_id", "minimum"),
    [
        ("claude-fable-5-1", 512),
        ("claude-opus-5-5", 512),
        ("claude-opus-5", 512),
        ("claude-opus-4-8", 1024),
        ("claude-opus-4-7", 2048),
        ("claude-opus-4-6", 4096),
        ("claude-sonnet-5-5", 512),
        ("claude-sonnet-5", 1024),
        ("claude-sonnet-4-6", 1024),
        ("claude-sonnet-4-5", 1024),
        ("claude-haiku-5-5", 512),
        ("claude-haiku-4-5", 4096),
    ],
)
def test_claude_models_cache_from_their_own_minimum_with_four_marks_and_twenty_positions(model_id, minimum):
    spec = model("anthropic", model_id)
    assert spec is not None
    assert spec.cache == CacheRule(minimum, ("5m", "1h"), max_marks=4, lookback_positions=20, writes_by_default=False)


def test_newer_openai_models_write_by_themselves_for_thirty_minutes_or_twelve_hours():
    assert default_model("openai").cache == CacheRule(1024, ("30m", "12h"), writes_by_default=True)


def test_a_lifetime_without_a_published_price_is_not_offered():
    spec = model("openai", "gpt-5.6-sol")
    assert spec is not None
    assert spec.cache.lifetimes == ("30m",)


def test_only_openai_chains():
    assert {spec.provider for spec in models() if spec.chains} == {"openai"}


def test_claude_before_4_6_is_sent_no_adaptive_thinking():
    assert {spec.id for spec in models() if spec.provider == "anthropic" and not spec.options} == {
        "claude-sonnet-4-5",
        "claude-haiku-4-5",
    }


def test_models_that_do_not_reason_are_sent_no_reasoning_field():
    assert {spec.id for spec in models() if spec.provider == "openai" and not spec.options} == {
        "gpt-4.1",
        "gpt-4.1-mini",
        "gpt-4o",
    }


def test_no_model_of_6_1_or_6_2_is_told_not_to_reason():
    for spec in models():
        if spec.id.startswith(("gpt-6.1", "gpt-6.2")):
            assert {spec.options["reasoning"]["effort"], spec.side_options["reasoning"]["effort"]} == {"low"}


def test_a_side_call_to_a_model_that_charges_for_writes_asks_for_none():
    for spec in models():
        charges = spec.cache.writes_by_default and "30m" in spec.cache.lifetimes
        assert (spec.side_options.get("prompt_cache_options") == {"mode": "explicit"}) is charges, spec.id


def test_a_dated_snapshot_is_found_under_its_model():
    assert model("openai", "gpt-6.1-sol-2026-09-29") is model("openai", "gpt-6.1-sol")
    assert model("anthropic", "claude-haiku-4-5-20251001") is model("anthropic", "claude-haiku-4-5")


def test_an_unknown_model_is_none_and_so_is_one_of_another_provider():
    assert model("openai", "gpt-99") is None
    assert model("openai", "claude-sonnet-5-5") is None


def test_a_model_is_offered_until_the_day_before_it_retires():
    spec = model("anthropic", "claude-sonnet-4-5")
    assert spec is not None and spec.retires == date(2026, 11, 30)
    assert spec in offered(date(2026, 11, 29))
    assert spec not in offered(date(2026, 11, 30))
    assert spec in models()


def test_a_good_file_is_read_whole():
    catalog = parse(GOOD)
    (spec,) = catalog.models
    assert spec.options == {"thinking": {"type": "adaptive"}}
    assert spec.side_options == {}
    assert (spec.retires, spec.checked) == (None, date(2026, 11, 22))
    assert catalog.defaults == catalog.sides == {"acme": spec}


ROW = r"models.toml: model 1 \(acme acme-1\): "


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("200_000", '"200k"', ROW + "context_window_tokens: expected a whole number of at least 1, got '200k'"),
        ("200_000", "true", ROW + "context_window_tokens: expected a whole number"),
        ("64_000", "0", ROW + "max_output_tokens: expected a whole number of at least 1, got 0"),
        ("64_000", "200_000", ROW + "max_output_tokens: expected fewer tokens than the context window"),
        ('label = "Acme One"\n', "", ROW + "label: expected a text, got nothing"),
        ('cache = "rule"', 'cache = "rules"', ROW + "cache: expected one of rule, got 'rules'"),
        ('options = "thinking"', 'options = "deep"', ROW + "options: expected one of none, thinking, got 'deep'"),
        ("chains = false", 'chains = "no"', ROW + "chains: expected true or false, got 'no'"),
        ("chains = false", "chains = false\nchain = true", ROW + "chain: unknown field"),
        ("2026-11-22", '"yesterday"', ROW + "checked: expected a date such as"),
        ("2026-11-22", "2026-11-22T10:00:00", ROW + "checked: expected a date such as"),
        ("https://acme.example", "acme.example", ROW + "source: expected an https address"),
        ('id = "acme-1"', "", r"models.toml: model 1: id: expected a text, got nothing"),
        ('["5m", "1h"]', '["5m", "2h"]', "models.toml: cache.rule: lifetimes: expected a list of different texts"),
        ('["5m", "1h"]', '["5m", "5m"]', "models.toml: cache.rule: lifetimes: expected a list of different texts"),
        ("writes_by_default = false", "", "models.toml: cache.rule: writes_by_default: expected true or false"),
        ("max_marks = 4", "max_marks = -1", "models.toml: cache.rule: max_marks: expected a whole number of at least"),
        ("default = true", "", "models.toml: no model of acme has default = true"),
        ("side = true", "side = false", "models.toml: no model of acme has side = true"),
        ("side = true", "side = true\nretires = 2027-01-01", ROW + "default: expected a model without a retirement"),
        ("[[model]]", "[[models]]", "models.toml: unknown table 'models', expected one of cache, model, options"),
        ("[cache.rule]", "[cache.rule", "models.toml: not valid TOML"),
    ],
)
def test_a_wrong_file_names_the_row_and_the_field(old, new, message):
    broken = GOOD.replace(old, new)
    assert broken != GOOD
    with pytest.raises(CatalogError, match=message):
        parse(broken)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (SECOND, r"model 2 \(acme acme-2\): default: expected one per provider \(acme-1 has it\)"),
        (SECOND.replace("acme-2", "acme-1"), r"model 2 \(acme acme-1\): id: expected an id that no earlier row has"),
        (SECOND.replace("Acme Two", "Acme One"), r"model 2 \(acme acme-2\): label: expected a label that no earlier"),
    ],
)
def test_rows_that_contradict_each_other_are_refused(second, message):
    with pytest.raises(CatalogError, match=message):
        parse(GOOD + second)


def test_an_empty_file_is_refused():
    with pytest.raises(CatalogError, match=r"models.toml: no models"):
        parse("")
