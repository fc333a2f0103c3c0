"""Lists as tables, CSV and JSON: plain in a pipe, and nothing is shortened."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from arena.catalog.prompts import find_prompt, import_prompts, list_prompts
from arena.catalog.schemas import PromptEntry
from arena.catalog.tracks import list_tracks
from arena.commands.cli import app
from arena.commands.output import out
from arena.context import open_arena
from arena.settings import Settings
from small_arena import START, new_home

ODD = "a\x1b[2Jb\nc"  # would clear a terminal
LONG = "A very long prompt. " * 30


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    opened = new_home(folder)
    with opened.writing() as session:
        entries = [
            PromptEntry(id="long", text=LONG.strip()),
            PromptEntry(id="odd", text="odd"),
        ]
        import_prompts(session, entries, now=START)
        session.flush()
        find_prompt(session, "odd").text = ODD  # an import refuses it, older ones did not
    opened.dispose()
    monkeypatch.setenv("ARENA_HOME", str(folder))
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words, catch_exceptions=False)


LISTS = [
    ("tracks", "list"),
    ("entrants", "list"),
    ("prompts", "list"),
    ("failures",),
    ("orders",),
    ("status",),
]


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_csv_and_json_have_the_same_keys_and_rows(home: Path, words: tuple[str, ...]) -> None:
    rows = list(csv.DictReader(io.StringIO(run(*words, "--format", "csv").stdout)))
    document = json.loads(run(*words, "--format", "json").stdout)
    records = document if isinstance(document, list) else document["tracks"]
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert len(row) == len(record)


def test_a_piped_table_is_one_plain_line_per_row(home: Path) -> None:
    lines = run("prompts", "list").stdout.splitlines()
    assert len(lines) == 1 + 6
    assert lines[0].split() == ["id", "text", "categories", "tracks", "held", "out", "retired"]
    assert any(LONG.strip() in line for line in lines)
    for line in lines:
        assert line.isprintable()
        assert not set(line) & set("│─━┃╭")


def test_a_terminal_gets_a_title_and_ruled_columns(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out, "_force_terminal", True)
    monkeypatch.setattr(out, "_width", 120)
    shown = run("tracks", "list").stdout
    assert "Tracks" in shown
    assert "─" in shown


def test_the_status_counts_clips_votes_and_disk(home: Path) -> None:
    document = json.loads(run("status", "--format", "json").stdout)
    first = document["tracks"][0]
    assert (first["name"], first["state"], first["entrants"]) == ("text-to-video", "active", 3)
    assert (first["prompts"], first["ready"], first["missing"]) == (6, 12, 6)
    assert (first["failed"], first["withheld"], first["votes"], first["votes_today"]) == (0,) * 4
    assert document["healthy"] is False  # the rows of this arena have no files
    assert document["free_bytes"] > 0
    assert document["used_bytes"] >= (home / "arena.sqlite").stat().st_size
    text = run("status").stdout
    assert "Next: `arena generate`" in text
    assert f"Health: {' '.join(document['problems'])}" in text


def test_retiring_is_undone_by_restore(home: Path) -> None:
    assert "arena entrants restore alder" in run("entrants", "retire", "alder").stdout
    assert "already retired" in run("entrants", "retire", "alder").stdout
    assert run("entrants", "restore", "alder").stdout.startswith("Restored Alder.")
    assert "not retired" in run("entrants", "restore", "alder").stdout
    assert run("prompts", "retire", "p-1").stdout.startswith("Retired the prompt p-1.")
    assert run("prompts", "restore", "p-1").stdout.startswith("Restored the prompt p-1.")
    assert run("prompts", "retire", "--all").stdout.startswith("Retired all 6 prompts.")
    assert "No prompt is active." in run("prompts", "retire", "--all").stdout
    assert run("prompts", "restore", "--all").stdout.startswith("Restored 6 prompts.")


@pytest.mark.parametrize(
    ("words", "question"),
    [
        (("entrants", "retire", "alder"), "Retire Alder?"),
        (("prompts", "retire", "p-1"), "Retire the prompt p-1?"),
        (("prompts", "retire", "--all"), "Retire all 6 prompts?"),
        (("clips", "retire", "1", "--reason", "x"), "Retire the clip 1 (Alder,"),
        (("tracks", "close", "text-to-video"), "Close the track text-to-video for good?"),
    ],
)
def test_a_terminal_is_asked_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], question: str
) -> None:
    monkeypatch.setattr("arena.commands.output.is_interactive", lambda: True)
    refused = CliRunner().invoke(app, words, input="n\n")
    assert question in refused.stdout
    assert refused.exit_code == 1
    again = CliRunner().invoke(app, words, input="y\n")
    assert question in again.stdout
    assert again.exit_code == 0
    monkeypatch.setattr("arena.commands.output.is_interactive", lambda: True)
    assert question not in CliRunner().invoke(app, [*words, "--yes"]).stdout


def test_a_closed_track_takes_no_more_votes_and_says_so(home: Path) -> None:
    assert run("tracks", "close", "text-to-video").stdout.startswith("Closed the track")
    assert "already closed" in run("tracks", "close", "text-to-video").stdout
    document = json.loads(run("status", "--format", "json").stdout)
    assert document["tracks"][0]["state"] == "closed"
    assert document["tracks"][0]["missing"] == 0


def test_an_empty_arena_has_no_tracks_and_no_prompts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "empty"))
    assert "arena tracks add" in run("init", "--empty").stdout
    for words in LISTS[:4]:
        done = run(*words)
        assert done.stdout == ""
        assert done.stderr.startswith("No ")
        assert run(*words, "--format", "json").stdout == "[]\n"
    assert "Health: database and media store respond." in run("status").stdout
    opened = open_arena(Settings(home=tmp_path / "empty"))
    with opened.database.reading() as session:
        assert list_tracks(session) == []
        assert list_prompts(session) == []


def test_clips_are_listed_shown_retired_and_restored(home: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("clips", "list", "--format", "csv").stdout)))
    assert len(rows) == 2 * 3 * 4
    assert {row["state"] for row in rows} == {"ready"}
    only = run(
        "clips", "list", "--entrant", "birch", "--track", "text-to-video", "--format", "json"
    )
    first = json.loads(only.stdout)[0]
    assert (first["entrant"], first["prompt"], first["seed"]) == ("Birch", "p-1", 0)
    number = str(first["id"])
    shown = json.loads(run("clips", "show", number, "--format", "json").stdout)
    assert (shown["prompt"], shown["measures"]) == ("Prompt p-1", {"quality": 0.5})
    assert "measures.quality" in run("clips", "show", number).stdout
    retired = run("clips", "retire", number, "--reason", "shows a logo").stdout
    assert f"arena clips restore {number}" in retired
    shown = json.loads(run("clips", "show", number, "--format", "json").stdout)
    assert (shown["state"], shown["reason"]) == ("withheld", "operator: shows a logo")
    assert "already withheld" in run("clips", "retire", number, "--reason", "again").stdout
    status = json.loads(run("status", "--format", "json").stdout)["tracks"][0]
    assert (status["ready"], status["withheld"]) == (12, 1)
    assert run("clips", "restore", number).stdout.startswith(f"Restored clip {number}.")
    assert "not withheld" in run("clips", "restore", number).stdout


def test_retiring_a_clip_needs_a_reason_and_a_clip(home: Path) -> None:
    assert CliRunner().invoke(app, ["clips", "retire", "1"]).exit_code == 2
    assert CliRunner().invoke(app, ["clips", "retire", "1", "--reason", " "]).exit_code == 2
    unknown = CliRunner().invoke(app, ["clips", "show", "999"])
    assert str(unknown.exception) == ("No clip has the id 999: `arena clips list` lists them all.")
