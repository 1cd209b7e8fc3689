"""`manage.py sign_in_link`: a fresh link for somebody on this machine."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from chatapp.serving.owner import base_url, owner
from chatapp.sign_in import make_link
from sessions_store.models import User


class Command(BaseCommand):
    help = "Print a link that signs somebody in: once, within 15 minutes, from this machine only."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", default="", help="user name; the owner if left out")
        parser.add_argument(
            "--base-url", default=base_url(settings.HOST, settings.PORT), help="where Stet runs (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["user"]
        user = User.objects.filter(username=name, is_active=True).first() if name else owner()
        if user is None:
            raise CommandError(f"There is no active user {name!r}." if name else "There is no active superuser yet.")
        self.stdout.write(make_link(user, options["base_url"]))
