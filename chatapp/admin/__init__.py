"""The pages under /admin/, a file per page: calls, turns, conversations, leases and people.

Beside them: `base` (what read-only pages share), `filters` and `totals`. What people and models wrote is
shown here as plain text only.
"""

from importlib import import_module

from django.apps import apps
from django.contrib import admin
from unfold.sites import UnfoldAdminSite

if not isinstance(admin.site, UnfoldAdminSite):
    # Imported from an application that stands before unfold. Its `ready` replaces the site, and with it what was
    # registered until then; so let it do so now, once.
    unfold = apps.get_app_config("unfold")
    unfold.ready()
    unfold.ready = lambda: None  # type: ignore[method-assign]

for page in ("calls", "turns", "conversations", "leases", "people"):
    import_module(f"{__name__}.{page}")  # registers itself
