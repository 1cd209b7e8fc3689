"""Token counts of one call, in disjoint buckets.

Providers disagree on what "input tokens" means: OpenAI and Gemini count cached tokens inside it,
Anthropic beside it. Each adapter translates into these buckets once, so that

    uncached + read + written (every lifetime) = total input as the provider counts it.

None is "not reported", never zero.
"""

from dataclasses import dataclass, fields

LIFETIMES = ("5m", "30m", "1h", "12h")
"""Cache lifetimes that some provider sells, shortest first. A bucket `written_<lifetime>` exists for each."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Disjoint token buckets of a call. `reasoning` is a part of `output`, all others exclude each other."""

    uncached: int | None = None
    read: int | None = None
    written_5m: int | None = None
    written_30m: int | None = None
    written_1h: int | None = None
    written_12h: int | None = None
    output: int | None = None
    reasoning: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and value < 0:
                raise ValueError(f"{field.name} is negative: {value}")
        if self.reasoning is not None and self.output is not None and self.reasoning > self.output:
            raise ValueError(f"reasoning {self.reasoning} exceeds output {self.output}, of which it is a part")

    @property
    def written(self) -> int | None:
        """Tokens written to a cache, all lifetimes; None if no lifetime was reported."""
        known = [
            value
            for value in (self.written_5m, self.written_30m, self.written_1h, self.written_12h)
            if value is not None
        ]
        return sum(known) if known else None

    @property
    def total_input(self) -> int | None:
        """Uncached + read + written; None if the uncached part is unknown."""
        if self.uncached is None:
            return None
        return self.uncached + (self.read or 0) + (self.written or 0)


BUCKETS = tuple(field.name for field in fields(Usage))
