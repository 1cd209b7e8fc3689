"""`manage.py serve` as a person meets it: the whole program, from outside."""

import http.cookiejar
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.child import ROOT, Child, is_running
from tests.server_process import ServerProcess, make_migrated_var, server_env
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_migrated_var(tmp_path_factory.mktemp("migrated"))


@pytest.fixture
def serve(tmp_path: Path, migrated: Path) -> Iterator[Callable[..., ServerProcess]]:
    started: list[ServerProcess] = []

    def serve_one(**env: str) -> ServerProcess:
        started.append(ServerProcess(tmp_path / "var", migrated=migrated, env=env))
        return started[-1]

    yield serve_one
    for server in started:
        server.close()


def get(url: str, jar: http.cookiejar.CookieJar | None = None) -> tuple[int, str, str]:
    """Status, final address and text."""
    handlers = [] if jar is None else [urllib.request.HTTPCookieProcessor(jar)]
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=20) as reply:
            return reply.status, reply.url, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.url, error.read().decode()


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def users(server: ServerProcess) -> list[Any]:
    found: list[Any] = json.loads(server.manage("dumpdata", "sessions_store.user"))
    return found


def test_a_first_start_makes_tables_one_owner_and_a_link(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "var")
    try:
        assert re.search(r"^Preparing the database: \d+ migrations", server.child.output, re.MULTILINE)
        assert "No key is set: the simulator answers." in server.child.output
        (owner,) = users(server)
        assert owner["fields"]["username"] == "owner"
        assert owner["fields"]["is_superuser"]
        assert owner["fields"]["password"].startswith("!"), "no password can match"
        assert server.link.startswith(f"{server.url}/enter/")
    finally:
        server.close()


def test_a_second_start_makes_no_second_owner(serve: Any) -> None:
    server = serve()
    assert server.stop() == 0

    server.restart()

    assert len(users(server)) == 1
    assert "Preparing" not in server.child.output


def test_the_link_signs_in_once(serve: Any) -> None:
    server = serve()
    jar = http.cookiejar.CookieJar()

    status, address, _ = get(server.link, jar)

    assert (status, address) == (200, f"{server.url}/")
    assert "sessionid" in {cookie.name for cookie in jar}
    assert get(server.link)[0] == 410


def test_sign_in_link_prints_another(serve: Any) -> None:
    server = serve()
    get(server.link, http.cookiejar.CookieJar())

    status, address, _ = get(server.fresh_link("owner"), http.cookiejar.CookieJar())

    assert (status, address) == (200, f"{server.url}/")


def test_a_taken_port_is_said_before_anything_else_happens(tmp_path: Path, start: Callable[..., Child]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        child = start("manage.py", "serve", env=server_env(tmp_path / "var", {"PORT": str(port)}))

        assert child.exit_code() == 1

    assert child.lines == [f"Port {port} is taken. Try PORT={port + 1} make run."]
    assert not (tmp_path / "var" / "stet.sqlite3").exists()


def test_no_migrate_refuses_an_old_database(tmp_path: Path, start: Callable[..., Child]) -> None:
    child = start("manage.py", "serve", "--port", "0", "--no-migrate", env=server_env(tmp_path / "var"))

    assert child.exit_code() == 1
    assert re.fullmatch(r"The database lacks \d+ migrations\. Run `manage.py migrate` first\.", child.lines[-1])


def test_an_unreachable_database_is_said_in_words(tmp_path: Path, start: Callable[..., Child]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    env = server_env(tmp_path / "var", {"DATABASE_URL": f"postgres://stet@127.0.0.1:{port}/stet"})

    child = start("manage.py", "serve", "--port", "0", env=env)

    assert child.exit_code(60) == 1
    assert "The database is not usable" in child.output
    assert "Traceback" not in child.output


def test_a_second_server_on_the_same_sqlite_database_is_refused(serve: Any, start: Callable[..., Child]) -> None:
    server = serve()

    child = start("manage.py", "serve", "--port", "0", env=server.env)

    assert child.exit_code() == 1
    assert "Traceback" not in child.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0_and_takes_the_simulator_with_it(serve: Any, number: signal.Signals) -> None:
    server = serve()
    children = server.child.children()

    server.child.signal(number)

    assert server.child.exit_code() == 0
    assert len(children) == 1, "the simulator"
    assert not any(is_running(pid) for pid in children)
    assert "Traceback" not in server.child.output


def test_kill_9_leaves_no_simulator_behind(serve: Any) -> None:
    server = serve()
    (simulator,) = server.child.children()

    server.kill()

    wait_until(lambda: not is_running(simulator), "the simulator has ended")


def test_after_kill_9_the_same_port_can_be_used_at_once(serve: Any) -> None:
    server = serve()
    server.kill()

    server.restart()

    assert get(server.url + "/")[0] == 200


def test_with_a_key_there_is_no_simulator(serve: Any) -> None:
    server = serve(OPENAI_API_KEY="sk-not-a-real-one")

    assert server.child.children() == []
    assert "OpenAI will answer, at your cost." in server.child.output
    assert "sk-not-a-real-one" not in server.child.output


def test_the_classic_way_starts_too(tmp_path: Path, start: Callable[..., Child]) -> None:
    env = server_env(tmp_path / "var")
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    child = start("manage.py", "runserver", str(port), "--noreload", env=env)
    child.wait_for("Quit the server")
    wait_until(lambda: is_open(port), "it listens")

    assert get(f"http://127.0.0.1:{port}/")[0] == 200
    child.wait_for("This server was not started by `manage.py serve`")
