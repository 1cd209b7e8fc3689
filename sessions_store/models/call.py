"""A call: one request to a provider, and so one line of the ledger."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Count, Q, Sum

from sessions_store.fields import VerbatimJSONField

BUCKETS = (
    "uncached_tokens",
    "read_tokens",
    "written_5m_tokens",
    "written_30m_tokens",
    "written_1h_tokens",
    "written_12h_tokens",
    "output_tokens",
    "reasoning_tokens",
)


class CallQuerySet(models.QuerySet["Call"]):
    def of(self, owner_id: int) -> CallQuerySet:
        """The calls made for this person."""
        return self.filter(owner_id=owner_id)

    def totals(self, *by: str) -> list[dict[str, Any]]:
        """What these calls cost together, real money first and never added to simulated; a row per kind, and per
        value of the columns `by`; one query.

        Of a row: the money of the calls whose cost is known, and how many calls there are of every other sort.
        """
        known, ended = Q(cost_nanousd__isnull=False), ~Q(state=Call.State.OPEN)
        found = (
            self.order_by()
            .values("simulated", *by)
            .annotate(
                calls=Count("pk"),
                paid_nanousd=Sum("cost_nanousd", default=0),
                whole_nanousd=Sum("without_cache_nanousd", filter=known, default=0),
                priced=Count("pk", filter=known),
                no_price=Count("pk", filter=~known & ended & Q(uncached_tokens__isnull=False)),
                unknown=Count("pk", filter=~known & ended & Q(uncached_tokens__isnull=True)),
                running=Count("pk", filter=Q(state=Call.State.OPEN)),
                guessed=Count("pk", filter=known & Q(estimated=True)),
            )
        )
        return sorted(found, key=lambda row: row["simulated"])


class Call(models.Model):
    """Opened before its request is sent, closed with what the provider reported. Failed, stopped and
    repeated calls have their rows too. Money is integer nano-dollars at the prices stored with it;
    token buckets exclude each other (reasoning is a part of output); NULL is "not known", never 0.
    """

    class Purpose(models.TextChoices):
        REPLY = "reply"
        TOOL_ROUND = "tool_round"
        COMPACTION = "compaction"
        TITLE = "title"

    class State(models.TextChoices):
        OPEN = "open"
        COMPLETED = "completed"
        INCOMPLETE = "incomplete"
        FAILED = "failed"
        CANCELLED = "cancelled"
        INTERRUPTED = "interrupted"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="calls")
    conversation = models.ForeignKey("Conversation", models.SET_NULL, null=True, related_name="calls")
    turn = models.ForeignKey("Turn", models.SET_NULL, null=True, related_name="calls")
    purpose = models.CharField(max_length=12, choices=Purpose)
    attempt = models.PositiveSmallIntegerField(default=1)
    """1 for the first try of the same request; a higher one is a retry."""
    state = models.CharField(max_length=12, choices=State, default=State.OPEN)

    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    """The model asked for."""
    model_returned = models.CharField(max_length=120, blank=True)
    service_tier = models.CharField(max_length=40, blank=True)
    account = models.CharField(max_length=64, blank=True)
    """Fingerprint of base URL and key."""
    simulated = models.BooleanField(default=False)
    """Answered by the simulator: never summed with real money."""

    previous_response_id = models.CharField(max_length=200, blank=True)
    response_id = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=200, blank=True)
    plan = VerbatimJSONField(null=True, blank=True)
    """What the planner decided and expected: marks, expected tokens, reason."""
    error = VerbatimJSONField(null=True, blank=True)
    """{"code", "message", "status"} of a failed call."""

    uncached_tokens = models.BigIntegerField(null=True)
    read_tokens = models.BigIntegerField(null=True)
    written_5m_tokens = models.BigIntegerField(null=True)
    written_30m_tokens = models.BigIntegerField(null=True)
    written_1h_tokens = models.BigIntegerField(null=True)
    written_12h_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    reasoning_tokens = models.BigIntegerField(null=True)
    usage = VerbatimJSONField(null=True, blank=True)
    """What the provider reported, verbatim."""
    estimated = models.BooleanField(default=False)
    """The buckets are ours, because the call ended before the provider reported."""

    price = VerbatimJSONField(null=True, blank=True)
    """Prices used: nano-dollars per million tokens by bucket, with source and tier; None is "no price"."""
    cost_nanousd = models.BigIntegerField(null=True)
    without_cache_nanousd = models.BigIntegerField(null=True)
    """What the same tokens would have cost with no caching."""

    started_at = models.DateTimeField()
    first_token_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = CallQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", ended_at__isnull=True) | (~Q(state="open") & Q(ended_at__isnull=False)),
                name="call_finished_has_state_and_time",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "completed", "incomplete", "failed", "cancelled", "interrupted"]),
                name="call_state_known",
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{bucket}__isnull": True}) | Q(**{f"{bucket}__gte": 0}),
                    name=f"call_{bucket}_not_negative",
                )
                for bucket in BUCKETS
            ),
            models.CheckConstraint(
                condition=Q(cost_nanousd__isnull=True) | Q(cost_nanousd__gte=0), name="call_cost_not_negative"
            ),
        ]
        indexes = [
            models.Index(fields=["-started_at"], name="call_newest"),
            models.Index(fields=["owner", "-started_at"], name="call_by_owner"),
            models.Index(fields=["state"], name="call_open", condition=Q(state="open")),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.pk}"

    @property
    def saved_nanousd(self) -> int | None:
        """Saved by the cache; negative when caching lost money; None without a price."""
        if self.cost_nanousd is None or self.without_cache_nanousd is None:
            return None
        return self.without_cache_nanousd - self.cost_nanousd

    @property
    def input_tokens(self) -> int | None:
        """Total input as the provider counts it; None if it was not reported."""
        if self.uncached_tokens is None:
            return None
        return self.uncached_tokens + (self.read_tokens or 0) + self.written_tokens

    @property
    def written_tokens(self) -> int:
        """Tokens written to the cache, all lifetimes."""
        return sum(
            count or 0
            for count in (
                self.written_5m_tokens,
                self.written_30m_tokens,
                self.written_1h_tokens,
                self.written_12h_tokens,
            )
        )
