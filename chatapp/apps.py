"""The application's place in Django: no tables, but checks and admin pages."""

from importlib import import_module

from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chatapp"
    verbose_name = "Stet"

    def ready(self) -> None:
        # Both register themselves when imported, which is possible only now that the models are loaded.
        import_module("chatapp.checks")
        import_module("chatapp.admin")
