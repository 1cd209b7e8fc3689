"""Turns whose process died: what the log kept becomes theirs, and they end as interrupted."""

import uuid
from datetime import datetime, timedelta
from itertools import chain

from django.db import transaction

from chatapp.turns.commit import end_turn
from chatapp.turns.history import save_items
from chatapp.turns.ledger import close_call, estimate
from chatapp.turns.outcome import Outcome
from chatapp.vocab.assemble import assemble
from chatapp.vocab.events import Frame, Reported
from chatapp.vocab.items import Item
from sessions_store import models as rows

LOG_KEPT = timedelta(minutes=15)
"""How long the stream log outlives its turn, for readers who were offline."""

OLDEST_CALL = timedelta(hours=2)
"""No call runs for longer: the longest answer at the slowest pace takes minutes."""


def logged_events(turn_id: uuid.UUID, after: int = -1) -> list[Frame]:
    """The events of a turn that reached the log, from the first row that holds one behind `after`."""
    kept = rows.StreamLog.objects.filter(turn_id=turn_id, last_number__gt=after)
    return [event for event in chain.from_iterable(row.events for row in kept) if event["sequence_number"] > after]


def interrupt_lost(own_lease: uuid.UUID, period: timedelta, now: datetime, *, alone: bool = False) -> int:
    """End every turn whose process is gone; how many. `alone`: this process knows that no other one lives."""
    if alone:
        for lease in rows.ProcessLease.objects.filter(ended_at=None).exclude(pk=own_lease):
            rows.ProcessLease.end(lease.pk)
    else:
        for lease in rows.ProcessLease.expired(period).exclude(pk=own_lease):
            rows.ProcessLease.end(lease.pk)
    lost = rows.Turn.objects.filter(state=rows.Turn.State.STREAMING).exclude(lease_id=own_lease)
    lost = lost.filter(lease__ended_at__isnull=False) | lost.filter(lease=None)
    count = 0
    for turn in lost.distinct():
        count += interrupt(turn, now)
    return count


@transaction.atomic
def interrupt(turn: rows.Turn, now: datetime) -> bool:
    """End one lost turn with what its log kept; False if it ended by itself meanwhile.

    Its calls end with the last sign of life of the process that made them; the turn ends now, for that is its news
    and its log is kept for a while from here on.
    """
    events = logged_events(turn.pk)
    last_number = events[-1]["sequence_number"] if events else turn.last_number
    if not end_turn(turn.pk, turn.lease_id, Outcome("interrupted"), now, last_number=last_number):
        return False
    call = rows.Call.objects.filter(turn=turn, state=rows.Call.State.OPEN).order_by("-pk").first()
    save_items(turn.pk, call.pk if call else None, [Item(data) for data in assemble(events)], events)
    for lost_call in rows.Call.objects.filter(turn=turn, state=rows.Call.State.OPEN):
        expected = (lost_call.plan or {}).get("expected")
        said = any("delta" in event for event in events)  # if not, it may or may not have begun to read
        usage = estimate(None, expected, events) if said and expected else None
        close_call(
            lost_call.pk,
            state=rows.Call.State.INTERRUPTED,
            report=Reported(),
            usage=usage,
            estimated=usage is not None,
            now=_last_sign_of_life(lost_call, turn.lease, now),
        )
    return True


@transaction.atomic
def close_forgotten(now: datetime, *, alone: bool = False) -> int:
    """Close calls that no process can close any more: side calls of one that died; how many.

    `alone`: no other process lives. Otherwise a call must be older than any that still runs.
    """
    count = 0
    forgotten = rows.Call.objects.filter(state=rows.Call.State.OPEN).exclude(turn__state=rows.Turn.State.STREAMING)
    if not alone:
        forgotten = forgotten.filter(started_at__lt=now - OLDEST_CALL)
    for call in forgotten.select_related("turn__lease"):
        close_call(
            call.pk,
            state=rows.Call.State.INTERRUPTED,
            report=Reported(),
            usage=None,
            estimated=False,
            now=_last_sign_of_life(call, call.turn.lease if call.turn else None, now),
        )
        count += 1
    return count


def _last_sign_of_life(call: rows.Call, lease: rows.ProcessLease | None, now: datetime) -> datetime:
    """When a call ended that nobody closed: not when that was found out, but when its process, by its lease, was
    last heard of."""
    return max(call.started_at, min(now, lease.renewed_at)) if lease else now


def sweep_logs(now: datetime) -> int:
    """Forget the logs of turns that ended long enough ago; how many rows."""
    deleted, _ = rows.StreamLog.objects.filter(turn__ended_at__lt=now - LOG_KEPT).delete()
    return deleted
