"""OpenAI's prompt caching. Two regimes: breakpoints with billed writes from GPT-5.6 on, and the older prefix cache.

Where the provider promises only a least lifetime, or gives a range, the shorter one holds here: whoever relies on more
should notice. Entries can be read once the response that wrote them began.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from ..tokens import compact_json
from .context import Context, Part
from .models import Model

MINIMUM_TOKENS = 1_024
"""Shorter prefixes are not cached. [Prompt caching, Oct 2026]"""
LIFETIME_SECONDS = {"30m": 1_800.0, "12h": 43_200.0}
"""At least this long after the last write or reuse. [SDK response_create_params.py, PromptCacheOptions.ttl]"""
IN_MEMORY_IDLE_SECONDS = 300.0
"""Older models drop idle entries after 5 to 10 minutes [Prompt caching]; the shorter is simulated."""
IN_MEMORY_MAX_SECONDS = 3_600.0
"""... and keep none longer than an hour. [Prompt caching]"""
RETENTION_24H_SECONDS = 86_400.0
REPORTED_STEP_TOKENS = 128
"""Older models report cached tokens in steps of 128. [Prompt caching]"""
EARLIER_ENDS = 20
"""Earlier ends of eligible messages that are looked up, beside the implicit breakpoint. [Prompt caching, Oct 2026]"""
FIRST_EXPLICIT, LATEST_EXPLICIT = 2, 50
"""Explicit breakpoints that are looked up. [Prompt caching, Oct 2026; the SDK says latest 80: the stricter holds]"""
IMPLICIT_MODE_WRITES, EXPLICIT_MODE_WRITES = 3, 4
"""Explicit breakpoints that are written, the latest; the implicit one comes on top. [SDK PromptCacheOptions.mode]"""


@dataclass
class Entry:
    """A prefix that can be read again."""

    tokens: int
    lifetime_seconds: float
    written_at: float
    expires_at: float


@dataclass
class Outcome:
    """What a request reads and writes, decided when it arrives."""

    cached_tokens: int = 0
    write_30m_tokens: int = 0
    write_12h_tokens: int = 0
    reports_writes: bool = True
    entries: dict[str, Entry] = field(default_factory=dict)
    explanation: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fingerprint:
    """What cache diagnostics compare. [Prompt cache diagnostics]"""

    model: str
    prompt_cache_key: str | None
    tools: str
    text_format: str
    reasoning_effort: str
    verbosity: str
    service_tier: str
    compacted: bool
    digests: tuple[str, ...]
    tokens: tuple[int, ...]


class PromptCache:
    """One organisation's cache."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def look(self, context: Context, body: dict[str, Any], model: Model, now: float) -> Outcome:
        """What the request reads and would write. Reuse refreshes at once, writes wait for `commit`."""
        self.entries = {key: entry for key, entry in self.entries.items() if entry.expires_at > now}
        digests = prefix_digests(context, body, model)
        if model.has_breakpoints:
            return self._look_at_breakpoints(context, digests, body, now)
        return self._look_at_prefix(context, digests, body, model, now)

    def commit(self, outcome: Outcome) -> None:
        """The response began: what it writes can be read."""
        for key, entry in outcome.entries.items():
            known = self.entries.get(key)
            if known is None or entry.expires_at > known.expires_at:
                self.entries[key] = entry

    def _look_at_breakpoints(self, context: Context, digests: list[str], body: dict[str, Any], now: float) -> Outcome:
        options = body.get("prompt_cache_options") or {}
        implicit_mode = options.get("mode", "implicit") == "implicit"
        default_ttl = options.get("ttl", "30m")
        sums = prefix_tokens(context.parts)
        explicit = [index for index, part in enumerate(context.parts) if part.mark]
        ends = eligible_ends(context.parts) if implicit_mode else []
        # Mode explicit without a breakpoint: no caching at all. [Prompt caching]
        marked = sorted({*explicit[:FIRST_EXPLICIT], *explicit[-LATEST_EXPLICIT:], *ends[-1 - EARLIER_ENDS :]})
        read = -1
        for index in reversed(marked):
            if sums[index] >= MINIMUM_TOKENS and digests[index] in self.entries:
                read = index
                break
        written: dict[int, str] = {}
        for index in explicit[-(IMPLICIT_MODE_WRITES if implicit_mode else EXPLICIT_MODE_WRITES) :]:
            mark = context.parts[index].mark or {}
            written[index] = mark.get("ttl", default_ttl)
        if ends:
            written.setdefault(ends[-1], default_ttl)
        written = {index: ttl for index, ttl in written.items() if sums[index] >= MINIMUM_TOKENS}
        outcome = Outcome(cached_tokens=sums[read] if read >= 0 else 0)
        if read >= 0:
            found = self.entries[digests[read]]
            found.expires_at = now + found.lifetime_seconds
        # Each token is billed once: read up to the match, then written up to the last breakpoint, the rest uncached.
        long_end = max((sums[index] for index, ttl in written.items() if ttl == "12h"), default=0)
        end = max((sums[index] for index in written), default=0)
        outcome.write_12h_tokens = max(0, long_end - outcome.cached_tokens)
        outcome.write_30m_tokens = max(0, end - max(outcome.cached_tokens, long_end))
        for index, ttl in written.items():
            known = self.entries.get(digests[index])
            if known is not None:
                known.expires_at = now + known.lifetime_seconds
            else:
                lifetime = LIFETIME_SECONDS[ttl]
                outcome.entries[digests[index]] = Entry(sums[index], lifetime, now, now + lifetime)
        outcome.explanation = {
            "rule": "breakpoints",
            "looked_at": [context.parts[index].label for index in marked],
            "matched": context.parts[read].label if read >= 0 else None,
            "written": [context.parts[index].label for index in sorted(written) if sums[index] > outcome.cached_tokens],
            "minimum_tokens": MINIMUM_TOKENS,
        }
        return outcome

    def _look_at_prefix(
        self, context: Context, digests: list[str], body: dict[str, Any], model: Model, now: float
    ) -> Outcome:
        sums = prefix_tokens(context.parts)
        match = max((index for index, key in enumerate(digests) if key in self.entries), default=-1)
        common = sums[match] if match >= 0 else 0
        common -= common % model.write_interval_tokens
        cached = common - common % REPORTED_STEP_TOKENS if common >= MINIMUM_TOKENS else 0
        outcome = Outcome(cached_tokens=cached, reports_writes=False)
        # Omitted, older models behave here as for an organisation with zero data retention: in memory, the shorter.
        day = model.keeps_24h_only or body.get("prompt_cache_retention") == "24h"
        lifetime = RETENTION_24H_SECONDS if day else IN_MEMORY_IDLE_SECONDS
        if sums and sums[-1] >= MINIMUM_TOKENS:
            for index, key in enumerate(digests):
                known = self.entries.get(key)
                born = known.written_at if known else now
                expires = now + lifetime if day else min(now + lifetime, born + IN_MEMORY_MAX_SECONDS)
                outcome.entries[key] = Entry(sums[index], lifetime, born, expires)
        outcome.explanation = {
            "rule": "prefix",
            "matched": context.parts[match].label if cached else None,
            "common_tokens": common,
            "minimum_tokens": MINIMUM_TOKENS,
        }
        return outcome


