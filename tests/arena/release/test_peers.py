"""Other people's programs run on a release's files as they are, and give the same ratings."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import evalica
import numpy as np
import pandas as pd
import pytest
from released_arena import (
    RELEASED,
    let_people_vote,
    let_simulated_voters_vote,
    read_rows,
    release,
)

import ratings
from arena.database import Database
from arena.release.schema import TABLES
from arena.site import UNNAMED
from small_arena import TRACK

pytestmark = pytest.mark.databases("sqlite")

ARENA_RANK = Path(__file__).parents[2] / "support" / "run_arena_rank.py"
PYTHON = os.environ.get("ARENA_RANK_PYTHON", "")  # of an environment that has arena-rank
NO_ARENA_RANK = (
    "arena-rank 0.1.1, its newest version, requires numpy 2.3.3 exactly, and jax 0.8.1, so that it "
    "needs an environment of its own: tests/support/run_arena_rank.py says how to make it, and "
    "ARENA_RANK_PYTHON names its interpreter"
)


@pytest.fixture(scope="module")
def folder(shared_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    let_people_vote(shared_database)
    let_simulated_voters_vote(shared_database)
    return release(shared_database, tmp_path_factory.mktemp("one") / "release", track=TRACK)


@pytest.fixture(scope="module")
def expected(folder: Path) -> "pd.Series[float]":
    frame = ratings.read_votes(folder / "votes.parquet")
    return ratings.bradley_terry(ratings.Battles.from_frame(frame)).ratings


@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_arena_rank_gives_the_same_ratings(
    folder: Path, expected: "pd.Series[float]", format_: str
) -> None:
    if not PYTHON:
        pytest.skip(NO_ARENA_RANK)
    command = [PYTHON, str(ARENA_RANK), str(folder / f"votes.{format_}")]
    environment = os.environ | {"PYTHONPATH": "", "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    theirs = pd.Series(json.loads(done.stdout.splitlines()[-1]))
    theirs += 1000 - theirs.mean()
    np.testing.assert_allclose(theirs[expected.index], expected, atol=0.5)


@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_evalica_gives_the_same_ratings(
    folder: Path, expected: "pd.Series[float]", format_: str
) -> None:
    path = folder / f"votes.{format_}"
    frame = pd.read_parquet(path) if format_ == "parquet" else pd.read_csv(path)
    words = {"model_a": evalica.Winner.X, "model_b": evalica.Winner.Y}
    winners = [words.get(word, evalica.Winner.Draw) for word in frame["winner"]]
    scores = evalica.bradley_terry(
        frame["model_a"], frame["model_b"], winners, tolerance=1e-12, limit=10_000
    ).scores
    theirs = 400 * np.log10(scores)
    theirs += 1000 - theirs.mean()
    np.testing.assert_allclose(theirs[expected.index], expected, atol=1e-3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("formats", [("parquet", "csv"), ("csv",), ("jsonl",)])
def test_mlcroissant_loads_the_metadata_and_iterates_all_records(
    shared_database: Database, tmp_path: Path, formats: tuple[str, ...]
) -> None:
    croissant = pytest.importorskip("mlcroissant")
    site = replace(UNNAMED, licence="CC-BY-4.0")  # without a licence, it warns
    folder = release(shared_database, tmp_path / "release", formats=formats, site=site)
    dataset = croissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    assert [each.name for each in dataset.metadata.record_sets] == RELEASED
    for schema in TABLES:
        rows = read_rows(folder, schema.name, formats[0])
        records = list(dataset.records(schema.name))
        assert len(records) == len(rows), schema.name
        for record, row in zip(records, rows, strict=True):
            for name, cell in row.items():
                value = record[f"{schema.name}/{name}"]
                value = value.decode() if isinstance(value, bytes) else value
                if isinstance(value, pd.Timestamp) and cell is not None:
                    assert value == pd.Timestamp(cell), (schema.name, name)
                elif cell is None:
                    assert value is None or pd.isna(value), (schema.name, name)
                elif isinstance(cell, float):  # pandas' reader of JSON loses the last digit
                    assert value == pytest.approx(cell, rel=1e-12), (schema.name, name)
                else:
                    assert value == cell, (schema.name, name)
