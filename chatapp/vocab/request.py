"""What an adapter is handed: one call, fully decided. Made by the planner, translated by the adapter."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chatapp.vocab.items import Item


@dataclass(frozen=True, slots=True)
class Mark:
    """A cache breakpoint: everything up to and including `after` may be found again for `lifetime`.

    `after` is an index into `Request.items`, or -1 for the end of tools and instructions.
    """

    after: int
    lifetime: str


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `items` is the whole input, or with `previous_response_id` only what comes after it.

    `tools` are function tools as `{"type": "function", "name", "description", "parameters", "strict"}`
    in canonical order. `cache_key` groups requests that share a prefix, for providers that route by it.
    `cache` False asks that nothing be written to a cache (one-shot side calls). `options` holds fields
    that the catalog gives for this model (reasoning effort, thinking), in the provider's own words.
    """

    model: str
    items: tuple[Item, ...]
    max_output_tokens: int
    instructions: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()
    previous_response_id: str | None = None
    store: bool = True
    marks: tuple[Mark, ...] = ()
    cache: bool = True
    cache_key: str | None = None
    user_key: str | None = None
    """A hash that stands for the person, for the provider's abuse checks; never a name."""
    options: Mapping[str, Any] = field(default_factory=dict)
