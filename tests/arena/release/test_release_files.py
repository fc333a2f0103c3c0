"""A release is written completely or not at all, is described, and reads back unchanged."""

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from released_arena import NOW, RELEASED, let_people_vote, read_rows, release
from sqlalchemy import select

from arena.commands.results import FileFormat
from arena.database import Database
from arena.errors import NotFound, ReleaseError
from arena.media import MediaStore, open_store
from arena.models import Clip, Prompt, Track
from arena.release.documents import dictionary
from arena.release.schema import TABLES, VOTES, Column, ColumnType, TableSchema
from arena.release.tables import FORMATS, make_table, read_table, write_table
from small_arena import START, fill_small_arena, new_database


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Database:
    opened = new_database(tmp_path_factory.mktemp("arena"))
    fill_small_arena(opened)
    let_people_vote(opened, people=1)
    return opened


@pytest.fixture(scope="module")
def folder(opened: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release(opened, tmp_path_factory.mktemp("releases") / "first")


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return open_store(str(tmp_path / "media"))


def test_with_media_each_clip_is_named_by_its_hash(
    arena_database: Database, tmp_path: Path, store: MediaStore
) -> None:
    with arena_database.writing() as session:
        session.get_one(Prompt, "p-4").private = True
        for clip in session.scalars(select(Clip)):
            data = f"clip {clip.id}".encode()
            clip.rendition_path = store.put(data, folder="renditions", suffix=".mp4")
            clip.sha256 = hashlib.sha256(data).hexdigest()
        for track in session.scalars(select(Track)):
            track.closed_at = START
    folder = release(arena_database, tmp_path / "release", store=store, with_media=True)
    media = {path.stem: path.read_bytes() for path in (folder / "media").iterdir()}
    assert set(media) == {row["sha256"] for row in read_rows(folder, "clips")} - {None}
    assert all(hashlib.sha256(data).hexdigest() == name for name, data in media.items())
    assert len(media) == 18


def test_the_clips_of_an_open_track_are_left_out(
    arena_database: Database, tmp_path: Path, store: MediaStore
) -> None:
    """They are compared with their hashes all the same."""
    with arena_database.writing() as session:
        for clip in session.scalars(select(Clip)):
            data = f"clip {clip.id}".encode()
            clip.rendition_path = store.put(data, folder="renditions", suffix=".mp4")
            clip.sha256 = hashlib.sha256(data).hexdigest()
    folder = release(arena_database, tmp_path / "release", store=store, with_media=True)
    assert not (folder / "media").exists()
    assert "does not contain the clips" in (folder / "README.md").read_text()


def test_an_empty_folder_is_used_and_a_file_is_refused(opened: Database, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert (release(opened, tmp_path / "empty") / "votes.parquet").is_file()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ReleaseError, match=r"notes\.txt is a file: choose a new folder"):
        release(opened, tmp_path / "notes.txt")


def test_a_folder_that_cannot_be_written_is_an_error(opened: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ReleaseError, match=r"cannot be written .*: free some space, or choose"
    ) as caught:
        release(opened, tmp_path / "file" / "release")
    assert "\n" not in str(caught.value)


def test_a_failure_leaves_nothing_behind(
    arena_database: Database, tmp_path: Path, store: MediaStore
) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(NotFound, match="missing from the media store"):
        release(arena_database, tmp_path / "release", store=store, with_media=True)
    assert [path for path in sorted(tmp_path.iterdir()) if "release" in path.name] == []
    assert set(before) <= set(tmp_path.iterdir())


def test_the_command_line_offers_every_format() -> None:
    assert [each.value for each in FileFormat] == list(FORMATS)


def test_an_unknown_format_is_refused(opened: Database, tmp_path: Path) -> None:
    with pytest.raises(
        ReleaseError, match=r"cannot be written as 'xlsx': choose from parquet, csv, jsonl"
    ):
        release(opened, tmp_path / "release", formats=("xlsx",))


def test_leaderboards_are_kept_by_day(arena_database: Database, tmp_path: Path) -> None:
    let_people_vote(arena_database, people=2)
    release(arena_database, tmp_path / "monday")
    let_people_vote(arena_database, people=2, days_later=1)
    folder = release(arena_database, tmp_path / "tuesday", now=NOW + timedelta(days=1))
    board = pd.read_parquet(folder / "leaderboard.parquet")
    days = board.groupby("leaderboard_publish_date")["watermark"].max()
    assert list(days.index) == ["2026-11-23", "2026-11-24"]
    assert days.iloc[0] < days.iloc[1]


# --- documents ------------------------------------------------------------------------------------


def test_readme_and_docs_contain_the_data_dictionary(folder: Path) -> None:
    assert dictionary() in (folder / "README.md").read_text()
    docs = Path(__file__).parents[3] / "docs" / "release.md"
    assert dictionary() in docs.read_text(), "put arena.release.documents.dictionary() in there"


def test_every_column_has_a_description() -> None:
    assert all(column.description for schema in TABLES for column in schema.columns)
    assert VOTES.names[:4] == ["id", "model_a", "model_b", "winner"]


def test_croissant_describes_every_table_file_and_column(folder: Path) -> None:
    croissant = json.loads((folder / "croissant.json").read_text())
    assert croissant["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    lines = [line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines()]
    sums = {name: sha256 for sha256, name in lines}
    files = {file["@id"]: file["sha256"] for file in croissant["distribution"]}
    assert files == {name: sums[name] for name in files}
    assert len(files) == len(RELEASED) * len(FORMATS)
    for schema, records in zip(TABLES, croissant["recordSet"], strict=True):
        assert [field["name"] for field in records["field"]] == schema.names
        assert {field["source"]["fileObject"]["@id"] for field in records["field"]} <= set(files)


# --- tables in files ------------------------------------------------------------------------------

ODD = TableSchema(
    "odd",
    "Cells of every kind.",
    (
        Column("name", ColumnType.TEXT, "any text"),
        Column("whole", ColumnType.INTEGER, "any integer"),
        Column("number", ColumnType.NUMBER, "any finite number"),
        Column("truth", ColumnType.BOOLEAN, "yes or no"),
    ),
)
ODD_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.none() | st.text(st.characters(codec="utf-8")),
            "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
            "number": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "truth": st.none() | st.booleans(),
        }
    ),
    max_size=5,
)


@settings(deadline=None, max_examples=60)
@given(rows=ODD_ROWS)
def test_tables_read_back_unchanged(
    rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = make_table(ODD, rows)
    folder = tmp_path_factory.mktemp("odd")
    for format_ in FORMATS:
        write_table(table, folder / f"odd.{format_}")
        assert read_table(folder / f"odd.{format_}", ODD).equals(table), format_
    write_table(table, folder / "odd.spreadsheet.csv")
    assert read_table(folder / "odd.spreadsheet.csv", ODD).equals(table)


@pytest.mark.parametrize("name", ["NA", "null", "None", "1.0", "true", '"', "a,b", "-", " x "])
def test_names_that_look_like_other_values_stay_text(name: str, tmp_path: Path) -> None:
    table = make_table(ODD, [{"name": name}])
    for format_ in FORMATS:
        write_table(table, tmp_path / f"odd.{format_}")
        assert read_table(tmp_path / f"odd.{format_}", ODD)["name"].to_pylist() == [name]
