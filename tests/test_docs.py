"""docs/operating.md lists exactly the commands and settings of the code."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from arena.commands.cli import app
from arena.settings import Settings

DOCS = Path(__file__).parent.parent / "docs"
OPERATING = (DOCS / "operating.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(?:arena )?([^`]+)` \| (.*) \|$", OPERATING, flags=re.MULTILINE))


def commands(group: object, *path: str) -> Iterator[tuple[str, object]]:
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield " ".join((*path, name)), command


UNUSED = {"ARENA_ADMIN_TOKEN"}  # a documented setting that has no effect yet
COMMANDS = dict(commands(typer.main.get_command(app)))


def test_exactly_the_commands_and_settings_are_documented() -> None:
    settings = {f"ARENA_{field.upper()}" for field in Settings.model_fields}
    assert set(ROWS) == set(COMMANDS) | settings | UNUSED


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_documented_with_its_help_and_options(name: str) -> None:
    command = COMMANDS[name]
    options, _, description = ROWS[name].rpartition("| ")
    assert description == command.help.split("\n")[0]  # type: ignore[attr-defined]
    named = {
        parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar
        for parameter in command.params  # type: ignore[attr-defined]
    }
    documented = set(re.findall(r"`([^`]+)`", options))
    assert {word for word in documented if word.startswith("--")} == {
        word for word in named if str(word).startswith("--")
    }
    assert len(documented) == len(named)


@pytest.mark.parametrize("document", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_every_link_has_a_target(document: Path) -> None:
    for target in re.findall(r"\]\(((?!http)[^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
        assert (DOCS / target).exists(), target


SCRIPT = re.compile(r"(PYTHONPATH=\S+ )?python (tests/\S+?\.py)")


@pytest.mark.parametrize("document", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_scripts_are_documented_with_the_path_that_they_need(document: Path) -> None:
    for path, script in SCRIPT.findall(document.read_text(encoding="utf-8")):
        source = (DOCS.parent / script).read_text(encoding="utf-8")
        needed = next((found for found, name in SCRIPT.findall(source) if name == script), "")
        assert bool(path) is bool(needed), script


TRUST = (DOCS / "trust.md").read_text(encoding="utf-8")


def test_the_commands_of_the_page_on_trust_exist() -> None:
    mentioned = re.findall(r"`arena ([a-z][a-z\s-]*)", TRUST)
    assert len(mentioned) > 8
    for words in mentioned:
        name = " ".join(words.split())
        assert any(name == known or name.startswith(f"{known} ") for known in COMMANDS), name


def test_the_addresses_of_the_page_on_trust_exist() -> None:
    from arena.web.routes.seals import make_router

    routes = {getattr(route, "path", "") for route in make_router(None).routes}  # type: ignore[arg-type]
    known = routes | {"/api/v1/receipts/CODE", "/api/v1/leaderboard", "/api/v1/tracks"}
    known.add("/api/v1/tracks/TRACK/registration")
    mentioned = set(re.findall(r"GET (/api/v1/[A-Za-z/]+)", TRUST))
    assert mentioned <= known
    assert mentioned >= routes
