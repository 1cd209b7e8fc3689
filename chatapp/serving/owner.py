"""The first start: tables and the owner. Inviting others belongs to the views."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from sessions_store.models import User

OWNER_NAME = "owner"
START_LOCK = 7_383_568
"""Number of the PostgreSQL advisory lock under which processes take turns to migrate ("stet" on a keypad, twice)."""

REACH_SECONDS = 5


def check_reachable() -> None:
    """Raise a DatabaseError at once if the server cannot be reached; the pool would try for 20 s and complain."""
    if connection.vendor == "postgresql":
        parameters = {**connection.get_connection_params(), "connect_timeout": REACH_SECONDS}
        parameters.pop("pool", None)
        with connection.wrap_database_errors:
            psycopg.connect(**parameters).close()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Several processes may start at once; only one of them migrates and makes the owner."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [START_LOCK])
            try:
                yield
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [START_LOCK])
        return
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
    with (settings.VAR_DIR / "start.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def waiting_migrations() -> int:
    """How many migrations the database lacks."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def migrate() -> None:
    """Bring the tables up to date."""
    call_command("migrate", interactive=False, verbosity=0)


def ensure_owner() -> bool:
    """Make the owner if there is nobody yet; True if it was made."""
    if User.objects.exists():
        return False
    made = User(username=OWNER_NAME, is_staff=True, is_superuser=True)
    made.set_unusable_password()
    made.save()
    return True


def owner() -> User | None:
    """Who runs this installation: the user of that name, else the first superuser."""
    superusers = User.objects.filter(is_superuser=True, is_active=True)
    return superusers.filter(username=OWNER_NAME).first() or superusers.order_by("pk").first()


def base_url(host: str, port: int) -> str:
    """The address to type on this machine."""
    if host in {"", "0.0.0.0", "::", "localhost"}:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
