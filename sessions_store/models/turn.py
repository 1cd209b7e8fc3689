"""A turn: one user message and everything until the model stops."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from sessions_store.fields import VerbatimJSONField

if TYPE_CHECKING:
    from sessions_store.models.lease import ProcessLease


class TurnState(models.TextChoices):
    QUEUED = "queued"
    STREAMING = "streaming"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


ENDED = (
    TurnState.COMPLETED,
    TurnState.INCOMPLETE,
    TurnState.FAILED,
    TurnState.CANCELLED,
    TurnState.INTERRUPTED,
)

MOVES: dict[str, tuple[str, ...]] = {
    TurnState.QUEUED: (TurnState.STREAMING, TurnState.CANCELLED),
    TurnState.STREAMING: ENDED,
}
"""Every allowed change of state; each is a guarded update that must hit one row."""


class TurnQuerySet(models.QuerySet["Turn"]):
    def of(self, owner_id: int) -> TurnQuerySet:
        """What this person may see: turns of their own conversations, deleted ones left out."""
        return self.filter(owner_id=owner_id, conversation__deleted_at=None)

    def move(self, turn_id: uuid.UUID, old: str, new: str, **changes: Any) -> bool:
        """Change the state of one turn if it is still `old`; False if somebody else was first."""
        if new not in MOVES[old]:
            raise ValueError(f"a {old} turn cannot become {new}")
        return self.filter(pk=turn_id, state=old).update(state=new, **changes) == 1

    def claimable(self) -> TurnQuerySet:
        """Queued turns whose turn it is: nothing runs in their conversation and none before them waits."""
        same = Turn.objects.filter(conversation_id=models.OuterRef("conversation_id"))
        return (
            self.filter(state=TurnState.QUEUED, conversation__deleted_at=None)
            .exclude(models.Exists(same.filter(state=TurnState.STREAMING)))
            .exclude(models.Exists(same.filter(state=TurnState.QUEUED, number__lt=models.OuterRef("number"))))
        )


class Turn(models.Model):
    """A node of the tree. Its first item is the user's message, the others are the answer.

    queued -> streaming -> exactly one of completed, incomplete, failed, cancelled, interrupted
    (queued -> cancelled when it comes back to the composer).
    """

    State = TurnState

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey("Conversation", models.CASCADE, related_name="turns")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    client_id = models.UUIDField()
    """Made by the browser: the same one twice is the same turn."""
    number = models.PositiveIntegerField()
    """Counts the turns of a conversation in the order in which they were asked for, from 1."""
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")
    state = models.CharField(max_length=12, choices=TurnState, default=TurnState.QUEUED)
    reason = models.CharField(max_length=40, blank=True)
    """Why it is incomplete (`max_output_tokens`, ...) or cancelled (`stopped`, `returned`)."""
    error = VerbatimJSONField(null=True, blank=True)
    """Why it failed: {"code", "message", "status"}; None otherwise."""
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    lease = models.ForeignKey("ProcessLease", models.SET_NULL, null=True, blank=True, related_name="turns")
    response_id = models.CharField(max_length=200, blank=True)
    """The provider's id of the last completed response: what a next call can chain from."""
    account = models.CharField(max_length=64, blank=True)
    """Fingerprint of base URL and key that answered; a response id is worth something only there."""
    last_number = models.BigIntegerField(default=-1)
    """The last sequence number that was given to an event of this turn; -1 before the first."""
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    first_token_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = TurnQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "client_id"], name="turn_once_per_client_id"),
            models.UniqueConstraint(fields=["conversation", "number"], name="turn_numbered_once"),
            models.UniqueConstraint(
                fields=["conversation"], condition=Q(state="streaming"), name="turn_one_running_per_conversation"
            ),
            models.CheckConstraint(condition=Q(state__in=TurnState.values), name="turn_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=[str(state) for state in ENDED], ended_at__isnull=False)
                | Q(state__in=["queued", "streaming"], ended_at__isnull=True),
                name="turn_ended_has_time",
            ),
        ]
        indexes = [
            # The runner looks for work and the reaper for lost turns once a second.
            models.Index(fields=["state"], name="turn_unfinished", condition=Q(state__in=["queued", "streaming"])),
        ]

    def __str__(self) -> str:
        return f"turn {self.number}"

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @classmethod
    def claim(cls, turn: Turn, lease: ProcessLease, now: datetime) -> bool:
        """Make `turn` ours to run. False if another process was quicker or one already runs there."""
        return cls.objects.move(turn.pk, TurnState.QUEUED, TurnState.STREAMING, lease=lease, started_at=now)

    @staticmethod
    def path_to(turn: Turn | None) -> list[Turn]:
        """The turns from the root to `turn`, oldest first; the transcript that ends there."""
        if turn is None:
            return []
        by_id = {row.pk: row for row in Turn.objects.filter(conversation_id=turn.conversation_id)}
        path: list[Turn] = []
        at: Turn | None = by_id.get(turn.pk)
        while at is not None:
            path.append(at)
            at = by_id.get(at.parent_id) if at.parent_id else None
        path.reverse()
        return path

    @staticmethod
    def leaf_below(turn: Turn) -> Turn:
        """The newest end of the branch through `turn`: where its owner last was on it."""
        children: dict[uuid.UUID, list[Turn]] = {}
        rows: Iterable[Turn] = Turn.objects.filter(conversation_id=turn.conversation_id).exclude(
            state=TurnState.CANCELLED, reason="returned"
        )
        for row in rows:
            if row.parent_id and row.state != TurnState.QUEUED:
                children.setdefault(row.parent_id, []).append(row)
        while turn.pk in children:
            turn = max(children[turn.pk], key=lambda row: row.number)
        return turn
