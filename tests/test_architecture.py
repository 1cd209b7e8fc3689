"""What documents and tooling say about the project is what the project is."""

import ast
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
READERS = {"env", "env_int", "env_list"}
NAMED_BELOW = [ROOT, ROOT / "chatapp", ROOT / "chatapp" / "simulator", ROOT / "sessions_store", ROOT / "tests"]


def packages() -> set[str]:
    """`chatapp`'s own packages and the store, as a reader of the tree would call them."""
    inner = {path.parent.name for path in (ROOT / "chatapp").glob("*/__init__.py")}
    return inner | {"chatapp", "sessions_store"}


def folders_named(text: str) -> set[str]:
    """Folders in a page: `name/` in backticks, or first on a line of a tree in a fenced block."""
    fenced = "\n".join(re.findall(r"^```.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    in_prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    ticked = re.findall(r"`([\w./-]+/)`", in_prose)
    in_tree = re.findall(r"^[\s│├└─|+`]*([\w./-]+/)(?:\s|$)", fenced, re.MULTILINE)
    return {name.rstrip("/") for name in [*ticked, *in_tree]}


def test_the_architecture_page_names_every_package() -> None:
    named = {name.rpartition("/")[2] for name in folders_named((ROOT / "docs" / "architecture.md").read_text())}

    assert packages() - named == set()


def test_the_architecture_page_names_no_folder_that_does_not_exist() -> None:
    named = folders_named((ROOT / "docs" / "architecture.md").read_text())

    assert {name for name in named if not any((base / name).is_dir() for base in NAMED_BELOW)} == set()


def test_the_readme_lists_exactly_the_settings_that_are_read() -> None:
    tree = ast.parse((ROOT / "chatapp" / "settings.py").read_text())
    read = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in READERS
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    first_cells = re.findall(r"^\|([^|]+)\|", (ROOT / "README.md").read_text(), re.MULTILINE)
    listed = {name for cell in first_cells for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", cell)}

    assert listed == read


def test_every_file_at_the_root_of_chatapp_has_its_place_in_the_layers() -> None:
    # import-linter's "exhaustive" says this too, but only about modules that are imported by name.
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract for contract in contracts if contract["id"] == "layers"]
    placed = set(re.findall(r"\w+", " ".join(layers["layers"]))) | set(layers["exhaustive_ignores"])
    there = {path.stem for path in (ROOT / "chatapp").glob("*.py")} | packages()

    assert placed == there - {"__init__", "chatapp", "sessions_store"}


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pinned_and_complete(file: str) -> None:
    pinned: dict[str, Requirement] = {}
    for name in {"requirements.txt", file}:
        for line in (ROOT / name).read_text().splitlines():
            if text := line.partition("#")[0].strip().removeprefix("-r requirements.txt"):
                pinned[canonicalize_name(Requirement(text).name)] = Requirement(text)
    here = {name: one for name, one in pinned.items() if one.marker is None or one.marker.evaluate()}

    needed = {
        canonicalize_name(below.name)
        for one in here.values()
        for below in map(Requirement, importlib.metadata.requires(one.name) or [])
        if below.marker is None or any(below.marker.evaluate({"extra": extra}) for extra in [*one.extras, ""])
    }
    assert [str(one) for one in pinned.values() if not re.fullmatch(r"==[\w.]+", str(one.specifier))] == []
    assert needed - set(here) == set()
