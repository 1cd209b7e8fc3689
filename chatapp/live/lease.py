"""The process's lease, and the turns of processes that have lost theirs."""

import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from django.conf import settings
from django.db import DatabaseError, connection

from chatapp.turns.recovery import close_forgotten, interrupt_lost, sweep_logs
from sessions_store.models import ProcessLease

log = logging.getLogger(__name__)


class SecondProcess(RuntimeError):
    """SQLite serves one Stet process; another one holds this database."""


class LeaseKeeper:
    """Renews one row in a thread of its own, and ends the turns of processes that no longer do.

    On SQLite an exclusive file lock says that no other process lives, so turns left behind by a crash end at
    once. Elsewhere this process first renews its own lease for a whole period: a machine that just woke from
    sleep must not judge others by a clock that stood still. `lost` is called when this lease was ended by
    another process; `reaped` when turns were ended here.
    """

    def __init__(self, clock: Callable[[], datetime], lost: Callable[[], None], reaped: Callable[[], None]) -> None:
        self.period = timedelta(seconds=settings.STET_LEASE_SECONDS)
        self.lease: ProcessLease | None = None
        self._clock = clock
        self._lost = lost
        self._reaped = reaped
        self._lock_file: IO[str] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stet-lease", daemon=True)

    @property
    def alone(self) -> bool:
        """Whether this process holds the only right to this database."""
        return self._lock_file is not None

    def start(self) -> ProcessLease:
        """Take the lease and end what earlier processes left behind. Blocking; raises SecondProcess."""
        if connection.vendor == "sqlite":
            self._lock_file = _lock(Path(f"{connection.settings_dict['NAME']}.lock"))
        self.lease = self._new_lease()
        if self.alone:
            interrupt_lost(self.lease.pk, self.period, self._clock(), alone=True)
            close_forgotten(self._clock(), alone=True)
        self._thread.start()
        return self.lease

    def stop(self) -> None:
        """Give the lease back. Blocking."""
        self._stop.set()
        self._thread.join(timeout=10)
        if self.lease:
            ProcessLease.end(self.lease.pk)
        if self._lock_file:
            self._lock_file.close()
            self._lock_file = None

    def _new_lease(self) -> ProcessLease:
        return ProcessLease.objects.create(host=socket.gethostname(), pid=os.getpid())

    def _run(self) -> None:
        assert self.lease is not None
        renewed_since = time.monotonic()
        swept_at = 0.0
        while not self._stop.wait(self.period.total_seconds() / 3):
            try:
                if not ProcessLease.renew(self.lease.pk):
                    log.error("another process thought this one dead and took its turns")
                    self.lease = self._new_lease()
                    renewed_since = time.monotonic()
                    self._lost()
                may_judge = self.alone or time.monotonic() - renewed_since > self.period.total_seconds()
                if may_judge and interrupt_lost(self.lease.pk, self.period, self._clock(), alone=self.alone):
                    self._reaped()
                if time.monotonic() - swept_at > 60:
                    swept_at = time.monotonic()
                    sweep_logs(self._clock())
                    close_forgotten(self._clock())
            except DatabaseError:
                log.warning("the lease could not be renewed; trying again", exc_info=True)
                renewed_since = time.monotonic()
                connection.close()
        connection.close()


def _lock(path: Path) -> IO[str]:
    """An exclusive lock that the system gives back however this process ends."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise SecondProcess(
            "Another Stet process uses this SQLite database. Stop it first, or set DATABASE_URL to a PostgreSQL "
            "server to run several."
        ) from None
    return file
