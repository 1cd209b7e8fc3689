"""plan(): the past, the new message and the model's facts in; one request and the note that explains it out.

The simple rule that stands now: for providers with explicit marks, the end of the instructions, the
position the last call wrote, and the new tail, where each is long enough to be cached; for providers
that keep responses, chain from the nearest one that this account can name.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from chatapp.context.budget import items_tokens, prefix_tokens
from chatapp.vocab.items import Item
from chatapp.vocab.model import ModelSpec
from chatapp.vocab.request import Mark, Request

SECONDS = {"5m": 300, "30m": 1_800, "1h": 3_600, "12h": 43_200}
UNSTATED_SECONDS = 300
"""What is expected of a cache whose lifetime cannot be asked for: OpenAI's older models say 5 to 10 minutes."""


@dataclass(frozen=True, slots=True)
class PastTurn:
    """One earlier turn of the path, as far as the planner cares.

    `items` begin with the user's message. `account` is the fingerprint of base URL and key that
    answered, `response_id` what a later call can chain from ('' if nothing). `context_tokens` is the
    input and output that the provider counted for its last call, None if unknown. `sent_at` is when
    that call was sent, None if no answer to it began: lifetimes count from there.
    """

    items: tuple[Item, ...]
    provider: str
    model: str
    account: str
    response_id: str
    context_tokens: int | None
    sent_at: datetime | None
    front: str = ""
    """Fingerprint of the instructions and tools that its last call was sent with; see `front_of`."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Estimated tokens by bucket, and the reason if not all of the past is expected from the cache.

    `reason` is one of '', 'first', 'below_minimum', 'expired', 'switched', 'changed'.
    """

    uncached: int
    read: int
    written: int
    reason: str
    idle_seconds: int | None
    lifetime: str
    minimum_tokens: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A request and why it looks as it does. `expected` is an estimate, made before sending."""

    request: Request
    expected: Expectation
    front: str

    def note(self) -> dict[str, Any]:
        """The plan as it is kept in the ledger, as JSON."""
        return {
            "marks": [[mark.after, mark.lifetime] for mark in self.request.marks],
            "items": len(self.request.items),
            "front": self.front,
            "expected": asdict(self.expected),
        }


def plan(
    *,
    instructions: str,
    past: tuple[PastTurn, ...],
    new: tuple[Item, ...],
    spec: ModelSpec,
    account: str,
    now: datetime,
    max_output_tokens: int,
    cache_key: str | None = None,
    user_key: str | None = None,
    chain: bool = True,
) -> Plan:
    """The next call. `chain` False replays the whole past from our own transcript."""
    stands = front_of(instructions, ())
    past = _without_stale_reasoning(past, stands)
    everything = tuple(item for turn in past for item in turn.items) + new
    front = prefix_tokens(instructions, ())
    parent = _parent(past, spec, account) if chain and spec.chains else None
    items = everything
    if parent is not None:
        items = tuple(item for turn in past[parent + 1 :] for item in turn.items) + new
    expected = _expect(front, stands, past, new, spec, account, now)
    request = Request(
        model=spec.id,
        instructions=instructions,
        items=items,
        previous_response_id=past[parent].response_id if parent is not None else None,
        max_output_tokens=min(max_output_tokens, spec.max_output_tokens),
        marks=_marks(past, new, spec, account, front),
        cache_key=cache_key,
        user_key=user_key,
        options=spec.options,
    )
    return Plan(request, expected, stands)


def front_of(instructions: str, tools: Sequence[Mapping[str, Any]]) -> str:
    """Fingerprint of what stands before the first message: 16 hex digits."""
    canonical = json.dumps([instructions, list(tools)], sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(canonical.encode(), digest_size=8).hexdigest()


def _without_stale_reasoning(past: tuple[PastTurn, ...], front: str) -> tuple[PastTurn, ...]:
    """Leave out the thinking of every turn up to the last one that was sent under other instructions or tools.

    Models since 2026 sign their thinking together with everything before it and reject it behind another
    front (Claude docs, Thinking, "bound to a different conversation"). Leading thinking may be left out,
    single pieces from the middle may not.
    """
    changed = [index for index, turn in enumerate(past) if turn.front and turn.front != front]
    if not changed:
        return past
    return tuple(
        replace(turn, items=tuple(item for item in turn.items if item.type != "reasoning"))
        if index <= changed[-1]
        else turn
        for index, turn in enumerate(past)
    )


def _parent(past: tuple[PastTurn, ...], spec: ModelSpec, account: str) -> int | None:
    """Index of the nearest turn whose response this account can name."""
    for index in range(len(past) - 1, -1, -1):
        turn = past[index]
        if turn.response_id and turn.provider == spec.provider and turn.account == account:
            return index
    return None


def _last_same(past: tuple[PastTurn, ...], spec: ModelSpec, account: str) -> int | None:
    """Index of the last turn that this very model and account answered, so that wrote a cache it can read."""
    for index in range(len(past) - 1, -1, -1):
        turn = past[index]
        if turn.sent_at and (turn.provider, turn.model, turn.account) == (spec.provider, spec.id, account):
            return index
    return None


def _tokens_before(past: tuple[PastTurn, ...], upto: int, front: int) -> int:
    """Tokens of instructions and turns 0 to `upto`, from the provider's own count where there is one."""
    for index in range(upto, -1, -1):
        counted = past[index].context_tokens
        if counted is not None:
            return counted + sum(items_tokens(turn.items) for turn in past[index + 1 : upto + 1])
    return front + sum(items_tokens(turn.items) for turn in past[: upto + 1])


