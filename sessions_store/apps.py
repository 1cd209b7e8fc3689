"""The store's place in Django."""

from django.apps import AppConfig


class SessionsStoreConfig(AppConfig):
    name = "sessions_store"
    verbose_name = "Conversations and ledger"
    default_auto_field = "django.db.models.BigAutoField"
