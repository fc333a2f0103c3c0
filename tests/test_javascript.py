"""The unit tests of the pages' JavaScript, which `node --test` runs without any package."""

import subprocess
from pathlib import Path

import pytest

from needs import find_node

FOLDER = Path(__file__).parent / "js"


def test_the_javascript_passes_its_tests() -> None:
    node = find_node()
    if node is None:
        pytest.skip("needs Node.js 20 or newer on the PATH")
    done = subprocess.run([node, "--test"], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "# fail 0" in done.stdout
    assert "# pass 0" not in done.stdout
