"""What can go wrong, and when it does. The kinds are named here; each wire says how its provider words them.

Faults are queued per account over the control API and taken by the next matching requests. Somebody trying the demo
can begin a message with one instead: `simulate: overloaded`, `simulate: stall seconds=5`, `simulate: cut_clean
after_deltas=10`. Such a request fails each time it is retried; with the word `once` (`simulate: rate_limited
retry_after=2 once`) the same message fails the first time only.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from .recordings import spoken

KINDS: dict[str, str] = {
    "rate_limited": "429; retry_after=seconds sets the header, none leaves it out",
    "server_error": "500",
    "overloaded": "529 at Anthropic, 503 at OpenAI",
    "bad_key": "401",
    "unknown_model": "404",
    "context_too_long": "400",
    "refused": "a refusal: a refusal part at OpenAI, stop_reason refusal at Anthropic; category=cyber|bio|...",
    "reset_before_first_byte": "TCP reset before any byte of the response",
    "cut_clean": "the stream ends properly after after_deltas deltas, without its last event",
    "cut_unclean": "the connection drops inside the chunked body after after_deltas deltas",
    "error_event": "an error event after after_deltas deltas; shape=flat|nested|response_failed at OpenAI",
    "malformed_data": "a data line that is no JSON after after_deltas deltas",
    "stall": "nothing more after after_deltas deltas for seconds; after_deltas=-1 holds back even the headers",
    "slow_drip": "delay_seconds between deltas",
    "unknown_event": "an event of an unknown type after after_deltas deltas; the rest follows",
    "no_usage": "the last event lacks usage",
}

REJECTED = {"rate_limited", "server_error", "overloaded", "bad_key", "unknown_model", "context_too_long"}
"""Kinds that are answered with an HTTP status instead of a reply."""

MID_STREAM = {"cut_clean", "cut_unclean", "error_event", "malformed_data", "stall", "unknown_event"}
"""Kinds that strike after a number of deltas."""

DEFAULTS: dict[str, Any] = {
    "after_deltas": 3,
    "retry_after": None,
    "seconds": 3600.0,
    "delay_seconds": 0.2,
    "shape": "flat",
    "category": "general_harms",
    "provider": None,
    "path": None,
}

ASKED_IN_MESSAGE = re.compile(r"simulate:\s*([a-z_]+)((?:\s+[a-z_]+=\S+)*)(\s+once\b)?", re.IGNORECASE)


@dataclass
class Fault:
    """One thing that will go wrong, `times` times."""

    kind: str
    times: int = 1
    params: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.params.get(name, DEFAULTS[name])

    def matches(self, provider: str, path: str, generates: bool) -> bool:
        """Without `path` only requests that generate an answer match, so that listing models does not use one up."""
        if self["provider"] not in (None, provider):
            return False
        wanted: str | None = self["path"]
        return generates if wanted is None else path.rstrip("/").endswith(wanted.rstrip("/"))


def parse_fault(data: Any) -> Fault:
    """One entry of the control API's list, or ValueError."""
    if not isinstance(data, dict) or data.get("kind") not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    params = {name: value for name, value in data.items() if name not in ("kind", "times")}
    unknown = params.keys() - DEFAULTS.keys()
    if unknown:
        raise ValueError(f"unknown parameter {sorted(unknown)[0]!r}; known: times, {', '.join(DEFAULTS)}")
    for name in ("after_deltas", "seconds", "delay_seconds"):
        if name in params and (isinstance(params[name], bool) or not isinstance(params[name], (int, float))):
            raise ValueError(f"{name} must be a number")
    times = data.get("times", 1)
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        raise ValueError("times must be a whole number from 1")
    return Fault(data["kind"], times, params)


class FaultQueue:
    """An account's faults, in the order they were asked for."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self._seen_once: set[bytes] = set()

    def take(self, provider: str, path: str, generates: bool) -> Fault | None:
        """The first fault that matches, used once."""
        for fault in self.waiting:
            if fault.matches(provider, path, generates):
                fault.times -= 1
                if not fault.times:
                    self.waiting.remove(fault)
                return fault
        return None

    def asked_in(self, user_text: str) -> Fault | None:
        """The fault that a user's message asks for, if it does."""
        found = next((found for text in spoken(user_text) if (found := ASKED_IN_MESSAGE.match(text.strip()))), None)
        if found is None or found[1].lower() not in KINDS:
            return None
        if found[3]:
            mark = hashlib.sha256(user_text.encode()).digest()
            if mark in self._seen_once:
                return None
            self._seen_once.add(mark)
        params: dict[str, Any] = {}
        for pair in found[2].split():
            name, _, value = pair.partition("=")
            if name in DEFAULTS:
                params[name] = float(value) if re.fullmatch(r"-?\d+(\.\d+)?", value) else value
        return Fault(found[1].lower(), 1, params)
