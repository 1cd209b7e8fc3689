"""Prices the price list lacks, from `prices.toml`. Read and checked once per process."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

from chatapp.catalog.rows import CatalogError, Row, tables

FILE = Path(__file__).with_name("prices.toml")

FIGURES = ("uncached", "read", "written_5m", "written_30m", "written_1h", "written_12h", "output")
"""The buckets that are paid for: those of `Usage` without `reasoning`, which is a part of output."""

STANDARD = "standard"


@dataclass(frozen=True, slots=True)
class Override:
    """One dated row. Figures in US dollars per million tokens, factors as multiples of them."""

    provider: str
    model: str
    starts: date
    usd_per_mtok: Mapping[str, Decimal]
    tiers: Mapping[str, Decimal]
    derived: frozenset[str]
    """Names of figures, `long` or `tiers`: worked out by a published rule, not read from the source."""
    source: str
    checked: date
    replaces: bool = False
    """Whether these figures win over the price list; otherwise they only fill its gaps."""
    long_above_input_tokens: int | None = None
    long_input: Decimal = Decimal(1)
    long_output: Decimal = Decimal(1)

    def figures(self, tier: str, total_input: int | None) -> dict[str, Decimal]:
        """Dollars per million tokens on `tier` for a request of `total_input` tokens.

        Empty where the row says nothing: another tier, or a size that decides the price and is unknown.
        """
        factor = Decimal(1) if tier == STANDARD else self.tiers.get(tier)
        if factor is None:
            return {}
        into = out = factor
        if self.long_above_input_tokens is not None:
            if total_input is None:
                return {}
            if total_input > self.long_above_input_tokens:
                into, out = factor * self.long_input, factor * self.long_output
        return {name: usd * (out if name == "output" else into) for name, usd in self.usd_per_mtok.items()}

    def note(self, used: set[str], tier: str, total_input: int | None) -> str:
        """Where the figures `used` come from, for the ledger, what is derived named."""
        parts = set(used)
        if tier != STANDARD:
            parts.add("tiers")
        if self.long_above_input_tokens is not None and (total_input or 0) > self.long_above_input_tokens:
            parts.add("long")
        derived = sorted(self.derived & parts)
        return f"{FILE.name} {self.checked}" + (f" (derived: {', '.join(derived)})" if derived else "")


def override(provider: str, model_id: str, at: datetime) -> Override | None:
    """The newest row for a model that holds at `at` (by the UTC day, as in the price list)."""
    day = at.astimezone(UTC).date()
    rows = [row for row in overrides() if (row.provider, row.model) == (provider, model_id) and row.starts <= day]
    return max(rows, key=lambda row: row.starts, default=None)


@cache
def overrides() -> tuple[Override, ...]:
    """Every row of `prices.toml`."""
    return parse(FILE.read_text(encoding="utf-8"))


def parse(text: str, file: str = FILE.name) -> tuple[Override, ...]:
    """Overrides from TOML; CatalogError names the row and field that is wrong."""
    data = tables(text, file, frozenset({"price"}))
    rows: list[Override] = []
    for number, table in enumerate(data.get("price", []), start=1):
        row = Row(f"{file}: price {number}", table)
        new = _override(row)
        if any((new.provider, new.model, new.starts) == (old.provider, old.model, old.starts) for old in rows):
            raise row.wrong("from", "a day that no earlier row of this model has")
        rows.append(new)
    return tuple(rows)


def _override(row: Row) -> Override:
    provider, model_id = row.text("provider"), row.text("model")
    row.where += f" ({provider} {model_id})"
    figures = _amounts(row, "usd_per_mtok")
    if not figures or not figures.keys() <= set(FIGURES):
        raise row.wrong("usd_per_mtok", f"at least one of {', '.join(FIGURES)} and nothing else")
    tiers = _amounts(row, "tiers")
    if STANDARD in tiers:
        raise row.wrong("tiers", "no standard tier: that is what the figures are")
    above, long_input, long_output = None, Decimal(1), Decimal(1)
    if row.has("long"):
        long = Row(f"{row.where}: long", row.table("long"))
        above, long_input, long_output = long.whole("above_input_tokens"), long.amount("input"), long.amount("output")
        long.end()
    found = Override(
        provider=provider,
        model=model_id,
        starts=row.day("from"),
        usd_per_mtok=figures,
        tiers=tiers,
        derived=frozenset(row.texts("derived", (*FIGURES, "long", "tiers"))),
        source=row.text("source"),
        checked=row.day("checked"),
        replaces=row.flag("replaces", False),
        long_above_input_tokens=above,
        long_input=long_input,
        long_output=long_output,
    )
    if not found.source.startswith("https://"):
        raise row.wrong("source", "an https address")
    row.end()
    for tier in (STANDARD, *tiers):
        for total_input in (0, (above or 0) + 1):
            for name, usd in found.figures(tier, total_input).items():
                if usd.scaleb(9) != int(usd.scaleb(9)):
                    raise CatalogError(f"{row.where}: {name}: {usd} dollars is finer than a nano-dollar")
    return found


def _amounts(row: Row, name: str) -> dict[str, Decimal]:
    table = row.table(name)
    inner = Row(f"{row.where}: {name}", table)
    return {key: inner.amount(key) for key in table}