def _marks(
    past: tuple[PastTurn, ...], new: tuple[Item, ...], spec: ModelSpec, account: str, front: int
) -> tuple[Mark, ...]:
    """At most three marks, each at least the model's minimum from the start; oldest first."""
    rule = spec.cache
    if not rule.max_marks or rule.writes_by_default:
        return ()
    lifetime = rule.lifetimes[0]
    marks = []
    if front >= rule.minimum_tokens:
        marks.append(Mark(-1, lifetime))
    last = _last_same(past, spec, account)
    if last is not None:
        position = sum(len(turn.items) for turn in past[:last])
        before = _tokens_before(past, last - 1, front)
        if before + items_tokens(past[last].items[:1]) >= rule.minimum_tokens:
            marks.append(Mark(position, lifetime))
    tail = sum(len(turn.items) for turn in past) + len(new) - 1
    if _tokens_before(past, len(past) - 1, front) + items_tokens(new) >= rule.minimum_tokens:
        marks.append(Mark(tail, lifetime))
    return tuple(marks[-rule.max_marks :])


def _expect(
    front: int,
    stands: str,
    past: tuple[PastTurn, ...],
    new: tuple[Item, ...],
    spec: ModelSpec,
    account: str,
    now: datetime,
) -> Expectation:
    """What the provider will probably report, and the reason where the past is not read from the cache.

    `front` and `stands` are the tokens and the fingerprint of what stands before the first message.
    """
    rule = spec.cache
    total = _tokens_before(past, len(past) - 1, front) + items_tokens(new)
    lifetime = rule.lifetimes[0] if rule.lifetimes else ""
    last = _last_same(past, spec, account)
    sent_at = past[last].sent_at if last is not None else None
    idle = int((now - sent_at).total_seconds()) if sent_at else None
    read, reason = 0, ""
    if total < rule.minimum_tokens:
        reason = "below_minimum"
    elif last is None:
        reason = "switched" if any(turn.sent_at for turn in past) else "first"
    elif past[last].front not in ("", stands):
        reason = "changed"
    elif idle is not None and idle > SECONDS.get(lifetime, UNSTATED_SECONDS):
        reason = "expired"
    else:
        read = _tokens_before(past, last - 1, front) + items_tokens(past[last].items[:1])
        read = read if read >= rule.minimum_tokens else 0
    writes = total - read if total >= rule.minimum_tokens and (rule.max_marks or rule.writes_by_default) else 0
    return Expectation(
        uncached=total - read - writes,
        read=read,
        written=writes,
        reason=reason,
        idle_seconds=idle,
        lifetime=lifetime,
        minimum_tokens=rule.minimum_tokens,
    )
