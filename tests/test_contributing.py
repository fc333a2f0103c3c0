"""CONTRIBUTING.md names files and targets that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`([\w.]+/[\w./]*)`", PAGE)))
FIGURE = re.findall(r"```mermaid\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("path", PATHS)
def test_a_named_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_figure_names_packages_that_exist() -> None:
    (figure,) = FIGURE
    packages = re.findall(r'\["([\w.]+)<br/>', figure)
    assert len(packages) > 5
    for package in packages:
        assert (ROOT / package.replace(".", "/") / "__init__.py").exists(), package


def test_a_named_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make (\w+)`", PAGE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