def prefix_tokens(parts: list[Part]) -> list[int]:
    """Tokens up to and including each part."""
    total, sums = 0, []
    for part in parts:
        total += part.tokens
        sums.append(total)
    return sums


def eligible_ends(parts: list[Part]) -> list[int]:
    """Where an implicit breakpoint may stand: the end of a user message, of the last tool output of a group, of the
    last developer message of the opening group. [Prompt caching, Oct 2026]"""
    ends = []
    opening = True
    for index, part in enumerate(parts):
        following = parts[index + 1].item_kind if index + 1 < len(parts) else None
        if part.item_kind not in ("tools", "instructions", "developer"):
            opening = False
        if not part.ends_item:
            continue
        ends_group = following != part.item_kind
        match part.item_kind:
            case "user":
                ends.append(index)
            case "tool_output" if ends_group:
                ends.append(index)
            case "developer" if ends_group and opening:
                ends.append(index)
    return ends


def prefix_digests(context: Context, body: dict[str, Any], model: Model) -> list[str]:
    """One digest per part, over all before it. The prefix must match exactly, with everything named in the seed.
    [Prompt caching: model, tools, parallel_tool_calls, text.format, text.verbosity, reasoning.effort, service tier]"""
    text, reasoning = body.get("text") or {}, body.get("reasoning") or {}
    seed = [
        model.id,
        # Separates from 5.6 on; before, it only routes. [Prompt caching]
        body.get("prompt_cache_key") if model.has_breakpoints else None,
        body.get("parallel_tool_calls") is not False,
        text.get("format") or {"type": "text"},
        text.get("verbosity") or "medium",
        reasoning.get("effort"),
        body.get("service_tier") or "auto",
    ]
    running = hashlib.sha256(compact_json(seed).encode())
    digests = []
    for part in context.parts:
        running.update(f"{part.item_kind}\0{len(part.text)}\0{part.text}".encode())
        digests.append(running.hexdigest()[:32])
    return digests


def fingerprint(context: Context, body: dict[str, Any], model: Model) -> Fingerprint:
    """What a later request's diagnostics compare with."""
    text, reasoning = body.get("text") or {}, body.get("reasoning") or {}
    blocks = [part for part in context.parts if part.item_kind != "tools"]
    return Fingerprint(
        model.id,
        body.get("prompt_cache_key"),
        compact_json(body.get("tools") or []),
        compact_json(text.get("format")),
        str(reasoning.get("effort")),
        str(text.get("verbosity")),
        str(body.get("service_tier")),
        any(part.item_kind == "compaction" for part in blocks),
        tuple(hashlib.sha256(f"{part.item_kind}{part.text}".encode()).hexdigest() for part in blocks),
        tuple(part.tokens for part in blocks),
    )


def diagnose(before: Fingerprint | None, after: Fingerprint, cached_tokens: int) -> dict[str, Any]:
    """prompt_cache_diagnostics of a response. [Prompt cache diagnostics; SDK response.py]"""
    if before is None:
        return {"type": "comparison_response_not_found"}
    common = 0
    while common < min(len(before.digests), len(after.digests)) and before.digests[common] == after.digests[common]:
        common += 1
    reason = next(
        (
            f"{name}_changed"
            for name in (
                "model", "prompt_cache_key", "tools", "text_format", "reasoning_effort", "verbosity", "service_tier",
            )
            if getattr(before, name) != getattr(after, name)
        ),
        None,
    )  # fmt: skip
    if reason is None and common < len(before.digests):
        reason = "context_compacted" if after.compacted and not before.compacted else "input_changed"
    if reason is None:
        return {"type": "cache_hit"} if cached_tokens else {"type": "unavailable"}
    return {
        "type": "cache_miss",
        "reason": reason,
        "cache_missed_tokens": sum(after.tokens[common:]),
        "comparison_reusable_tokens": sum(before.tokens),
    }
