"""The public names of `ratings`, what importing them loads, and their documentation."""

import dataclasses
import inspect
import re
import subprocess
import sys
from types import ModuleType

import pytest

import ratings

CONSTANTS = {"BOTH_BAD_RULES", "COLUMNS", "TIE_RULES"}
EXPORTS = {name: getattr(ratings, name) for name in ratings.__all__}
FUNCTIONS = {name: value for name, value in EXPORTS.items() if inspect.isfunction(value)}
RESULTS = {name: value for name, value in EXPORTS.items() if dataclasses.is_dataclass(value)}


def run_fresh(code):
    """Run code in a new interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_all_lists_every_export():
    public = {
        name
        for name, value in vars(ratings).items()
        if not (name.startswith("_") or isinstance(value, ModuleType) or name == "Any")
    }
    assert public - {"import_module", "ModuleType", "TYPE_CHECKING"} == set(ratings.__all__)
    assert len(ratings.__all__) == len(set(ratings.__all__))
    assert set(ratings.__all__) <= set(dir(ratings))


def test_lazy_names_are_those_for_type_checkers():
    source = inspect.getsource(ratings)
    typed = re.search(r"if TYPE_CHECKING:\n(.*?)\n\n", source, re.S)
    assert typed
    imports = re.findall(r"from ratings\.([\w.]+) import (\([^)]*\)|[^\n]+)", typed[1])
    modules = {name: module for module, names in imports for name in re.findall(r"\w+", names)}
    assert modules == ratings._MODULE_OF
    assert set(modules) == set(ratings.__all__)


@pytest.mark.parametrize("name", sorted(set(EXPORTS) - CONSTANTS))
def test_every_export_has_a_written_docstring(name):
    """A dataclass without a docstring gets its signature as one, which documents nothing."""
    doc = inspect.getdoc(EXPORTS[name])
    assert doc
    assert not doc.startswith(f"{name}(")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_parameter_is_documented(name):
    parameters = set(inspect.signature(FUNCTIONS[name]).parameters)
    section = re.search(r"Args:\n(.*?)(\n\n|\Z)", inspect.getdoc(FUNCTIONS[name]), re.S)
    assert section
    assert set(re.findall(r"^ {4}\*{0,2}(\w+):", section[1], re.M)) == parameters


@pytest.mark.parametrize("name", sorted(set(RESULTS) - {"LeaderboardOptions"}))
def test_every_attribute_is_documented(name):
    fields = {field.name for field in dataclasses.fields(RESULTS[name]) if field.name[0] != "_"}
    section = re.search(r"Attributes:\n(.*?)(\n\n|\Z)", inspect.getdoc(RESULTS[name]), re.S)
    assert section
    assert fields <= set(re.findall(r"^ {4}(\w+):", section[1], re.M))


def test_leaderboard_options_are_the_parameters_of_leaderboard():
    options = {field.name: field for field in dataclasses.fields(ratings.LeaderboardOptions)}
    parameters = dict(inspect.signature(ratings.leaderboard).parameters)
    del parameters["battles"]
    assert list(options) == list(parameters)
    for name in set(options) - {"anchors"}:
        assert options[name].default == parameters[name].default


ORDERS = [
    "import ratings",
    "import ratings.leaderboard, ratings.model.elo",
    "from ratings.leaderboard import COLUMNS",
    "import ratings; ratings.leaderboard; import ratings.leaderboard",
    "import ratings; from ratings.model.elo import elo; ratings.elo",
    "import ratings.__main__",
]


def test_functions_win_over_submodules_of_the_same_name():
    """In each order of imports; the processes share an interpreter with the libraries loaded."""
    printed = run_fresh(
        "import os, pandas, scipy.optimize, scipy.special, scipy.stats\n"
        f"for order in {ORDERS!r}:\n"
        "    if os.fork():\n"
        "        os.wait()\n"
        "        continue\n"
        "    exec(order)\n"
        "    import inspect, ratings\n"
        "    from ratings import leaderboard, elo\n"
        "    functions = (ratings.leaderboard, leaderboard, ratings.elo, elo)\n"
        "    print(order, *map(inspect.isfunction, functions), sep=', ', flush=True)\n"
        "    os._exit(0)\n"
    )
    assert printed.splitlines() == [f"{order}, True, True, True, True" for order in ORDERS]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'ratings' has no attribute 'nothing'"):
        ratings.nothing  # noqa: B018


def test_a_public_name_can_be_patched(monkeypatch):
    monkeypatch.setattr(ratings, "leaderboard", len)
    assert ratings.leaderboard is len


def loaded(code):
    """The modules of `ratings` that a new interpreter loads, without the packages."""
    printed = run_fresh(
        f"import sys\n{code}\n"
        "print(*(n for n, m in sys.modules.items() if n.split('.')[0] == 'ratings'"
        " and not hasattr(m, '__path__')))"
    )
    return set(printed.split())


def test_the_leaderboard_loads_only_what_it_needs():
    modules = loaded("import ratings.leaderboard")
    assert len(modules) <= 24, sorted(modules)
    layers = {name.split(".")[1] for name in modules}
    parts = {"leaderboard", "leaderboard_rows", "votes", "model", "inference"}
    assert layers == parts | {"arrays", "distributions", "errors", "schema"}


def test_the_command_line_loads_reports_only_for_reports():
    analyses = {"diagnostics", "screening", "dynamic", "planning"}
    modules = loaded("import ratings.__main__")
    assert not {name.split(".")[1] for name in modules} & analyses


def test_published_names_load_no_numpy():
    printed = run_fresh(
        "import sys, ratings\n"
        "ratings.TIE_RULES, ratings.BOTH_BAD_RULES, ratings.COLUMNS\n"
        "print(*{'numpy', 'pandas', 'scipy'} & set(sys.modules))"
    )
    assert printed == ""


def test_other_packages_of_the_repository_are_not_loaded():
    imports = "\n".join(f"ratings.{name}" for name in ratings.__all__)
    printed = run_fresh(
        f"import sys, ratings, ratings.__main__, ratings.cli.reports\n{imports}\n"
        "print(*{'arena', 'generator', 'rich', 'typer', 'torch'} & set(sys.modules))"
    )
    assert printed == ""
