"""The simulator as a child process, and what a test asks of it. The rules it keeps are tested in tests/simulator/."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from typing import Any

START_SECONDS = 20


@dataclass(frozen=True)
class SimulatorAccount:
    """One API key at the simulator, with a clock, faults and a request log of its own."""

    simulator: "SimulatorProcess"
    key: str

    def faults(self, faults: list[dict[str, Any]]) -> None:
        """The next requests meet these, in order."""
        self._control("POST", "faults", {"faults": faults})

    def clear_faults(self) -> None:
        self._control("DELETE", "faults")

    def advance_clock(self, seconds: float) -> None:
        """Let cached prefixes grow older."""
        self._control("POST", "clock", {"advance_seconds": seconds})

    def requests(self) -> list[dict[str, Any]]:
        """Every provider request so far, as it arrived."""
        found: list[dict[str, Any]] = self._control("GET", "requests")["requests"]
        return found

    def script(self, recording: Any) -> None:
        """Answer as in a recorded conversation."""
        self._control("POST", "script", recording)

    def pace(self, **changes: Any) -> None:
        """How fast answers arrive: delta_chars, delay_seconds, first_byte_seconds."""
        self._control("POST", "pace", changes)

    def _control(self, method: str, topic: str, data: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.simulator.root_url}/_simulator/{self.key}/{topic}",
            data=None if data is None else json.dumps(data).encode(),
            method=method,
            headers={"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"the simulator refused {method} {topic}: {error.read().decode()}") from None


class SimulatorProcess:
    """`python -m chatapp.simulator` on a free port; ends with `stop`, or with this process."""

    def __init__(self, pace: str = "instant") -> None:
        command = [sys.executable, "-m", "chatapp.simulator", "--port", "0", "--exit-with-stdin", "--pace", pace]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise AssertionError(f"the simulator did not start; it exited with {self.process.returncode}")
        ready = json.loads(line)
        self.port: int = ready["port"]
        self.root_url = f"http://127.0.0.1:{self.port}"
        self.openai_base_url: str = ready["openai_base_url"]
        self.anthropic_base_url: str = ready["anthropic_base_url"]

    def account(self) -> SimulatorAccount:
        """A key that nobody has used before."""
        return SimulatorAccount(self, f"sk-sim-{uuid.uuid4().hex}")

    def stop(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
