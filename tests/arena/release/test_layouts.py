"""Votes in the files of other published sets: their columns, and the same ratings from each."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from released_arena import NOW, let_people_vote, let_simulated_voters_vote, read_rows, release
from sealed_arena import signer_of

import ratings
from arena.database import Database
from arena.errors import ReleaseError
from arena.release.layout_export import export_layout
from arena.release.layouts import Layout
from small_arena import TRACK

pytestmark = pytest.mark.databases("sqlite")

FILES = {
    Layout.LMSYS_33K: "data/train-00000-of-00001.parquet",
    Layout.KAGGLE_55K: "train.csv",
    Layout.GENAI_BENCH: "video_generation/test-00000-of-00001.parquet",
    Layout.RAPIDATA: "data/train-00000-of-00001.parquet",
}
COLUMNS = {
    Layout.LMSYS_33K: "question_id model_a model_b winner judge conversation_a conversation_b turn "
    "anony language tstamp openai_moderation toxic_chat_tag",
    Layout.KAGGLE_55K: "id model_a model_b prompt response_a response_b winner_model_a "
    "winner_model_b winner_tie",
    Layout.GENAI_BENCH: "prompt left_model left_video right_model right_video vote_type",
    Layout.RAPIDATA: "prompt video1 video2 weighted_results1_Preference "
    "weighted_results2_Preference weighted_results1_Coherence weighted_results2_Coherence "
    "weighted_results1_Alignment weighted_results2_Alignment detailedResults_Preference "
    "detailedResults_Coherence detailedResults_Alignment file_name1 file_name2 model1 model2",
}


@pytest.fixture(scope="module")
def opened(shared_database: Database) -> Database:
    let_people_vote(shared_database)
    let_simulated_voters_vote(shared_database)
    return shared_database


@pytest.fixture(scope="module")
def votes(opened: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release(opened, tmp_path_factory.mktemp("one") / "release", track=TRACK)


def write(opened: Database, folder: Path, layout: Layout, track: str | None = TRACK) -> Path:
    signer = signer_of(opened)
    export_layout(opened, folder, layout, signer=signer, track=track, now=NOW)
    return folder / FILES[layout]


@pytest.mark.parametrize("layout", Layout)
def test_the_file_has_the_columns_of_the_set(
    opened: Database, tmp_path: Path, layout: Layout
) -> None:
    path = write(opened, tmp_path / "out", layout)
    if path.suffix == ".csv":
        with path.open() as file:
            columns = next(csv.reader(file))
    else:
        columns = pq.read_schema(path).names
    assert columns == COLUMNS[layout].split()
    others = {each.name for each in (tmp_path / "out").iterdir() if each.is_file()}
    assert others - {path.name} == {"README.md", "SHA256SUMS"}


@pytest.mark.parametrize("layout", Layout)
def test_ratings_reads_every_layout_and_gives_the_same_ratings(
    opened: Database, votes: Path, tmp_path: Path, layout: Layout
) -> None:
    def rated(path: Path) -> "pd.Series[float]":
        battles = ratings.Battles.from_frame(ratings.read_votes(path))
        return ratings.bradley_terry(battles).ratings

    path = write(opened, tmp_path / "out", layout)
    expected = rated(votes / "votes.parquet")
    np.testing.assert_allclose(rated(path)[expected.index], expected, atol=1e-6)


def test_words_and_values_are_those_of_each_set(
    opened: Database, votes: Path, tmp_path: Path
) -> None:
    rows = read_rows(votes, "votes")
    lmsys = pq.read_table(write(opened, tmp_path / "l", Layout.LMSYS_33K)).to_pylist()
    assert [row["question_id"] for row in lmsys] == [row["id"] for row in rows]
    assert {row["winner"] for row in lmsys} == {"model_a", "model_b", "tie", "tie (bothbad)"}
    assert {row["language"] for row in lmsys} == {"English"}
    assert lmsys[0]["judge"] == "arena_user_1"
    assert lmsys[0]["conversation_a"][0]["content"].startswith("Prompt p-")
    assert lmsys[0]["conversation_b"][1]["content"] == f"media/{rows[0]['clip_b']}.mp4"
    with write(opened, tmp_path / "k", Layout.KAGGLE_55K).open() as file:
        kaggle = list(csv.DictReader(file))
    assert json.loads(kaggle[0]["prompt"]) == lmsys[0]["conversation_a"][0]["content"].split("\0")
    marks = [tuple(row[f"winner_{name}"] for name in ("model_a", "tie")) for row in kaggle]
    expected = {"model_a": ("1", "0"), "model_b": ("0", "0")}
    assert marks == [expected.get(row["winner"], ("0", "1")) for row in rows]
    genai = pq.read_table(write(opened, tmp_path / "g", Layout.GENAI_BENCH)).to_pylist()
    assert {row["vote_type"] for row in genai} == {
        *("leftvote", "rightvote", "tievote", "bothbad_vote"),
    }
    rapidata = pq.read_table(write(opened, tmp_path / "r", Layout.RAPIDATA)).to_pylist()
    assert sum(len(row["detailedResults_Preference"]) for row in rapidata) == len(rows)
    for row in rapidata:
        shares = [row[f"weighted_results{number}_Preference"] for number in (1, 2)]
        assert sum(shares) == pytest.approx(1)
        assert row["model1"] != row["model2"]
        voted = [each["votedFor"] for each in row["detailedResults_Preference"]]
        assert set(voted) <= {row["file_name1"], row["file_name2"], None}


def test_votes_of_several_tracks_need_the_option(opened: Database, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="choose one with --track"):
        write(opened, tmp_path / "out", Layout.KAGGLE_55K, track=None)
    assert not (tmp_path / "out").exists()
