"""What Claude models accept, as far as a request can be refused or cached by it. Prices do not belong here.

Sources: Prompt caching, Thinking, Preserved thinking, Errors, model pages, release notes. State: 22 Nov 2026.
"""

import re
from dataclasses import dataclass

DATED = re.compile(r"-\d{8}$")


@dataclass(frozen=True)
class Model:
    """One model's rules."""

    id: str
    name: str
    created_at: str
    generation: tuple[int, int]
    cache_minimum_tokens: int
    """Shorter prefixes are not cached, without an error. [Prompt caching]"""
    input_limit_tokens: int = 1_000_000
    output_limit_tokens: int = 128_000
    thinking: tuple[str, ...] = ("adaptive", "disabled")
    """Types of `thinking` it takes. [Thinking; Sonnet 5.5 migration guide]"""
    thinks_by_default: bool = False
    display: str = "summarized"
    """Default `display`; on 5.5 models thinking text is omitted. [Thinking]"""
    preserves_thinking: bool = False
    """Checks thinking blocks against the conversation. [Preserved thinking, supportedModels]"""
    refuses_forced_tools: bool = False
    """Forced tool_choice is an error. [model pages Opus 5.5, Sonnet 5.5]"""
    system_messages: bool = False
    """Takes system-role messages mid-conversation: Opus 4.8, Opus 5+, Fable 5+. [SDK message_create_params.py]"""
    lifecycle: str = "active"

    @property
    def takes_prefill(self) -> bool:
        """A last assistant message is continued up to 4.5. [Errors, Prefill not supported]"""
        return self.generation <= (4, 5)

    @property
    def strips_thinking(self) -> bool:
        """Thinking of earlier turns is left out of the prompt. [Prompt caching: Sonnet and Haiku up to 4.5]"""
        return self.generation <= (4, 5) and not self.id.startswith("claude-opus")

    @property
    def always_thinks(self) -> bool:
        """Thinking cannot be turned off."""
        return self.thinking == ("adaptive",)


ALWAYS: tuple[str, ...] = ("adaptive",)
OLD: tuple[str, ...] = ("enabled", "disabled")
BOTH: tuple[str, ...] = ("adaptive", "enabled", "disabled")


def _preserving(
    name: str, label: str, created: str, generation: tuple[int, int], thinking: tuple[str, ...], minimum: int = 512
) -> Model:
    """The models of autumn 2026, which keep their thinking to themselves."""
    return Model(
        name, label, created, generation, minimum, thinking=thinking, thinks_by_default=True, display="omitted",
        preserves_thinking=True, refuses_forced_tools=name != "claude-haiku-5-5",
        system_messages="sonnet" not in name and "haiku" not in name,
    )  # fmt: skip


MODELS: dict[str, Model] = {
    model.id: model
    for model in (
        # Fable 5.2's minimum is not published; its family's is taken.
        _preserving("claude-fable-5-2", "Claude Fable 5.2", "2026-11-09T00:00:00Z", (5, 2), ALWAYS),
        _preserving("claude-fable-5-1", "Claude Fable 5.1", "2026-09-01T00:00:00Z", (5, 1), ALWAYS),
        _preserving("claude-opus-5-5", "Claude Opus 5.5", "2026-09-14T00:00:00Z", (5, 5), ALWAYS),
        _preserving(
            "claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-09-28T00:00:00Z", (5, 5), ("adaptive", "between_tools")
        ),
        _preserving(
            "claude-haiku-5-5", "Claude Haiku 5.5", "2026-10-21T00:00:00Z", (5, 5), ("adaptive", "disabled")
        ),
        Model(
            "claude-opus-5", "Claude Opus 5", "2026-07-24T00:00:00Z", (5, 0), 512, thinks_by_default=True,
            system_messages=True,
        ),
        Model("claude-sonnet-5", "Claude Sonnet 5", "2026-06-30T00:00:00Z", (5, 0), 1_024, thinks_by_default=True),
        Model("claude-opus-4-8", "Claude Opus 4.8", "2026-05-20T00:00:00Z", (4, 8), 1_024, system_messages=True),
        Model("claude-opus-4-7", "Claude Opus 4.7", "2026-04-16T00:00:00Z", (4, 7), 2_048),
        Model("claude-opus-4-6", "Claude Opus 4.6", "2026-02-05T00:00:00Z", (4, 6), 4_096, thinking=BOTH),
        Model("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17T00:00:00Z", (4, 6), 1_024, thinking=BOTH),
        Model(
            "claude-sonnet-4-5", "Claude Sonnet 4.5", "2025-09-29T00:00:00Z", (4, 5), 1_024, 200_000, 64_000, OLD,
            lifecycle="deprecated",
        ),
        Model("claude-haiku-4-5", "Claude Haiku 4.5", "2025-10-01T00:00:00Z", (4, 5), 4_096, 200_000, 64_000, OLD),
        Model("claude-opus-4-5", "Claude Opus 4.5", "2025-11-24T00:00:00Z", (4, 5), 4_096, 200_000, 64_000, OLD),
    )
}  # fmt: skip


def find(name: str) -> Model | None:
    """The model of that name, with or without a snapshot date."""
    return MODELS.get(DATED.sub("", name))
