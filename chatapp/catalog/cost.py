"""What a call costs: a price for a model at a time, and integer arithmetic on it.

Prices come from genai-prices as installed, never from the network, and from `prices.toml` for what that
lacks. What has no price has no cost: None, never 0. Only tokens are priced here; searches and storage are
billed beside them.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from chatapp.catalog.load import without_date
from chatapp.catalog.overrides import FIGURES, STANDARD, override
from chatapp.vocab.model import Price
from chatapp.vocab.usage import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

_STANDARD_NAMES = frozenset({"standard", "default", "auto"})
"""What providers call the tier that costs the list price: Anthropic, OpenAI, and either before it is settled."""

_PLAIN_WRITE = {"anthropic": "written_5m", "openai": "written_30m"}
"""Which lifetime the price list's one `cache_write_mtok` is for: the shortest that the provider sells."""

_FIGURE_OF = {
    "input_mtok": "uncached",
    "cache_read_mtok": "read",
    "cache_write_5m_mtok": "written_5m",
    "cache_write_1h_mtok": "written_1h",
    "output_mtok": "output",
}

_NOT_EXPRESSIBLE = ("output_reasoning_mtok", "requests_kcount")
"""Prices that the buckets cannot carry: a model that has one is left without a price rather than priced low."""


def price_of(provider: str, model: str, usage: Usage, at: datetime, tier: str | None = None) -> Price | None:
    """The price of one call: integer nano-dollars per million tokens; None if the model or tier has none.

    `model` and `tier` are best those that the response names: a model id may carry a snapshot's date, and a
    requested tier is not always the one that was served. `tier` None is the standard tier. `usage` decides
    between prices that depend on the size of the request; where its input is unknown such a model has no
    price. `at`, an aware time, decides between prices of different days: that of the request.
    """
    if at.tzinfo is None:
        raise ValueError("a price needs an aware time")
    tier = STANDARD if tier is None or tier in _STANDARD_NAMES else tier
    total_input = usage.total_input

    figures = _listed(provider, model, total_input, at, tier)
    sources = [f"genai-prices {_price_list_version()}"] if figures else []
    own = override(provider, model, at) or override(provider, without_date(model), at)
    if own is not None:
        ours = own.figures(tier, total_input)
        used = {name for name in ours if own.replaces or name not in figures}
        figures |= {name: ours[name] for name in used}
        if used:
            sources.append(own.note(used, tier, total_input))
    if "uncached" not in figures or "output" not in figures:
        return None
    nano = {name: _nano(usd) for name, usd in figures.items()}
    return Price(**{name: nano.get(name) for name in FIGURES}, source=" + ".join(sources), tier=tier)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call cost: nano-dollars per bucket, each rounded half-even. None: that bucket was not reported."""

    uncached: int
    read: int | None
    written_5m: int | None
    written_30m: int | None
    written_1h: int | None
    written_12h: int | None
    output: int
    without_cache: int
    """What the same tokens would have cost with every input token at the uncached price."""

    @property
    def total(self) -> int:
        """The sum of the lines: what is shown adds up."""
        return sum(getattr(self, name) or 0 for name in FIGURES)

    @property
    def saved(self) -> int:
        """What caching saved; negative when it lost money, as on a first write."""
        return self.without_cache - self.total


def cost(usage: Usage, price: Price) -> Cost | None:
    """What `usage` costs at `price`; None ("no price") if any part of it cannot be said.

    That is: uncached input or output not reported, or tokens in a bucket whose price is unknown.
    """
    total_input = usage.total_input
    if total_input is None or usage.output is None:
        return None
    lines: dict[str, int | None] = {}
    for name in FIGURES:
        tokens, per_mtok = getattr(usage, name), getattr(price, name)
        if tokens and per_mtok is None:
            return None
        lines[name] = None if tokens is None else _per_million(tokens, per_mtok or 0)
    if total_input and price.uncached is None:
        return None
    without_cache = _per_million(total_input, price.uncached or 0) + (lines["output"] or 0)
    return Cost(**lines, without_cache=without_cache)  # type: ignore[arg-type]  # the two required lines are set


def _per_million(tokens: int, nano_per_mtok: int) -> int:
    """Nano-dollars for `tokens`, rounded half-even, in integers throughout."""
    whole, rest = divmod(tokens * nano_per_mtok, 1_000_000)
    return whole + (rest > 500_000 or (rest == 500_000 and whole % 2 == 1))


def _nano(usd: Decimal) -> int:
    """Dollars as nano-dollars, exactly; ValueError for anything finer."""
    nano = usd.scaleb(9)
    if nano != int(nano):
        raise ValueError(f"{usd} dollars is finer than a nano-dollar")
    return int(nano)


def _listed(provider: str, model: str, total_input: int | None, at: datetime, tier: str) -> dict[str, Decimal]:
    """The price list's dollars per million tokens; empty if it has none for this model, time, tier and size."""
    vendor = _vendors().get(provider)
    info = vendor and (vendor.find_model(model) or vendor.find_model(without_date(model)))
    if not vendor or not info:
        return {}
    context: dict[str, str] | None = None
    if tier != STANDARD:
        context = _context(info, at, tier)
        if context is None:
            return {}
    prices = info.get_prices(at, context)
    if any(getattr(prices, key) is not None for key in _NOT_EXPRESSIBLE):
        return {}
    figures: dict[str, Decimal] = {}
    for key, name in (("cache_write_mtok", _PLAIN_WRITE.get(provider)), *_FIGURE_OF.items()):
        if name is None or getattr(prices, key) is None:
            continue
        usd = _at_size(prices, key, total_input)
        if usd is None:
            return {}
        figures[name] = usd
    return figures


def _context(info: "ModelInfo", at: datetime, tier: str) -> dict[str, str] | None:
    """What selects the prices of `tier` in the list, whatever it calls the question; None if it has none.

    Asked by hand because the list answers an unknown tier, or one before its first day, with standard prices.
    """
    for key in ("service_tier", "processing", "speed"):
        for variant in info.price_variants or ():
            if variant.when == {key: tier} and (variant.constraint is None or variant.constraint.active(at)):
                return {key: tier}
    return None


def _at_size(prices: "ModelPrice", key: str, total_input: int | None) -> Decimal | None:
    """One price for a request of this size: past a threshold, the whole request pays the higher one."""
    price = getattr(prices, key)
    if isinstance(price, Decimal):
        return price
    if total_input is None:
        return None
    usd: Decimal = price.base
    for step in price.tiers:
        if total_input > step.start:
            usd = step.price
    return usd


@cache
def _vendors() -> "dict[str, Provider]":
    """The bundled price list by provider id; ids match exactly, where the list itself would also guess."""
    from genai_prices.data import providers  # noqa: PLC0415 - 1.6 MB of Python that most commands never need

    return {vendor.id: vendor for vendor in providers}


@cache
def _price_list_version() -> str:
    from genai_prices import __version__  # noqa: PLC0415 - as above

    return __version__
