"""Facts about a model that decide what is sent and what it costs. Filled by `chatapp.catalog`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class CacheRule:
    """How a model's prompt cache works.

    `minimum_tokens`: shorter prefixes are never cached. `max_marks`: explicit breakpoints a request may
    carry, 0 where the provider has none or Stet leaves them to it. `lookback_positions`: how far before
    a mark an earlier write is found, None for no limit. `lifetimes`: what can be asked for, cheapest
    first. `writes_by_default`: caching happens (and may cost) without being asked for.
    """

    minimum_tokens: int
    lifetimes: tuple[str, ...]
    max_marks: int = 0
    lookback_positions: int | None = None
    writes_by_default: bool = False


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model a person can choose. Token counts; `source` and `checked` say where the facts come from."""

    provider: str
    id: str
    label: str
    short_label: str
    context_window: int
    max_output_tokens: int
    cache: CacheRule
    chains: bool
    """Whether the provider keeps responses that a later call can name as its parent."""
    source: str
    checked: date
    retires: date | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields sent with every reply, in the provider's own words (reasoning effort, thinking)."""
    side_options: Mapping[str, Any] = field(default_factory=dict)
    """Fields sent instead of `options` with one-shot side calls (titles): little thought, no paid cache write."""


@dataclass(frozen=True, slots=True)
class Price:
    """Prices of one model at one time and tier: integer nano-dollars per million tokens, None if unknown."""

    uncached: int | None
    read: int | None
    written_5m: int | None
    written_30m: int | None
    written_1h: int | None
    written_12h: int | None
    output: int | None
    source: str
    """Where the price comes from: the price list's name and version, or the override file."""
    tier: str = "standard"
