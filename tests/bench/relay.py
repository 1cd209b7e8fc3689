"""Stet beside a bare relay, in one run, against the same simulator process.

Added time to first token: from sending the message to the first piece of the answer's text, less the same for a
request sent straight to the simulator. The three take turns, so that whatever else the machine does hits all alike.

Deltas per CPU second: pieces that the simulator sent, divided by what the server's process used for them, with all
its threads, until it rested again: for Stet that includes every row it wrote, the title's side call and the log.

Figures are printed and written to var/bench/relay.json. They are never compared with a limit.
"""

import asyncio
import contextlib
import json
import os
import platform
import signal
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tests.bench.clients import Direct, Relay, Stet, cpu_seconds, open_socket, read_answer
from tests.child import ROOT
from tests.simulator_process import SimulatorAccount, SimulatorProcess

RESULT = ROOT / "var" / "bench" / "relay.json"

SHORT = "write 60 words"
SHORT_TURNS = 40
LONG = "write 20000 words"
REPEATS = 5
MANY = 20
MANY_LONG = "write 5000 words"
MANY_REPEATS = 2
SLOW = "write 150 words"
SLOW_DELAY_SECONDS = 0.02
"""Fifty deltas a second and turn, each in a packet of its own, as providers send them."""

REST_SECONDS = 0.5
"""Longer than two flushes of the stream log: what a turn leaves to be done is part of its price."""


@dataclass(frozen=True)
class Wire:
    """How a provider is called without its SDK."""

    provider: str
    model: str
    path: str
    key_header: Callable[[str], dict[str, str]]
    thorough: bool
    """With answers that nobody reads and many at once; the other provider shares that path."""


WIRES = (
    Wire("openai", "gpt-6.2-astra", "responses", lambda key: {"authorization": f"Bearer {key}"}, thorough=True),
    Wire(
        "anthropic",
        "claude-opus-5-5",
        "v1/messages",
        lambda key: {"x-api-key": key, "anthropic-version": "2023-06-01"},
        thorough=False,
    ),
)


@dataclass
class Bench:
    """One provider's three ways, and what was found."""

    wire: Wire
    stet: Stet
    stet_account: SimulatorAccount
    relay_account: SimulatorAccount
    direct: Direct
    relay: Relay
    figures: dict[str, Any] = field(default_factory=dict)

    async def run(self) -> None:
        await self.first_token()
        with self.measured("one answer, one reader"):
            await self.long(LONG, 1, REPEATS)
        if not self.wire.thorough:
            return
        with self.measured("one answer, no reader"):
            await self.unwatched()
        with self.measured(f"{MANY} answers at once, a reader each"):
            await self.long(MANY_LONG, MANY, MANY_REPEATS)
        with self.measured(f"{MANY} answers, {round(1 / SLOW_DELAY_SECONDS)} deltas a second each"):
            for account in (self.stet_account, self.relay_account):
                account.pace(delay_seconds=SLOW_DELAY_SECONDS)
            await self.long(SLOW, MANY, 1)
            for account in (self.stet_account, self.relay_account):
                account.pace(delay_seconds=0)

    @contextlib.contextmanager
    def measured(self, name: str) -> Any:
        """Collect repetitions of one load under a name."""
        self._rates: dict[str, list[float]] = {"relay": [], "stet": []}
        yield
        found = {who: median(rates) for who, rates in self._rates.items() if rates}
        ratio = found["stet"] / found["relay"] if "relay" in found else None
        self.figures.setdefault("deltas_per_cpu_second", {})[name] = {**found, "ratio": ratio, "all": self._rates}

    def body(self, text: str) -> bytes:
        """The very request that Stet sends for a first message, so that the simulator works equally hard for all."""
        return json.dumps(self._template).replace(json.dumps(SHORT), json.dumps(text)).encode()

    async def first_token(self) -> None:
        stet, relay = await self.stet.socket(), await open_socket(self.relay.port)
        ask = (SHORT, self.wire.provider, self.wire.model)
        await self.stet.first_token(stet, *ask)
        await asyncio.sleep(REST_SECONDS)
        # The turn came before its title, which speaks of it too.
        calls = [entry["body"] for entry in self.stet_account.requests() if entry["provider"] == self.wire.provider]
        self._template = calls[0]
        times: dict[str, list[float]] = {"direct": [], "relay": [], "stet": []}
        pids = {"relay": self.relay.pid, "stet": self.stet.pid}
        before: dict[str, float] = {}
        for number in range(-3, SHORT_TURNS):  # the first few only warm up
            if number == 0:
                before = {who: cpu_seconds(pid) for who, pid in pids.items()}
            seconds = {
                "direct": await self.direct.first_token(self.body(SHORT)),
                "relay": await self.relay.first_token(relay, self.body(SHORT)),
                "stet": await self.stet.first_token(stet, *ask),
            }
            await asyncio.sleep(0.1)  # for the title, which must not weigh on the next round
            if number >= 0:
                for who, took in seconds.items():
                    times[who].append(took * 1000)
        self.figures["cpu_ms_per_short_turn"] = {
            who: (cpu_seconds(pid) - before[who]) * 1000 / SHORT_TURNS for who, pid in pids.items()
        }
        await stet.close()
        await relay.close()
        self.figures["direct_ms"] = _summary(times["direct"])
        self.figures["added_ms"] = {
            who: _summary([ours - floor for ours, floor in zip(times[who], times["direct"], strict=True)])
            for who in ("relay", "stet")
        }

    async def long(self, text: str, at_once: int, repeats: int) -> None:
        """The same load for both in turn, so many answers at once."""
        relays = [await open_socket(self.relay.port) for _ in range(at_once)]
        tabs = [await self.stet.socket() for _ in range(at_once)]
        body = self.body(text).decode()

        async def through_relay(number: int) -> None:
            await relays[number].send(body)
            await read_answer(relays[number])

        async def through_stet(number: int) -> None:
            await tabs[number].send(self.stet.message(text, self.wire.provider, self.wire.model))
            await read_answer(tabs[number])

        for _ in range(repeats):
            await self.load("relay", [lambda n=n: through_relay(n) for n in range(at_once)])
            await self.load("stet", [lambda n=n: through_stet(n) for n in range(at_once)])
        for socket in (*relays, *tabs):
            await socket.close()

    async def unwatched(self) -> None:
        watcher = await self.stet.socket()
        for _ in range(3):
            await self.load("stet", [lambda: self.stet.unwatched(watcher, LONG, self.wire.provider, self.wire.model)])
        await watcher.close()

    async def load(self, who: str, jobs: list[Callable[[], Awaitable[None]]]) -> None:
        """Deltas that the simulator sent during `jobs`, per CPU second of the server in between."""
        account, pid = (self.stet_account, self.stet.pid) if who == "stet" else (self.relay_account, self.relay.pid)
        await asyncio.sleep(REST_SECONDS)
        sent, used = _delivered(account), cpu_seconds(pid)
        await asyncio.gather(*(job() for job in jobs))
        await asyncio.sleep(REST_SECONDS)
        used = max(cpu_seconds(pid) - used, 0.01)
        self._rates[who].append((_delivered(account) - sent) / used)


