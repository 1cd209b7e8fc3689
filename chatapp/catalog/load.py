"""The models a person can choose, from `models.toml`. Read and checked once per process.

No prices here (`cost`), and no judgement: what is sent and marked because of these facts is the
planner's business.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from chatapp.catalog.rows import CatalogError, Row, tables
from chatapp.vocab.model import CacheRule, ModelSpec
from chatapp.vocab.usage import LIFETIMES

FILE = Path(__file__).with_name("models.toml")

_DATE_SUFFIX = re.compile(r"[-@](20\d{2}-\d{2}-\d{2}|20\d{6})$")
"""How providers name a snapshot of a model: `gpt-6.1-sol-2026-09-29`, `claude-haiku-4-5-20251001`."""


def without_date(model_id: str) -> str:
    """A model id as chosen, from one as returned: its snapshot date removed if it has one."""
    return _DATE_SUFFIX.sub("", model_id)


@dataclass(frozen=True, slots=True)
class Catalog:
    """`models` in picker order, best first; `defaults` and `sides` have one model per provider."""

    models: tuple[ModelSpec, ...]
    defaults: Mapping[str, ModelSpec]
    sides: Mapping[str, ModelSpec]


def models() -> tuple[ModelSpec, ...]:
    """Every model in the catalog in picker order, those about to retire and retired ones included."""
    return _catalog().models


def offered(today: date) -> tuple[ModelSpec, ...]:
    """The models that still answer on `today`, in picker order."""
    return tuple(spec for spec in models() if spec.retires is None or today < spec.retires)


def model(provider: str, model_id: str) -> ModelSpec | None:
    """One model, by its id or by the id of a dated snapshot of it; None if the catalog lacks it."""
    by_id = {spec.id: spec for spec in models() if spec.provider == provider}
    return by_id.get(model_id) or by_id.get(without_date(model_id))


def model_label(provider: str, model_id: str, *, short: bool = False) -> str:
    """A model's name for people; its id where the catalog does not know it."""
    spec = model(provider, model_id)
    if spec is None:
        return model_id
    return spec.short_label if short else spec.label


def default_model(provider: str) -> ModelSpec:
    """What a new conversation uses; KeyError for a provider without models."""
    return _catalog().defaults[provider]


def side_model(provider: str) -> ModelSpec:
    """The cheap model for side calls such as titles; KeyError for a provider without models."""
    return _catalog().sides[provider]


@cache
def _catalog() -> Catalog:
    return parse(FILE.read_text(encoding="utf-8"))


def parse(text: str, file: str = FILE.name) -> Catalog:
    """A catalog from TOML; CatalogError names the row and field that is wrong."""
    data = tables(text, file, frozenset({"cache", "options", "model"}))
    rules = {name: _rule(Row(f"{file}: cache.{name}", table)) for name, table in data.get("cache", {}).items()}
    options: dict[str, dict[str, Any]] = {"none": {}}
    for name, table in data.get("options", {}).items():
        if not isinstance(table, dict):
            raise CatalogError(f"{file}: options.{name}: expected a table, got {table!r}")
        options[name] = table

    specs: list[ModelSpec] = []
    defaults: dict[str, ModelSpec] = {}
    sides: dict[str, ModelSpec] = {}
    for number, table in enumerate(data.get("model", []), start=1):
        row = Row(f"{file}: model {number}", table)
        spec = _spec(row, rules, options)
        if any((spec.provider, spec.id) == (other.provider, other.id) for other in specs):
            raise row.wrong("id", "an id that no earlier row has")
        if any(spec.label == other.label for other in specs):
            raise row.wrong("label", "a label that no earlier row has")
        for flag, chosen in (("default", defaults), ("side", sides)):
            if row.flag(flag, False):
                if spec.provider in chosen:
                    raise row.wrong(flag, f"one per provider ({chosen[spec.provider].id} has it)")
                if spec.retires is not None:
                    raise row.wrong(flag, "a model without a retirement date")
                chosen[spec.provider] = spec
        row.end()
        specs.append(spec)

    if not specs:
        raise CatalogError(f"{file}: no models")
    for provider in dict.fromkeys(spec.provider for spec in specs):
        for flag, chosen in (("default", defaults), ("side", sides)):
            if provider not in chosen:
                raise CatalogError(f"{file}: no model of {provider} has {flag} = true")
    return Catalog(tuple(specs), defaults, sides)


def _rule(row: Row) -> CacheRule:
    rule = CacheRule(
        minimum_tokens=row.whole("minimum_tokens"),
        lifetimes=row.texts("lifetimes", LIFETIMES),
        max_marks=row.whole("max_marks", least=0),
        lookback_positions=row.whole("lookback_positions") if row.has("lookback_positions") else None,
        writes_by_default=row.flag("writes_by_default"),
    )
    row.end()
    return rule


def _spec(row: Row, rules: Mapping[str, CacheRule], options: Mapping[str, dict[str, Any]]) -> ModelSpec:
    provider = row.text("provider")
    model_id = row.text("id")
    row.where += f" ({provider} {model_id})"
    spec = ModelSpec(
        provider=provider,
        id=model_id,
        label=row.text("label"),
        short_label=row.text("short_label"),
        context_window=row.whole("context_window_tokens"),
        max_output_tokens=row.whole("max_output_tokens"),
        cache=row.named("cache", rules),
        chains=row.flag("chains"),
        source=row.text("source"),
        checked=row.day("checked"),
        retires=row.day("retires") if row.has("retires") else None,
        options=row.named("options", options),
        side_options=row.named("side_options", options),
    )
    if spec.max_output_tokens >= spec.context_window:
        raise row.wrong("max_output_tokens", "fewer tokens than the context window")
    if not spec.source.startswith("https://"):
        raise row.wrong("source", "an https address")
    return spec
