"""Token estimates, for decisions that come before a provider has counted. Never shown without the word "about"."""

from collections.abc import Iterable, Mapping
from typing import Any

from chatapp.vocab.items import Item

CHARS_PER_TOKEN = 4
"""English prose and code lie between 3 and 5 characters a token with today's tokenizers."""
ITEM_TOKENS = 4
"""What a provider adds around a message."""


def chars_tokens(chars: int) -> int:
    """Estimated tokens of so many characters, rounded up."""
    return -(-chars // CHARS_PER_TOKEN)


def _chars(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_chars(part) for part in value.values())
    if isinstance(value, list | tuple):
        return sum(_chars(part) for part in value)
    return 0


def item_tokens(item: Item) -> int:
    """Estimated tokens of one item with all its parts."""
    return ITEM_TOKENS + chars_tokens(_chars(item.data))


def items_tokens(items: Iterable[Item]) -> int:
    """Estimated tokens of several items."""
    return sum(item_tokens(item) for item in items)


def prefix_tokens(instructions: str, tools: Iterable[Mapping[str, Any]]) -> int:
    """Estimated tokens of what stands before the first message."""
    return chars_tokens(len(instructions)) + sum(chars_tokens(_chars(tool)) for tool in tools)
