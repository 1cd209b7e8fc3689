"""The stream log: events of running turns, kept for resume and for viewers in other processes."""

from django.db import models

from sessions_store.fields import VerbatimJSONField


class StreamLog(models.Model):
    """One row per turn and flush. Swept 15 minutes after the turn has ended."""

    turn = models.ForeignKey("Turn", models.CASCADE, related_name="log")
    first_number = models.BigIntegerField()
    last_number = models.BigIntegerField()
    events = VerbatimJSONField()
    """The events `first_number` to `last_number`, adjacent deltas not joined: a list, oldest first."""

    class Meta:
        ordering = ["first_number"]
        constraints = [models.UniqueConstraint(fields=["turn", "first_number"], name="stream_log_once")]

    def __str__(self) -> str:
        return f"{self.first_number}-{self.last_number}"
