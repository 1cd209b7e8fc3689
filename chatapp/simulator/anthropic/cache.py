"""Anthropic's prompt caching: marks, looking back, lifetimes, what invalidates what.

All rules: platform.claude.com, Build with Claude, Prompt caching (copies to Nov 2026), unless a line says otherwise.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from ..tokens import compact_json
from . import errors
from .models import Model
from .prompt import Block
from .validate import MAX_MARKS

LOOKBACK_POSITIONS = 20
"""Positions looked at from each mark, the mark's own included."""
LIFETIME_SECONDS = {"5m": 300.0, "1h": 3_600.0}
"""From the start of the request that wrote or last read the entry."""
DEFAULT_EFFORT = {"claude-opus-5-5": "medium", "claude-haiku-5-5": "medium"}
"""Stating the default is the same as leaving it out. [Haiku 5.5 overview; high elsewhere]"""
RUNS = ("tool_use", "tool_result")
"""Consecutive blocks of one of these kinds are one position."""


@dataclass
class Entry:
    """A prefix that was written."""

    ttl: str
    expires_at: float


@dataclass
class Outcome:
    """What a request reads and writes, decided when it arrives."""

    input_tokens: int
    read_tokens: int = 0
    write_5m_tokens: int = 0
    write_1h_tokens: int = 0
    entries: dict[str, Entry] = field(default_factory=dict)
    explanation: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fingerprint:
    """Hashes of a request, for diagnostics. [Cache diagnostics]"""

    model: str
    tools: str
    system: str
    messages: tuple[str, ...]
    other: str
    cached_tokens: int


