"""`make test`: every test, with real PostgreSQL, Redis and Chromium; installs what is missing, ends what it starts.

Run by `make test`, not collected by pytest. The last line says how many passed and failed, and which lane could
not run with the command that would install it; with CI=1 a lane that cannot run is a failure.
"""

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "var" / "test"
START_SECONDS = 30
PACKAGES = {"postgres": "postgresql", "redis": "redis-server", "browser": "chromium"}
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class CannotRun(Exception):
    """A lane's server is here but does not start."""


# --- What is here ------------------------------------------------------------------------------
def find_postgres() -> Path | None:
    """The directory with `initdb` and `postgres`; Debian keeps it off the PATH."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(versions, key=lambda path: int(re.sub(r"\D", "", path.parts[4]) or 0), reverse=True)
    if newest:
        return newest[0].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found and shutil.which("postgres") else None


def find_redis() -> Path | None:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(found) if found else None


def find_chromium() -> Path | None:
    named = os.environ.get("STET_TEST_CHROMIUM")
    found = named or next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    return Path(found) if found else None


FIND: dict[str, Callable[[], Path | None]] = {
    "postgres": find_postgres,
    "redis": find_redis,
    "browser": find_chromium,
}


def missing() -> list[str]:
    return [lane for lane, find in FIND.items() if find() is None]


# --- Installing --------------------------------------------------------------------------------
def install_command(lanes: Sequence[str]) -> str:
    return "apt-get install --no-install-recommends " + " ".join(PACKAGES[lane] for lane in lanes)


def may_install(lanes: Sequence[str]) -> bool:
    """In CI and where nobody is at a terminal: yes. Otherwise whoever is there decides."""
    if os.environ.get("CI") or not sys.stdin.isatty():
        return True
    with contextlib.suppress(EOFError):
        return input(f"Missing for {', '.join(lanes)}. Run `{install_command(lanes)}`? [y/N] ").strip().lower() in {
            "y",
            "yes",
        }
    return False


def install(lanes: Sequence[str]) -> None:
    """By apt, as root or by sudo. Where that cannot be done, the lanes stay missing and are named at the end."""
    if not shutil.which("apt-get") or not may_install(lanes):
        return
    prefix: list[str] = []
    if os.geteuid() != 0:
        if not shutil.which("sudo"):
            return
        prefix = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    say(f"Installing {', '.join(PACKAGES[lane] for lane in lanes)} ...")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    quiet = {"env": env, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    subprocess.run([*prefix, "apt-get", "update", "-qq"], check=False, **quiet)  # type: ignore[call-overload]
    for lane in lanes:  # one by one, so that one that fails does not take the others with it
        command = [*prefix, "apt-get", "install", "-y", "-qq", "--no-install-recommends", PACKAGES[lane]]
        subprocess.run(command, check=False, **quiet)  # type: ignore[call-overload]


# --- Starting and ending ------------------------------------------------------------------------
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise CannotRun(f"it did not start: {log.read_text(errors='replace')[-400:].strip()}")


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], port: int, log: Path, user: str | None = None, stop: int = signal.SIGTERM
) -> Iterator[None]:
    """A server, from when it listens until the end of the block. In a session of its own: Ctrl-C is ours to handle."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **identity(user)
        )
    try:
        wait_for_port(process, port, log)
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def identity(user: str | None) -> dict[str, object]:
    """Arguments of Popen that run it as `user`."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": "/"}


@contextlib.contextmanager
def postgres(binaries: Path) -> Iterator[dict[str, str]]:
    """A fresh cluster that trusts loopback and forgets everything. PostgreSQL refuses to run as root."""
    user = next((name for name in ("postgres", "nobody") if has_user(name)), None) if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="stet-postgres-"))
    log = REPORTS / "postgres.log"
    try:
        if user:
            os.chown(directory, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        data = directory / "data"
        make = [binaries / "initdb", "-D", data, "-U", "stet", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        made = subprocess.run(make, capture_output=True, text=True, check=False, **identity(user))  # type: ignore[call-overload]
        if made.returncode:
            raise CannotRun(f"initdb failed: {made.stderr.strip()[-400:]}")
        port = free_port()
        options = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": 200,
        }
        command = [binaries / "postgres", "-D", data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]  # type: ignore[list-item]
        with running(command, port, log, user, stop=signal.SIGQUIT):  # at once; nothing is worth keeping
            yield {"STET_TEST_POSTGRES_URL": f"postgres://stet@127.0.0.1:{port}/postgres"}
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def has_user(name: str) -> bool:
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwnam(name))
    return False


@contextlib.contextmanager
def redis(binary: Path) -> Iterator[dict[str, str]]:
    """A server that keeps nothing."""
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/tmp"]
    with running([binary, *options], port, REPORTS / "redis.log"):
        yield {"STET_TEST_REDIS_URL": f"redis://127.0.0.1:{port}/0"}


@contextlib.contextmanager
def browser(binary: Path) -> Iterator[dict[str, str]]:
    """Playwright starts it; here it is only named."""
    yield {"STET_TEST_CHROMIUM": str(binary)}


OPEN: dict[str, Callable[[Path], contextlib.AbstractContextManager[dict[str, str]]]] = {
    "postgres": postgres,
    "redis": redis,
    "browser": browser,
}


# --- Running ------------------------------------------------------------------------------------
def run_pytest(name: str, arguments: Sequence[str], env: dict[str, str]) -> tuple[int, dict[str, int]]:
    """pytest's exit code and what it counted."""
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    workers = os.environ.get("STET_TEST_WORKERS") or str(max(2, (os.cpu_count() or 2)))
    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "--dist", "worksteal", f"--junitxml={report}"]
    code = subprocess.run([*command, *arguments], cwd=ROOT, env={**os.environ, **env}, check=False).returncode
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    if report.exists():
        for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
            for key in counts:
                counts[key] += int(suite.get(key, 0))
    return code, counts


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def interrupted(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)  # unwinds, so that every server is stopped


