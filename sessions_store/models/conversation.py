"""A conversation: a tree of turns with one head."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q

TITLE_CHARS = 120


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def of(self, owner_id: int) -> ConversationQuerySet:
        """What this person may see: their own, deleted ones left out."""
        return self.filter(owner_id=owner_id, deleted_at=None)


class Conversation(models.Model):
    """Owned by one user. `head` is the turn that the transcript ends with; other leaves are branches.

    The id comes from the browser, so that a first message sent twice makes one conversation.
    """

    class TitledBy(models.TextChoices):
        NOBODY = "nobody", "not titled yet"
        MODEL = "model", "a side call"
        USER = "user", "its owner"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="conversations")
    title = models.CharField(max_length=TITLE_CHARS, blank=True)
    titled_by = models.CharField(max_length=10, choices=TitledBy, default=TitledBy.NOBODY)
    instructions = models.TextField(blank=True)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    head = models.ForeignKey("Turn", models.SET_NULL, null=True, blank=True, related_name="+")
    draft = models.TextField(blank=True)
    """Queued messages that came back because the turn before them was stopped or failed."""
    revision = models.PositiveBigIntegerField(default=0)
    """Counts every change that a list or an open page has to hear of."""
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    """Time of the last change that counts for the order in the list (a message, an answer)."""
    touched_at = models.DateTimeField(db_index=True)
    """Time of the last change of any kind, for processes that look for news."""
    seen_at = models.DateTimeField(null=True, blank=True)
    """Up to when its owner has seen it; an answer that ended later is unread."""
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["owner", "-changed_at"], name="conversation_list", condition=Q(deleted_at=None)),
        ]

    def __str__(self) -> str:
        return self.title or "New conversation"

    @classmethod
    def locked(cls, conversation_id: uuid.UUID) -> Conversation:
        """The conversation, locked until the transaction ends. Taken before any lock on its turns, always in
        this order, so that no two transactions can wait for each other."""
        return cls.objects.select_for_update().get(pk=conversation_id)

    @classmethod
    def touch(cls, conversation_id: uuid.UUID, now: datetime, **changes: object) -> None:
        """Write `changes` and tell every list and page, by a new revision, that something is new."""
        cls.objects.filter(pk=conversation_id).update(revision=F("revision") + 1, touched_at=now, **changes)
