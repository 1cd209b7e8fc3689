"""The pages under /admin/, a file per page: calls, turns, conversations, leases and people.

Beside them: `base` (what read-only pages share), `filters` and `totals`. What people and models wrote is
shown here as plain text only. Django's autodiscover imports this package, after unfold has put its own site in place.
"""

from importlib import import_module

for page in ("calls", "turns", "conversations", "leases", "people"):
    import_module(f"{__name__}.{page}")  # registers itself
