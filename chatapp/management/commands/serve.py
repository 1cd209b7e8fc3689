"""`manage.py serve`: the one way to run Stet. Thin; how a process starts and ends is in chatapp/serving/."""

import ipaddress
import sys
from argparse import ArgumentParser
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connections

from chatapp.serving import owner
from chatapp.serving.process import PortTaken, ServerProcess, listen
from chatapp.sign_in import make_link


class Command(BaseCommand):
    help = "Serve Stet: migrates, makes the owner on the first start, prints the link that signs them in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.HOST, help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="0 takes any (default: %(default)s)")
        parser.add_argument("--no-migrate", action="store_true", help="leave the database as it is")
        parser.add_argument("--no-link", action="store_true", help="print no sign-in link")
        parser.add_argument(
            "--end-with-parent", action="store_true", help="stop when the process that started this one is gone"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        host = options["host"]
        try:
            listening = listen(host, options["port"])
        except PortTaken as error:
            port = options["port"]
            if "in use" in str(error):
                self.fail(f"Port {port} is taken. Try PORT={port + 1} make run.")
            self.fail(f"Stet cannot listen on {host}, port {port}: {error}.")
        port = listening.getsockname()[1]
        try:
            lines = self.prepare(host, port, migrate=not options["no_migrate"], link=not options["no_link"])
        except DatabaseError as error:
            self.fail(
                f"The database is not usable: {str(error).splitlines()[0].rstrip('.')}.\n"
                "Check DATABASE_URL, or, with SQLite, whether the disk is full and the files under "
                f"{settings.VAR_DIR} belong to you."
            )
        connections.close_all()  # the server's threads make their own

        # Imported late: the routes need loaded apps, which a command module may be imported without.
        from chatapp.asgi import routes  # noqa: PLC0415
        from chatapp.live.child import SimulatorFailed  # noqa: PLC0415
        from chatapp.live.lease import SecondProcess  # noqa: PLC0415
        from chatapp.live.runtime import runtime  # noqa: PLC0415

        process = ServerProcess(
            routes,
            listening,
            runtime,
            drain_seconds=settings.STET_DRAIN_SECONDS,
            ready=lambda: self.say("\n".join(lines)),
            say=self.say,
            end_with_parent=options["end_with_parent"],
        )
        try:
            process.run()
        except (SecondProcess, SimulatorFailed) as error:
            self.fail(str(error))

    def prepare(self, host: str, port: int, *, migrate: bool, link: bool) -> list[str]:
        """Tables, owner and link; returns the block of lines that the start ends with."""
        address = owner.base_url(host, port)
        lines = ["", f"Stet runs on {address}/"]
        owner.check_reachable()
        with owner.one_at_a_time():
            if waiting := owner.waiting_migrations():
                if not migrate:
                    self.fail(f"The database lacks {waiting} migrations. Run `manage.py migrate` first.")
                self.say(f"Preparing the database: {waiting} migrations ...")
                owner.migrate()
            if owner.ensure_owner():
                self.say(f"Made the first user, {owner.OWNER_NAME!r}, who may do everything.")
        person = owner.owner()
        if person is not None and link:
            if is_loopback(address):
                lines += ["", f"Sign in:  {make_link(person, address)}", "(works once, within 15 minutes, here only)"]
            else:
                lines += ["", "No sign-in link, because it works over loopback only; sign in with a password."]
        lines += ["", who_answers(), "Ctrl-C stops.", ""]
        return lines

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()  # somebody may read this through a pipe

    def fail(self, text: str) -> NoReturn:
        self.stderr.write(text)
        sys.exit(1)


def is_loopback(address: str) -> bool:
    """Whether the base URL names this machine."""
    host = address.removeprefix("http://").rsplit(":", 1)[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def who_answers() -> str:
    """One sentence about where answers come from."""
    named = [name for name in ("OPENAI", "ANTHROPIC") if getattr(settings, f"{name}_API_KEY")]
    urls = [name for name in ("OPENAI", "ANTHROPIC") if getattr(settings, f"{name}_BASE_URL")]
    if settings.STET_SIMULATOR == "on":
        return "The simulator answers (STET_SIMULATOR=on); nothing is sent anywhere and nothing costs money."
    if named or urls:
        known = {"OPENAI": "OpenAI", "ANTHROPIC": "Anthropic"}
        return " and ".join(known[name] for name in known if name in named + urls) + " will answer, at your cost."
    if settings.STET_SIMULATOR == "off":
        return "Nobody can answer: no key is set and STET_SIMULATOR=off."
    return "No key is set: the simulator answers. Set OPENAI_API_KEY or ANTHROPIC_API_KEY for real models."
