"""Pipelines of published model families compete with one file each."""

from pathlib import Path

import pytest
import tiny_pipelines
from typer.testing import CliRunner

from arena.catalog.prompts import import_prompts
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import add_track
from arena.commands.cli import app
from arena.context import Arena, make_arena
from arena.shipped import Collection
from playable import settings_for
from small_arena import START, Booth, track_entry

TRACK = "small"
SPEC = """
name = "Tiny {name}"
creator = "Nobody"
licence = "Apache-2.0"
tracks = ["{track}"]

[backend]
kind = "diffusers"
model = "{folder}"

[backend.call]
num_inference_steps = 2
"""


@pytest.fixture
def arena(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arena:
    monkeypatch.setenv("ARENA_HOME", str(tmp_path))
    made = make_arena(settings_for(tmp_path), Collection.STANDARD)
    with made.database.writing() as session:
        track = track_entry(TRACK, modality="text-to-video", frames=9)
        add_track(session, track, now=START)
        prompts = [
            PromptEntry(id=f"p{number}", text=text, tracks=(TRACK,))
            for number, text in enumerate(("a dog", "two dogs", "a cat", "a horse"))
        ]
        import_prompts(session, prompts, now=START)
    return made


def run(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_wan_and_ltx_are_added_generate_clips_and_are_ranked(arena: Arena, tmp_path: Path) -> None:
    for name, build in (("Wan", tiny_pipelines.wan), ("LTX", tiny_pipelines.ltx2)):
        folder = tiny_pipelines.save(build, tmp_path / name)
        spec = tmp_path / f"{name.lower()}.toml"
        spec.write_text(SPEC.format(name=name, track=TRACK, folder=folder))
        run("entrants", "add", str(spec))
    run("generate", "--track", TRACK, "--workers", "1")
    booth = Booth(arena.database, track=TRACK)
    for choice in ("a", "b", "tie"):
        booth.vote(choice)
    board = run("leaderboard", "--track", TRACK)
    assert "3 votes by people" in board
    for name in ("Tiny Wan", "Tiny LTX"):
        assert name in board
    assert run("failures", "--track", TRACK).count("Tiny") == 0
