"""A release has every column in every format, and nothing that must stay hidden."""

import csv
import json
import re
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from released_arena import (
    NOW,
    RELEASED,
    SIMULATED_VOTES,
    let_people_vote,
    let_simulated_voters_vote,
    read_rows,
    release,
)
from sqlalchemy import select

import ratings
from arena.catalog.entrants import find_entrant
from arena.catalog.tracks import close_track, find_track, list_tracks
from arena.database import Database
from arena.errors import NotFound, ReleaseError
from arena.models import Battle, Choice, Clip, Entrant, Prompt, Vote, Voter, VoterKind
from arena.release.schema import TABLES, TableSchema
from arena.release.tables import FORMATS
from arena.release.verify import verify_release
from arena.standings import standings
from arena.standings.boards import BOARD_COLUMNS, board_frame
from arena.standings.rated_votes import WINNERS
from small_arena import TRACK, TRACK_WITH_SOUND

LEADERBOARD_DATASET = (
    "model_name organization license rating rating_lower rating_upper variance vote_count rank "
    "category leaderboard_publish_date"
).split()


@pytest.fixture(scope="module")
def opened(shared_database: Database) -> Database:
    let_people_vote(shared_database)
    let_simulated_voters_vote(shared_database)
    return shared_database


@pytest.fixture(scope="module")
def folder(opened: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release(opened, tmp_path_factory.mktemp("releases") / "first")


@pytest.fixture(scope="module")
def of_one_track(opened: Database, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return release(opened, tmp_path_factory.mktemp("releases") / "one", track=TRACK)


def texts(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.iterdir() if path.suffix != ".parquet")


def test_the_folder_has_the_published_files(folder: Path) -> None:
    tables = {f"{name}.{format_}" for name in RELEASED for format_ in FORMATS}
    documents = {"README.md", "croissant.json", "seals.json", "openings.json", "manifest.json"}
    documents |= {"registrations.json", "blindness.json", "release.json"}
    others = documents | {"SHA256SUMS"}
    assert {path.name for path in folder.iterdir()} == tables | others
    assert json.loads((folder / "seals.json").read_text())["seals"]


@pytest.mark.parametrize("schema", TABLES, ids=lambda schema: schema.name)
def test_each_format_has_the_documented_columns_and_the_same_content(
    folder: Path, schema: TableSchema
) -> None:
    with (folder / f"{schema.name}.csv").open() as file:
        assert next(csv.reader(file)) == schema.names
    assert list(pd.read_parquet(folder / f"{schema.name}.parquet").columns) == schema.names
    parquet, csv_rows, json_rows = (read_rows(folder, schema.name, format_) for format_ in FORMATS)
    assert parquet == csv_rows == json_rows


def test_leaderboards_begin_with_the_columns_of_the_leaderboard_dataset(folder: Path) -> None:
    columns = list(pd.read_csv(folder / "leaderboard.csv").columns)
    assert columns[: len(LEADERBOARD_DATASET)] == LEADERBOARD_DATASET
    assert set(BOARD_COLUMNS) - {"model"} <= set(columns)


def test_every_vote_is_exported_as_it_was_cast(opened: Database, folder: Path) -> None:
    rows = {int(row["id"]): row for row in read_rows(folder, "votes")}
    clips = {
        row["reference"]: (row["model"], row["track"], row["prompt_id"])
        for row in read_rows(folder, "clips")
    }
    with opened.reading() as session:
        cast = session.execute(
            select(Vote, Battle)
            .join(Battle, Battle.id == Vote.battle_id)
            .join(Voter, Voter.id == Vote.voter_id)
            .where(Voter.kind == VoterKind.PERSON, Vote.choice != Choice.SKIP)
        ).all()
        assert len(cast) == len(rows) > 50
        for vote, battle in cast:
            row = rows[vote.id]
            assert row["winner"] == WINNERS[vote.choice]
            assert row["model_a"] == battle.clip_a.entrant.name
            assert row["model_b"] == battle.clip_b.entrant.name
            for side, clip in (("a", battle.clip_a), ("b", battle.clip_b)):
                made = (clip.entrant.name, battle.track.name, clip.prompt_id)
                assert clips[row[f"clip_{side}"]] == made
            assert (row["track"], row["prompt_id"]) == (battle.track.name, battle.prompt_id)
            assert row["categories"] == (";".join(battle.prompt.categories) or None)
            assert (row["battle_id"], row["repeat_of"]) == (str(battle.id), None)
            assert (row["sampler"], row["probability"]) == (battle.sampler, battle.probability)
            assert row["watched_a_ms"] == vote.watched_a_ms
            assert (row["first"], row["decided_ms"]) == ("a", vote.decided_ms)
            assert row["reasons"] == "motion;picture"
            assert (row["language"], row["voter_kind"], row["counted"]) == ("en", "person", True)
            assert row["timestamp"].endswith("Z")
            assert datetime.fromisoformat(row["timestamp"]) == vote.cast_at


def test_a_voters_answers_are_numbered_and_the_key_stays_hidden(
    opened: Database, folder: Path
) -> None:
    answers = read_rows(folder, "votes") + read_rows(folder, "skips")
    of_one: dict[str, list[int]] = {}
    for row in sorted(answers, key=lambda row: int(row["id"])):
        of_one.setdefault(row["evaluation_session_id"], []).append(row["evaluation_order"])
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in of_one.values())
    with opened.reading() as session:
        keys = set(session.scalars(select(Voter.key).where(Voter.kind == VoterKind.PERSON)))
    assert len(of_one) == len(keys)
    assert not any(key in texts(folder) for key in keys)


def test_simulated_votes_and_skips_are_never_among_peoples_votes(folder: Path) -> None:
    assert {row["voter_kind"] for row in read_rows(folder, "votes")} == {"person"}
    simulated = read_rows(folder, "simulated")
    assert {row["voter_kind"] for row in simulated} == {"simulated"}
    assert len(simulated) == SIMULATED_VOTES
    skips = read_rows(folder, "skips")
    assert "winner" not in skips[0]
    assert not {row["id"] for row in skips} & {row["id"] for row in read_rows(folder, "votes")}
    assert read_rows(folder, "holds") == []


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(("table", "voters"), [("votes", "person"), ("simulated", "simulated")])
def test_ratings_computes_the_released_leaderboard(
    opened: Database, of_one_track: Path, format_: str, table: str, voters: str
) -> None:
    frame = ratings.read_votes(of_one_track / f"{table}.{format_}")
    recomputed = ratings.leaderboard(ratings.Battles.from_frame(frame)).set_index("model")
    board = standings.leaderboard(opened, track_name=TRACK, voters=VoterKind(voters), now=NOW)
    released = board_frame(board).set_index("model").loc[recomputed.index]
    assert (released["status"] == recomputed["status"]).all()
    for column in released.columns.drop("status"):
        np.testing.assert_allclose(  # the released one has six decimals
            released[column].astype(float), recomputed[column].astype(float), atol=1e-6, rtol=0
        )


def test_leaderboards_are_as_new_as_the_votes(folder: Path) -> None:
    board = pd.read_parquet(folder / "leaderboard.parquet")
    last = max(int(row["id"]) for name in ("votes", "simulated") for row in read_rows(folder, name))
    assert (board["watermark"] >= last).all()
    assert set(board["category"]) == {"overall", "even"}
    assert set(board["voters"]) == {"people", "simulated"}
    assert set(board["track"]) == {TRACK, TRACK_WITH_SOUND}


def test_a_release_of_one_track_has_no_other(
    opened: Database, of_one_track: Path, tmp_path: Path
) -> None:
    for name in ("votes", "simulated", "skips", "clips", "tracks", "leaderboard"):
        assert {row["track"] for row in read_rows(of_one_track, name)} == {TRACK}
    assert {row["tracks"] for row in read_rows(of_one_track, "models")} == {TRACK}
    with pytest.raises(NotFound, match="No track is named 'dressage'"):
        release(opened, tmp_path / "none", track="dressage")
    assert not (tmp_path / "none").exists()


def test_an_arena_without_votes_can_be_released(arena_database: Database, tmp_path: Path) -> None:
    folder = release(arena_database, tmp_path / "release")
    assert read_rows(folder, "votes") == read_rows(folder, "leaderboard") == []
    assert len(read_rows(folder, "clips")) == 24


def test_other_tools_read_the_votes_unchanged(folder: Path) -> None:
    frame = pd.read_csv(folder / "votes.csv")
    assert frame[["model_a", "model_b"]].isin({"Alder", "Birch", "Cedar"}).all(axis=None)
    assert set(frame["winner"]) == {"model_a", "model_b", "tie", "both_bad"}
    assert str(pd.to_datetime(frame["timestamp"], format="ISO8601").dt.tz) == "UTC"


# --- what must stay hidden ------------------------------------------------------------------------


@pytest.fixture
def secretive(arena_database: Database) -> Database:
    """Cedar competes as Grey Colt, p-4 is held out, and provenance contains a path."""
    with arena_database.writing() as session:
        cedar = find_entrant(session, "Cedar")
        cedar.codename, cedar.commitment = "Grey Colt", "c" * 64
        cedar.price_usd_per_minute = 0.5
        cedar.licence, cedar.release_date = "Unusual-1.0", date(2031, 5, 17)
        session.get_one(Prompt, "p-4").private = True
        for clip in session.scalars(select(Clip)):
            clip.provenance = {
                "model": f"/srv/secret-disk/{clip.entrant.slug}",
                "call": {"prompt": clip.prompt.text},
            }
            clip.master_sha256 = clip.sha256
    let_people_vote(arena_database, people=2)
    return arena_database


def test_a_codename_hides_its_creator(secretive: Database, tmp_path: Path) -> None:
    folder = release(secretive, tmp_path / "release")
    assert "cedar" not in texts(folder).lower()
    colt = next(row for row in read_rows(folder, "models") if row["stealth"])
    assert (colt["model"], colt["creator"], colt["commitment"]) == ("Grey Colt", None, "c" * 64)
    assert colt["price_usd_per_minute"] is None
    clips = [row for row in read_rows(folder, "clips") if row["model"] == "Grey Colt"]
    assert {(row["provenance"], row["master_sha256"]) for row in clips} == {(None, None)}
    board = [row for row in read_rows(folder, "leaderboard") if row["model_name"] == "Grey Colt"]
    assert {row["organization"] for row in board} == {None}
    assert {row["license"] for row in board} == {None}


def test_a_codename_hides_licence_and_release_date_until_it_is_claimed(
    secretive: Database, tmp_path: Path
) -> None:
    folder = release(secretive, tmp_path / "release")
    assert "Unusual" not in texts(folder)
    assert "2031-05-17" not in texts(folder)
    verify_release(folder)
    with secretive.writing() as session:
        find_entrant(session, "Cedar").claimed_at = NOW
    claimed = release(secretive, tmp_path / "claimed")
    cedar = next(row for row in read_rows(claimed, "models") if row["model"] == "Cedar")
    assert (cedar["licence"], cedar["release_date"]) == ("Unusual-1.0", "2031-05-17")
    with pytest.raises(ReleaseError, match=r"Cedar.*no opening"):  # only `arena claim` stores it
        verify_release(claimed)


def test_names_that_spreadsheets_would_run_are_escaped_in_a_csv_of_its_own(
    arena_database: Database, tmp_path: Path
) -> None:
    with arena_database.writing() as session:
        find_entrant(session, "Cedar").name = "=HYPERLINK(1)"
        find_entrant(session, "Birch").name = "'@Birch"
        session.get_one(Prompt, "p-1").text = "+1 ball"
    let_people_vote(arena_database, people=2)
    folder = release(arena_database, tmp_path / "release", spreadsheet=True)
    safe = sorted(folder.glob("*.spreadsheet.csv"))
    assert [path.name.partition(".")[0] for path in safe] == sorted(RELEASED)
    for path in safe:
        with path.open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        texts_of = [cell for cell in cells if not re.fullmatch(r"-[0-9.]+", cell)]
        assert not [cell for cell in texts_of if cell and cell[0] in "=+-@\t\r"], path.name
    assert "\n=HYPERLINK(1)," in (folder / "models.csv").read_text()
    assert "\n'=HYPERLINK(1)," in (folder / "models.spreadsheet.csv").read_text()
    with (folder / "models.spreadsheet.csv").open() as file:
        undone = {re.sub(r"^'(?='*[=+\-@\t\r])", "", row["model"]) for row in csv.DictReader(file)}
    names = {row["model"] for row in read_rows(folder, "models")}
    assert {"=HYPERLINK(1)", "'@Birch"} < names
    assert undone == names
    verify_release(folder)
    table = ratings.read_votes(folder / "votes.csv")
    assert set(table["model_a"]) | set(table["model_b"]) == names
    assert "apostrophe" in (folder / "README.md").read_text()


def test_hashes_of_clips_are_published_when_their_track_closes(
    secretive: Database, tmp_path: Path
) -> None:
    """Before, they would tell a voter who made a clip; under a codename, what was committed to."""
    with secretive.reading() as session:
        hashes = set(session.scalars(select(Clip.sha256)))
    before = release(secretive, tmp_path / "before")
    assert not [each for each in hashes if each and each in texts(before)]
    with secretive.writing() as session:
        close_track(session, find_track(session, TRACK), now=NOW)
    folder = release(secretive, tmp_path / "after")
    rows = read_rows(folder, "clips")
    for row in rows:
        hidden = row["track"] != TRACK or row["model"] == "Grey Colt" or row["prompt_id"] == "p-4"
        assert (row["sha256"] is None) == (row["salt"] is None) == hidden
        assert (row["master_sha256"] is None) == hidden
    names = {row["sha256"] or row["reference"] for row in rows}
    for vote in read_rows(folder, "votes"):
        assert {vote["clip_a"], vote["clip_b"]} <= names
    verify_release(before)
    verify_release(folder)


def test_the_text_and_hashes_of_a_held_out_prompt_stay_hidden(
    secretive: Database, tmp_path: Path
) -> None:
    with secretive.writing() as session:
        for track in list_tracks(session):
            close_track(session, track, now=NOW)
    folder = release(secretive, tmp_path / "release")
    held_out = next(row for row in read_rows(folder, "prompts") if row["private"])
    assert (held_out["id"], held_out["text"]) == ("p-4", None)
    assert "Prompt p-3" in texts(folder)
    assert "Prompt p-4" not in texts(folder)
    assert held_out["held_out"]
    for row in read_rows(folder, "clips"):
        is_hidden = row["prompt_id"] == "p-4" or row["model"] == "Grey Colt"
        assert (row["sha256"] is None) == is_hidden


def test_no_path_of_the_operators_disk_is_released(secretive: Database, tmp_path: Path) -> None:
    folder = release(secretive, tmp_path / "release")
    assert "secret-disk" not in texts(folder)
    provenances = [row["provenance"] for row in read_rows(folder, "clips") if row["provenance"]]
    assert {json.loads(text)["model"] for text in provenances} == {"alder", "birch"}


def test_two_models_with_one_name_are_refused(secretive: Database, tmp_path: Path) -> None:
    with secretive.writing() as session:
        session.scalars(select(Entrant).where(Entrant.slug == "birch")).one().name = "Grey Colt"
    with pytest.raises(ReleaseError, match="Two models are shown as 'Grey Colt'"):
        release(secretive, tmp_path / "release")