def main(arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    REPORTS.mkdir(parents=True, exist_ok=True)
    if absent := missing():
        install(absent)
    not_run: dict[str, str] = {lane: f"`{install_command([lane])}` (as root) installs it" for lane in missing()}
    env: dict[str, str] = {}
    codes: list[int] = []
    total = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    with contextlib.ExitStack() as servers:
        for lane, start in OPEN.items():
            if lane in not_run:
                continue
            found = FIND[lane]()
            assert found is not None
            try:
                env |= servers.enter_context(start(found))
            except CannotRun as error:
                not_run[lane] = str(error)
        runs: list[tuple[str, list[str], dict[str, str]]] = [("sqlite", [], {})]
        if "postgres" not in not_run:
            marked = ["-m", "postgres or every_database"]
            runs.append(("postgres", marked, {"STET_TEST_ON_POSTGRES": "1"}))
        for name, more, extra in runs:
            say(f"\n=== {'Everything, on SQLite' if name == 'sqlite' else 'The lane postgres, on PostgreSQL'} ===")
            code, counts = run_pytest(name, [*more, *arguments], {**env, **extra})
            codes.append(code)
            for key, value in counts.items():
                total[key] += value
    return verdict(codes, total, not_run)


def verdict(codes: Sequence[int], total: dict[str, int], not_run: dict[str, str]) -> int:
    """Says the last lines and decides the exit code."""
    failed = total["failures"] + total["errors"]
    line = f"{total['tests'] - failed - total['skipped']} passed, {failed} failed"
    if total["skipped"]:
        line += f", {total['skipped']} skipped (named above)"
    for lane, why in not_run.items():
        line += f"; lane {lane} NOT RUN: {why}"
    say("\n" + line)
    broken = [code for code in codes if code not in (0, 5)]  # 5: the arguments chose no test of this run
    if broken:
        return broken[0]
    if codes and all(code == 5 for code in codes):
        return 5
    return 1 if not_run and os.environ.get("CI") else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
