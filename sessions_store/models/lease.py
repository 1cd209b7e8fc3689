"""A process lease: which server process is alive, by the database's clock."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import models
from django.db.models.functions import Now


class ProcessLease(models.Model):
    """One row per running process. A turn points to the lease of the process that runs it; when the
    lease is no longer renewed, another process may end the turn as interrupted.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    renewed_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    @classmethod
    def renew(cls, lease_id: uuid.UUID) -> bool:
        """Say "alive"; False if somebody ended this lease, so this process must stop its turns."""
        return cls.objects.filter(pk=lease_id, ended_at=None).update(renewed_at=Now()) == 1

    @classmethod
    def end(cls, lease_id: uuid.UUID) -> bool:
        """End a lease once; False if it had ended."""
        return cls.objects.filter(pk=lease_id, ended_at=None).update(ended_at=Now()) == 1

    @classmethod
    def expired(cls, period: timedelta) -> models.QuerySet[ProcessLease]:
        """Leases that were not renewed for `period`, by the database's clock."""
        return cls.objects.filter(ended_at=None, renewed_at__lt=Now() - period)
