"""What OpenAI's models accept, as far as a request can be refused or cached by it. Prices do not belong here.

Sources: model pages, Prompt caching (Oct 2026), Deprecations; types of the Python SDK 3.54.0. State: 22 Nov 2026.
"""

import re
from dataclasses import dataclass

DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True)
class Model:
    """One model's rules."""

    id: str
    input_limit_tokens: int
    output_limit_tokens: int
    generation: tuple[int, int]
    """(5, 6) for gpt-5.6; caching follows it."""
    reasons: bool = True
    shutdown_date: str | None = None

    @property
    def has_breakpoints(self) -> bool:
        """Exact breakpoints with billed writes. [Prompt caching, Oct 2026: GPT-5.6 and later]"""
        return self.generation >= (5, 6)

    @property
    def refuses_effort_none(self) -> bool:
        """[model page gpt-6.2-sol; for 6.1 third-party reports]"""
        return self.generation >= (6, 1)

    @property
    def accepts_temperature_without_effort(self) -> bool:
        """gpt-6-sol and -luna take temperature, only with effort none. [litellm issue 42523, third-party]"""
        return self.generation < (6, 0) or self.id in ("gpt-6-sol", "gpt-6-luna")

    @property
    def keeps_24h_only(self) -> bool:
        """prompt_cache_retention in_memory is refused. [SDK docstring: gpt-5.5 and later]"""
        return self.generation >= (5, 5)

    @property
    def write_interval_tokens(self) -> int:
        """Where an older model's cache can end. [Prompt caching, Oct 2026: 2,048 for GPT-5.5, 128 otherwise]"""
        return 2_048 if self.generation == (5, 5) else 128


def _model(name: str, limits: str, generation: tuple[int, int], shutdown: str | None = None) -> Model:
    window, output = {
        "1M": (922_000, 128_000),
        "400K": (272_000, 128_000),
        "4.1": (1_047_576, 32_768),
        "4o": (128_000, 16_384),
    }[limits]
    return Model(name, window, output, generation, generation >= (5, 0), shutdown)


MODELS: dict[str, Model] = {
    model.id: model
    for model in (
        _model("gpt-6.2-astra", "1M", (6, 2)),
        _model("gpt-6.2-sol", "1M", (6, 2)),
        _model("gpt-6.1-sol", "1M", (6, 1)),
        _model("gpt-6.1-terra", "1M", (6, 1)),
        _model("gpt-6-astra", "1M", (6, 0)),
        _model("gpt-6-sol", "1M", (6, 0)),
        _model("gpt-6-luna", "1M", (6, 0)),
        _model("gpt-5.6-sol", "1M", (5, 6)),
        _model("gpt-5.6-terra", "1M", (5, 6)),
        _model("gpt-5.6-luna", "1M", (5, 6)),
        _model("gpt-5.5", "1M", (5, 5)),
        _model("gpt-5.4", "1M", (5, 4)),
        _model("gpt-5.4-mini", "400K", (5, 4)),
        _model("gpt-5.4-nano", "400K", (5, 4), "2027-04-01"),
        _model("gpt-5.2", "400K", (5, 2)),
        _model("gpt-5.1", "400K", (5, 1), "2027-04-01"),
        _model("gpt-5", "400K", (5, 0), "2026-12-11"),
        _model("gpt-5-mini", "400K", (5, 0), "2026-12-11"),
        _model("gpt-5-nano", "400K", (5, 0), "2026-12-11"),
        _model("gpt-4.1", "4.1", (4, 1), "2027-01-14"),
        _model("gpt-4.1-mini", "4.1", (4, 1), "2027-01-14"),
        _model("gpt-4o", "4o", (4, 0), "2027-01-14"),
        _model("gpt-4o-mini", "4o", (4, 0), "2027-01-14"),
    )
}


def find(name: str) -> Model | None:
    """The model of that name, with or without a snapshot date."""
    return MODELS.get(DATED.sub("", name))
