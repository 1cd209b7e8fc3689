"""Starting programs that are closed at the end of the test, whatever it did."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.child import Child

PROGRAM = str(Path(__file__).with_name("program.py"))


@pytest.fixture
def start() -> Iterator[Callable[..., Child]]:
    """Start a Python command line (`start("manage.py", "serve", env={...})`)."""
    children: list[Child] = []

    def start_one(*arguments: str, env: dict[str, str] | None = None) -> Child:
        children.append(Child([sys.executable, *arguments], env))
        return children[-1]

    yield start_one
    for child in children:
        child.close()


@pytest.fixture
def program(start: Callable[..., Child]) -> Callable[..., tuple[Child, int]]:
    """Start program.py; returns it and its port once it serves."""

    def start_program(*arguments: str) -> tuple[Child, int]:
        child = start(PROGRAM, *arguments)
        port = int(child.wait_for(r"^port (\d+)$").group(1))
        child.wait_for("^ready$")
        return child, port

    return start_program
