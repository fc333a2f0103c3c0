"""What `ratings` exports, and that it stands alone."""

import subprocess
import sys
from types import ModuleType

import ratings

MODULES_NOT_ITS_OWN = """
import sys, ratings, ratings.__main__
others = {"arena", "generator", "rich", "typer", "torch"}
print(sorted({name.split(".")[0] for name in sys.modules} & others))
"""


def test_all_is_what_is_exported():
    public = {
        name
        for name, value in vars(ratings).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert set(ratings.__all__) == public
    assert len(ratings.__all__) == len(set(ratings.__all__))


def test_every_export_is_documented():
    for name in set(ratings.__all__) - {"COLUMNS"}:
        assert getattr(ratings, name).__doc__


def test_it_imports_neither_of_the_others():
    done = subprocess.run(
        [sys.executable, "-c", MODULES_NOT_ITS_OWN], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
