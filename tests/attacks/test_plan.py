"""README.md in this folder names tests and scripts that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
NAMED = sorted(
    set(re.findall(r"`(tests/[^`]+?\.py(?:::\w+)?)`", (FOLDER / "README.md").read_text()))
)


@cache
def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", NAMED)
def test_a_named_test_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert (ROOT / path).is_file()
    assert not function or function in functions_of(ROOT / path)


def test_every_row_but_one_names_a_test() -> None:
    rows = [line for line in (FOLDER / "README.md").read_text().splitlines() if line[:2] == "| "]
    without = [row for row in rows[1:] if not row.startswith("| ---") and "`tests/" not in row]
    assert len(NAMED) > 50
    assert len(without) == 1
