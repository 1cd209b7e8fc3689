"""An item: one piece of a turn in Open Responses shape."""

from django.db import models

from sessions_store.fields import VerbatimJSONField


class Item(models.Model):
    """Kept verbatim and never edited. Position 0 of a turn is the user's message."""

    turn = models.ForeignKey("Turn", models.CASCADE, related_name="items")
    call = models.ForeignKey("Call", models.SET_NULL, null=True, blank=True, related_name="items")
    """The call that made it; None for what people wrote."""
    position = models.PositiveIntegerField()
    data = VerbatimJSONField()
    native = VerbatimJSONField(null=True, blank=True)
    """The provider's own form where it differs; goes back only to `provider` and `model`."""
    seconds = models.FloatField(null=True, blank=True)
    """How long it took to arrive, from its first event to its last; None where nobody saw both."""
    provider = models.CharField(max_length=40, blank=True)
    model = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["turn", "position"], name="item_position_once")]

    def __str__(self) -> str:
        return f"{self.data.get('type')} {self.position}"
