"""The ledger's two verbs: a call is opened before its request is sent, and closed with what it cost."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from chatapp.catalog.cost import cost, price_of
from chatapp.context.budget import chars_tokens
from chatapp.context.planner import Plan
from chatapp.turns.connections import Connection
from chatapp.vocab.errors import ProviderError
from chatapp.vocab.events import Frame, Reported
from chatapp.vocab.usage import BUCKETS, Usage
from sessions_store import models as rows

NOTHING = Usage(uncached=0, read=0, output=0)
"""What a request costs that the provider turned away with an error status."""


def open_call(
    *,
    owner_id: int,
    conversation_id: uuid.UUID,
    turn_id: uuid.UUID | None,
    purpose: str,
    attempt: int,
    connection: Connection,
    plan: Plan,
    now: datetime,
) -> int:
    """Write the row of a call that is about to be sent; its id."""
    return rows.Call.objects.create(
        owner_id=owner_id,
        conversation_id=conversation_id,
        turn_id=turn_id,
        purpose=purpose,
        attempt=attempt,
        provider=connection.provider,
        model=plan.request.model,
        account=connection.account,
        simulated=connection.simulated,
        previous_response_id=plan.request.previous_response_id or "",
        plan=plan.note(),
        started_at=now,
    ).pk


def close_call(
    call_id: int,
    *,
    state: str,
    report: Reported,
    usage: Usage | None,
    estimated: bool,
    now: datetime,
    first_token_at: datetime | None = None,
    error: ProviderError | None = None,
) -> rows.Call:
    """Close an open call once, with its cost at the prices of the time it was sent.

    `usage` None: nobody knows what was used, so there is no cost either. A call that was already closed
    (its turn was taken from a process that was thought dead) is closed again only if it was closed by
    estimate: what the provider reported is worth more.
    """
    call = rows.Call.objects.select_for_update().get(pk=call_id)
    if call.state != rows.Call.State.OPEN and not (call.estimated and not estimated):
        return call
    call.state = state
    call.model_returned = report.model or ""
    call.service_tier = report.service_tier or ""
    call.response_id = report.response_id or ""
    call.request_id = report.request_id or (error.request_id if error else None) or ""
    call.error = error_json(error)
    call.usage = report.usage_raw
    call.estimated = estimated
    call.first_token_at = first_token_at or call.first_token_at
    call.ended_at = now
    if usage is not None:
        for bucket in BUCKETS:
            setattr(call, f"{bucket}_tokens", getattr(usage, bucket))
        price = price_of(call.provider, report.model or call.model, usage, call.started_at, report.service_tier)
        if price is None and report.model:
            price = price_of(call.provider, call.model, usage, call.started_at, report.service_tier)
        priced = cost(usage, price) if price else None
        call.price = asdict(price) if price else None
        call.cost_nanousd = priced.total if priced else None
        call.without_cache_nanousd = priced.without_cache if priced else None
    call.save()
    return call


def error_json(error: ProviderError | None) -> dict[str, Any] | None:
    """An error as it is stored and shown."""
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "status": error.status}


def usage_of_failure(error: ProviderError, report: Reported, first_byte: bool) -> Usage | None:
    """What a failed call is known to have used: what was reported; nothing where the provider turned it
    away; None where nobody can know."""
    if report.usage is not None:
        return report.usage
    if not first_byte and error.status is not None and error.status >= 400:
        return NOTHING
    return None


def estimate(reported: Usage | None, expected: Mapping[str, int], events: Iterable[Frame]) -> Usage:
    """Usage of a call that ended before its final report: reported input where there is some, else the
    planner's expectation (tokens by bucket, as in its note); output from the text that had arrived."""
    output = chars_tokens(sum(len(event["delta"]) for event in events if "delta" in event))
    if reported is not None and reported.uncached is not None:
        return replace(reported, output=max(output, reported.output or 0))
    return Usage(uncached=expected["uncached"] + expected["written"], read=expected["read"], output=output)
