"""The application's place in Django: no tables, but system checks."""

from importlib import import_module

from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chatapp"
    verbose_name = "Stet"

    def ready(self) -> None:
        import_module("chatapp.checks")  # its checks register themselves
