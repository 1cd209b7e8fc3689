"""Process leases: which server processes are alive."""

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from chatapp.admin import base
from sessions_store.models import ProcessLease, Turn


@admin.register(ProcessLease)
class ProcessLeaseAdmin(base.ReadOnlyAdmin):
    list_display = ("process", "started", "renewed", "ended", "running")
    list_display_links = ("process",)
    ordering = ("-started_at",)
    fieldsets = ((None, {"fields": ("host", "pid", "started", "renewed", "ended", "running", "id")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProcessLease]:
        running = Count("turns", filter=Q(turns__state=Turn.State.STREAMING))
        return super().get_queryset(request).annotate(running_turns=running)

    @display(description="Process")
    def process(self, lease: ProcessLease) -> str:
        return str(lease)

    @display(description="Started", ordering="started_at")
    def started(self, lease: ProcessLease) -> str:
        return base.when(lease.started_at)

    @display(description="Last renewed", ordering="renewed_at")
    def renewed(self, lease: ProcessLease) -> str:
        return base.when(lease.renewed_at)

    @display(description="Ended", ordering="ended_at")
    def ended(self, lease: ProcessLease) -> str:
        return base.when(lease.ended_at)

    @display(description="Turns running")
    def running(self, lease: ProcessLease) -> int:
        return lease.running_turns  # type: ignore[attr-defined]  # annotated above
