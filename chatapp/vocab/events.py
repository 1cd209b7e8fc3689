"""What an adapter's stream yields, in this order: frames and reports, then exactly one end.

A *frame* is a dict in the event vocabulary of Open Responses, without `sequence_number` (the
engine numbers them): `response.output_item.added|done`, `response.content_part.added|done`,
`response.output_text.delta|done`, `response.output_text.annotation.added`,
`response.refusal.delta|done`, `response.reasoning_summary_part.added|done`,
`response.reasoning_summary_text.delta|done`, `response.reasoning_text.delta|done`,
`response.function_call_arguments.delta|done`. `output_index` counts from 0 within the call.
Frames stay plain dicts because they are the hot path: twenty thousand of them make one answer.
"""

from dataclasses import dataclass
from typing import Any

from chatapp.vocab.errors import ProviderError
from chatapp.vocab.items import Item
from chatapp.vocab.usage import Usage

Frame = dict[str, Any]

FRAME_TYPES = frozenset(
    {
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_text.delta",
        "response.output_text.done",
        "response.output_text.annotation.added",
        "response.refusal.delta",
        "response.refusal.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
    }
)

DELTA_TYPES = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.reasoning_summary_text.delta",
        "response.reasoning_text.delta",
        "response.function_call_arguments.delta",
    }
)
"""Frames whose `delta` may be joined with the one before it when both speak of the same part."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What the provider has said so far about the call itself; may come more than once, later wins.

    Survives a stop: an Anthropic stream reports its input and cache counts in its first event.
    """

    response_id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    request_id: str | None = None
    usage: Usage | None = None
    usage_raw: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The provider's terminal event arrived.

    `items` are whole and verbatim, in output order. `incomplete_reason` is None for a completed
    answer, else `max_output_tokens`, `content_filter`, `context_window`, or the provider's own word.
    `stop_reason` is the provider's own word in either case. `needs_tools` says that the model waits
    for tool outputs.
    """

    items: tuple[Item, ...]
    report: Reported
    stop_reason: str
    incomplete_reason: str | None = None
    needs_tools: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """The call did not end well. `error` says how; `report` holds what had been reported.

    `first_byte` tells whether any event of an answer had arrived: if not, the call may be tried
    again without risk of paying or saying anything twice that was seen.
    """

    error: ProviderError
    report: Reported
    first_byte: bool


StreamEvent = Frame | Reported | Done | Failed
