"""From a turn's events back to its items: what a page shows, computed without a page.

Used where the provider's own terminal event is missing (a stopped or lost answer), and to show a
reader who comes late where a running turn stands.
"""

from collections.abc import Iterable
from typing import Any

from chatapp.vocab.events import Frame

_TEXT_KEYS = {
    "response.output_text.delta": ("content", "text"),
    "response.refusal.delta": ("content", "refusal"),
    "response.reasoning_text.delta": ("content", "text"),
    "response.reasoning_summary_text.delta": ("summary", "text"),
}
_PART_TYPES = {
    "response.output_text.delta": "output_text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning_text",
    "response.reasoning_summary_text.delta": "summary_text",
}


def assemble(events: Iterable[Frame]) -> list[dict[str, Any]]:
    """The items that `events` have built so far, in output order.

    An item whose `response.output_item.done` has come is that event's item, verbatim. Any other has
    status `incomplete` and the text of its deltas. Unknown events are passed over.
    """
    items: dict[int, dict[str, Any]] = {}
    texts: dict[tuple[int, str, int, str], list[str]] = {}
    arguments: dict[int, list[str]] = {}
    done: set[int] = set()
    part_types: dict[tuple[int, str, int], str] = {}
    for event in events:
        kind = event["type"]
        if kind in _TEXT_KEYS:
            holder, key = _TEXT_KEYS[kind]
            index = event.get("summary_index" if holder == "summary" else "content_index", 0)
            at = event["output_index"]
            texts.setdefault((at, holder, index, key), []).append(event["delta"])
            part_types[(at, holder, index)] = _PART_TYPES[kind]
        elif kind == "response.function_call_arguments.delta":
            arguments.setdefault(event["output_index"], []).append(event["delta"])
        elif kind == "response.output_item.added":
            items[event["output_index"]] = {**event["item"], "status": "incomplete"}
        elif kind == "response.output_item.done":
            items[event["output_index"]] = event["item"]
            done.add(event["output_index"])
    for (at, holder, index, key), pieces in sorted(texts.items()):
        if at in done or at not in items:
            continue
        parts = list(items[at].get(holder) or [])
        while len(parts) <= index:
            parts.append({"type": part_types[(at, holder, index)], key: ""})
        part = {**parts[index], key: "".join(pieces)}
        if part["type"] == "output_text":
            part.setdefault("annotations", [])
        parts[index] = part
        items[at] = {**items[at], holder: parts}
    for at, pieces in arguments.items():
        if at in items and at not in done:
            items[at] = {**items[at], "arguments": "".join(pieces)}
    return [items[at] for at in sorted(items)]
