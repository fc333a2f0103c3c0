"""A file of a folder that matches no prompt is named where its prompt's clip is missing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arena.commands.cli import app

TRACK = """
name = "own"
modality = "text-to-video"
audio = false
width = 64
height = 64
fps = 24
frames = 24
video_kbps = 300
bytes = 80000
"""
SPEC = """
name = "My Model"
creator = "Me"
licence = "MIT"
tracks = ["own"]
[backend]
kind = "folder"
path = "clips"
"""


def arena(*words: str) -> str:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model's clips, in an arena with the prompts p1 and prompt-1."""
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    folder = tmp_path / "clips"
    folder.mkdir()
    for name, text in (
        ("track.toml", TRACK),
        ("model.toml", SPEC),
        ("prompts.csv", "id,text\np1,One\nprompt-1,Two\n"),
    ):
        (tmp_path / name).write_text(text)
    arena("init", "--empty")
    arena("tracks", "add", str(tmp_path / "track.toml"))
    arena("prompts", "import", str(tmp_path / "prompts.csv"))
    arena("entrants", "add", str(tmp_path / "model.toml"))
    return folder


@pytest.mark.parametrize(
    ("name", "rename"),
    [
        ("p1 .mp4", " Rename 'p1 .mp4' to 'p1.mp4'."),
        ("Prompt-1.MP4", " Rename 'Prompt-1.MP4' to 'prompt-1.mp4'."),
        ("prompt_1.webm", " Rename 'prompt_1.webm' to 'prompt-1.webm'."),
        ("PROMPT_ID.mov", ""),
    ],
)
def test_a_misnamed_file_is_named_by_generate_status_and_show(
    clips: Path, name: str, rename: str
) -> None:
    (clips / name).write_bytes(b"a clip")
    (clips / "notes.txt").write_bytes(b"not a clip")
    sentence = (
        "My Model: no file for the prompt p1 and 1 other prompt; the folder has "
        f"'{name}', which matches no prompt.{rename}\n"
    )
    assert sentence in arena("generate")
    assert sentence in arena("status")
    assert sentence in arena("entrants", "show", "my-model")
    (note,) = json.loads(arena("status", "--format", "json"))["notes"]
    assert note == sentence.strip()


def test_files_that_match_and_folders_without_other_files_give_no_such_sentence(
    clips: Path,
) -> None:
    assert "matches no prompt" not in arena("generate")
    assert "matches no prompt" not in arena("status")
    (clips / "p1.mp4").write_bytes(b"not a clip")
    assert "matches no prompt" not in arena("status")


def test_several_misnamed_files_are_counted(clips: Path) -> None:
    for number in range(5):
        (clips / f"clip{number}.mp4").write_bytes(b"a clip")
    assert (
        "the folder has 'clip0.mp4', 'clip1.mp4', 'clip2.mp4' and 2 other files, which match no "
        "prompt.\n" in arena("status")
    )
