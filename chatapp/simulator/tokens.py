"""Stable token counts that add up over blocks, so that a prefix is the exact sum of its blocks.

The numbers are not a tokenizer's. What matters is that the same block always counts the same, wherever it stands.
"""

import json
from typing import Any

BLOCK_OVERHEAD_TOKENS = 3
"""What framing a block costs, whatever is in it."""

IMAGE_TOKENS = 1_200
"""An image counts the same whatever its bytes: providers bill by size on screen, which is not known here."""


def count_text(text: str) -> int:
    """A token for every four bytes begun."""
    return (len(text.encode()) + 3) // 4


def count_block(text: str) -> int:
    """One block of a prompt: its text and its framing."""
    return BLOCK_OVERHEAD_TOKENS + count_text(text)


def cut_text(text: str, limit_tokens: int) -> str:
    """The longest beginning of the text that stays within the limit."""
    return text.encode()[: max(0, limit_tokens) * 4].decode(errors="ignore")


def compact_json(value: Any) -> str:
    """JSON in the order it was sent: a provider's prefix match sees reordered keys as another text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