class PromptCache:
    """One workspace's cache."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def look(self, blocks: list[Block], body: dict[str, Any], model: Model, now: float) -> Outcome:
        """What the request reads and would write. Reads refresh at once, writes wait for `commit`."""
        self.entries = {key: entry for key, entry in self.entries.items() if entry.expires_at > now}
        marks = marked(blocks, body)
        digests = prefix_digests(blocks, body, model)
        sums = prefix_tokens(blocks)
        total = sums[-1] if sums else 0
        outcome = Outcome(total)
        # Below the model's minimum a mark is ignored without an error.
        valid = {index: ttl for index, ttl in marks.items() if sums[index] >= model.cache_minimum_tokens}
        read, looked_at = -1, {}
        for index in valid:
            seen = positions(blocks, index)
            looked_at[blocks[index].path] = [blocks[at].path for at in seen]
            found = next((at for at in seen if digests[at] in self.entries), -1)
            if found >= 0:
                # A read renews the entry for its own lifetime, free of charge.
                entry = self.entries[digests[found]]
                entry.expires_at = now + LIFETIME_SECONDS[entry.ttl]
            read = max(read, found)
        outcome.read_tokens = sums[read] if read >= 0 else 0
        # Mixed lifetimes: written for an hour up to the last 1h mark after what was read, for 5 minutes up to the last.
        long_end = max((sums[index] for index, ttl in valid.items() if ttl == "1h"), default=0)
        end = max((sums[index] for index in valid), default=0)
        outcome.write_1h_tokens = max(0, long_end - outcome.read_tokens)
        outcome.write_5m_tokens = max(0, end - max(outcome.read_tokens, long_end))
        outcome.input_tokens = total - max(outcome.read_tokens, end)
        for index, ttl in valid.items():
            if digests[index] in self.entries:
                continue
            if sums[index] <= outcome.read_tokens:
                # Marked inside what was read: written without charge, but for no longer than what it was read from.
                ttl = self.entries[digests[read]].ttl if ttl == "1h" else ttl
            outcome.entries[digests[index]] = Entry(ttl, now + LIFETIME_SECONDS[ttl])
        outcome.explanation = {
            "marks": {blocks[index].path: ttl for index, ttl in marks.items()},
            "below_minimum": [blocks[index].path for index in marks if index not in valid],
            "looked_at": looked_at,
            "matched": blocks[read].path if read >= 0 else None,
            "written": [blocks[index].path for index in valid if sums[index] > outcome.read_tokens],
            "minimum_tokens": model.cache_minimum_tokens,
        }
        return outcome

    def commit(self, outcome: Outcome) -> None:
        """The response began: what it writes can be read. Parallel first requests all pay for the write."""
        for key, entry in outcome.entries.items():
            known = self.entries.get(key)
            if known is None or entry.expires_at > known.expires_at:
                self.entries[key] = entry


def marked(blocks: list[Block], body: dict[str, Any]) -> dict[int, str]:
    """Index and lifetime of each mark, the automatic one included, in order."""
    marks = {index: block.mark.get("ttl", "5m") for index, block in enumerate(blocks) if block.mark}
    automatic = body.get("cache_control")
    if automatic:
        # On the last block that can carry a mark; thinking cannot.
        at = next((index for index in reversed(range(len(blocks))) if not blocks[index].is_thinking), None)
        ttl = automatic.get("ttl", "5m")
        if at is None or marks.get(at) == ttl:
            return marks
        if at in marks:
            raise errors.invalid(
                f"cache_control: the last cacheable block already has a cache_control with ttl='{marks[at]}', which "
                f"differs from ttl='{ttl}'"
            )
        if len(marks) >= MAX_MARKS:
            raise errors.invalid(
                f"A maximum of {MAX_MARKS} blocks with cache_control may be provided. Found {len(marks) + 1}."
            )
        if ttl == "1h" and "5m" in marks.values():
            raise errors.invalid(
                "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control "
                "block. Note that blocks are processed in the following order: `tools`, `system`, `messages`."
            )
        marks[at] = ttl
    return marks


def positions(blocks: list[Block], mark: int) -> list[int]:
    """The blocks looked at from a mark, nearest first: 20 positions, where a run of tool uses, or of tool results, is
    one."""
    seen, count = [mark], 1
    for index in range(mark - 1, -1, -1):
        in_run = blocks[index].kind in RUNS and blocks[index].kind == blocks[index + 1].kind
        count += not in_run
        if count > LOOKBACK_POSITIONS:
            break
        seen.append(index)
    return seen


def prefix_tokens(blocks: list[Block]) -> list[int]:
    """Tokens up to and including each block."""
    total, sums = 0, []
    for block in blocks:
        total += block.tokens
        sums.append(total)
    return sums


def prefix_digests(blocks: list[Block], body: dict[str, Any], model: Model) -> list[str]:
    """One digest per block, over all before it. What is mixed in at each level loses that level and those below it:
    the model loses all; speed and citations lose system and messages; tool_choice, images, thinking and effort lose
    messages. ["What invalidates the cache"; thinking and effort are model-specific above messages, kept here]"""
    levels = {
        "tools": [model.id],
        "system": _system_level(blocks, body),
        "messages": _message_level(blocks, body, model),
    }
    running = hashlib.sha256()
    entered: set[str] = set()
    digests = []
    for block in blocks:
        for section, mixed_in in levels.items():
            if section not in entered:
                running.update(compact_json([section, mixed_in]).encode())
                entered.add(section)
            if section == block.section:
                break
        running.update(f"{block.role}\0{block.kind}\0{len(block.text)}\0{block.text}".encode())
        digests.append(running.hexdigest()[:32])
    return digests


def _system_level(blocks: list[Block], body: dict[str, Any]) -> list[Any]:
    citing = any((block.data.get("citations") or {}).get("enabled") for block in blocks if block.kind == "document")
    return [body.get("speed") or "standard", citing]


def _message_level(blocks: list[Block], body: dict[str, Any], model: Model) -> list[Any]:
    images = any(
        block.kind == "image" or (block.kind == "tool_result" and isinstance(block.data.get("content"), list)
        and any(part.get("type") == "image" for part in block.data["content"]))
        for block in blocks
    )  # fmt: skip
    config = body.get("output_config") or {}
    thinking = body.get("thinking") or {"type": "adaptive" if model.thinks_by_default else "disabled"}
    thinking = {name: value for name, value in thinking.items() if name != "display"}
    effort = config.get("effort") or DEFAULT_EFFORT.get(model.id, "high")
    return [body.get("tool_choice") or {"type": "auto"}, images, thinking, effort, config.get("format")]


def fingerprint(blocks: list[Block], body: dict[str, Any], model: Model, outcome: Outcome) -> Fingerprint:
    """What a later request's diagnostics compare with."""

    def digest(section: str) -> str:
        return hashlib.sha256(compact_json([b.text for b in blocks if b.section == section]).encode()).hexdigest()

    messages = tuple(
        hashlib.sha256(f"{b.role}\0{b.kind}\0{b.text}".encode()).hexdigest() for b in blocks if b.section == "messages"
    )
    return Fingerprint(
        f"{model.id}/{body.get('speed') or 'standard'}",
        digest("tools"),
        digest("system"),
        messages,
        compact_json([_system_level(blocks, body)[1:], _message_level(blocks, body, model)]),
        outcome.read_tokens + outcome.write_5m_tokens + outcome.write_1h_tokens,
    )


def diagnose(before: Fingerprint | None, after: Fingerprint, read_tokens: int) -> dict[str, Any] | None:
    """cache_miss_reason, None where nothing diverged. [Cache diagnostics; SDK types/cache_miss_*.py]"""
    if before is None:
        return {"type": "previous_message_not_found"}
    missed = max(0, before.cached_tokens - read_tokens)
    for name in ("model", "tools", "system"):
        if getattr(before, name) != getattr(after, name):
            return {"type": f"{name}_changed", "cache_missed_input_tokens": missed}
    if after.messages[: len(before.messages)] != before.messages:
        return {"type": "messages_changed", "cache_missed_input_tokens": missed}
    return {"type": "unavailable"} if before.other != after.other else None
