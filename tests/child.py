"""A child process whose output a test reads while it runs."""

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent


class Child:
    """Started in a session of its own, so that `close` takes everything with it that it left behind."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, seconds: float = 30) -> re.Match[str]:
        """The first match of `pattern` in what it has written."""

        def look() -> re.Match[str] | None:
            found = re.search(pattern, self.output, re.MULTILINE)
            if found is None and self.process.poll() is not None:
                self.reader.join(5)
                found = re.search(pattern, self.output, re.MULTILINE)
                if found is None:
                    raise AssertionError(f"it exited with {self.process.returncode}, having written:\n{self.output}")
            return found

        try:
            return wait_until(look, f"{pattern!r} is written", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; written so far:\n{self.output}") from None

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self, seconds: float = 30) -> int:
        """Waits for its end."""
        code = self.process.wait(seconds)
        self.reader.join(5)
        return code

    def children(self) -> list[int]:
        """Process ids of its direct children (Linux)."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in task.read_text().split()]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


def is_running(pid: int) -> bool:
    """Whether the process is there and more than a corpse waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