def _delivered(account: SimulatorAccount) -> int:
    return sum(entry["delivered_deltas"] for entry in account.requests())


def _summary(times: list[float]) -> dict[str, float]:
    return {"median": median(times), "p95": quantiles(times, n=20)[-1]}


def environment() -> dict[str, Any]:
    """What the figures depend on beside the code."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        revision = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no git here
        revision = ""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "revision": revision or None,
    }


def table(found: dict[str, Any]) -> str:
    """The figures as people read them."""
    lines = [
        f"Python {found['python']}, {found['cores']} cores, load {found['load']:.1f}, revision {found['revision']}",
    ]
    row = "  {:<42} {:>12} {:>12} {:>12}".format
    for provider, figures in found["providers"].items():
        lines += ["", f"{provider}: added time to first token, ms", row("", "bare relay", "Stet", "Stet/relay")]
        added = figures["added_ms"]
        for which in ("median", "p95"):
            relay, stet = added["relay"][which], added["stet"][which]
            lines.append(row(which, f"{relay:.1f}", f"{stet:.1f}", f"{stet / relay:.1f}" if relay > 0 else "-"))
        turn = figures["cpu_ms_per_short_turn"]
        lines.append(row("CPU of the server per such turn, ms", f"{turn['relay']:.1f}", f"{turn['stet']:.1f}", ""))
        lines += ["", f"{provider}: deltas per CPU second of the server"]
        for name, load in figures["deltas_per_cpu_second"].items():
            relay = f"{load['relay']:,.0f}" if "relay" in load else "-"
            ratio = f"{load['ratio']:.2f}" if load["ratio"] else "-"
            lines.append(row(name, relay, f"{load['stet']:,.0f}", ratio))
    return "\n".join(lines)


async def measure() -> dict[str, Any]:
    """Everything, once."""
    found: dict[str, Any] = {**environment(), "providers": {}}
    simulator = SimulatorProcess("instant")
    with tempfile.TemporaryDirectory(prefix="stet-bench-") as directory, contextlib.ExitStack() as stack:
        stack.callback(simulator.stop)
        stet_account = simulator.account()
        env = {"STET_MAX_OUTPUT_TOKENS": "100000"}
        urls = {"openai": simulator.openai_base_url, "anthropic": simulator.anthropic_base_url}
        for provider, url in urls.items():
            env |= {f"{provider.upper()}_API_KEY": stet_account.key, f"{provider.upper()}_BASE_URL": url}
        stet = Stet(Path(directory), env)
        stack.callback(stet.close)
        for wire in WIRES:
            url = f"{urls[wire.provider]}/{wire.path}"
            relay_account = simulator.account()
            headers = {**wire.key_header(relay_account.key), "content-type": "application/json"}
            direct, relay = Direct(url, headers), Relay(url, headers)
            stack.callback(relay.close)
            bench = Bench(wire, stet, stet_account, relay_account, direct, relay)
            await bench.run()
            await direct.aclose()
            found["providers"][wire.provider] = bench.figures
    return found


def main() -> None:
    print("Measuring; this takes about a minute ...", flush=True)
    start = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers are stopped then, too
    found = asyncio.run(measure())
    found["took_seconds"] = round(time.monotonic() - start, 1)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))
    print(f"\nTook {found['took_seconds']:.0f} s; written to {RESULT.relative_to(ROOT)}")
