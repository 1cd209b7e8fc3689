"""A real `manage.py serve` with data of its own, for tests that need the whole server from outside."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.child import ROOT, Child

START_SECONDS = 60
CLEARED = (
    "DATABASE_URL",
    "REDIS_URL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "ALLOWED_HOSTS",
    "HOST",
    "PORT",
    "STET_SIMULATOR",
)


def make_migrated_var(directory: Path) -> Path:
    """A data directory whose database has its tables, to be copied: migrating takes seconds, copying none."""
    env = server_env(directory)
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True)
    return directory


def server_env(var: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A whole environment: a fresh installation with its data in `var`."""
    cleared = dict.fromkeys(CLEARED, "")  # a blank variable counts as unset
    return {**ENVIRONMENT, **cleared, "STET_VAR": str(var), **(extra or {})}


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "DJANGO_SETTINGS_MODULE": "chatapp.settings", "PYTHONUNBUFFERED": "1"}


class ServerProcess:
    """Serves on a free port; `restart` keeps data and port, as a person who starts it again does."""

    def __init__(self, var: Path, *, migrated: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        if migrated is not None:
            shutil.copytree(migrated, var, dirs_exist_ok=True)
        self.var = var
        self.env = server_env(var, env)
        self.port = 0
        self.child: Child
        self.start()

    def start(self) -> None:
        self.child = Child([sys.executable, "manage.py", "serve", "--port", str(self.port)], self.env)
        try:
            self.child.wait_for(r"^Ctrl-C stops\.$", START_SECONDS)
        except BaseException:
            self.child.close()
            raise
        self.port = int(re.search(r"^Stet runs on http://[^/]+:(\d+)/$", self.child.output, re.MULTILINE).group(1))  # type: ignore[union-attr]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        """The sign-in link of the last start; it works once. `fresh_link` makes another."""
        return self.child.wait_for(r"^Sign in:\s+(\S+)$").group(1)

    def fresh_link(self, user: str = "") -> str:
        """What `manage.py sign_in_link` prints."""
        return self.manage("sign_in_link", "--base-url", self.url, *(["--user", user] if user else [])).strip()

    def manage(self, *arguments: str, stdin: str = "") -> str:
        """Run another command of manage.py on the same data."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.env, input=stdin, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    def kill(self) -> None:
        """As a crash: nothing gets a chance to clean up."""
        self.child.signal(signal.SIGKILL)
        self.child.exit_code()

    def restart(self) -> None:
        """After `kill` or `stop`."""
        self.child.close()
        self.start()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.child.signal(signal.SIGTERM)
        return self.child.exit_code(60)

    def close(self) -> None:
        self.child.close()
